"""Lean clients of the four transports on raw sockets: requests and frames are built beforehand, answers are not decoded.

They must never be what is measured. Each joins "/" and then tells how many messages came. They answer no pings: the servers here send none
for five minutes, in which a benchmark is over.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import ClassVar

__all__ = ["CLIENTS", "Client", "HtmlFile", "Jsonp", "Polling", "WebSocket", "frame"]

_BASE = "/socket.io/?EIO=4&transport="
_SID = re.compile(rb'"sid\\?":\\?"([A-Za-z0-9_-]+)')
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_MASK = b"\x5a\x13\xc4\x7e"
#: Source addresses have some 28,000 ports each; connections are spread over several.
_PORTS_A_SOURCE = 20_000
#: Linux's IP_BIND_ADDRESS_NO_PORT (ip(7)), which Python names from 3.12 on: the port is chosen by connect(), which knows that those of the
#: runs before, in TIME_WAIT, were towards another server. Without it thousands of them are searched for each new connection.
_BIND_ADDRESS_NO_PORT = 24


def frame(message: str | bytes) -> bytes:
    """A masked frame, text for ``str``."""
    payload, first = (message.encode(), 0x81) if isinstance(message, str) else (message, 0x82)
    size = len(payload)
    head = bytes((first, 0x80 | size)) if size < 126 else bytes((first, 0xFE)) + size.to_bytes(2, "big")
    return head + _MASK + bytes(byte ^ _MASK[place % 4] for place, byte in enumerate(payload))


class Client:
    """One client. ``sock`` is where its messages come."""

    kind: ClassVar[str]
    sock: socket.socket

    def __init__(self, port: int, number: int) -> None:
        self.port = port
        self.number = number
        self.sock = self._connect()
        self.rest = b""

    def _connect(self) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(60)
        sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        sock.bind((f"127.0.0.{2 + self.number // _PORTS_A_SOURCE}", 0))
        sock.connect(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def joining(self) -> Iterator[None]:
        """The steps that join "/"; each sends something, and the next one waits for the answer."""
        raise NotImplementedError

    def send(self, message: str) -> None:
        """Send one Engine.IO message, and do not wait."""
        raise NotImplementedError

    def read(self) -> int:
        """Read what is there; how many messages came."""
        raise NotImplementedError

    def close(self) -> None:
        """Drop the connection."""
        self.sock.close()

    def _recv(self) -> bytes:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


class WebSocket(Client):
    """One WebSocket."""

    kind = "websocket"

    def joining(self) -> Iterator[None]:
        # The key of RFC 6455's example; a benchmark need not check the answer.
        self.sock.sendall(
            f"GET {_BASE}websocket HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        yield
        while b"\r\n\r\n" not in self.rest:
            self.rest += self._recv()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(head.decode())
        self._wait_for(b"0{")
        self.send("40")
        yield
        self._wait_for(b"40{")
        self.sock.setblocking(False)

    def _wait_for(self, begin: bytes) -> None:
        while True:
            while (one := self._next()) is None:
                self.rest += self._recv()
            if one.startswith(begin):
                return

    def _next(self) -> bytes | None:
        rest = self.rest
        if len(rest) < 2:
            return None
        size, at = rest[1], 2
        if size == 126:
            size, at = int.from_bytes(rest[2:4], "big"), 4
        if len(rest) < at + size:
            return None
        self.rest = rest[at + size :]
        return rest[at : at + size]

    def send(self, message: str) -> None:
        self.sock.sendall(frame(message))

    def read(self) -> int:
        data = self.rest + self._recv() if self.rest else self._recv()
        at, count, end = 0, 0, len(data)
        while end - at >= 2:
            size, head = data[at + 1], 2
            if size == 126:
                if end - at < 4:
                    break
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            if end - at < head + size:
                break
            count += 1
            at += head + size
        self.rest = data[at:]
        return count


class Polling(Client):
    """XHR long-polling. Polls go over ``sock``; posts over a second connection once there are any, as a browser does it."""

    kind = "polling"
    extra = ""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(port, number)
        self._posts: socket.socket | None = None
        self._poll = b""
        self._url = ""

    def joining(self) -> Iterator[None]:
        host = f" HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n"
        self.sock.sendall(f"GET {_BASE}polling{self.extra}{host}".encode())
        yield
        sid = _SID.search(self._answer(self.sock))
        assert sid is not None
        self._url = f"{_BASE}polling{self.extra}&sid={sid[1].decode()}"
        self._poll = f"GET {self._url}{host}".encode()
        self.sock.sendall(self.post("40"))
        yield
        self._answer(self.sock)
        self.sock.sendall(self._poll)
        yield
        self._answer(self.sock)
        self.sock.sendall(self._poll)
        self.sock.setblocking(False)

    def post(self, message: str) -> bytes:
        """The request that brings one message."""
        return self._request(message, "text/plain;charset=UTF-8")

    def _request(self, body: str, kind: str) -> bytes:
        return (
            f"POST {self._url} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        ).encode()

    def send(self, message: str) -> None:
        self.send_request(self.post(message))

    def send_request(self, request: bytes) -> None:
        """Send a post that is built already."""
        self.posts.sendall(request)

    @property
    def posts(self) -> socket.socket:
        """The connection of the posts."""
        if self._posts is None:
            self._posts = self._connect()
        return self._posts

    def read_post(self) -> None:
        """Read the answer to a post."""
        data = self.posts.recv(65536)
        if b" 200 " not in data[:16]:
            raise ConnectionError(data.decode(errors="replace"))

    def read(self) -> int:
        """Read the answer to the poll, and poll again."""
        self.rest += self._recv()
        body = self._whole()
        if body is None:
            return 0
        self.sock.sendall(self._poll)
        return self._count(body)

    def _count(self, body: bytes) -> int:
        return body.count(b"\x1e") + 1

    def _whole(self) -> bytes | None:
        """The body of the answer that is in ``rest``, if it is there whole."""
        end = self.rest.find(b"\r\n\r\n")
        if end < 0:
            return None
        if b" 200 " not in self.rest[:16]:
            raise ConnectionError(self.rest.decode(errors="replace"))
        found = _LENGTH.search(self.rest, 0, end)
        if found is None:
            raise ConnectionError("an answer without Content-Length")
        after = end + 4 + int(found[1])
        if len(self.rest) < after:
            return None
        body, self.rest = self.rest[end + 4 : after], self.rest[after:]
        return body

    def _answer(self, sock: socket.socket) -> bytes:
        while (body := self._whole()) is None:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("the server closed the connection")
            self.rest += data
        return body

    def close(self) -> None:
        super().close()
        if self._posts is not None:
            self._posts.close()


class Jsonp(Polling):
    """Polls by script tags, posts by forms."""

    kind = "jsonp"
    extra = "&j=0"

    def post(self, message: str) -> bytes:
        return self._request("d=" + message.replace("[", "%5B").replace('"', "%22"), "application/x-www-form-urlencoded")

    def _count(self, body: bytes) -> int:
        return body.count(b"\\u001e") + 1


class HtmlFile(Polling):
    """The forever-iframe. Its chunks are not put together: messages are counted by their script tags."""

    kind = "htmlfile"

    def joining(self) -> Iterator[None]:
        self.sock.sendall(f"GET {_BASE}htmlfile HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
        yield
        while (sid := _SID.search(self.rest)) is None:
            self.rest += self._recv()
        self._url = f"{_BASE}htmlfile&sid={sid[1].decode()}"
        # Most streams of a benchmark post nothing more: their second connection is not counted in the server's memory.
        with self._connect() as posts:
            posts.sendall(self.post("40"))
            yield
            assert b" 200 " in posts.recv(65536)
        while b"_(\"40" not in self.rest:
            self.rest += self._recv()
        self.rest = b""
        self.sock.setblocking(False)

    def read(self) -> int:
        data = self.rest + self._recv()
        *whole, self.rest = data.split(b"</script>")
        return len(whole)


CLIENTS: dict[str, type[Client]] = {kind.kind: kind for kind in (WebSocket, Polling, Jsonp, HtmlFile)}
