"""A raw HTTP/1.1 client for tests that look at literal bytes."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class RawClient:
    """One connection; ``async with RawClient(port) as client``."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.port = port
        self._tls = tls

    async def __aenter__(self) -> RawClient:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self._tls)
        return self

    async def __aexit__(self, *error: object) -> None:
        self.writer.close()
        try:
            await asyncio.wait_for(self.writer.wait_closed(), 2)
        except (OSError, TimeoutError):
            pass

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def request(self, method: str, target: str, body: bytes = b"", headers: str = "") -> Answer:
        """Send one request and read its answer. ``headers``: complete lines, each with its CRLF."""
        length = f"Content-Length: {len(body)}\r\n" if body or method == "POST" else ""
        self.send(f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{headers}{length}\r\n".encode() + body)
        return await self.answer(method)

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read a status line and headers; names in lower case."""
        lines = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if name:
                headers[name.lower()] = value.strip()
        return int(lines[0].split()[1]), headers

    async def answer(self, method: str = "GET") -> Answer:
        """Read one whole answer, by its length or to the end of the connection."""
        status, headers = await self.head()
        if method == "HEAD" or status in (101, 204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while chunk := await self.chunk():
                body += chunk
            return Answer(status, headers, body)
        if "content-length" in headers:
            return Answer(status, headers, await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), 10))
        return Answer(status, headers, await asyncio.wait_for(self.reader.read(), 10))

    async def chunk(self) -> bytes:
        """Read one chunk of a chunked answer; b"" for the last."""
        size = int((await asyncio.wait_for(self.reader.readline(), 10)).strip(), 16)
        return (await self.reader.readexactly(size + 2))[:-2]

    async def frame(self) -> tuple[int, bytes]:
        """Read one unmasked WebSocket frame: the first byte and the payload. (-1, b"") at the connection's end."""
        try:
            first, second = await asyncio.wait_for(self.reader.readexactly(2), 10)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            return first, await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return -1, b""

    async def upgrade(self, target: str, headers: str = "") -> Answer:
        """A WebSocket handshake with the key of RFC 6455's example."""
        return await self.request("GET", target, headers=UPGRADE + headers)


UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def masked(first: int, payload: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """A client frame: ``first`` is FIN, reserved bits and opcode."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 65536:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def text(message: str) -> bytes:
    return masked(0x81, message.encode())
