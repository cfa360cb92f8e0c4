"""``Exchange`` on Tornado's own HTTP server, through its message-delegate interface, not ``RequestHandler``."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tornado import httputil
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.routing import Router, RuleRouter
from tornado.web import Application

from .base import Exchange, Refused
from .wire import Wire

__all__ = ["ExchangeRouter", "TornadoExchange", "take_socket"]

log = logging.getLogger("anywire.exchange")

#: Header lines of one request; the limit of Node's http parser is 2,000, Apache's 100.
MAX_HEADERS = 100
#: Bytes of a body that nobody asked for, read and dropped so that the connection can be used again.
MAX_UNWANTED_BODY = 65_536
Networks = tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


class ExchangeRouter(Router):
    """A Tornado route target that hands every request to ``handler`` as an exchange.

    ``trusted_proxies``: addresses or networks whose X-Forwarded-For and X-Forwarded-Proto are believed. Raises ValueError for what is
    neither. ``send_timeout``: seconds that a peer may take nothing of an answer before its connection is closed.
    """

    def __init__(
        self, handler: Callable[[TornadoExchange], None], trusted_proxies: Sequence[str] = (), send_timeout: float = 60.0
    ) -> None:
        self._handler = handler
        self._trusted: Networks = tuple(ipaddress.ip_network(text, strict=False) for text in trusted_proxies)
        self._send_timeout = send_timeout

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> httputil.HTTPMessageDelegate:
        return _Delegate(TornadoExchange(request, self._trusted, self._send_timeout), self._handler)

    def mounted_in(self, app: object) -> bool:
        """Whether a Tornado application has a route to this one; true also when that cannot be known."""
        return not isinstance(app, Application) or self._reached_by(app.default_router)

    def _reached_by(self, router: object) -> bool:
        if router is self or (isinstance(router, Router) and not isinstance(router, (RuleRouter, ExchangeRouter))):
            return True
        return isinstance(router, RuleRouter) and any(self._reached_by(rule.target) for rule in router.rules)


class _Delegate(httputil.HTTPMessageDelegate):
    """Tornado's side of one exchange."""

    def __init__(self, exchange: TornadoExchange, handler: Callable[[TornadoExchange], None]) -> None:
        self._exchange = exchange
        self._handler = handler
        self._waiting = False

    def headers_received(
        self, start_line: httputil.RequestStartLine | httputil.ResponseStartLine, headers: httputil.HTTPHeaders
    ) -> Awaitable[None] | None:
        exchange = self._exchange
        exchange.connection.set_max_body_size(MAX_UNWANTED_BODY)
        if sum(1 for _ in headers.get_all()) > MAX_HEADERS:
            exchange.respond(431)
            return None
        if exchange.wants_upgrade or "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0":
            self._handle()
            return exchange.undecided()
        # Tornado closes a connection whose request is answered before it was read to its end, so without a body we wait for that.
        self._waiting = True
        return None

    def _handle(self) -> None:
        try:
            self._handler(self._exchange)
        except Exception:
            log.exception("! a request failed")
            self._exchange.abort()

    def data_received(self, chunk: bytes) -> None:
        self._exchange.take_chunk(chunk)

    def finish(self) -> None:
        if self._waiting:
            self._handle()
        self._exchange.body_ended()

    def on_connection_close(self) -> None:
        self._exchange.peer_gone()


class TornadoExchange(Exchange):
    """One request of Tornado's HTTP/1 server."""

    __slots__ = (
        "_answered", "_backlog", "_body", "_body_callback", "_closed", "_decision", "_limit", "_on_drained", "_send_timeout", "_size",
        "_timer", "connection", "extra_headers", "headers", "late", "method", "native", "on_close", "path", "peer", "query", "secure",
    )  # fmt: skip

    def __init__(self, request: httputil.HTTPServerRequest, trusted: Networks, send_timeout: float) -> None:
        self.native = request
        self.connection: Any = request.connection
        self.method = request.method or ""
        self.path = request.path
        self.query = request.query
        self.headers: Mapping[str, str] = request.headers
        self.extra_headers: list[tuple[str, str]] = []
        self.on_close: Callable[[], None] | None = None
        self.peer, self.secure = _origin(request, trusted)
        self._answered = False
        self._closed = False
        self._body: list[bytes] = []
        self._body_callback: Callable[[bytes], None] | None = None
        self._limit = 0
        self._size = 0
        self._backlog = 0
        self._on_drained: Callable[[], None] | None = None
        self._decision: asyncio.Future[None] | None = None
        self.late = False
        self._send_timeout = send_timeout
        self._timer: asyncio.TimerHandle | None = None

    # -- the request ------------------------------------------------------------------------------------------------

    def read_body(self, limit: int, callback: Callable[[bytes], None], timeout: float = 20.0) -> None:
        if "Content-Encoding" in self.headers:
            self._refuse(415)
            return
        declared = self.headers.get("Content-Length", "0")
        if declared.isdecimal() and int(declared) > limit:
            # Tornado would answer 400 by itself: let it read on, into the connection that our answer closes.
            self.connection.set_max_body_size(int(declared))
            self._refuse(413)
            return
        self._limit, self._body_callback = limit, callback
        self.connection.set_max_body_size(2**62)
        self.connection.set_body_timeout(timeout)

    def take_chunk(self, chunk: bytes) -> None:
        """A piece of the body has arrived."""
        if self._body_callback is None:
            return
        self._size += len(chunk)
        if self._size > self._limit:
            self._body_callback = None
            self._body.clear()
            self._refuse(413)
            return
        self._body.append(chunk)

    def _refuse(self, status: int) -> None:
        """Answer for whoever waits for the body: it will not come."""
        callback, self.on_close = self.on_close, None
        self.respond(status)
        if callback is not None:
            callback()

    def body_ended(self) -> None:
        """The request has arrived whole."""
        if not self._answered and not self._closed:
            self.connection.set_close_callback(self.peer_gone)
        callback, self._body_callback = self._body_callback, None
        if callback is not None:
            body, self._body = b"".join(self._body), []
            callback(body)

    def undecided(self) -> asyncio.Future[None] | None:
        """For a handshake that is still thought about: Tornado must wait, because a socket can be taken only now."""
        if self._answered or self._closed or not self.wants_upgrade:
            return None
        self._decision = asyncio.get_running_loop().create_future()
        self.connection.stream.set_close_callback(self.peer_gone)
        return self._decision

    def peer_gone(self) -> None:
        """The connection is closed."""
        if self._closed:
            return
        self._closed = True
        self._body_callback = None
        self._decide()
        callback, self.on_close = self.on_close, None
        if callback is not None:
            callback()

    def _decide(self) -> None:
        if self._decision is not None and not self._decision.done():
            self._decision.set_result(None)

    # -- the answer -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._answered:
            raise RuntimeError("this request was answered already")
        self._answered = True

    def respond(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "text/plain; charset=UTF-8",
        headers: Sequence[tuple[str, str]] = (),
        taken: Callable[[bool], None] | None = None,
    ) -> None:
        self._begin()
        self.on_close = None
        lines = [*headers, *self.extra_headers]
        if body or status not in (204, 304):
            lines.append(("Content-Length", str(len(body))))
        if body:
            lines.append(("Content-Type", content_type))
        ok = self._send_whole(status, lines, body if self.method != "HEAD" else b"")
        self._decide()
        if taken is not None:
            self._when_flushed(taken, ok)

    def _send_whole(self, status: int, lines: list[tuple[str, str]], body: bytes) -> bool:
        """Write an answer as bytes that are made here: ``write_headers`` would take half the time of all that an answer takes."""
        connection = self.connection
        if self._closed or connection.stream is None or connection.stream.closed():
            return False
        if connection._disconnect_on_finish:
            lines.append(("Connection", "close"))
        elif self.native.version == "HTTP/1.0":
            # Tornado has found that such a client asks for it.
            lines.append(("Connection", "Keep-Alive"))
        try:
            connection.write(_head(status, lines) + body)
            connection.finish()
        except (StreamClosedError, httputil.HTTPOutputError):
            return False
        self._watch()
        return True

    def _send_head(self, status: int, headers: httputil.HTTPHeaders) -> bool:
        if self._closed or self.connection.stream is None or self.connection.stream.closed():
            return False
        reason = http.client.responses.get(status, "Unknown")
        try:
            self.connection.write_headers(httputil.ResponseStartLine("HTTP/1.1", status, reason), headers)
        except (StreamClosedError, httputil.HTTPOutputError):
            return False
        self._watch()
        return True

    def _watch(self) -> None:
        """See to it that what the kernel did not take is taken in time: Tornado would wait for ever, and keep it."""
        pending, stream = self.connection._pending_write, self.connection.stream
        if pending is None or pending.done() or stream is None:
            return
        if self._timer is None:
            self._look_later(stream)
        pending.add_done_callback(lambda done: None if stream.writing() else self._unwatch())

    def _look_later(self, stream: IOStream) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._send_timeout, self._look, stream, stream._total_write_done_index)

    def _look(self, stream: IOStream, taken: int) -> None:
        """Whether the peer has taken anything since the last look."""
        self._timer = None
        if stream.closed() or not stream.writing():
            return
        if stream._total_write_done_index > taken:
            self._look_later(stream)
        else:
            self.late = True
            stream.close()

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _when_flushed(self, taken: Callable[[bool], None], ok: bool) -> None:
        pending = self.connection._pending_write
        if not ok or pending is None:
            taken(False)
        elif pending.done():
            taken(not pending.cancelled() and pending.exception() is None)
        else:
            pending.add_done_callback(lambda done: taken(not done.cancelled() and done.exception() is None))

    def stream(self, status: int, content_type: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self._begin()
        lines = _headers([*headers, *self.extra_headers])
        lines["Content-Type"] = content_type
        # What is streamed may stay silent for long: that the peer has gone must not wait for the next write.
        self.connection.set_close_callback(self.peer_gone)
        self._send_head(status, lines)
        with contextlib.suppress(Exception):
            self.connection.stream.set_nodelay(True)

    def write(self, chunk: bytes) -> None:
        if self._closed or self.connection.stream is None or self.connection.stream.closed():
            return
        self.connection.write(chunk)
        pending = self.connection._pending_write
        if not pending.done():
            self._backlog += len(chunk)
            self._watch()
            pending.add_done_callback(lambda done: self._flushed(len(chunk), done))

    def _flushed(self, size: int, done: asyncio.Future[None]) -> None:
        self._backlog -= size
        if not done.cancelled() and done.exception() is None and self._backlog == 0 and self._on_drained is not None:
            self._on_drained()

    @property
    def backlog(self) -> int:
        return self._backlog

    @property
    def on_drained(self) -> Callable[[], None] | None:
        return self._on_drained

    @on_drained.setter
    def on_drained(self, callback: Callable[[], None] | None) -> None:
        self._on_drained = callback

    def finish(self) -> None:
        self.on_close = None
        if not self._closed and self.connection.stream is not None and not self.connection.stream.closed():
            self.connection.finish()

    def upgrade(self, headers: Sequence[tuple[str, str]]) -> Wire:
        if "Transfer-Encoding" in self.headers or self.headers.get("Content-Length", "0") != "0":
            # What follows would be taken for frames.
            raise Refused("a request that switches protocols has no body")
        self._begin()
        if self._closed or self.connection.stream is None or self.connection.stream.closed():
            raise ConnectionResetError("the peer is gone")
        self.on_close = None
        sock, initial = take_socket(self.connection.detach())
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = Wire(asyncio.get_running_loop(), sock, initial, self.peer)
        lines = [f"{name}: {value}" for name, value in [*headers, *self.extra_headers]]
        wire.cork()
        wire.write("\r\n".join(["HTTP/1.1 101 Switching Protocols", *lines, "", ""]).encode("latin-1"))
        self._decide()
        # Nothing of the HTTP engine may outlive the handshake: 15,000 sessions would each keep its buffers.
        self.native = self.connection = None
        return wire

    def abort(self) -> None:
        self._answered = True
        self.on_close = None
        self._decide()
        if self.connection is not None:
            self.connection.close()


def take_socket(stream: IOStream) -> tuple[socket.socket, bytes]:
    """The socket of a detached stream and the bytes that were read ahead. The stream is dead afterwards.

    The only place that reaches into Tornado; ``tests/test_exchange.py`` fails loudly when Tornado changes here.
    """
    sock: socket.socket = stream.socket
    initial = bytes(stream._read_buffer)
    stream.set_close_callback(None)
    if stream._state is not None:
        stream.io_loop.remove_handler(sock)
        stream._state = None
    stream._read_buffer = bytearray()
    stream._read_buffer_size = 0
    stream.socket = None  # type: ignore[assignment]
    stream._closed = True
    return sock, initial


def _head(status: int, lines: Sequence[tuple[str, str]]) -> bytes:
    """An answer's head. Raises ValueError for a line that would be several."""
    reason = http.client.responses.get(status, "Unknown")
    text = "\r\n".join([f"HTTP/1.1 {status} {reason}", *[f"{name}: {value}" for name, value in lines]])
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        raise ValueError("a line break inside a header")
    return text.encode("latin-1") + b"\r\n\r\n"


def _headers(pairs: Sequence[tuple[str, str]]) -> httputil.HTTPHeaders:
    headers = httputil.HTTPHeaders()
    for name, value in pairs:
        headers.add(name, value)
    return headers


def _origin(request: httputil.HTTPServerRequest, trusted: Networks) -> tuple[tuple[str, int], bool]:
    """Where the request truly comes from, and whether by TLS. Forwarded headers count only from trusted proxies."""
    connection: Any = request.connection
    address = getattr(connection.context, "address", None)
    peer = (str(address[0]), int(address[1])) if isinstance(address, tuple) and len(address) >= 2 else ("", 0)
    secure = isinstance(connection.stream, SSLIOStream)
    if not trusted or not _is_trusted(peer[0], trusted):
        return peer, secure
    for hop in reversed(request.headers.get("X-Forwarded-For", "").split(",")):
        hop = hop.strip()
        if not hop:
            break
        peer = (hop[:64], 0)
        if not _is_trusted(hop, trusted):
            break
    proto = request.headers.get("X-Forwarded-Proto", "").split(",")[-1].strip().lower()
    return peer, proto == "https" if proto in ("http", "https") else secure


def _is_trusted(address: str, trusted: Networks) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
