"""What a peer said, as values: every decoder yields these and every encoder takes them.

All are immutable and compare by value. ``namespace`` is ``"/"`` or ``"/name"``; ``args`` is a tuple of decoded JSON values in which
binary appears as ``bytes``; ``ack`` is the peer's acknowledgement id or None.
"""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = [
    "Ack", "Close", "Connect", "ConnectError", "Disconnect", "Event", "Message", "Noop", "Open", "Packet", "Ping", "Pong", "Receipt",
    "UNSENT", "Upgrade",
]  # fmt: skip

#: Names that mean something to clients' own libraries and are never an application's event (socket.io, lib/socket.ts).
UNSENT = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})


class Open(NamedTuple):
    """The session's parameters, said once by the server; times in seconds, size in bytes."""

    sid: str
    upgrades: tuple[str, ...]
    ping_interval: float
    ping_timeout: float
    max_payload: int


class Close(NamedTuple):
    """The peer ends the whole session."""


class Ping(NamedTuple):
    """A heartbeat, or with data ``"probe"`` the test of a new carrier."""

    data: str = ""


class Pong(NamedTuple):
    """The answer to a ping, with the ping's data."""

    data: str = ""


class Upgrade(NamedTuple):
    """The client moves the session to the carrier on which it says so."""


class Noop(NamedTuple):
    """Says nothing; ends a poll."""


class Message(NamedTuple):
    """A message of a bare Engine.IO session."""

    data: str | bytes


class Connect(NamedTuple):
    """Join a namespace (from a client, ``data`` is its auth) or the answer that it is joined (``data`` holds the sid).

    ``query`` is what older clients say behind the namespace's name (``/chat?token=x``), as sent.
    """

    namespace: str = "/"
    data: Any = None
    query: str = ""


class Disconnect(NamedTuple):
    """Leave a namespace."""

    namespace: str = "/"


class Event(NamedTuple):
    """A named event with its arguments; ``ack`` asks for an acknowledgement."""

    namespace: str
    name: str | int | float
    args: tuple[Any, ...] = ()
    ack: int | None = None


class Ack(NamedTuple):
    """The acknowledgement of an event."""

    namespace: str
    id: int
    args: tuple[Any, ...] = ()


class ConnectError(NamedTuple):
    """A refused namespace: a message for people, and optional data for programs."""

    namespace: str
    message: str
    data: Any = None


class Receipt(NamedTuple):
    """A packet whose sender wants to hear of its arrival, before and whether or not anyone handles it: ``ack`` is the answer."""

    ack: Ack
    packet: Any


Packet = Open | Close | Ping | Pong | Upgrade | Noop | Message | Connect | Disconnect | Event | Ack | ConnectError | Receipt
