"""One HTTP request and its answer, and what is used of Tornado beyond its documentation: the first to fail when Tornado changes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anywire.transports.exchange import ExchangeRouter, TornadoExchange, take_socket
from http_tools import RawClient
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

#: More than the kernel's buffers hold.
BIG = b"x" * 20_000_000


@asynccontextmanager
async def answering(answer: Callable[[TornadoExchange], None], send_timeout: float = 60) -> AsyncIterator[RawClient]:
    """A client of a server that answers each request like this."""
    http = HTTPServer(ExchangeRouter(answer, send_timeout=send_timeout))
    sockets = bind_sockets(0, "127.0.0.1")
    http.add_sockets(sockets)
    try:
        async with RawClient(sockets[0].getsockname()[1]) as client:
            yield client
    finally:
        http.stop()
        await http.close_all_connections()


def test_a_taken_socket_is_ours_alone_and_nothing_that_was_read_is_lost(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        stream = IOStream(ours)
        closed: list[bool] = []
        stream.set_close_callback(lambda: closed.append(True))
        theirs.send(b"head\r\n\r\nread ahead")
        assert await stream.read_until(b"\r\n\r\n") == b"head\r\n\r\n"
        taken, initial = take_socket(stream)
        assert (taken, initial) == (ours, b"read ahead") and stream.closed()
        # The loop watches it no more, and no end of the stream touches it.
        assert not asyncio.get_running_loop().remove_reader(taken)
        stream.close()
        theirs.send(b"later")
        await asyncio.sleep(0)
        assert taken.recv(100) == b"later" and taken.send(b"answer") == 6 and theirs.recv(100) == b"answer"
        assert closed == []
        taken.close()
        theirs.close()

    run(main())


def test_taken_is_said_when_the_kernel_has_everything_and_not_before(run: Callable[..., Any]) -> None:
    async def main() -> None:
        said: list[bool] = []
        async with answering(lambda exchange: exchange.respond(200, BIG, taken=said.append)) as client:
            reading = asyncio.ensure_future(client.request("GET", "/"))
            while not client.reader._buffer:  # type: ignore[attr-defined]
                await asyncio.sleep(0)
            assert said == []
            assert len((await reading).body) == len(BIG)
            assert said == [True]
        small: list[bool] = []
        async with answering(lambda exchange: exchange.respond(200, b"x", taken=small.append)) as client:
            await client.request("GET", "/")
        assert small == [True]

    run(main())


@pytest.mark.parametrize("how", ["reset", "never read"])
def test_what_the_kernel_could_not_take_is_said_once(how: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        said: asyncio.Queue[bool] = asyncio.Queue()
        async with answering(lambda exchange: exchange.respond(200, BIG, taken=said.put_nowait), send_timeout=0.2) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if how == "reset":
                await client.head()
                client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.writer.transport.abort()
            assert await asyncio.wait_for(said.get(), 10) is False
            await asyncio.sleep(0)
            assert said.empty()

    run(main())


def test_a_request_is_answered_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        refused: list[str] = []

        def answer(exchange: TornadoExchange) -> None:
            exchange.respond(200, b"first")
            for again in (lambda: exchange.respond(500), lambda: exchange.stream(200, "text/plain"), lambda: exchange.upgrade([])):
                with pytest.raises(RuntimeError) as error:
                    again()
                refused.append(str(error.value))

        async with answering(answer) as client:
            assert (await client.request("GET", "/")).text == "first"
            assert refused == ["this request was answered already"] * 3
            assert (await client.request("GET", "/")).text == "first"

    run(main())


def test_a_handler_that_fails_costs_its_connection_alone(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def answer(exchange: TornadoExchange) -> None:
            raise ValueError("a mistake")

        async with answering(answer) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await asyncio.wait_for(client.reader.read(), 10) == b""
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == ["! a request failed"]

    run(main())


def test_a_stream_says_how_much_waits_when_it_has_drained_and_when_its_peer_has_gone(run: Callable[..., Any]) -> None:
    async def main() -> None:
        exchanges: list[TornadoExchange] = []
        gone, drained = asyncio.Event(), asyncio.Event()

        def answer(exchange: TornadoExchange) -> None:
            exchanges.append(exchange)
            exchange.on_close, exchange.on_drained = gone.set, drained.set
            exchange.stream(200, "text/plain")
            exchange.write(b"small")

        async with answering(answer) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await client.head()
            assert await client.chunk() == b"small" and exchanges[0].backlog == 0
            exchanges[0].write(BIG)
            assert exchanges[0].backlog == len(BIG) and not drained.is_set()
            assert len(await client.chunk()) == len(BIG)
            await asyncio.wait_for(drained.wait(), 10)
            assert exchanges[0].backlog == 0 and not gone.is_set()
        await asyncio.wait_for(gone.wait(), 10)
        exchanges[0].write(b"nobody reads it")
        assert not exchanges[0].late

    run(main())
