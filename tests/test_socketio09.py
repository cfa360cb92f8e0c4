"""Socket.IO 0.9, literally: packets over a WebSocket, namespaces, falling back, binary."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from http_tools import RawClient, masked, text
from socketio09_tools import get, handshake, poller, serving, websocket

# -- websocket --------------------------------------------------------------------------------------------------------


def test_acknowledgements_of_both_kinds(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            for said, heard in (
                (b"3:1::hello", [b"6:::1", b"3:::echo:hello"]),
                (b"3:2+::hello2", [b"3:::echo:hello2", b'6:::2+["got","hello2"]']),
                (b'5:3::{"name":"ev","args":[1,2]}', [b"6:::3"]),
                (b'5:4+::{"name":"ev","args":[1,"two\\nlines"]}', [b'6:::4+["A",{"b":"two\\nlines"}]']),
                ('5:5+::{"name":"ev","args":[1,"\u2028"]}'.encode(), [b'6:::5+["A",{"b":"\\u2028"}]']),
                (b'4:6+::{"a":1}', [b"3:::echo:{'a': 1}", b'6:::6+["got",{"a":1}]']),
                (b'5:7::{"name":"disconnect"}', [b"6:::7"]),
                (b'5:8+::{"name":"message","args":["x"]}', [b"3:::echo:x", b'6:::8+["got","x"]']),
                (b"3:9:/unknown:x", [b"6::/unknown:9"]),
                (b"3::", [b"3:::echo:"]),
            ):
                client.send(masked(0x81, said))
                assert [(await client.frame())[1] for _ in heard] == heard, said

    run(main())


def test_what_is_no_packet_is_passed_over(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            for said in (
                "", "x", "0", "2", "9::", "3", "33:::x", "-1:::x", "3:a::x", "4:::{bad", "5:::{bad", "5:::null", "5:::", "6:::x", "6:::999",
                "7:::1+0", "8::", "2::", "1::", "6:::constructor", '5:::{"args":[1]}', '5:::{"name":"newListener","args":["x"]}',
                '5:::{"name":"__proto__","args":[]}', "1::/__proto__", "0::/nowhere", "6::/nowhere:1",
                "\ufffd5\ufffd3:::a\ufffd5\ufffd3:::b",
            ):  # fmt: skip
                client.send(text(said))
            client.send(masked(0x82, b"\x01\x02\x03") + masked(0x89, b"hi") + text("3:::still alive"))
            assert await client.frame() == (0x8A, b"hi")
            assert await client.frame() == (0x81, b"3:::echo:still alive")

    run(main())


@pytest.mark.parametrize(
    "said",
    [
        "3::__proto__:x", '5:::{"name":"ev","args":"str"}', '5:::{"name":"ev","args":{"length":3}}', '5:::{"name":null}',
        "3:" + "9" * 17 + "::x", "1::/" + "n" * 200, "4:::" + "[" * 200 + "]" * 200,
    ],
)  # fmt: skip
def test_hostile_packets_end_their_session_and_nothing_else(said: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            target = await poller(other)
            await websocket(client)
            client.send(text(said))
            first, body = await client.frame()
            assert (first, body[:2]) == (0x88, b"\x03\xea")
            assert (await other.request("POST", target, said.encode())).status == 400
            assert not sio._hub.sessions
            assert (await other.request("GET", target)).text == "7:::1+0"

    run(main())


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536, 70_000])
def test_messages_of_any_size_come_whole(size: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            client.send(text("3:::" + "y" * (size - 9)))
            assert await client.frame() == (0x81, b"3:::echo:" + b"y" * (size - 9))

    run(main())


def test_heartbeats_go_to_streams_and_only_the_answered_ones_live(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(ping_interval=0.1, ping_timeout=0.8) as sio, RawClient(sio.port) as client:
            ended = asyncio.get_running_loop().create_future()
            sio.on("disconnect", lambda sid, reason: ended.set_result(reason))
            await websocket(client)
            for _ in range(4):
                assert await client.frame() == (0x81, b"2::")
                client.send(text("2::"))
            assert await client.frame() == (0x81, b"2::")
            # For a cause that passes the client is not told "0::", after which it would not come back.
            assert (await client.frame())[0] == 0x88
            assert await ended == "ping timeout"

    run(main())


# -- namespaces and rooms ---------------------------------------------------------------------------------------------


def test_namespaces_are_joined_left_and_joined_again(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            said: list[Any] = []
            sio.on("connect", lambda sid, environ: said.append("in"), namespace="/chat")
            sio.on("disconnect", lambda sid, reason: said.append(reason), namespace="/chat")
            sio.on("message", lambda sid, data: said.append(data), namespace="/chat")
            await websocket(client)
            client.send(text("3:1:/chat:before") + text("1::/chat") + text("1::/chat") + text("1::/chat:?x=1") + text("3:2+:/chat:after"))
            assert [(await client.frame())[1] for _ in range(3)] == [b"6::/chat:1", b"1::/chat", b"6::/chat:2"]
            assert said == ["in", "before", "after"]
            client.send(text("0::/chat") + text("3:3:/chat:away") + text("1::/chat"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"6::/chat:3", b"1::/chat"]
            assert said == ["in", "before", "after", "client disconnect", "in", "away"]

    run(main())


def test_a_refused_namespace_hears_unauthorized_and_an_unknown_one_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sio.on("connect", lambda sid, environ: False, namespace="/chat")
            await websocket(client)
            client.send(text("3::/chat:early") + text("1::/nope") + text("3::/nope:x") + text("1::/chat") + text("3:1::end"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"7::/chat:2", b"6:::1"]
            assert len(sio._hub.sessions) == 1

    run(main())


def test_events_for_namespaces_that_are_never_joined_are_not_kept_without_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sio.on("message", lambda sid, data: None, namespace="/chat")
            await websocket(client)
            client.send(text("3::/chat:x") * 101)
            assert (await client.frame())[0] == 0x88

    run(main())


def test_rooms_and_namespaces_of_one_name_are_different_things(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as a, RawClient(sio.port) as b:
            sio.on("x", lambda sid: None, namespace="/chat")
            sio.on("connect", lambda sid, environ: sio.enter_room(sid, "chat") and None)
            await websocket(a)
            del sio.handlers._named["/"].events["connect"]
            sio.handlers._forget_found()
            await websocket(b)
            b.send(text("1::/chat"))
            assert await b.frame() == (0x81, b"1::/chat")
            sio.emit("room", to="chat")
            sio.emit("namespace", namespace="/chat")
            sio.emit("end")
            assert [(await a.frame())[1] for _ in range(2)] == [b'5:::{"name":"room"}', b'5:::{"name":"end"}']
            assert [(await b.frame())[1] for _ in range(2)] == [b'5::/chat:{"name":"namespace"}', b'5:::{"name":"end"}']

    run(main())


def test_calls_transports_and_disconnecting_work_as_for_every_client(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            reasons: list[str] = []
            sio.on("disconnect", lambda sid, reason: reasons.append(reason))
            session = await websocket(client)
            target = await poller(other)
            assert session not in sids
            assert [sio.transport(sid) for sid in sids] == ["websocket", "polling"]
            asked = asyncio.ensure_future(sio.call("q", 1, to=sids[0]))
            assert await client.frame() == (0x81, b'5:1+::{"name":"q","args":[1]}')
            client.send(text('6:::1+["yes",1]'))
            assert await asked == ("yes", 1)
            for sid in sids:
                sio.disconnect(sid)
            assert await client.frame() == (0x81, b"0::")
            assert (await client.frame())[0] == 0x88
            # Between two polls: the next one tells it.
            assert (await other.request("GET", target)).text == "0::"
            assert reasons == ["server disconnect"] * 2
            assert not sio._hub.sessions

    run(main())


def test_a_server_that_goes_tells_its_clients_to_come_back(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            await websocket(client)
            target = await poller(other)
            held = get(other, target)
            session = list(sio._hub.sessions.values())[1]
            while not session.transport.ready:
                await asyncio.sleep(0.001)
            ending = asyncio.ensure_future(sio.shutdown(5))
            assert (await held).text == "7:::1+0"
            first, body = await client.frame()
            assert (first, body[:2]) == (0x88, b"\x03\xe9")
            client.send(masked(0x88, body[:2]))
            await ending

    run(main())


# -- falling back -----------------------------------------------------------------------------------------------------


def test_a_fallback_on_the_same_session_hears_everything_that_was_swallowed(run: Callable[..., Any]) -> None:
    """A proxy lets the WebSocket open and eats its frames: ten seconds later the client polls with the same id."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as swallowed, RawClient(sio.port) as client, RawClient(sio.port) as sender:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            sid = await handshake(client)
            assert (await swallowed.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
            assert await swallowed.frame() == (0x81, b"1::")
            sio.emit("lost", to=sids[0])
            assert await swallowed.frame() == (0x81, b'5:::{"name":"lost"}')
            target = f"/socket.io/1/xhr-polling/{sid}?t=2"
            assert (await client.request("GET", target)).text == '\ufffd3\ufffd1::\ufffd19\ufffd5:::{"name":"lost"}'
            assert sio.transport(sids[0]) == "polling" and len(sids) == 1
            # The end of the WebSocket would end the client's session, so it stays, and what comes from it counts for nothing.
            swallowed.send(text("3:::late"))
            assert (await sender.request("POST", target, b"3:::x")).text == "1"
            assert (await client.request("GET", target)).text == "3:::echo:x"
            swallowed.send(masked(0x88, b"\x03\xe8"))
            assert (await swallowed.frame())[0] == 0x88
            assert (await sender.request("POST", target, b"3:::y")).text == "1"
            assert (await client.request("GET", target)).text == "3:::echo:y"

    run(main())


def test_a_websocket_that_opens_late_does_not_steal_the_session(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as late, RawClient(sio.port) as client:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            target = await poller(client)
            await client.request("POST", target, b"3:::x")
            sid = target.split("/")[-1].partition("?")[0]
            assert (await late.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
            assert sio.transport(sids[0]) == "polling"
            sio.send("y", to=sids[0])
            assert (await client.request("GET", target)).text == "\ufffd10\ufffd3:::echo:x\ufffd5\ufffd3:::y"
            await client.request("POST", target, b"0::")
            # The first thing that it hears is the end.
            assert (await late.frame())[0] == 0x88

    run(main())


def test_one_session_does_not_hold_transports_without_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            target = await poller(client)
            await client.request("POST", target, b"3:::x")
            sid = target.split("/")[-1].partition("?")[0]
            late = [RawClient(sio.port) for _ in range(3)]
            statuses = []
            for one in late:
                async with one:
                    statuses.append((await one.upgrade(f"/socket.io/1/websocket/{sid}")).status)
            assert statuses[0] == 101 and len(sio._hub.sessions[sid]._abandoned or ()) <= 4

    run(main())


# -- binary -----------------------------------------------------------------------------------------------------------


def test_bytes_are_base64_text_by_default(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            await websocket(client)
            sio.emit("file", {"name": "x", "data": b"\x00\xff"})
            assert await client.frame() == (0x81, b'5:::{"name":"file","args":[{"name":"x","data":"AP8="}]}')
            sio.on("file", lambda sid: b"\x01")
            client.send(text('5:1+::{"name":"file"}'))
            assert await client.frame() == (0x81, b'6:::1+["AQ=="]')

    run(main())


def test_messages_with_bytes_can_be_dropped(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(binary_fallback="drop") as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            await websocket(client)
            client.send(text("3:1::x"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"6:::1", b"3:::echo:x"]
            target = await poller(other)
            sio.emit("file", b"\x00")
            sio.emit("text", "x")
            assert await client.frame() == (0x81, b'5:::{"name":"text","args":["x"]}')
            assert (await other.request("GET", target)).text == '5:::{"name":"text","args":["x"]}'

    run(main())


def test_messages_with_bytes_can_be_refused_before_anyone_gets_them(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(binary_fallback="refuse") as sio, RawClient(sio.port) as client, RawClient(sio.port) as modern:
            assert (await modern.upgrade("/socket.io/?EIO=4&transport=websocket")).status == 101
            assert (await modern.frame())[1][:1] == b"0"
            modern.send(text("40"))
            assert (await modern.frame())[1][:2] == b"40"
            sio.emit("file", b"\x00")
            assert (await modern.frame(), await modern.frame()) == ((0x81, b'451-["file",{"_placeholder":true,"num":0}]'), (0x82, b"\x00"))
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            await websocket(client)
            for target in (None, sids[0]):
                with pytest.raises(anywire.PayloadError, match="binary_fallback"):
                    sio.emit("file", b"\x00", to=target)
            with pytest.raises(anywire.PayloadError, match="binary_fallback"):
                await sio.call("file", b"\x00", to=sids[0])
            sio.emit("text")
            assert await modern.frame() == (0x81, b'42["text"]')
            assert await client.frame() == (0x81, b'5:::{"name":"text"}')

    run(main())
