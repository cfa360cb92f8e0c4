"""The contract between a session and what carries its bytes.

A *transport* moves bytes over one kind of HTTP traffic; a *delegate* (in practice the session) decides what the bytes
mean. The two meet only here.

How to add a transport:

1. Subclass :class:`Transport` in a file of its own, set ``name``, ``framing`` and ``streaming``, and write it against
   :class:`Exchange` (one HTTP request and its answer) and, if it takes the socket over, ``Wire``. Never import
   Tornado, never look inside the bytes.
2. Add one line to ``registry.TRANSPORTS``.
3. Run the contract suite ``tests/test_transport_contract.py``, which loops over the registry.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from .wire import Wire

__all__ = [
    "Exchange",
    "Framing",
    "HttpProfile",
    "Loss",
    "Refused",
    "Transport",
    "TransportDelegate",
    "TransportOptions",
]


class Framing(enum.IntEnum):
    """How a transport wraps the bytes of one message; the key under which wrapped bytes are shared by a broadcast.

    An IntEnum because a plain Enum hashes in Python code, which a broadcast would feel.
    """

    FRAME = 1  #: WebSocket frame
    FRAME_DEFLATED = 2  #: WebSocket frame, permessage-deflate without context takeover
    TEXT = 3  #: plain HTTP body
    CALL = 4  #: script call (JSONP): a JavaScript string literal, quotes included
    TAG = 5  #: script tag (htmlfile)


class Loss(enum.Enum):
    """Why a transport is gone, as far as a transport can know."""

    PEER = "the peer closed or vanished"
    ERROR = "a socket or protocol error"
    TOO_BIG = "a message was larger than allowed"
    SLOW = "the peer did not read"
    LOCAL = "this side closed it"


class Refused(Exception):
    """A request or message that is answered with an error.

    It carries its wire answer: an HTTP ``status``, a ``body`` and its ``content_type``, and ``close_code`` for a
    WebSocket that is already open (RFC 6455, section 7.4). The body names what was wrong and never echoes the input.
    """

    status: int = 400
    close_code: int = 1002

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        body: bytes | None = None,
        content_type: str = "text/plain; charset=UTF-8",
        headers: Sequence[tuple[str, str]] = (),
        close_code: int | None = None,
    ) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status
        if close_code is not None:
            self.close_code = close_code
        self.body = message.encode() if body is None else body
        self.content_type = content_type
        self.headers = headers


@dataclass(frozen=True, slots=True)
class HttpProfile:
    """What a protocol wants of HTTP transports, as data: a transport asks here and never knows the protocol's name.

    ``ok_body``/``ok_type`` answer a POST that was taken. ``callback`` turns a query string into the bytes before the
    string literal of a JSONP answer (``___eio[0](``), or None when the query names none validly; the answer ends with
    ``call_end``. ``tag_preamble`` is the first chunk of an htmlfile stream, padded so that browsers start;
    ``poll_overlap`` says what happens to two GETs at once: ``"close"`` ends the session, ``"newer"`` answers
    the older with ``empty_body`` and keeps the newer; at ``"close"`` the older is answered with ``overlap_body``.
    ``lost_poll_closes``: whether a parked poll that the client
    drops ends the session at once (Engine.IO) or only frees the carrier (Socket.IO 0.9, whose servers ignored it).
    ``stamp`` names the query's parameter that is another one in each POST, if there is one: a POST that comes again, word
    for word, was sent twice by a proxy.
    ``headers`` go with every answer to a poll or POST. ``refuses_late``: whether a POST whose session has ended while it was read
    is refused; otherwise the next poll tells. ``last_words``: whether a POST with this query may come while another is read, to be taken
    after it, or for a moment after the connection of the poll broke.
    """

    ok_body: bytes = b"ok"
    ok_type: str = "text/html"
    poll_type: str = "text/plain; charset=UTF-8"
    script_type: str = "text/javascript; charset=UTF-8"
    callback: Callable[[str], bytes | None] = lambda query: None
    call_end: bytes = b");"
    tag_preamble: Callable[[str], bytes] = lambda query: b""
    poll_overlap: str = "close"
    overlap_body: bytes = b"1"
    empty_body: bytes = b""
    lost_poll_closes: bool = True
    stamp: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    refuses_late: bool = True
    last_words: Callable[[str], bool] = lambda query: False


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """Limits and switches of one transport; sizes in bytes, times in seconds.

    ``max_message`` bounds one WebSocket message (inflated) and one request body; ``max_fragments`` the frames of one
    message; ``high_water`` the unsent bytes at which ``ready`` turns false; ``send_timeout`` how long a peer may
    take nothing of what is unsent before the transport is lost as SLOW; ``close_timeout`` how long the peer may take to
    answer a close frame; ``control_rate`` pings and pongs a second from the peer before 1008 (a burst of as many is allowed);
    ``deflate`` negotiates permessage-deflate where the peer offers it, for messages of at least ``deflate_threshold``;
    ``body_timeout`` how long a request's body may take to arrive; ``compression`` gzips answers to polls of at least
    ``compression_threshold``, for who takes it.
    """

    profile: HttpProfile = field(default_factory=HttpProfile)
    max_message: int = 1_000_000
    max_fragments: int = 1024
    high_water: int = 65_536
    send_timeout: float = 60.0
    close_timeout: float = 5.0
    control_rate: float = 100.0
    deflate: bool = False
    deflate_threshold: int = 1024
    body_timeout: float = 20.0
    compression: bool = True
    compression_threshold: int = 1024


class Exchange(abc.ABC):
    """One HTTP request and its answer.

    ``method`` (its case matters), ``path`` and ``query`` are as sent, not decoded; ``headers`` is looked up without regard
    to case, repeated ones joined by ``,``; ``peer`` is the remote ``(address, port)`` as the trusted proxies
    setting sees it; ``secure`` says whether the peer came over TLS. ``extra_headers`` (CORS, cookies) are added to every
    answer, the 101 included. Exactly one of ``respond``, ``stream`` or ``upgrade`` answers; a second one raises
    RuntimeError. ``on_close`` is called at most once, if the peer goes before the answer is finished; ``late`` is true then if we
    closed the connection because the peer did not read.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    peer: tuple[str, int]
    secure: bool
    extra_headers: list[tuple[str, str]]
    on_close: Callable[[], None] | None
    late: bool
    native: Any  #: the HTTP engine's own request object, for the application's eyes only

    @property
    def wants_upgrade(self) -> bool:
        """Whether it asks to go on as a WebSocket (RFC 6455, section 4.2.1: without regard to case)."""
        return self.headers.get("Upgrade", "").strip().lower() == "websocket"

    @abc.abstractmethod
    def read_body(self, limit: int, callback: Callable[[bytes], None], timeout: float = 20.0) -> None:
        """Read the body and hand it to ``callback`` once whole.

        A body over ``limit`` bytes, declared or counted while it arrives, is answered 413 with an empty body and the
        connection closed; one with a Content-Encoding 415; neither reaches ``callback``, and ``on_close`` is called instead.
        """

    @abc.abstractmethod
    def respond(
        self,
        status: int,
        body: bytes = b"",
        content_type: str = "text/plain; charset=UTF-8",
        headers: Sequence[tuple[str, str]] = (),
        taken: Callable[[bool], None] | None = None,
    ) -> None:
        """Answer whole. ``taken(True)`` once the kernel took every byte, ``taken(False)`` if the connection broke first."""

    @abc.abstractmethod
    def stream(self, status: int, content_type: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Begin a chunked answer, flushed at once."""

    @abc.abstractmethod
    def write(self, chunk: bytes) -> None:
        """Send one chunk of a streamed answer now; raises nothing when the peer is gone (``on_close`` tells)."""

    @property
    @abc.abstractmethod
    def backlog(self) -> int:
        """Bytes of a streamed answer that the kernel has not taken yet."""

    @property
    @abc.abstractmethod
    def on_drained(self) -> Callable[[], None] | None:
        """Called when ``backlog`` falls to zero after it was not."""

    @on_drained.setter
    @abc.abstractmethod
    def on_drained(self, callback: Callable[[], None] | None) -> None:
        """Set the callback."""

    @abc.abstractmethod
    def finish(self) -> None:
        """End a streamed answer."""

    @abc.abstractmethod
    def upgrade(self, headers: Sequence[tuple[str, str]]) -> Wire:
        """Answer 101 with ``headers`` and hand the socket over; the HTTP engine forgets the connection.

        Raises :class:`Refused`, with nothing answered, for a request with a body.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """Drop the connection without an answer."""


class TransportDelegate(Protocol):
    """What a transport may say to its session. No method raises, except ``on_data`` as it says."""

    def on_data(self, transport: Transport, data: str | bytes) -> Awaitable[None] | None:
        """Take one WebSocket message, or one request body.

        A WebSocket text message and a textual body come as ``str`` (checked UTF-8), binary as ``bytes``; a JSONP body is
        the raw value of its form field ``d``. Raises :class:`Refused` when it is not acceptable: the transport answers
        with it. Returns None once the data is taken, or an awaitable that ends when it is.
        """

    def on_ready(self, transport: Transport) -> None:
        """The transport can be sent to again (a poll has parked; a full socket has drained)."""

    def on_taken(self, transport: Transport, ok: bool) -> None:
        """The kernel took what was sent (True), or the poll's connection broke first (False). Not called by streams."""

    def on_detached(self, transport: Transport, loss: Loss) -> None:
        """The transport is gone and will say nothing more."""


class Transport(abc.ABC):
    """What a session may do with its carrier.

    ``streaming`` transports (WebSocket, htmlfile) take any number of ``send`` while ``ready``; the others exactly one
    per poll. ``ready`` false means that a ``send`` now is a caller's mistake for a poll and mere buffering for a stream.
    """

    __slots__ = ("__weakref__", "delegate")
    name: ClassVar[str]
    framing: Framing
    streaming: ClassVar[bool] = False
    #: Whether raw binary messages can be sent; otherwise the protocol must encode them as text.
    binary: ClassVar[bool] = False
    delegate: TransportDelegate

    @classmethod
    @abc.abstractmethod
    def open(cls, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> Transport:
        """Attach to the first request. Raises :class:`Refused` before anything is answered (a WebSocket before its 101).

        The delegate hears nothing before ``open`` has returned and :meth:`start` was called.
        """

    @abc.abstractmethod
    def start(self) -> None:
        """Begin to talk to the delegate; called once, when the session has stored the transport."""

    def first(self, body: bytes) -> None:
        """Hand on what the first request, a POST, says, before :meth:`start`; the answer to it carries what there is to say then.

        Of transports whose sessions may begin so (``Located.posts`` of the server's protocols).
        """
        raise NotImplementedError(f"no session begins by a POST over {self.name}")

    @abc.abstractmethod
    def handle(self, exchange: Exchange) -> None:
        """Take a further request of the same session (a poll, a POST). Answers errors itself; never raises."""

    @property
    @abc.abstractmethod
    def ready(self) -> bool:
        """Whether bytes given now are written now."""

    @abc.abstractmethod
    def send(self, data: bytes, binary: bool = False) -> None:
        """Send bytes that already have this transport's framing. ``binary`` marks a binary HTTP body."""

    @abc.abstractmethod
    def close(self, last: bytes = b"", code: int = 1000, reason: str = "") -> None:
        """Send ``last`` (framed) if it can still be sent, then end.

        A WebSocket performs the close handshake with ``code`` and ``reason``; a parked poll is answered with ``last``.
        ``on_detached`` follows with ``Loss.LOCAL``, possibly before this returns. Idempotent.
        """

    def abort(self) -> None:
        """Drop what is left of the carrier after :meth:`close`, without waiting for the peer. Nothing is left of most."""
        return None

    def pause(self) -> None:
        """Stop reading from the peer, so that TCP slows it down: what one read has brought is still told. Over HTTP a POST is taken, and
        not answered for a while, which slows down those that send one at a time.
        """
        return None

    def resume(self) -> None:
        """Read again after :meth:`pause`."""
        return None
