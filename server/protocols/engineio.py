"""What the revisions of Engine.IO share: URLs, packet types, the handshake's numbers, a JSONP form. Each revision is a file of its own."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, ClassVar
from urllib.parse import unquote

import orjson

from ...transports.base import HttpProfile
from ..errors import HandshakeCode, HandshakeRefused, ProtocolError
from ..events import Ack, Close, Event, Noop, Open, Packet, Ping, Pong, Upgrade
from .base import Located, Protocol

__all__ = [
    "CONTROLS", "MAX_SID", "EngineIO", "ack_text", "as_text", "callback", "control", "decode_base64", "event_text", "plain_text",
    "preamble", "read_query",
]  # fmt: skip

#: Ours are 31 characters; a longer one cannot be.
MAX_SID = 128
_INDEX = re.compile(r"[0-9]{1,10}")
#: Browsers run a stream's first script after 1,024 bytes at the latest (WebKit without charset).
_PREAMBLE_SIZE = 1024
_PREAMBLE = (
    '<!doctype html><html><head><meta charset="utf-8"></head><body><script>var _ = function (msg) {{ '
    "var s; try {{ s = parent.s; }} catch (e) {{}} if (s && s._) {{ s._(msg, document); }} "
    "else {{ parent.anywire_htmlfile[{index}](msg); "
    # The script that has run goes, or the endless document would grow for hours. A moment later: it is still running.
    'var all = document.getElementsByTagName("script"), done = all[all.length - 1]; '
    "setTimeout(function () {{ done.parentNode.removeChild(done); }}, 1); }} }};</script>"
)


def read_query(query: str) -> dict[str, str]:
    """The query's arguments, percent-decoded; of an argument that is there twice, the values joined by ``\\0``, which is never valid."""
    arguments: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if "%" in value:
            value = unquote(value)
        arguments[name] = f"{arguments[name]}\0{value}" if name in arguments else value
    return arguments


def callback(query: str) -> bytes | None:
    """What stands before the string of a JSONP answer; None when the query names no index."""
    index = read_query(query).get("j", "")
    return b"___eio[%s](" % index.encode() if _INDEX.fullmatch(index) else None


def preamble(query: str) -> bytes:
    """The first chunk of an htmlfile stream."""
    index = read_query(query).get("i", "0")
    text = _PREAMBLE.format(index=index if _INDEX.fullmatch(index) else "0")
    return text.ljust(_PREAMBLE_SIZE).encode()


class EngineIO(Protocol):
    """One revision, ``EIO=<revision>`` in each URL."""

    revision: ClassVar[str]
    #: Keys of the open packet, in their order.
    open_keys: ClassVar[tuple[str, ...]] = ("sid", "upgrades", "pingInterval", "pingTimeout")
    # "t" is engine.io-client's timestampParam: what yeast or its successor makes.
    profile = HttpProfile(callback=callback, tag_preamble=preamble, stamp="t")
    upgrades = ("websocket",)

    def locate(self, path: str, query: str, base: str) -> Located | None:
        if path != base and path + "/" != base:
            return None
        arguments = read_query(query)
        if arguments.get("EIO") != self.revision:
            return None
        transport = self._transport(arguments)
        sid = arguments.get("sid")
        if sid is not None and (len(sid) > MAX_SID or not sid):
            raise HandshakeRefused(HandshakeCode.UNKNOWN_SID)
        binary = transport in ("websocket", "polling") and arguments.get("b64") not in ("1", "true")
        posts = transport == "polling" and sid is None and self.own_client(query)
        return Located(transport, sid, binary, posts=posts, race=self.race(query) if sid is None else "")

    def _transport(self, arguments: dict[str, str]) -> str:
        name = arguments.get("transport", "")
        if name == "polling" and "j" in arguments:
            if not _INDEX.fullmatch(arguments["j"]):
                raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
            return "jsonp"
        if name not in ("websocket", "polling", "htmlfile"):
            raise HandshakeRefused(HandshakeCode.UNKNOWN_TRANSPORT)
        return name

    def race(self, query: str) -> str:
        """The token of a client that tries two ways at once; "" without one."""
        return ""

    def script_body(self, data: str) -> str:
        r"""Clients write a newline as ``\n`` and a literal ``\n`` as ``\\n`` (engine.io, lib/transports/polling-jsonp.ts)."""
        return _ESCAPED_NEWLINE.sub("\n", data).replace("\\\\n", "\\n")

    def encode(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        control_type = CONTROLS.get(type(packet))
        if control_type is not None:
            return (control_type + getattr(packet, "data", ""),)
        if type(packet) is Open:
            return ("0" + self._open_body(packet),)
        return self._encode_message(packet, binary)

    def _open_body(self, packet: Open) -> str:
        """Times in whole milliseconds."""
        said: dict[str, Any] = {
            "sid": packet.sid,
            "upgrades": packet.upgrades,
            "pingInterval": round(packet.ping_interval * 1000),
            "pingTimeout": round(packet.ping_timeout * 1000),
            "maxPayload": packet.max_payload,
        }
        return orjson.dumps({key: said[key] for key in self.open_keys}).decode()

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        """As :meth:`encode`, for what is a message to the engine."""
        raise NotImplementedError


_ESCAPED_NEWLINE = re.compile(r"(?<!\\)\\n")
#: Types of the engine's own packets.
CONTROLS: dict[type, str] = {Close: "1", Ping: "2", Pong: "3", Upgrade: "5", Noop: "6"}
_EMPTY: dict[str, Packet] = {"1": Close(), "5": Upgrade(), "6": Noop()}


def control(kind: str, data: str) -> Packet:
    """A packet of the engine's own. Raises ProtocolError for unknown types."""
    if kind == "3":
        return Pong(data)
    if kind == "2":
        return Ping(data)
    if data or kind not in _EMPTY:
        raise ProtocolError("unknown packet type")
    return _EMPTY[kind]


def as_text(data: bytes, head: str) -> str:
    """Bytes as a text message."""
    return head + base64.b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """The bytes that ``text`` says. Raises ProtocolError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError("invalid base64") from None


def event_text(namespace: str, name: Any, args: tuple[Any, ...]) -> bytes | None:
    """An event that wants no acknowledgement as UTF-8; None for attachments, and for what JSON cannot say."""
    try:
        data = orjson.dumps((name, *args) if len(args) != 1 else (name, args[0]))
    except TypeError:
        return None
    return b"42" + data if namespace == "/" else b"42%b,%b" % (namespace.encode(), data)


def ack_text(namespace: str, id_: int, args: tuple[Any, ...]) -> bytes | None:
    """As :func:`event_text`, for an acknowledgement."""
    try:
        data = orjson.dumps(args)
    except TypeError:
        return None
    return _numbered(b"43", namespace, id_, data)


def plain_text(packet: Packet) -> bytes | None:
    """An event or acknowledgement as UTF-8; None for other packets, for attachments, and for what JSON cannot say."""
    try:
        if type(packet) is Event:
            namespace, name, args, ack = packet
            if ack is None:
                return event_text(namespace, name, args)
            return _numbered(b"42", namespace, ack, orjson.dumps((name, *args)))
    except TypeError:
        return None
    return ack_text(*packet) if type(packet) is Ack else None


def _numbered(kind: bytes, namespace: str, id_: int, data: bytes) -> bytes:
    return b"%b%d%b" % (kind, id_, data) if namespace == "/" else b"%b%b,%d%b" % (kind, namespace.encode(), id_, data)
