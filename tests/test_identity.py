"""Whose session is it: ids that cannot be guessed, taken over, mixed up or used after the end (facts of transport state)."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from anywire.server.errors import CloseReason
from http_tools import RawClient, text
from server_tools import BASE, TARGETS, TRANSPORTS, Peer, knock, serving

UNKNOWN = {"code": 1, "message": "Session ID unknown"}
BAD_REQUEST = {"code": 3, "message": "Bad request"}


async def refused(port: int, method: str, target: str, body: bytes = b"", headers: str = "") -> tuple[int, Any]:
    """Status and body of an answer that must be an error, on a connection of its own."""
    async with RawClient(port) as client:
        answer = await client.request(method, target, body, headers)
    assert answer.status >= 400, answer
    return answer.status, json.loads(answer.body) if answer.body else None


def test_ids_are_random_and_long_and_a_clients_public_id_says_nothing_of_its_sessions(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            engine, public = set(), set()
            for transport in TRANSPORTS * 5:
                async with Peer(sio.port, transport) as peer:
                    engine.add(peer.sid)
                    public.add(json.loads((await peer.connect())[2:])["sid"])
            assert len(engine) == len(public) == 20 and not engine & public
            secrets = [re.fullmatch(r"[A-Za-z0-9]{8}-([A-Za-z0-9_-]{22})", sid)[1] for sid in engine | public]  # type: ignore[index]
            # 22 characters of base64 hold 128 bits; no position of them is the same throughout.
            assert all(len(set(column)) > 4 for column in zip(*(secret[:21] for secret in secrets), strict=True))
            assert len({secret[:8] for secret in secrets}) == len({secret[-8:] for secret in secrets}) == 40

    run(main())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_guessed_id_is_unknown_on_every_transport_and_makes_no_session(transport: str, method: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            swapped = peer.sid[:-1] + ("A" if peer.sid[-1] != "A" else "B")
            other_node = ("x" if peer.sid[0] != "x" else "y") + peer.sid[1:]
            for guess in (swapped, peer.sid[:-1], peer.sid + "A", peer.sid.swapcase(), other_node, "constructor", "..", "*", "0", "%00"):
                status, body = await refused(sio.port, method, f"{TARGETS[transport]}&sid={guess}", b"40" if method == "POST" else b"")
                assert (status, body) == (400, UNKNOWN), guess
            assert list(sio._hub.sessions) == [peer.sid]

    run(main())


def test_an_empty_id_is_unknown_and_does_not_make_a_session_with_that_id(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            assert await refused(sio.port, "GET", BASE + "polling&sid=") == (400, UNKNOWN)
            # What a client proposes is no proposal (session fixation).
            assert await refused(sio.port, "GET", BASE + "polling&sid=chosen-by-me-000000000000") == (400, UNKNOWN)
            assert not sio._hub.sessions

    run(main())


def test_a_valid_id_beside_another_one_is_not_taken(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            for pair in (f"&sid=a&sid={peer.sid}", f"&sid={peer.sid}&sid=a", f"&sid={peer.sid}&sid={peer.sid}"):
                assert await refused(sio.port, "GET", BASE + "polling" + pair) == (400, UNKNOWN)
            await peer.connect()

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_public_id_that_others_know_opens_nothing(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as victim:
            public = json.loads((await victim.connect())[2:])["sid"]
            for other in TRANSPORTS:
                for method in ("GET", "POST"):
                    target = f"{TARGETS[other]}&sid={public}"
                    assert await refused(sio.port, method, target, b"1" if method == "POST" else b"") == (400, UNKNOWN)
            async with RawClient(sio.port) as thief:
                assert (await thief.upgrade(f"{BASE}websocket&sid={public}")).status == 400
            await victim.send('42["echo","mine"]')
            assert await victim.receive() == '42["echoed","mine"]'

    run(main())


def test_what_others_are_told_of_a_client_does_not_hold_its_sessions_id(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as victim:
            public = json.loads((await victim.connect())[2:])["sid"]
            told = repr(await sio.fetch_sockets()) + repr(sio.rooms(public)) + repr(sio.get_environ(public))
            assert public in told and victim.sid not in told

    run(main())


@pytest.mark.parametrize(("transport", "other"), list(itertools.permutations(TRANSPORTS, 2)))
def test_an_id_of_one_transport_is_a_bad_request_on_another(transport: str, other: str, run: Callable[..., Any]) -> None:
    """Except for the one move that there is: the upgrade to WebSocket."""
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer:
            await peer.connect()
            target = f"{TARGETS[other]}&sid={peer.sid}"
            body = b'd=42["echo","stolen"]' if other == "jsonp" else b'42["echo","stolen"]'
            # Without "Upgrade: websocket" a WebSocket's URL is a bad request, too.
            assert await refused(sio.port, "GET", target) == (400, BAD_REQUEST)
            if (transport, other) not in (("polling", "websocket"), ("jsonp", "websocket")):
                assert await refused(sio.port, "POST", target, body) == (400, BAD_REQUEST)
            await peer.send('42["echo","mine"]')
            assert await peer.receive() == '42["echoed","mine"]'

    run(main())


@pytest.mark.parametrize("transport", ["websocket", "htmlfile"])
def test_a_stream_is_not_upgraded_and_a_second_socket_is_closed_unheard(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer, RawClient(sio.port) as second:
            await peer.connect()
            assert (await second.upgrade(f"{BASE}websocket&sid={peer.sid}")).status == 101
            second.send(text('42["echo","stolen"]'))
            assert (await second.frame())[0] == 0x88
            await peer.send('42["echo","mine"]')
            assert await peer.receive() == '42["echoed","mine"]'

    run(main())


def test_an_upgraded_session_takes_no_second_socket_and_no_poll(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as socket, RawClient(sio.port) as second:
            await peer.connect()
            assert (await socket.upgrade(f"{BASE}websocket&sid={peer.sid}")).status == 101
            socket.send(text("2probe"))
            assert await socket.frame() == (0x81, b"3probe")
            socket.send(text("5"))
            socket.send(text('42["echo","over"]'))
            assert await socket.frame() == (0x81, b'42["echoed","over"]')
            assert (await second.upgrade(f"{BASE}websocket&sid={peer.sid}")).status == 101
            second.send(text("2probe") + text("5") + text('42["echo","stolen"]'))
            assert (await second.frame())[0] == 0x88
            for method in ("GET", "POST"):
                assert await refused(sio.port, method, peer.target, b'42["echo"]' if method == "POST" else b"") == (400, BAD_REQUEST)
            socket.send(text('42["echo","still"]'))
            assert await socket.frame() == (0x81, b'42["echoed","still"]')

    run(main())


def test_without_upgrades_a_polling_session_stays_on_polling(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(allow_upgrades=False) as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as socket:
            opened = json.loads((await knock(sio.port, "polling")).text[1:])
            assert opened["upgrades"] == []
            answer = await socket.upgrade(f"{BASE}websocket&sid={peer.sid}")
            assert (answer.status, answer.text) == (400, "Bad request")
            await peer.connect()

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_transport_that_is_switched_off_is_unknown(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        others = [name for name in TRANSPORTS if name != transport]
        async with serving(transports=others) as sio:
            answer = await knock(sio.port, transport)
            assert answer.status == 400 and "Transport unknown" in answer.text
            assert (await knock(sio.port, others[0])).status in (101, 200)
            async with Peer(sio.port, "polling" if transport != "polling" else "jsonp") as peer:
                answer = await knock(sio.port, transport, query=f"&sid={peer.sid}")
                assert answer.status == 400 and "Transport unknown" in answer.text
                await peer.connect()

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_a_second_post_while_one_is_read_ends_the_session(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer, RawClient(sio.port) as slow, RawClient(sio.port) as second:
            await peer.connect()
            carrier = sio._hub.sessions[peer.sid].transport
            slow.send(f"POST {peer.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n42[".encode())
            while not carrier._reading:  # type: ignore[union-attr]
                await asyncio.sleep(0)
            answer = await second.request("POST", peer.target, b"3")
            assert (answer.status, json.loads(answer.body)) == (400, BAD_REQUEST)
            assert peer.sid not in sio._hub.sessions
            assert await refused(sio.port, "GET", peer.target) == (400, UNKNOWN)

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_a_post_whose_session_ends_while_it_is_read_is_not_said_to_be_taken(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer, RawClient(sio.port) as slow:
            await peer.connect()
            session = sio._hub.sessions[peer.sid]
            carrier = session.transport
            body = b'42["echo"]' if transport != "jsonp" else b"d=42%5B%22echo%22%5D"
            slow.send(f"POST {peer.target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:5])
            while not carrier._reading:  # type: ignore[union-attr]
                await asyncio.sleep(0)
            session.close(CloseReason.PING_TIMEOUT)
            slow.send(body[5:])
            answer = await slow.answer()
            assert (answer.status, json.loads(answer.body)) == (400, BAD_REQUEST)

    run(main())


def test_a_post_that_is_still_read_when_its_session_has_moved_to_a_websocket_is_refused(run: Callable[..., Any]) -> None:
    """What the client said since by WebSocket came before it: it must neither be heard now nor be taken for delivered."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as slow, RawClient(sio.port) as socket:
            await peer.connect()
            session = sio._hub.sessions[peer.sid]
            slow.send(f"POST {peer.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n42[".encode())
            while not session.transport._reading:  # type: ignore[union-attr]
                await asyncio.sleep(0)
            assert (await socket.upgrade(f"{BASE}websocket&sid={peer.sid}")).status == 101
            socket.send(text("2probe") + text("5") + text('42["echo","new"]'))
            assert [await socket.frame() for _ in range(2)] == [(0x81, b"3probe"), (0x81, b'42["echoed","new"]')]
            slow.send(b'"echo","o"]')
            answer = await slow.answer()
            assert (answer.status, json.loads(answer.body)) == (400, BAD_REQUEST)
            socket.send(text('42["echo","newer"]'))
            assert await socket.frame() == (0x81, b'42["echoed","newer"]')

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_an_upgrade_that_names_another_transport_is_refused_before_the_101(transport: str, run: Callable[..., Any]) -> None:
    """CVE-2023-31125."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport) as peer:
            for target in (TARGETS[transport], peer.target):
                async with RawClient(sio.port) as client:
                    answer = await client.upgrade(target)
                    assert (answer.status, answer.text) == (400, "Bad request")
            async with RawClient(sio.port) as client:
                # What is no upgrade to a WebSocket is none (RFC 9110, 7.8: "A server MAY ignore a received Upgrade header field").
                client.send(f"GET {BASE}polling HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n".encode())
                assert (await client.answer()).status == 200
            assert len(sio._hub.sessions) == 2
            await peer.connect()

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_nothing_can_be_said_in_a_session_that_its_client_has_closed(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        heard = []
        async with serving() as sio, Peer(sio.port, transport) as peer:
            sio.on("late", lambda sid: heard.append(sid))
            await peer.connect()
            await peer.send("1")
            assert not sio._hub.sessions
            for body in (b'42["late"]', b'd=42["late"]'):
                assert await refused(sio.port, "POST", peer.target, body) == (400, UNKNOWN)
            assert await refused(sio.port, "GET", peer.target) == (400, UNKNOWN)
            async with RawClient(sio.port) as socket:
                assert (await socket.upgrade(f"{BASE}websocket&sid={peer.sid}")).status == 400
        assert not heard

    run(main())


def test_what_follows_a_close_in_the_same_payload_is_not_heard(run: Callable[..., Any]) -> None:
    async def main() -> None:
        heard = []
        async with serving() as sio, Peer(sio.port, "polling") as peer, Peer(sio.port, "websocket") as socket:
            sio.on("late", lambda sid: heard.append(sid))
            await peer.connect()
            await socket.connect()
            await peer.send('1\x1e42["late"]')
            socket.listening.send(text("1") + text('42["late"]'))
            assert (await socket.listening.frame())[0] in (0x88, -1)
            assert not heard and not sio._hub.sessions

    run(main())


def test_a_session_that_the_server_ended_is_unknown_to_the_next_request(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            public = json.loads((await peer.connect())[2:])["sid"]
            await sio.disconnect(public, close=True)
            assert await peer.receive() == "41"
            assert await refused(sio.port, "GET", peer.target) == (400, UNKNOWN)
            assert not sio._hub.sessions

    run(main())


def test_a_polling_session_without_a_connect_is_closed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(connect_timeout=0.1) as sio, Peer(sio.port, "polling") as peer:
            assert await peer.receive() == "1"
            assert await refused(sio.port, "POST", peer.target, b"40") == (400, UNKNOWN)

    run(main())


def test_a_client_that_was_only_refused_is_closed_too_and_one_that_is_being_asked_or_is_in_is_not(run: Callable[..., Any]) -> None:
    async def main() -> None:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        async with serving(connect_timeout=1.0) as sio:

            @sio.on("connect", namespace="/slow")
            async def connect(sid: str, environ: dict[str, Any]) -> bool:
                return await answer

            async with (
                Peer(sio.port, "websocket") as refused_, Peer(sio.port, "websocket") as asked, Peer(sio.port, "websocket") as inside,
            ):  # fmt: skip
                await inside.connect()
                await asked.send("40/slow,")
                for _ in range(3):
                    await refused_.send("40/nowhere,")
                    assert await refused_.receive() == '44/nowhere,{"message":"Invalid namespace"}'
                assert (await refused_.listening.frame())[0] == 0x88
                await asyncio.sleep(1.2)
                answer.set_result(True)
                assert (await asked.receive()).startswith('40/slow,{"sid":')
                await asyncio.sleep(1.2)
                await inside.send('42["echo"]')
                assert await inside.receive() == '42["echoed"]'
                await asked.send('42/slow,0["nobody listens"]')
                assert len(sio._hub.sessions) == 2

    run(main())


@pytest.mark.parametrize(
    ("eio", "code"), [("3", None), ("5", 5), ("", 5), ("four", 5), ("4&EIO=4", 5), ("4&EIO=3", 5), ("04", 5), ("4.0", 5), ("%D9%A4", 5)]
)
def test_an_id_under_another_protocol_version_is_refused(eio: str, code: int | None, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:
            status, body = await refused(sio.port, "GET", f"/socket.io/?EIO={eio}&transport=polling&sid={peer.sid}")
            assert status == 400
            assert code is None or body["code"] == code
            status, _ = await refused(sio.port, "POST", f"/socket.io/?EIO={eio}&transport=polling&sid={peer.sid}", b"40")
            assert status == 400
            await peer.connect()

    run(main())


def test_two_gets_of_a_stream_leave_the_newer_one_and_posts_go_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "htmlfile") as peer, RawClient(sio.port) as newer:
            await peer.connect()
            newer.send(f"GET {peer.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert (await newer.head())[0] == 200
            assert b"anywire_htmlfile[0]" in await newer.chunk()
            assert await peer.listening.chunk() == b""
            await peer.send('42["echo","once"]')
            assert await newer.chunk() == b'<script>_("42[\\"echoed\\",\\"once\\"]");</script>'

    run(main())


def user(environ: Any) -> str | None:
    return environ["anywire.request"].cookies.get("user")  # type: ignore[no-any-return]


@pytest.mark.parametrize("other", ["Cookie: user=eve\r\n", "", "Cookie: user=\r\n"], ids=["another", "nobody", "empty"])
@pytest.mark.parametrize("method", ["GET", "POST", "upgrade"])
@pytest.mark.parametrize("transport", ["polling", "jsonp", "htmlfile"])
def test_a_session_of_one_identity_is_closed_when_another_asks_for_it(
    transport: str, method: str, other: str, run: Callable[..., Any]
) -> None:
    """T5: an id that has leaked, in the URL that holds it, opens nothing."""

    async def main() -> None:
        ends: list[str] = []
        headers = "Sec-Fetch-Site: same-origin\r\n" + other
        async with (
            serving(identity=user) as sio, RawClient(sio.port) as thief,
            Peer(sio.port, transport, headers="Sec-Fetch-Site: same-origin\r\nCookie: user=ann\r\n") as peer,
        ):  # fmt: skip
            sio.on("disconnect", lambda sid, reason: ends.append(reason))
            await peer.connect()
            await peer.send('42["echo","mine"]')
            assert await peer.receive() == '42["echoed","mine"]'
            if method == "upgrade":
                answer = await thief.upgrade(f"{BASE}websocket&sid={peer.sid}", headers)
                assert (answer.status, answer.text) == (403, "Forbidden")
            else:
                answer = await thief.request(method, peer.target, b'42["echo","stolen"]' if method == "POST" else b"", headers)
                assert (answer.status, answer.text) == (403, '{"code":4,"message":"Forbidden"}')
            assert ends == ["identity changed"] and not sio._hub.sessions
            assert (sio.counters.opened, sio.counters.closed, sio.counters.refused) == (1, {"identity changed": 1}, {403: 1})

    run(main())


def test_a_session_of_one_identity_moves_to_a_websocket_and_a_network_may_be_one(run: Callable[..., Any]) -> None:
    async def main() -> None:
        cookie = "Cookie: user=ann\r\n"
        async with (
            serving(identity=lambda environ: (environ["REMOTE_ADDR"], user(environ))) as sio,
            Peer(sio.port, "polling", headers=cookie) as peer, RawClient(sio.port) as socket, Peer(sio.port, "websocket") as nobody,
        ):  # fmt: skip
            await peer.connect()
            assert (await socket.upgrade(f"{BASE}websocket&sid={peer.sid}", cookie)).status == 101
            socket.send(text("2probe") + text("5") + text('42["echo","over"]'))
            assert [await socket.frame() for _ in range(2)] == [(0x81, b"3probe"), (0x81, b'42["echoed","over"]')]
            await nobody.connect()

    run(main())


def test_an_identity_that_fails_refuses_and_is_logged(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    def fails(environ: Any) -> None:
        raise RuntimeError("no database")

    def refuses(environ: Any) -> None:
        raise ConnectionRefusedError("log in first")

    async def main() -> None:
        async with serving(identity=fails) as sio:
            assert (await knock(sio.port, "polling")).status == 500 and not sio._hub.sessions
        async with serving(identity=refuses) as sio:
            assert (await knock(sio.port, "polling")).text == '{"code":4,"message":"log in first"}'

    run(main())
    assert "no database" in caplog.text and "log in first" not in caplog.text


def test_logs_never_hold_a_whole_id_of_a_session(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        caplog.set_level("DEBUG", logger="anywire")
        async with serving(max_queue_messages=1) as sio:
            for transport in TRANSPORTS:
                async with Peer(sio.port, transport) as peer:
                    await peer.connect()
                    for _ in range(3):
                        await sio.emit("fills the queue")
                    assert peer.sid not in caplog.text
                    if transport == "polling":
                        assert peer.sid[:12] in caplog.text

    run(main())
