"""``EngineServer``: its handlers, its state and its mistakes; the wire is the dialects' affair and tried there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from api_tools import until
from http_tools import RawClient, masked, text
from server_tools import listening

TARGET = "/engine.io/?EIO=4&transport=websocket"


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[anywire.EngineServer]:
    async with listening(anywire.EngineServer(**settings)) as server:
        yield server


@asynccontextmanager
async def client(server: anywire.EngineServer) -> AsyncIterator[RawClient]:
    """A session over a WebSocket, of which nothing but the open packet was read."""
    async with RawClient(server.port) as made:
        assert (await made.upgrade(TARGET)).status == 101
        assert (await made.frame())[1][:1] == b"0"
        yield made


def test_handlers_run_in_their_order_and_the_state_is_there_to_the_end(run: Callable[..., Any]) -> None:
    told: list[Any] = []

    async def main() -> None:
        async with serving() as server:

            @server.on("connect")
            async def connect(sid: str, environ: dict[str, Any]) -> None:
                await asyncio.sleep(0.01)
                await server.save_session(sid, {"name": environ["QUERY_STRING"]})

            @server.on("message")
            async def message(sid: str, data: str | bytes) -> None:
                async with server.session(sid) as state:
                    state["heard"] = data
                    await asyncio.sleep(0.01)
                await server.send(sid, data)

            @server.on("disconnect")
            async def disconnect(sid: str, reason: str) -> None:
                await asyncio.sleep(0)
                told.extend([reason, await server.get_session(sid), server.get_environ(sid)["QUERY_STRING"]])
                await server.send(sid, "too late, and no error")

            async with client(server) as one:
                one.send(text("4hello") + masked(0x82, b"\x01") + text("1"))
                while (frame := await one.frame())[0] != 0x88:
                    assert frame[0] in (0x81, 0x82), frame
            await until(lambda: told)
            query = TARGET.partition("?")[2]
            assert told == ["client disconnect", {"name": query, "heard": b"\x01"}, query]
            assert not server._leaving and not server._hub.sessions

    run(main())


def test_a_disconnect_handler_may_do_without_the_reason(run: Callable[..., Any]) -> None:
    """As in python-engineio, whose disconnect handlers got none until 4.11."""
    told: list[Any] = []

    async def main() -> None:
        async with serving() as server:
            server.on("disconnect", lambda sid: told.append(sid))
            async with client(server):
                sid = next(iter(server._hub.sessions))
            await until(lambda: told)
            assert told == [sid] and not server._leaving

    run(main())


def test_a_handler_that_never_ends_holds_up_the_disconnect_no_longer_than_a_heartbeat(run: Callable[..., Any]) -> None:
    told: list[Any] = []

    async def main() -> None:
        async with serving(ping_timeout=0.3) as server:

            @server.on("message")
            async def message(sid: str, data: str) -> None:
                await asyncio.sleep(3600)

            server.on("disconnect", lambda sid, reason: told.append(reason))
            async with client(server) as one:
                one.send(text("4first") + text("4second"))
                await until(lambda: all(session.sockets.busy for session in server._hub.sessions.values()))
            await until(lambda: told)
            assert told == ["transport close"] and not server._leaving

    run(main())


def test_what_a_client_says_at_once_is_handled_whole_and_meanwhile_nothing_more_is_read(run: Callable[..., Any]) -> None:
    told: list[Any] = []

    async def main() -> None:
        release = asyncio.Event()
        async with serving(max_handler_backlog=20) as server:

            @server.on("message")
            async def message(sid: str, data: str) -> None:
                await release.wait()
                await asyncio.sleep(0)
                told.append(data)

            async with client(server) as one:
                one.send(b"".join(text(f"4{number}") for number in range(500)))
                (session,) = server._hub.sessions.values()
                await until(lambda: session.paused)
                one.send(text("4last"))
                release.set()
                await until(lambda: told[-1:] == ["last"])
                assert told[:-1] == [str(number) for number in range(500)] and not session.paused

    run(main())


async def _later(result: Any) -> Any:
    await asyncio.sleep(0.01)
    if isinstance(result, Exception):
        raise result
    return result


def _raises(sid: str, environ: Any) -> None:
    raise KeyError("token")


@pytest.mark.parametrize(
    "handler",
    [
        lambda sid, environ: False,
        lambda sid, environ: "not allowed",
        lambda sid, environ: 0,
        _raises,
        lambda sid, environ: _later(False),
        lambda sid, environ: _later("not allowed"),
        lambda sid, environ: _later(KeyError("token")),
        lambda sid, environ: _later(asyncio.CancelledError()),
    ],
    ids=["False", "text", "zero", "raises", "False later", "text later", "raises later", "cancelled later"],
)
def test_a_connect_handler_lets_in_by_none_or_true_alone(run: Callable[..., Any], handler: Callable[..., Any]) -> None:
    """As in python-engineio. The client is told nothing of why, and no other handler hears of it."""
    told: list[Any] = []

    async def main() -> None:
        async with serving() as server:
            server.on("connect", handler)
            server.on("message", lambda sid, data: told.append(data))
            server.on("disconnect", lambda sid, reason: told.append(reason))
            async with client(server) as one:
                one.send(text("4hello"))
                assert await one.frame() == (0x88, b"\x03\xe8server disconnect")
                await until(lambda: not server._hub.sessions)
            async with client(server):
                pass  # it has left before its handler has decided, perhaps
            await until(lambda: not server._hub.sessions and not server._leaving)
            await asyncio.sleep(0.03)
        assert not told

    run(main())


@pytest.mark.parametrize("handler", [lambda sid, environ: None, lambda sid, environ: True, lambda sid, environ: _later(True)])
def test_a_connect_handler_that_says_none_or_true_lets_in(run: Callable[..., Any], handler: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as server:
            server.on("connect", handler)
            server.on("message", server.send)
            async with client(server) as one:
                one.send(text("4hello"))
                assert await one.frame() == (0x81, b"4hello")

    run(main())


def test_to_end_a_session_that_is_gone_is_no_error(run: Callable[..., Any]) -> None:
    """As in python-engineio."""

    async def main() -> None:
        async with serving() as server:
            await server.disconnect("nobody")
            server.disconnect("nobody")

    run(main())


def test_another_thread_sends_and_ends_in_the_servers(run: Callable[..., Any]) -> None:
    ended: list[int] = []

    async def main() -> None:
        async with serving() as server, client(server) as one:
            server.on("disconnect", lambda sid, reason: ended.append(threading.get_ident()))
            (sid,), loop = server._hub.sessions, asyncio.get_running_loop()

            def work() -> None:
                asyncio.run_coroutine_threadsafe(server.send(sid, "hello"), loop).result(10)
                asyncio.run_coroutine_threadsafe(server.disconnect(sid), loop).result(10)

            await asyncio.to_thread(work)
            assert await one.frame() == (0x81, b"4hello")
            await until(lambda: ended == [threading.get_ident()])

    run(main())


def test_mistakes_raise_at_once_and_say_what_is_right(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as server, client(server):
            sid = next(iter(server._hub.sessions))
            with pytest.raises(anywire.ConfigError, match="there is no event 'msg'; there are connect, message, disconnect"):
                server.on("msg", print)
            with pytest.raises(anywire.ConfigError, match="the handler of 'message' must be callable, not int"):
                server.on("message", 5)  # type: ignore[arg-type]
            for data in (None, 5, {"a": 1}):
                with pytest.raises(anywire.PayloadError, match="a message is str or bytes, not"):
                    server.send(sid, data)  # type: ignore[arg-type]
            with pytest.raises(anywire.PayloadError, match="half a character"):
                server.send(sid, "\ud800")
            with pytest.raises(TypeError, match="a session's state is a dictionary, not str"):
                await server.save_session(sid, "ann")  # type: ignore[arg-type]
            for ask in (server.transport, server.get_environ):
                with pytest.raises(anywire.BadNamespaceError, match="'nobody' is not connected"):
                    ask("nobody")

    run(main())
