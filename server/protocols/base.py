"""The contract of a dialect: what a URL means, what bytes mean, who pings. Pure: no clock, no log, no I/O.

How to add one: subclass :class:`Protocol` in a file of its own, add a line to ``registry.PROTOCOLS``, and add its golden vectors
to ``tests/vectors/``. Nothing outside the file may ask for its name.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...transports.base import Framing, HttpProfile, Refused
from ..events import Ack, Close, Connect, ConnectError, Event, Noop, Open, Packet

if TYPE_CHECKING:
    from ..config import Config

__all__ = ["DEAD", "Decoder", "Limits", "Located", "Protocol"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a decoder: sizes in bytes, everything else a count.

    ``max_attachments``: 10 as in socket.io-parser 4.2.6. ``max_depth``: JSON nesting. ``max_packets``: packets in one
    payload, of 1 to 5 microseconds each; socket.io-client knows no limit but the bytes, and 1,000 small events said at once are no rarity.
    ``max_namespace``: bytes of a namespace's name. ``max_bytes``: one packet with all its attachments.
    """

    max_bytes: int = 1_000_000
    max_packets: int = 10_000
    max_attachments: int = 10
    max_depth: int = 100
    max_namespace: int = 128


@dataclass(frozen=True, slots=True)
class Located:
    """What a URL names: the transport (our own name for it), the session id or None for a handshake, and ``binary``,
    whether the peer can take raw binary over an HTTP body or frame (false for ``b64=1`` and for script transports).

    ``transport`` is "" for a request without one: a handshake that comes before any carrier, or ``leaves``, the end of the session.
    ``script``: the answer is a script, which any page can read. ``posts``: a POST may begin the session; its body is the first that the
    client says, and its answer is that of a first poll. ``race``: the token that a handshake says whose client may try two ways to one
    session; else "".
    """

    transport: str
    sid: str | None
    binary: bool = True
    leaves: bool = False
    script: bool = False
    posts: bool = False
    race: str = ""


class Decoder(abc.ABC):
    """Turns one session's incoming data into packets; keeps a packet that waits for its attachments.

    Both methods raise ``errors.ProtocolError``, and nothing else, for any input; after it the decoder is not used again.
    """

    __slots__ = ()

    @abc.abstractmethod
    def message(self, data: str | bytes) -> Packet | None:
        """Decode one WebSocket message. None: nothing complete yet."""

    @abc.abstractmethod
    def payload(self, data: str | bytes) -> list[Packet]:
        """Decode one request body: ``bytes`` for application/octet-stream, else ``str``."""

    @property
    @abc.abstractmethod
    def pending(self) -> bool:
        """Whether a packet waits for attachments (it must be completed before a deadline)."""


class _DeadDecoder(Decoder):
    """The decoder of an ended session: holds nothing and understands nothing."""

    __slots__ = ()

    def message(self, data: str | bytes) -> Packet | None:
        return None

    def payload(self, data: str | bytes) -> list[Packet]:
        return []

    @property
    def pending(self) -> bool:
        return False


DEAD: Decoder = _DeadDecoder()


class Protocol(abc.ABC):
    """One dialect. Instances are stateless and shared; everything per session is in its :class:`Decoder`."""

    name: ClassVar[str]
    profile: HttpProfile
    #: Who sends the heartbeat's ping: "server" (Engine.IO 4), "client" (Engine.IO 3); 0.9 is "server" on streams only.
    pinger: ClassVar[str]
    #: Names of the transports that a session of this dialect may upgrade to.
    upgrades: ClassVar[tuple[str, ...]] = ()
    #: Whether the server joins "/" unasked when the session opens (Engine.IO 3, 0.9).
    auto_connect: ClassVar[bool] = False
    #: Whether a session begins with a request of its own, answered by :meth:`greeting`, before any carrier; "/" is joined then.
    handshake_first: ClassVar[bool] = False
    #: Methods of a handshake.
    handshake_methods: ClassVar[frozenset[str]] = frozenset({"GET"})
    #: Whether the handshake of a page elsewhere asks with credentials even where they are not wanted.
    handshake_credentials: ClassVar[bool] = False
    #: Whether every request of a page elsewhere does.
    credentials: ClassVar[bool] = False
    #: Whether a client may go on over another transport on the same session, when nothing came through the one before.
    falls_back: ClassVar[bool] = False
    #: Whether a poll is answered with a noop after ``polling_duration``, and a client that does not poll for ``close_timeout`` is gone;
    #: heartbeats are for streams alone then.
    timed_polls: ClassVar[bool] = False
    #: Whether leaving "/" ends the session.
    root_ends: ClassVar[bool] = False
    #: Whether packets out of place are passed over (a namespace joined twice, one that does not exist, acknowledgements for one that was
    #: left) or wait (events for a namespace that is not joined yet); otherwise they end the session.
    lenient: ClassVar[bool] = False
    #: The message for a carrier whose session is not there, which makes the client come back with a new one; None: an HTTP error.
    unknown_session: ClassVar[str | None] = None
    #: Whether a message's form in an HTTP body may differ from its form on a stream: :meth:`units` gives it then.
    own_units: ClassVar[bool] = False
    #: Whether a client's id in "/" is the session's own, because its clients know no other: then others may come to know it, and it alone
    #: does not prove who asks.
    public_ids: ClassVar[bool] = False
    #: Whether the dialect carries Socket.IO packets; a bare Engine.IO dialect yields ``Message`` only.
    bare: ClassVar[bool] = False

    @abc.abstractmethod
    def locate(self, path: str, query: str, base: str) -> Located | None:
        """Read a request's URL. ``base`` is the configured path (``/socket.io/``). None: not this dialect's.

        Raises ``errors.HandshakeRefused`` when the URL is this dialect's and wrong (unknown transport, two sids).
        """

    def own_client(self, query: str) -> bool:
        """Whether the handshake with this query is of our own client. It may begin a session over polling by a POST, and is told by a noop
        that a CONNECT has arrived which takes its time."""
        return False

    def configured(self, config: Config) -> Protocol:
        """This dialect as a server of these settings speaks it."""
        return self

    def greeting(self, sid: str, query: str) -> tuple[bytes, str]:
        """Body and type of the answer to a handshake that comes before any carrier (``handshake_first``)."""
        raise NotImplementedError

    def refusal(self, error: Refused, query: str) -> Refused:
        """A handshake's error in the form that this dialect's clients understand; Engine.IO's JSON by default."""
        return error

    @abc.abstractmethod
    def encode(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        """A packet as messages: a text one, followed by one per attachment.

        Each is one WebSocket message, or one unit of :meth:`payload`. ``binary`` false asks for attachments as text. The same
        values must serve both uses. Raises ``errors.PayloadError`` for what JSON cannot carry.
        """

    def encode_text(self, packet: Packet) -> bytes | None:
        """A short cut for the hot path: the UTF-8 of what :meth:`encode` gives, when that is a single text; None: ask :meth:`encode`,
        which also explains what cannot be sent."""
        return None

    def encode_event(self, namespace: str, name: str, args: tuple[Any, ...]) -> bytes | None:
        """As :meth:`encode_text` of an event that wants no acknowledgement."""
        return self.encode_text(Event(namespace, name, args))

    def encode_ack(self, namespace: str, id_: int, args: tuple[Any, ...]) -> bytes | None:
        """As :meth:`encode_text` of an acknowledgement."""
        return self.encode_text(Ack(namespace, id_, args))

    def units(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        """As :meth:`encode`, for :meth:`payload` alone; asked where ``own_units`` says so."""
        return self.encode(packet, binary)

    @abc.abstractmethod
    def payload(self, messages: Sequence[str | bytes]) -> str | bytes:
        """Join messages from :meth:`encode` or :meth:`units` into one HTTP body (``bytes``: sent as application/octet-stream)."""

    @abc.abstractmethod
    def decoder(self, limits: Limits) -> Decoder:
        """A fresh decoder for one session."""

    def script_body(self, data: str) -> str:
        """Undo what this dialect's clients do to a payload before they put it in the JSONP form field ``d``."""
        return data

    def open_packets(self, opened: Open) -> tuple[Packet, ...]:
        """What the server says first on a new session."""
        return (opened,)

    def connected(self, namespace: str, sid: str, extra: dict[str, Any] | None = None) -> Connect:
        """The packet that tells a client that it joined ``namespace`` as ``sid``."""
        return Connect(namespace, {"sid": sid, **(extra or {})})

    def refused(self, error: ConnectError) -> Packet:
        """The packet that refuses a namespace."""
        return error

    def farewell(self, framing: Framing, by_client: bool) -> Packet | None:
        """What the server says last on a carrier: nothing on a WebSocket (its close frame says it), else ``Close``, or
        ``Noop`` to the poll of a client that closed by itself (engine.io, lib/transports/polling.ts)."""
        if framing in (Framing.FRAME, Framing.FRAME_DEFLATED):
            return None
        return Noop() if by_client else Close()

    def parting(self) -> Packet | None:
        """What is queued before the server ends a session for good, so that a client between two polls hears it too; then
        :meth:`farewell` is not said. None: nothing."""
        return None

    def public_sid(self, engine_sid: str, namespace: str, fresh: str) -> str:
        """The id of a client in a namespace; ``fresh`` is a new random one (dialects whose clients compute it ignore it)."""
        return fresh
