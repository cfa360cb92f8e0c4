"""Peers that do not read what they are sent, or slowly, over each transport on real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywire
import pytest
from anywire.server.errors import CloseReason
from http_tools import UPGRADE, RawClient, text
from server_tools import TARGETS, Peer, contexts, serving

#: More than the kernel's buffers of both sides hold (tcp_wmem and tcp_rmem: 4 and 6 MB at most; the reader's is set small).
BIG = 8_000_000


class Reader:
    """A connection with a small receive buffer of which nothing is read unless asked for."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        self._socket.setblocking(False)

    async def __aenter__(self) -> Reader:
        await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self._port))
        return self

    async def __aexit__(self, *error: object) -> None:
        self._socket.close()

    async def get(self, target: str, headers: str = "") -> None:
        await self.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{headers}\r\n".encode())

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, data)

    async def read(self, size: int) -> bytes:
        return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, size), 10)


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def stream(sio: anywire.Server, transport: str, reader: Reader) -> str:
    """Open a WebSocket or an endless frame on ``reader``, join "/", and say the session's id."""
    await reader.get(TARGETS[transport], UPGRADE if transport == "websocket" else "")
    await until(lambda: sio._hub.sessions)
    (sid,) = sio._hub.sessions
    if transport == "websocket":
        await reader.send(text("40"))
    else:
        async with RawClient(sio.port) as client:
            assert (await client.request("POST", f"{TARGETS[transport]}&sid={sid}", b"40")).text == "ok"
    heard = b""
    while b"40{" not in heard:
        heard += await reader.read(4096)
    return sid


def reasons(sio: anywire.Server) -> list[str]:
    ends: list[str] = []

    @sio.event
    def disconnect(sid: str, reason: str) -> None:
        ends.append(reason)

    return ends


@pytest.mark.parametrize("transport", ["websocket", "htmlfile"])
def test_a_stream_of_which_nothing_is_read_ends_as_a_slow_consumer_in_time(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(send_timeout=0.3) as sio, Reader(sio.port) as reader:
            ends = reasons(sio)
            sid = await stream(sio, transport, reader)
            began = time.monotonic()
            await sio.emit("big", "x" * BIG)
            await until(lambda: sid not in sio._hub.sessions)
            assert ends == ["slow consumer"] and 0.29 < time.monotonic() - began < 20

    run(main())


@pytest.mark.parametrize("transport", ["polling", "jsonp"])
def test_an_answer_that_nobody_reads_is_given_up_and_goes_out_with_the_next_poll(transport: str, run: Callable[..., Any]) -> None:
    """The connection would otherwise be kept, with the answer, for as long as the peer lives."""

    async def main() -> None:
        async with serving(send_timeout=0.3) as sio, Peer(sio.port, transport) as peer, Reader(sio.port) as reader:
            await peer.connect()
            session = sio._hub.sessions[peer.sid]
            await reader.get(peer.target)
            await until(lambda: session.transport and session.transport.ready)
            await sio.emit("big", "x" * BIG)
            await until(lambda: not session.transport.ready)
            assert await peer.receive() == '42["big","' + "x" * BIG + '"]'
            await peer.send('42["echo"]')
            assert await peer.receive() == '42["echoed"]'

    run(main())


@pytest.mark.parametrize("transport", ["websocket", "htmlfile", "polling"])
def test_what_is_read_slowly_is_sent_to_its_end_however_long_that_takes(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(send_timeout=1.5) as sio, Reader(sio.port) as reader:
            ends = reasons(sio)
            if transport in ("websocket", "htmlfile"):
                await stream(sio, transport, reader)
            else:
                await reader.get(await joined(sio.port, transport))
                await until(lambda: all(s.transport and s.transport.ready for s in sio._hub.sessions.values()))
            began = time.monotonic()
            await sio.emit("big", "x" * BIG)
            got = 0
            while got < BIG:
                piece = await reader.read(100_000)
                assert piece, ends
                got += len(piece)
                await asyncio.sleep(0.025)
            assert time.monotonic() - began > 1.5 and not ends

    run(main())


async def joined(port: int, transport: str) -> str:
    """The target of a session that has joined "/"."""
    async with Peer(port, transport) as peer:
        await peer.connect()
        return peer.target


def test_the_client_file_of_which_nothing_is_read_is_not_kept_for_ever(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(send_timeout=0.3, idle_timeout=60) as sio, Reader(sio.port) as reader:
            for _ in range(200):
                await reader.get("/socket.io/anywire.js")
            await until(lambda: sio._http[0]._connections)
            await until(lambda: not sio._http[0]._connections)

    run(main())


def test_a_stream_that_is_closed_with_much_unread_is_given_up_in_time(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(send_timeout=0.3) as sio, Reader(sio.port) as reader:
            await stream(sio, "htmlfile", reader)
            await sio.emit("big", "x" * BIG)
            for session in list(sio._hub.sessions.values()):
                session.close(CloseReason.SERVER)
            assert sio._http[0]._connections
            await until(lambda: not sio._http[0]._connections)

    run(main())


def test_who_never_says_hello_to_tls_is_cut_off_in_time(tmp_path: Path, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, _ = contexts(tmp_path / "tls")
        began = time.monotonic()
        async with serving(server, idle_timeout=0.3) as sio:
            for start in (b"", b"\x16\x03\x01\x02\x00\x01"):
                async with Reader(sio.port) as reader:
                    await reader.send(start)
                    assert await ended(reader)
            assert 0.5 < time.monotonic() - began < 20
            await until(lambda: not sio._http[0]._connections)

    run(main())


async def ended(reader: Reader) -> bool:
    try:
        return await reader.read(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("told", [True, False])
def test_a_peer_that_does_not_answer_a_close_is_let_go_in_time(told: bool, run: Callable[..., Any]) -> None:
    """Whether it reads the close frame or not."""

    async def main() -> None:
        async with serving() as sio, Reader(sio.port) as reader:
            await stream(sio, "websocket", reader)
            if not told:
                await sio.emit("big", "x" * BIG)
            (session,) = sio._hub.sessions.values()
            carrier: Any = session.transport
            carrier._options = dataclasses.replace(carrier._options, close_timeout=0.3)
            began = time.monotonic()
            session.close(CloseReason.SERVER)
            assert not sio._hub.sessions and carrier._wire.alive
            await until(lambda: not carrier._wire.alive)
            assert 0.29 < time.monotonic() - began < 20

    run(main())
