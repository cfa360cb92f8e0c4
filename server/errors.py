"""Everything that can go wrong, and what the peer is told.

::

    Exception
    +-- Refused (transports.base)            an answer to the peer; carries status and body
    |   +-- HandshakeRefused                 an HTTP request that gets no session; Engine.IO's numbered errors
    |   |   +-- TooMany                      429: one address asks too often
    |   +-- ProtocolError                    the peer broke the protocol: its session is closed
    +-- AnywireError                         a mistake or a fact told to the application
        +-- ConfigError (ValueError)         a setting that is unknown, contradictory or out of range
        +-- ConnectionRefusedError           raised *by* a connect handler; its arguments reach the client
        +-- BadNamespaceError                an operation on a namespace or sid that is not connected
        +-- TimeoutError                     an acknowledgement did not come in time
        +-- DisconnectedError                the client left while it was waited for
        +-- PayloadError (TypeError)         an emit that cannot be encoded

Why a session ended is a row of :class:`CloseReason`.
"""

from __future__ import annotations

import enum
from typing import Any

import orjson

from ..transports.base import Refused

__all__ = [
    "AnywireError", "BadNamespaceError", "CloseReason", "ConfigError", "ConnectionRefusedError", "DisconnectedError",
    "HandshakeCode", "HandshakeRefused", "PayloadError", "ProtocolError", "SocketIOError", "TimeoutError",
]  # fmt: skip


class CloseReason(enum.Enum):
    """Why a session ended: the text that ``disconnect`` handlers get, and whether the client should come back."""

    CLIENT = ("client disconnect", False)
    SERVER = ("server disconnect", False)
    PING_TIMEOUT = ("ping timeout", True)
    TRANSPORT_CLOSE = ("transport close", True)
    TRANSPORT_ERROR = ("transport error", True)
    PARSE_ERROR = ("parse error", True)
    TOO_BIG = ("message too big", True)
    SLOW_CONSUMER = ("slow consumer", True)
    IDENTITY = ("identity changed", True)
    CONNECT_TIMEOUT = ("connect timeout", True)
    OVERLOAD = ("too many waiting events", True)
    SHUTDOWN = ("server shutting down", True)

    def __init__(self, text: str, come_back: bool) -> None:
        self.text = text
        self.come_back = come_back

    def __str__(self) -> str:
        return self.text


class HandshakeCode(enum.IntEnum):
    """Engine.IO's error codes (engine.io ``lib/server.ts``); the message is :attr:`text`."""

    UNKNOWN_TRANSPORT = 0
    UNKNOWN_SID = 1
    BAD_METHOD = 2
    BAD_REQUEST = 3
    FORBIDDEN = 4
    UNSUPPORTED_PROTOCOL = 5

    @property
    def text(self) -> str:
        return _HANDSHAKE_TEXTS[self]


_HANDSHAKE_TEXTS = {
    HandshakeCode.UNKNOWN_TRANSPORT: "Transport unknown",
    HandshakeCode.UNKNOWN_SID: "Session ID unknown",
    HandshakeCode.BAD_METHOD: "Bad handshake method",
    HandshakeCode.BAD_REQUEST: "Bad request",
    HandshakeCode.FORBIDDEN: "Forbidden",
    HandshakeCode.UNSUPPORTED_PROTOCOL: "Unsupported protocol version",
}


class HandshakeRefused(Refused):
    """A request that gets no session: JSON ``{"code":N,"message":"..."}`` with status 400, or 403 for code 4.

    ``message`` replaces the code's own text. Protocols with another form (Socket.IO 0.9) read ``code`` and
    ``message`` and build their own answer.
    """

    def __init__(self, code: HandshakeCode, message: str | None = None, status: int | None = None) -> None:
        self.code = code
        self.message = code.text if message is None else message
        super().__init__(
            self.message,
            status=status if status is not None else 403 if code is HandshakeCode.FORBIDDEN else 400,
            body=orjson.dumps({"code": int(code), "message": self.message}),
            content_type="application/json",
        )


class TooMany(HandshakeRefused):
    """One address asks for more than it may have (429, RFC 6585, section 4)."""

    def __init__(self, message: str) -> None:
        super().__init__(HandshakeCode.FORBIDDEN, message, 429)
        self.headers = [("Retry-After", "10")]


class ProtocolError(Refused):
    """The peer broke the protocol; the session is closed with :attr:`CloseReason.PARSE_ERROR`.

    The message says what was wrong and never repeats the input.
    """


class AnywireError(Exception):
    """The base of what the application may catch."""


#: python-socketio's name for it.
SocketIOError = AnywireError


class ConfigError(AnywireError, ValueError):
    """A setting that is unknown, contradictory or out of range; the text names it and says what would be right."""


class ConnectionRefusedError(AnywireError):
    """Raised by a ``connect`` handler to refuse a client.

    The first argument is the message that ``connect_error`` shows, a second one its ``data``; further ones make
    ``data`` a list.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.message: str = str(args[0]) if args else "Connection rejected by server"
        self.data: Any = None if len(args) < 2 else args[1] if len(args) == 2 else list(args[1:])


class BadNamespaceError(AnywireError):
    """An operation names a namespace that the server does not have, or a client that is not connected to it."""


class TimeoutError(AnywireError):
    """Acknowledgements or answers did not come in time; ``responses`` holds those that did."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.responses: dict[str, Any] = {}


class DisconnectedError(AnywireError):
    """The client disconnected while it was waited for."""


class PayloadError(AnywireError, TypeError):
    """An emit that cannot be encoded: the text names the value's type and what is allowed."""
