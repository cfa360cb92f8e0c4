"""A lean WebSocket load client for the benchmarks: raw sockets on one epoll, frames built beforehand.

It must never be what is measured: it sends ready-made masked frames and counts the frames that come back without decoding them.
"""

from __future__ import annotations

import resource
import select
import socket
import time

__all__ = ["Client", "Load", "raise_file_limit"]

#: The key of RFC 6455's example; a benchmark need not check the answer.
_UPGRADE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def raise_file_limit() -> None:
    """As many open files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def frame(text: str) -> bytes:
    """A masked text frame; the mask is zero, so the payload is itself."""
    payload = text.encode()
    head = bytes((0x81, 0x80 | len(payload))) if len(payload) < 126 else bytes((0x81, 0xFE)) + len(payload).to_bytes(2, "big")
    return head + b"\0\0\0\0" + payload


class Client:
    """One WebSocket that has joined "/"."""

    __slots__ = ("frames", "rest", "sock")

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), 30, (source, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.sendall(_UPGRADE.format(port=port).encode())
        self.rest = b""
        self.frames = 0
        while b"\r\n\r\n" not in self.rest:
            self.rest += self._recv()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert b" 101 " in head, head
        self.wait_for(b"0{")
        self.sock.sendall(frame("40"))
        self.wait_for(b"40{")
        self.sock.setblocking(False)

    def _recv(self) -> bytes:
        data = self.sock.recv(65536)
        assert data, "the server closed the connection"
        return data

    def wait_for(self, begin: bytes) -> None:
        """Read frames up to one that begins so; pings are answered."""
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

    def read(self) -> int:
        """Read what is there; how many frames it completed."""
        self.rest += self._recv()
        rest, at, count, end = self.rest, 0, 0, len(self.rest)
        while end - at >= 2:
            size, head = rest[at + 1], 2
            if size == 126:
                if end - at < 4:
                    break
                size, head = int.from_bytes(rest[at + 2 : at + 4], "big"), 4
            if end - at < head + size:
                break
            if size == 1 and rest[at + head] == 0x32:
                self.sock.sendall(frame("3"))
            else:
                count += 1
            at += head + size
        self.rest = rest[at:]
        return count


class Load:
    """Many clients on one epoll."""

    def __init__(self, port: int, count: int) -> None:
        self.clients: dict[int, Client] = {}
        self.epoll = select.epoll()
        for number in range(count):
            # One source address has some 28,000 ports; spread the connections over several.
            client = Client(port, f"127.0.0.{2 + number // 20_000}")
            self.clients[client.sock.fileno()] = client
            self.epoll.register(client.sock.fileno(), select.EPOLLIN)

    def echo(self, message: str, seconds: float, in_flight: int) -> float:
        """Keep ``in_flight`` messages a client on their way for ``seconds``; answers a second, counted until all are back."""
        one = frame(message)
        for client in self.clients.values():
            client.sock.sendall(one * in_flight)
        waiting, done, began = len(self.clients) * in_flight, 0, time.perf_counter()
        end = began + seconds
        while waiting:
            for number, _ in self.epoll.poll(5):
                client = self.clients[number]
                count = client.read()
                done += count
                waiting -= count
                if count and time.perf_counter() < end:
                    client.sock.sendall(one * count)
                    waiting += count
        return done / (time.perf_counter() - began)

    def receive(self, frames: int, timeout: float = 60) -> float:
        """Wait until that many frames have come to all clients together; the seconds it took."""
        began = time.perf_counter()
        while frames > 0:
            ready = self.epoll.poll(timeout)
            assert ready, f"{frames} frames did not come"
            for number, _ in ready:
                frames -= self.clients[number].read()
        return time.perf_counter() - began

    def close(self) -> None:
        """Drop all connections."""
        for client in self.clients.values():
            client.sock.close()
        self.epoll.close()
