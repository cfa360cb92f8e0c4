"""The server's API treats a client of 0.9 as any other: middleware, rooms, answers, state, and a client of today beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from http_tools import RawClient, text
from socketio09_tools import handshake, poller, serving, websocket


async def modern(client: RawClient) -> None:
    """A session of Engine.IO 4 that has joined "/"."""
    assert (await client.upgrade("/socket.io/?EIO=4&transport=websocket")).status == 101
    assert (await client.frame())[1][:1] == b"0"
    client.send(text("40"))
    assert (await client.frame())[1][:2] == b"40"


def test_middleware_sees_its_connects_and_events(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            seen: list[Any] = []

            @sio.use
            async def connects(sid: str, environ: dict[str, Any], auth: Any) -> None:
                seen.append(auth)
                if "token=good" not in environ["QUERY_STRING"]:
                    raise anywire.ConnectionRefusedError("no token")

            @sio.use_event
            def events(sid: str, event: str, args: Any) -> Any:
                seen.append((event, args))
                return [str(args[0]).upper()]

            answer = await client.request("GET", "/socket.io/1/?t=1")
            assert (answer.status, answer.text) == (401, "no token")
            sid = (await client.request("GET", "/socket.io/1/?token=good")).text.split(":")[0]
            assert (await client.upgrade(f"/socket.io/1/websocket/{sid}?token=good")).status == 101
            assert await client.frame() == (0x81, b"1::")
            client.send(text("3:::abc"))
            assert await client.frame() == (0x81, b"3:::echo:ABC")
            assert seen == [None, None, ("message", ("abc",))]

    run(main())


def test_a_room_of_old_and_new_clients_hears_answers_and_empties_as_one(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as old, RawClient(sio.port) as polled, RawClient(sio.port) as new:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            await websocket(old)
            target = await poller(polled)
            await modern(new)
            for sid in sids:
                sio.enter_room(sid, "red")
            assert {socket.sid: socket.transport for socket in await sio.fetch_sockets("red")} == dict(
                zip(sids, ["websocket", "polling", "websocket"], strict=True)
            )
            asked = asyncio.ensure_future(sio.call("how", (1, {"two": [None]}), to="red", timeout=5))
            assert await old.frame() == (0x81, b'5:1+::{"name":"how","args":[1,{"two":[null]}]}')
            assert (await polled.request("GET", target)).text == '5:1+::{"name":"how","args":[1,{"two":[null]}]}'
            heard = (await new.frame())[1]
            assert heard.startswith(b"42") and heard.endswith(b'["how",1,{"two":[null]}]')
            old.send(text('6:::1+["old"]'))
            async with RawClient(sio.port) as sender:
                assert (await sender.request("POST", target, b"6:::1")).text == "1"
            new.send(text("43" + heard.decode()[2:].partition("[")[0] + '["new",2]'))
            assert await asked == {sids[0]: "old", sids[1]: None, sids[2]: ("new", 2)}
            await sio.save_session(sids[0], {"name": "ann"})
            assert await sio.get_session(sids[0]) == {"name": "ann"}
            sio.leave_room(sids[0], "red")
            sio.emit("left", to="red")
            sio.close_room("red")
            sio.emit("nobody", to="red")
            sio.emit("all", b"\x01")
            assert await old.frame() == (0x81, b'5:::{"name":"all","args":["AQ=="]}')
            both = '\ufffd19\ufffd5:::{"name":"left"}\ufffd34\ufffd5:::{"name":"all","args":["AQ=="]}'
            assert (await polled.request("GET", target)).text == both
            assert [(await new.frame())[1] for _ in range(3)] == [b'42["left"]', b'451-["all",{"_placeholder":true,"num":0}]', b"\x01"]
            sio.disconnect_sockets()
            assert await old.frame() == (0x81, b"0::")
            assert (await polled.request("GET", target)).text == "0::"
            assert (await new.frame())[1] == b"41"

    run(main())


def test_who_does_not_answer_is_told_apart(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as other:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            await websocket(client)
            await websocket(other)
            with pytest.raises(anywire.TimeoutError):
                await sio.call("x", to=sids[0], timeout=0.05)
            asked = asyncio.ensure_future(sio.call("x", to=sids, timeout=0.3))
            assert [(await client.frame())[1] for _ in range(2)] == [b'5:1+::{"name":"x"}', b'5:2+::{"name":"x"}']
            client.send(text('6:::2+["here"]'))
            with pytest.raises(anywire.TimeoutError) as late:
                await asked
            assert late.value.responses == {sids[0]: "here"}

    run(main())


def test_a_class_of_handlers_and_a_namespace_by_pattern_serve_it(run: Callable[..., Any]) -> None:
    class Shop(anywire.Namespace):
        async def on_connect(self, sid: str, environ: dict[str, Any]) -> None:
            await self.emit("open", to=sid)

        async def on_buy(self, sid: str, what: str) -> str:
            return f"bought {what}"

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            sio.register_namespace(Shop("/shop"))
            await websocket(client)
            client.send(text("1::/shop"))
            assert [(await client.frame())[1] for _ in range(2)] == [b"1::/shop", b'5::/shop:{"name":"open"}']
            client.send(text('5:3+:/shop:{"name":"buy","args":["tea"]}'))
            assert await client.frame() == (0x81, b'6::/shop:3+["bought tea"]')

    run(main())


def test_emitting_in_the_connect_handler_comes_after_the_welcome(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client, RawClient(sio.port) as stream:
            sio.on("connect", lambda sid, environ: sio.emit("first", to=sid) and None)
            target = f"/socket.io/1/xhr-polling/{await handshake(client)}"
            assert (await client.request("GET", target)).text == '\ufffd3\ufffd1::\ufffd20\ufffd5:::{"name":"first"}'
            sid = await handshake(stream)
            assert (await stream.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
            assert [(await stream.frame())[1] for _ in range(2)] == [b"1::", b'5:::{"name":"first"}']

    run(main())
