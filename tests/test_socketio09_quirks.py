"""What clients of 0.9 do that a server must bear, and what the servers of the time did that ours must not; literal bytes.

The rest of both lists is in test_socketio09_handshake.py, _polling.py and test_socketio09.py (requests and packets), _replay.py
(whole sessions) and _network.py (the real client).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from anywire.server.protocols.socketio09 import SocketIO09
from http_tools import RawClient, masked, text
from socketio09_tools import get, handshake, held, poller, serving, websocket

# -- what clients do --------------------------------------------------------------------------------------------------


def test_two_posts_at_once_are_both_taken(run: Callable[..., Any]) -> None:
    """The htmlfile client answers heartbeats beside the POST that it has under way."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as slow, RawClient(sio.port) as quick:
            target = await poller(client)
            slow.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n3:::s".encode())
            await asyncio.sleep(0.02)
            assert (await quick.request("POST", target, b"3:::quick")).text == "1"
            slow.send(b"low")
            assert (await slow.answer()).text == "1"
            assert (await client.request("GET", target)).text == "\ufffd14\ufffd3:::echo:quick\ufffd13\ufffd3:::echo:slow"

    run(main())


def test_a_goodbye_that_comes_too_late_is_taken_as_said(run: Callable[..., Any]) -> None:
    """Any answer but 200 sends the client back to the server, which it was to leave."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = await poller(client)
            other.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n0:".encode())
            poll = get(client, target)
            await held(sio)
            sio.disconnect(next(iter(sio._hub.namespaces["/"].sockets)))
            assert (await poll).text == "0::"
            other.send(b":")
            assert [(await other.answer())[0::2], (await other.request("POST", target, b"0::"))[0::2]] == [(200, b"1")] * 2

    run(main())


def test_times_and_slots_in_any_place_of_the_query_and_posts_without_a_type(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sid = await handshake(client)
            base = f"/socket.io/1/jsonp-polling/{sid}"
            assert (await client.request("GET", base + "?i=3&token=a%20b&t=1")).text == 'io.j[3]("1::");'
            for index, headers in enumerate(("", "Content-Type: text/plain\r\n", "Content-Type: nonsense\r\n", "content-type:\r\n")):
                assert (await client.request("POST", f"{base}/?t=1&i={index}", b"d=%223%3A%3A%3Ax%22", headers)).text == "1"
            answer = await client.request("GET", base + "/?t=2&x&&i=4")
            assert answer.text == 'io.j[4]("' + "\ufffd10\ufffd3:::echo:x" * 4 + '");'

    run(main())


@pytest.mark.parametrize(("origins", "status"), [("*", 200), (["null"], 200), (None, 403)])
def test_a_page_that_has_no_origin_is_asked_for_by_name(origins: Any, status: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=origins) as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/1/", headers="Origin: null\r\n")
            assert answer.status == status
            if status == 200:
                assert answer.headers["access-control-allow-origin"] == "null"

    run(main())


def test_a_quiet_websocket_is_proven_by_a_ping_before_any_heartbeat(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Until something comes over it, all that is sent over it is kept for the poll that follows a swallowed one."""
    monkeypatch.setattr("anywire.server.heartbeat.PROOF_INTERVAL", 0.05)

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sid = await websocket(client)
            sio.emit("x")
            assert await client.frame() == (0x81, b'5:::{"name":"x"}')
            session = sio._hub.sessions[sid]
            assert session.unproven and len(session.outbox) == 2
            assert await client.frame() == (0x81, b"2::")
            client.send(text("2::") + text("3:1::y"))
            assert await client.frame() == (0x81, b"6:::1")
            assert not session.unproven and len(session.outbox) == 0

    run(main())


def test_a_broadcast_is_encoded_once_for_all_its_receivers(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def count(name: str) -> None:
        real = getattr(SocketIO09, name)

        def counted(self: SocketIO09, *args: Any) -> Any:
            calls.append(name)
            return real(self, *args)

        monkeypatch.setattr(SocketIO09, name, counted)

    for name in ("encode", "encode_text", "payload"):
        count(name)

    async def main() -> None:
        async with serving() as sio, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(RawClient(sio.port)) for _ in range(40)]
            for client in clients[:20]:
                await websocket(client)
                client.send(text("3:1::x"))
                assert [(await client.frame())[1] for _ in range(2)] == [b"6:::1", b"3:::echo:x"]
            targets = [await poller(client) for client in clients[20:]]
            polls = [get(client, target) for client, target in zip(clients[20:], targets, strict=True)]
            while sum(session.transport.ready for session in sio._hub.sessions.values() if session.transport) < 40:
                await asyncio.sleep(0.001)
            calls.clear()
            sio.emit("news", {"n": 1})
            expected = b'5:::{"name":"news","args":[{"n":1}]}'
            assert [await client.frame() for client in clients[:20]] == [(0x81, expected)] * 20
            assert [(await poll).body for poll in polls] == [expected] * 20
            # For the frames, and for the polls.
            assert sorted(calls) == ["encode", "encode_text", "payload"]

    run(main())


# -- what servers did -------------------------------------------------------------------------------------------------


def test_the_bytes_of_a_long_life_are_not_added_up(run: Callable[..., Any]) -> None:
    """The original ended a WebSocket when all that had ever come over it was more than the limit of one message."""

    async def main() -> None:
        async with serving(max_payload=1000) as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            await websocket(client)
            target = await poller(other)
            for _ in range(30):
                client.send(text("4:1::" + '"' + "x" * 900 + '"'))
                assert await client.frame() == (0x81, b"6:::1")
                assert (await client.frame())[1][:10] == b"3:::echo:x"
                assert (await other.request("POST", target, b"3:::" + b"x" * 900)).text == "1"
                assert (await other.request("GET", target)).text == "3:::echo:" + "x" * 900
            # One that is too big is another matter, and is told.
            assert (await other.request("POST", target, b"3:::" + b"x" * 1000)).status == 413
            client.send(text("3:::" + "x" * 1000))
            first, body = await client.frame()
            assert (first, body[:2]) == (0x88, b"\x03\xf1")

    run(main())


def test_a_body_that_is_cut_inside_a_character_comes_whole(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            target = await poller(client)
            sender.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n".encode())
            for byte in "3:::é😀".encode():
                sender.send(bytes((byte,)))
                await asyncio.sleep(0.002)
            assert (await sender.answer()).text == "1"
            assert (await client.request("GET", target)).text == "3:::echo:é😀"

    run(main())


def test_a_client_between_two_polls_does_not_fill_the_memory(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_queue_messages=50) as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            ended: list[str] = []
            sio.on("disconnect", lambda sid, reason: ended.append(reason))
            target = await poller(client)
            for number in range(60):
                sio.emit("x", number)
            assert ended == ["slow consumer"] and not sio._hub.sessions
            assert (await client.request("GET", target)).text == "7:::1+0"
        async with serving(max_queue_messages=50, slow_consumer="drop") as sio, RawClient(sio.port) as other:
            target = await poller(other)
            for number in range(60):
                sio.emit("x", number)
            assert (await other.request("GET", target)).text.count('"name"') == 50

    run(main())


def test_answered_acknowledgements_are_forgotten(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            socket = next(iter(sio._hub.namespaces["/"].sockets.values()))
            heard: list[Any] = []
            for number in range(1, 21):
                sio.emit("x", to=socket.sid, callback=lambda *args: heard.append(args))
                assert (await client.frame())[1] == b'5:%d+::{"name":"x"}' % number
                # Twice: the second says nothing.
                client.send(text(f"6:::{number}+[{number}]") * 2)
            client.send(text("3:1::end"))
            assert (await client.frame())[1] == b"6:::1"
            assert heard == [(number,) for number in range(1, 21)] and not socket.acks

    run(main())


def test_options_is_answered_and_makes_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(origins=["http://example.com"]) as sio, RawClient(sio.port) as client:
            target = await poller(client)
            headers = "Origin: http://example.com\r\nAccess-Control-Request-Method: POST\r\n"
            for url in (target, "/socket.io/1/?t=1"):
                answer = await client.request("OPTIONS", url, headers=headers)
                assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "http://example.com")
            assert len(sio._hub.sessions) == 1

    run(main())


def test_a_connection_that_is_to_be_closed_is_closed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as one:
            target = await poller(client)
            await client.request("POST", target, b"3:::x")
            answer = await one.request("GET", target, headers="Connection: close\r\n")
            assert (answer.text, answer.headers["connection"]) == ("3:::echo:x", "close")
            assert await one.reader.read() == b""

    run(main())


def test_a_client_hears_nothing_of_namespaces_that_it_is_not_in(run: Callable[..., Any]) -> None:
    """It would make the namespace, and join it."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid), namespace="/chat")
            await websocket(client)
            sio.emit("x", namespace="/chat")
            client.send(text("1::/chat"))
            assert await client.frame() == (0x81, b"1::/chat")
            client.send(text("0::/chat") + text("3:1::left"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"6:::1", b"3:::echo:left"]
            sio.emit("x", namespace="/chat")
            sio.emit("x", to=sids[0], namespace="/chat")
            sio.emit("y")
            assert await client.frame() == (0x81, b'5:::{"name":"y"}')

    run(main())


@pytest.mark.parametrize(
    "target",
    [
        "/socket.io/1/xhr-polling/../../etc/passwd", "/socket.io/1/%00/x", "/socket.io/1/__proto__/constructor",
        "/socket.io/1/websocket/%0d%0a", "/socket.io/1/xhr-polling/" + "9" * 4000, "/socket.io/1//x/?disconnect=1&disconnect=2",
        "/socket.io/1/jsonp-polling/x?i=0;alert(1)",
        "/socket.io/1/?jsonp=0)%3Balert(1", "/socket.io/1/?t=%ff%fe", "/socket.io/99999999999999999999/",
    ],
)  # fmt: skip
def test_hostile_urls_are_answered_and_harm_nobody(target: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as bystander:
            await websocket(bystander)
            for method in ("GET", "POST", "PUT", "DELETE"):
                async with RawClient(sio.port) as client:
                    answer = await client.request(method, target)
                    assert answer.status in (200, 400, 404, 405, 500) and b"alert(1" not in answer.body and b"Traceback" not in answer.body
            bystander.send(text("3:1::still here"))
            assert (await bystander.frame())[1] == b"6:::1"

    run(main())


@pytest.mark.parametrize("first", [0x81, 0x82, 0x01, 0x83, 0xC1], ids=hex)
def test_hostile_frames_end_their_session_alone(first: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as bystander, RawClient(sio.port) as client:
            await websocket(bystander)
            await websocket(client)
            for body in (b"\xff\xfe", b"3:::" + b"\xed\xa0\x80", b"\0" * 100):
                client.send(masked(first, body))
            client.send(masked(0x89, b"end"))
            assert (await client.frame())[0] in (0x88, 0x8A)
            bystander.send(text("3:1::still here"))
            assert (await bystander.frame())[1] == b"6:::1"

    run(main())
