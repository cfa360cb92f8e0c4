"""A TCP proxy that does to a connection what networks do: ``FaultProxy(port, fault("refuse-upgrade", 403))``.

Faults are per proxy and can be exchanged while it runs (``proxy.fault = ...``); several at once are a chain of proxies. They touch only
requests below ``path``, so that a page can come through the same proxy as what it tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Self

from faults import Cut, Fault

__all__ = ["FaultProxy", "Link", "Message"]

@dataclasses.dataclass(slots=True)
class Message:
    """A request or an answer: its first line, its headers, and of a request also the body."""

    first: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> Message:
        """Read up to the empty line. Raises EOFError or OSError when there is no more."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        return cls(lines[0], [(name, value.strip()) for name, _, value in pairs])

    def get(self, name: str) -> str:
        """A header's value, in lower case."""
        return next((value.lower() for key, value in self.headers if key.lower() == name), "")

    def without(self, *names: str) -> Message:
        return dataclasses.replace(self, headers=[pair for pair in self.headers if pair[0].lower() not in names])

    @property
    def method(self) -> str:
        return self.first.split()[0]

    @property
    def target(self) -> str:
        return self.first.split()[1]

    @property
    def status(self) -> int:
        return int(self.first.split()[1])

    @property
    def upgrades(self) -> bool:
        return bool(self.get("upgrade"))

    def head(self) -> bytes:
        return "".join(f"{line}\r\n" for line in (self.first, *(f"{name}: {value}" for name, value in self.headers), "")).encode("latin-1")


async def body_of(answer: Message, request: Message, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The bytes of an answer's body as they come, chunks with their frames (RFC 9112, 6.3)."""
    if request.method == "HEAD" or answer.status in (204, 304):
        return
    if "chunked" in answer.get("transfer-encoding"):
        size = 1
        while size:
            line = await reader.readuntil(b"\r\n")
            size = int(line, 16)
            yield line + await reader.readexactly(size + 2)
    elif answer.get("content-length"):
        left = int(answer.get("content-length"))
        while left:
            piece = await reader.read(min(left, 65536))
            if not piece:
                raise EOFError
            left -= len(piece)
            yield piece
    else:
        while piece := await reader.read(65536):
            yield piece


class Line:
    """One direction of a connection: what is written comes out after the delay, in order."""

    def __init__(self, writer: asyncio.StreamWriter, delay: Callable[[], float]) -> None:
        self._writer, self._delay = writer, delay
        self._waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def write(self, data: bytes) -> None:
        if self._task is None and not self._delay():
            self._writer.write(data)
            await self._writer.drain()
            return
        now = asyncio.get_running_loop().time()
        self._waiting.put_nowait((now + self._delay(), data))
        self._task = self._task or asyncio.ensure_future(self._deliver())

    async def _deliver(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._waiting.get()
            await asyncio.sleep(due - loop.time())
            self._writer.write(data)
            self._waiting.task_done()

    async def close(self) -> None:
        """End, once what was written is out."""
        try:
            if self._task is not None:
                await self._waiting.join()
        finally:
            # Also when the wait is cancelled.
            self._writer.close()
            if self._task is not None:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)


class Reader(asyncio.StreamReader):
    """Tells when the other side has gone, also while nobody reads."""

    #: Called then.
    gone: Callable[[], object] | None = None

    def feed_eof(self) -> None:
        super().feed_eof()
        if self.gone:
            self.gone()


class Link:
    """One connection of a client, and the server's side of its present request."""

    def __init__(self, proxy: FaultProxy, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._touched = True
        #: What the present request met; the proxy may have another one by the time of its answer.
        self._fault = proxy.fault
        self._down = Line(writer, lambda: self._fault.delay[1])
        self._up: Line | None = None
        self._sent = 0

    async def run(self) -> None:
        """Serve requests until either side ends."""
        known = False
        while True:
            request = await Message.read(self._reader)
            request.body = await self._reader.readexactly(int(request.get("content-length") or 0))
            self._touched = request.target.startswith(self._proxy.path)
            # A long way is long for everything.
            self._fault = self._proxy.fault if self._touched else Fault().far(*self._proxy.fault.delay)
            if self._touched:
                self._proxy.seen.append(f"{request.method} {request.target}")
                # The handshake that the kernel made at once. Not for pages, by which a client may measure one round trip.
                await asyncio.sleep(0 if known else sum(self._fault.delay))
            known = True
            await self._play(request)

    async def _play(self, request: Message) -> None:
        """One request, until its answer is over or the client goes."""
        task, limit = asyncio.current_task(), self._fault.cut_seconds
        assert task is not None
        self._sent = 0
        self._reader.gone = task.cancel
        if self._reader.at_eof():
            raise Cut
        timer = limit and asyncio.get_running_loop().call_later(limit, self.abort)
        try:
            await self._fault.handle(self, request)
        finally:
            self._reader.gone = None
            if timer:
                timer.cancel()
            await self._leave_server()

    async def answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        """An answer that the server knows nothing of. Any page may read it, so that it is not taken for a refused origin."""
        head = f"HTTP/1.1 {status} Proxy\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        await self._send(head.encode() + b"Access-Control-Allow-Origin: *\r\n\r\n" + body)

    async def forward(self, request: Message, heard: bool = True) -> None:
        """Pass a request on and its answer back; ``heard`` false: the answer goes nowhere."""
        await self._leave_server()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._proxy.target if self._touched else self._proxy.pages)
        up = self._up = Line(writer, lambda: self._fault.delay[0])
        await up.write(request.head() + request.body)
        answer = await Message.read(reader)
        if answer.status == 101 and not self._fault.buffers:
            self._sent = len(answer.head())
            await self._down.write(answer.head())
            await self._tunnel(reader, up)
            raise Cut
        if heard and not self._fault.buffers:
            await self._send(answer.head())
            async for piece in body_of(answer, request, reader):
                await self._send(piece)
        else:
            whole = answer.head() + b"".join([piece async for piece in body_of(answer, request, reader)])
            if heard:
                await self._send(whole)
        if not (answer.get("content-length") or answer.get("transfer-encoding")) and answer.status not in (204, 304):
            raise Cut

    async def _send(self, data: bytes, upgraded: bool = False) -> None:
        """To the client, up to the fault's limit of bytes."""
        if self._touched and not self._proxy.fault.passes(False, upgraded):
            return
        limit = self._fault.cut_bytes
        room = len(data) if limit is None else limit - self._sent
        self._sent += len(data)
        await self._down.write(data[:room])
        if room < len(data):
            raise Cut

    async def _tunnel(self, server: asyncio.StreamReader, up: Line) -> None:
        """Both ways until either side ends or the fault cuts."""
        # What the client said last still goes up.
        self._reader.gone = None

        async def upwards() -> None:
            while data := await self._reader.read(65536):
                if self._proxy.fault.passes(True, True):
                    await up.write(data)

        async def downwards() -> None:
            while data := await server.read(65536):
                await self._send(data, upgraded=True)

        pumps = [asyncio.ensure_future(upwards()), asyncio.ensure_future(downwards())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _leave_server(self) -> None:
        up, self._up = self._up, None
        if up is not None:
            await up.close()

    def abort(self) -> None:
        """End the connection at once, with a reset."""
        with contextlib.suppress(OSError):
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        await self._leave_server()
        await self._down.close()


class FaultProxy:
    """``async with FaultProxy(target, fault(...)) as proxy``: listens on ``proxy.url``, a loopback address, for port ``target``."""

    def __init__(self, target: int, fault: Fault | None = None, path: str = "/socket.io/", host: str = "127.0.0.1") -> None:
        self.target, self.path, self.host = target, path, host
        #: Where requests outside ``path`` go, if not to the target too.
        self.pages = target
        self.fault = fault or Fault()
        self.port = 0
        #: "METHOD target" of each request below ``path``, in their order.
        self.seen: list[str] = []
        self._links: dict[asyncio.Task[None], Link] = {}

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        await self.kill()

    @property
    def url(self) -> str:
        """http://host:port"""
        return f"http://{self.host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections of clients there are."""
        return len(self._links)

    async def kill(self) -> None:
        """Reset all connections, as a restarted middlebox does; new ones are taken."""
        links = dict(self._links)
        for task, link in links.items():
            link.abort()
            task.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(Reader(limit=2**20), self._accept)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, Reader)
        link = Link(self, reader, writer)
        task = asyncio.ensure_future(self._serve(link))
        self._links[task] = link
        task.add_done_callback(self._links.pop)

    async def _serve(self, link: Link) -> None:
        try:
            await link.run()
        except Cut:
            pass
        except (EOFError, OSError, asyncio.LimitOverrunError):
            # Either side left.
            pass
        finally:
            await link.close()
