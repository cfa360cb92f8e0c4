"""XHR long-polling: a GET waits for what there is to say, a POST brings what the client says."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from .base import Exchange, Framing, HttpProfile, Loss, Refused, Transport, TransportDelegate, TransportOptions

__all__ = ["Polling", "PostingTransport"]

#: Seconds that a POST is not answered while its client is to wait. python-engineio's client gives it up after 5 (``request_timeout``), and
#: socket.io-client goes on over a WebSocket, for which it has ``upgrade_timeout``, only after its last POST has been answered.
HOLD = 4.0
#: Seconds in which a client whose waiting GET broke may still come by another connection. A browser whose page goes ends the GET and sends
#: the last words side by side, these perhaps over a connection of their own, which takes up to three round trips.
LAST_WORDS = 1.0

_BAD_REQUEST = b'{"code":3,"message":"Bad request"}'


class PostingTransport(Transport):
    """What polling, JSONP and htmlfile share: requests of one session, of which POSTs carry the client's messages."""

    __slots__ = ("_after", "_closed", "_last", "_options", "_paused", "_reading", "_unanswered")

    def __init__(self, delegate: TransportDelegate, options: TransportOptions) -> None:
        self.delegate = delegate
        self._options = options
        self._reading = False
        #: Takes the POST that has come while another is read, after that one.
        self._after: Callable[[], None] | None = None
        self._closed = False
        #: What the POST before said, as a hash.
        self._last = 0
        self._paused = False
        #: POSTs that were taken, with the end of their time to wait.
        self._unanswered: list[tuple[Exchange, asyncio.TimerHandle]] | None = None

    def handle(self, exchange: Exchange) -> None:
        if self._closed:
            exchange.respond(400, _BAD_REQUEST, "application/json")
        elif exchange.method == "GET":
            self._get(exchange)
        elif exchange.method == "POST":
            self._post(exchange)
        else:
            exchange.respond(405, headers=[("Allow", "GET, POST")])

    def _get(self, exchange: Exchange) -> None:
        raise NotImplementedError

    def _post(self, exchange: Exchange) -> None:
        options = self._options
        whole: Callable[[bytes], None]
        if not self._reading or options.profile.poll_overlap != "close":
            self._reading = True
            exchange.on_close = self._read
            whole = partial(self._on_whole, exchange)
        elif self._after is None and options.profile.last_words(exchange.query):
            self._after = _nothing
            exchange.on_close = self._forget_after
            whole = partial(self._on_whole_beside, exchange)
        else:
            exchange.respond(400, _BAD_REQUEST, "application/json")
            self._lose(Loss.ERROR)
            return
        exchange.read_body(options.max_message, whole, options.body_timeout)

    def _read(self) -> None:
        """A POST was taken, or its connection broke."""
        self._reading = False
        after, self._after = self._after, None
        if after is not None:
            after()

    def _on_whole(self, exchange: Exchange, body: bytes) -> None:
        try:
            self._on_body(exchange, body)
        finally:
            self._read()

    def _on_whole_beside(self, exchange: Exchange, body: bytes) -> None:
        """A page that goes says its last words beside the POST that is still under way."""
        if self._reading:
            # They have arrived, whatever becomes of their connection.
            exchange.on_close = None
            self._after = partial(self._on_body, exchange, body)
        else:
            self._on_body(exchange, body)

    def _forget_after(self) -> None:
        self._after = None

    def _on_body(self, exchange: Exchange, body: bytes) -> None:
        exchange.on_close = None
        if self._closed and self._options.profile.refuses_late:
            # Its session has ended or moved while it was read: nobody hears it, so that it must not be said to be taken.
            exchange.respond(400, _BAD_REQUEST, "application/json")
            return
        try:
            data = self._decode(exchange, body)
        except Refused as error:
            exchange.respond(error.status, error.body, error.content_type, error.headers)
            self._lose(Loss.ERROR)
            return
        if self._comes_again(exchange, body):
            self._accept(exchange)
            return
        try:
            later = self.delegate.on_data(self, data)
        except Refused as error:
            exchange.respond(error.status, error.body, error.content_type, error.headers)
            return
        if later is None:
            self._accept(exchange)
        else:
            waiting: asyncio.Future[None] = asyncio.ensure_future(later)
            waiting.add_done_callback(lambda done: self._accepted_later(exchange, done))

    def _comes_again(self, exchange: Exchange, body: bytes) -> bool:
        """Whether a proxy repeats the POST before: one that finds its connection stale sends again what may have arrived (RFC 9110, 9.2.2,
        forbids it for POST; some do it)."""
        stamp = self._options.profile.stamp
        if not stamp or f"&{stamp}=" not in f"&{exchange.query}":
            return False
        before, self._last = self._last, hash((exchange.query, body))
        return before == self._last

    def _accepted_later(self, exchange: Exchange, done: asyncio.Future[None]) -> None:
        error = done.exception() if not done.cancelled() else None
        if error is None:
            self._accept(exchange)
        elif isinstance(error, Refused):
            exchange.respond(error.status, error.body, error.content_type, error.headers)
        else:
            exchange.respond(503, headers=[("Retry-After", "1")])

    def _accept(self, exchange: Exchange) -> None:
        if not self._paused:
            self._answer_post(exchange)
            return
        if self._unanswered is None:
            self._unanswered = []
        self._unanswered.append((exchange, asyncio.get_running_loop().call_later(HOLD, self._answer_first)))

    def pause(self) -> None:
        self._paused = not self._closed

    def resume(self) -> None:
        self._paused = False
        while self._unanswered:
            self._answer_first()

    def _answer_first(self) -> None:
        assert self._unanswered is not None
        exchange, timer = self._unanswered.pop(0)
        timer.cancel()
        self._answer_post(exchange)

    def _answer_post(self, exchange: Exchange) -> None:
        profile = self._options.profile
        exchange.respond(200, profile.ok_body, profile.ok_type, _common(exchange, profile))

    def _decode(self, exchange: Exchange, body: bytes) -> str | bytes:
        if exchange.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "application/octet-stream":
            return body
        try:
            return body.decode()
        except UnicodeDecodeError:
            raise Refused("the body is not UTF-8") from None

    def _lose(self, loss: Loss) -> None:
        if not self._closed:
            self._closed = True
            self.resume()
            self.delegate.on_detached(self, loss)


class Polling(PostingTransport):
    """One session's polls; at most one GET is parked."""

    __slots__ = ("_broken", "_parked")
    name: ClassVar[str] = "polling"
    framing = Framing.TEXT

    def __init__(self, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> None:
        super().__init__(delegate, options)
        self._parked: Exchange | None = exchange
        exchange.on_close = self._dropped
        #: The end of the time to come back.
        self._broken: asyncio.TimerHandle | None = None

    @classmethod
    def open(cls, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> Polling:
        return cls(exchange, delegate, options)

    def start(self) -> None:
        if self._parked is not None:
            self.delegate.on_ready(self)

    def first(self, body: bytes) -> None:
        exchange, self._parked = self._parked, None
        assert exchange is not None  # nobody was told yet that there is something to answer
        exchange.on_close = None
        try:
            self.delegate.on_data(self, self._decode(exchange, body))
        except Refused as error:
            exchange.respond(error.status, error.body, error.content_type, error.headers)
            self._lose(Loss.ERROR)
            return
        if self._closed:
            exchange.respond(400, _BAD_REQUEST, "application/json")
            return
        self._parked = exchange
        exchange.on_close = self._dropped

    def _get(self, exchange: Exchange) -> None:
        if self._parked is not None:
            if self._options.profile.poll_overlap == "close":
                self._answer(self._options.profile.overlap_body)
                exchange.respond(400, _BAD_REQUEST, "application/json")
                self._lose(Loss.ERROR)
                return
            self._answer(self._options.profile.empty_body)
        if self._broken is not None:
            self._broken.cancel()
        self._parked = exchange
        exchange.on_close = self._left
        self.delegate.on_ready(self)

    def _dropped(self) -> None:
        """The client has dropped its waiting GET."""
        self._parked = None
        if self._options.profile.lost_poll_closes:
            self._lose(Loss.PEER)

    def _left(self) -> None:
        """The same, and one that has had a session for longer may still have something to say."""
        exchange, profile = self._parked, self._options.profile
        if exchange is not None and profile.lost_poll_closes and profile.last_words(exchange.query):
            self._parked = None
            self._broken = asyncio.get_running_loop().call_later(LAST_WORDS, self._lose, Loss.PEER)
        else:
            self._dropped()

    @property
    def ready(self) -> bool:
        return self._parked is not None

    def send(self, data: bytes, binary: bool = False) -> None:
        self._answer(data, binary, report=True)

    def close(self, last: bytes = b"", code: int = 1000, reason: str = "") -> None:
        # Also after an error in a POST, which the delegate answers by this: the poll beside it must not wait for ever.
        if self._parked is not None:
            self._answer(last)
        self._lose(Loss.LOCAL)

    def _answer(self, data: bytes, binary: bool = False, report: bool = False) -> None:
        exchange, self._parked = self._parked, None
        if exchange is None:
            raise RuntimeError("no poll waits for this answer")
        exchange.on_close = None
        body, kind = self._wrapped(exchange, data, binary)
        options = self._options
        headers = _common(exchange, options.profile)
        if options.compression and len(body) >= options.compression_threshold and _takes_gzip(exchange):
            body = gzip.compress(body, 6, mtime=0)
            headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
        exchange.respond(200, body, kind, headers, self._taken if report else None)

    def _taken(self, ok: bool) -> None:
        self.delegate.on_taken(self, ok)

    def _wrapped(self, exchange: Exchange, data: bytes, binary: bool) -> tuple[bytes, str]:
        return data, "application/octet-stream" if binary else self._options.profile.poll_type


def _nothing() -> None:
    return None


def _common(exchange: Exchange, profile: HttpProfile) -> list[tuple[str, str]]:
    """Headers of every answer: nothing may be cached or sniffed, and old IE must not filter it (engine.io, lib/transports/polling.ts)."""
    headers = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), *profile.headers]
    agent = exchange.headers.get("User-Agent", "")
    if not profile.headers and (";MSIE" in agent or "Trident/" in agent):
        headers.append(("X-XSS-Protection", "0"))
    return headers


def _takes_gzip(exchange: Exchange) -> bool:
    """IE6 says that it takes gzip and then cuts the first bytes of compressed scripts."""
    return "gzip" in exchange.headers.get("Accept-Encoding", "") and "MSIE 6" not in exchange.headers.get("User-Agent", "")
