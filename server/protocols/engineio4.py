"""Engine.IO 4, with Socket.IO 5 on top (socket.io-client 3.x and 4.x) or bare."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import unquote

import orjson

from ...transports.base import HttpProfile
from ..errors import HandshakeCode, HandshakeRefused, ProtocolError
from ..events import Close, Event, Message, Noop, Open, Packet, Ping, Pong, Upgrade
from .base import Decoder, Limits, Located, Protocol
from .packet import PacketDecoder, encode_packet

__all__ = ["BareEngineIO4", "EngineIO4", "read_query"]

#: Between the packets of a payload (engine.io-parser 5).
SEPARATOR = "\x1e"
#: Ours are 31 characters; a longer one cannot be.
MAX_SID = 128
_INDEX = re.compile(r"[0-9]{1,10}")
#: Browsers run a stream's first script after 1,024 bytes at the latest (WebKit without charset).
_PREAMBLE_SIZE = 1024
_PREAMBLE = (
    '<!doctype html><html><head><meta charset="utf-8"></head><body><script>var _ = function (msg) {{ '
    "var s; try {{ s = parent.s; }} catch (e) {{}} if (s && s._) {{ s._(msg, document); }} "
    "else {{ parent.anywire_htmlfile[{index}](msg); }} }};</script>"
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


def _callback(query: str) -> bytes | None:
    index = read_query(query).get("j", "")
    return b"___eio[%s](" % index.encode() if _INDEX.fullmatch(index) else None


def _preamble(query: str) -> bytes:
    index = read_query(query).get("i", "0")
    text = _PREAMBLE.format(index=index if _INDEX.fullmatch(index) else "0")
    return text.ljust(_PREAMBLE_SIZE).encode()


_PROFILE = HttpProfile(callback=_callback, tag_preamble=_preamble)


class _EngineIO4(Protocol):
    """What both forms share: URLs, payloads, heartbeats from the server."""

    profile = _PROFILE
    pinger = "server"
    upgrades = ("websocket",)

    def locate(self, path: str, query: str, base: str) -> Located | None:
        if path != base and path + "/" != base:
            return None
        arguments = read_query(query)
        if arguments.get("EIO") != "4":
            return None
        transport = self._transport(arguments)
        sid = arguments.get("sid")
        if sid is not None and (len(sid) > MAX_SID or not sid):
            raise HandshakeRefused(HandshakeCode.UNKNOWN_SID)
        binary = transport in ("websocket", "polling") and arguments.get("b64") not in ("1", "true")
        return Located(transport, sid, binary)

    def _transport(self, arguments: dict[str, str]) -> str:
        name = arguments.get("transport", "")
        if name == "polling" and "j" in arguments:
            if not _INDEX.fullmatch(arguments["j"]):
                raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
            return "jsonp"
        if name not in ("websocket", "polling", "htmlfile"):
            raise HandshakeRefused(HandshakeCode.UNKNOWN_TRANSPORT)
        return name

    def payload(self, messages: Sequence[str | bytes]) -> str | bytes:
        return SEPARATOR.join(message if isinstance(message, str) else "b" + base64.b64encode(message).decode() for message in messages)

    def script_body(self, data: str) -> str:
        r"""Clients write a newline as ``\n`` and a literal ``\n`` as ``\\n`` (engine.io, lib/transports/polling-jsonp.ts)."""
        return _ESCAPED_NEWLINE.sub("\n", data).replace("\\\\n", "\\n")

    def encode(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        control = _CONTROLS.get(type(packet))
        if control is not None:
            return (control + getattr(packet, "data", ""),)
        if type(packet) is Open:
            return ("0" + _open_body(packet),)
        return self._encode_message(packet, binary)

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        raise NotImplementedError


_ESCAPED_NEWLINE = re.compile(r"(?<!\\)\\n")
_CONTROLS: dict[type, str] = {Close: "1", Ping: "2", Pong: "3", Upgrade: "5", Noop: "6"}


def _open_body(packet: Open) -> str:
    """Times in whole milliseconds."""
    return orjson.dumps(
        {
            "sid": packet.sid,
            "upgrades": packet.upgrades,
            "pingInterval": round(packet.ping_interval * 1000),
            "pingTimeout": round(packet.ping_timeout * 1000),
            "maxPayload": packet.max_payload,
        }
    ).decode()


def _as_text(data: bytes) -> str:
    return "b" + base64.b64encode(data).decode()


class EngineIO4(_EngineIO4):
    """Socket.IO 5 over Engine.IO 4."""

    name = "socketio5"

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        text, attachments = encode_packet(packet)
        if not attachments:
            return ("4" + text,)
        return ("4" + text, *(attachments if binary else map(_as_text, attachments)))

    def encode_text(self, packet: Packet) -> bytes | None:
        if type(packet) is Event and packet.namespace == "/" and packet.ack is None:
            try:
                return b"42" + orjson.dumps((packet.name, *packet.args))
            except TypeError:
                # Attachments, or what JSON cannot say.
                return None
        return None

    def decoder(self, limits: Limits) -> Decoder:
        return _SocketDecoder(limits)


class BareEngineIO4(_EngineIO4):
    """Engine.IO 4 without Socket.IO: each message is the application's."""

    name = "engineio4"
    bare = True

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        if type(packet) is not Message:
            raise TypeError(f"not an Engine.IO packet: {type(packet).__name__}")
        if isinstance(packet.data, str):
            return ("4" + packet.data,)
        return (packet.data if binary else _as_text(packet.data),)

    def decoder(self, limits: Limits) -> Decoder:
        return _BareDecoder(limits)


class _EngineDecoder(Decoder):
    __slots__ = ("_limits",)

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def payload(self, data: str | bytes) -> list[Packet]:
        if not isinstance(data, str):
            raise ProtocolError("Engine.IO 4 has no binary payloads")
        if data.count(SEPARATOR) >= self._limits.max_packets:
            raise ProtocolError(f"more than {self._limits.max_packets} packets in one payload")
        packets = map(self.message, data.split(SEPARATOR))
        return [packet for packet in packets if packet is not None]

    def message(self, data: str | bytes) -> Packet | None:
        if type(data) is not str:
            return self._binary(bytes(data))  # type: ignore[arg-type]
        kind = data[:1]
        if kind == "4":
            return self._text(data[1:])
        if kind == "b":
            return self._binary(_decode_base64(data[1:]))
        return _control(kind, data[1:])

    def _text(self, data: str) -> Packet | None:
        raise NotImplementedError

    def _binary(self, data: bytes) -> Packet | None:
        raise NotImplementedError


def _control(kind: str, data: str) -> Packet:
    if kind == "3":
        return Pong(data)
    if kind == "2":
        return Ping(data)
    if data or kind not in _EMPTY:
        raise ProtocolError("unknown packet type")
    return _EMPTY[kind]


_EMPTY: dict[str, Packet] = {"1": Close(), "5": Upgrade(), "6": Noop()}


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProtocolError("invalid base64") from None


class _SocketDecoder(_EngineDecoder):
    __slots__ = ("_packets",)

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._packets = PacketDecoder(limits)

    @property
    def pending(self) -> bool:
        return self._packets.pending

    def message(self, data: str | bytes) -> Packet | None:
        # The hot path: an event in "/" without an acknowledgement.
        if type(data) is str and data.startswith("42["):
            return self._packets.plain_event(data)
        return super().message(data)

    def _text(self, data: str) -> Packet | None:
        return self._packets.text(data)

    def _binary(self, data: bytes) -> Packet | None:
        return self._packets.binary(data)


class _BareDecoder(_EngineDecoder):
    __slots__ = ()

    @property
    def pending(self) -> bool:
        return False

    def _text(self, data: str) -> Packet:
        return Message(data)

    def _binary(self, data: bytes) -> Packet:
        return Message(data)
