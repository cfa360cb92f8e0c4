"""Engine.IO 3, with Socket.IO 3 and 4 on top (socket.io-client 1.x and 2.x) or bare.

A payload is ``<length>:<packet>...``, lengths in UTF-16 units; or, as application/octet-stream, for each packet 00 (text) or 01 (binary),
the length in bytes as one byte for each decimal digit, ff, and the packet (engine.io-parser 2.2, encodePayloadAsBinary).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from ...transports.base import HttpProfile
from ..errors import ProtocolError
from ..events import Connect, ConnectError, Message, Packet
from .base import Decoder, Limits
from .engineio import CONTROLS, EngineIO, ack_text, as_text, callback, control, decode_base64, event_text, plain_text, preamble
from .packet import PacketDecoder, encode_packet, encode_refusal

if TYPE_CHECKING:
    from ..config import Config

__all__ = ["BareEngineIO3", "EngineIO3"]

#: The type of a binary packet is a byte of that value, of a text packet the digit.
_MESSAGE = b"\x04"
#: Digits of a length; a body has at most 2**30 bytes.
_MAX_DIGITS = 10
_LENGTH = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_LONE = re.compile("[\ud800-\udfff]")
#: What stands in JSON between quotes and backslashes.
_PLAIN = re.compile(r'[^"\\]+')


class _EngineIO3(EngineIO):
    """What both forms share: payloads, heartbeats from the client. One instance for each value of ``double_utf8``."""

    revision = "3"
    profile = HttpProfile(callback=callback, tag_preamble=preamble, overlap_body=b"1:1", stamp="t")
    pinger = "client"
    own_units = True
    # engine.io-client 1.x and 3.x, lib/transports/polling-xhr.js: withCredentials is true, in 1.x always.
    credentials = True
    _decoder: ClassVar[type[_EngineDecoder]]

    def __init__(self, double_utf8: bool = True) -> None:
        self._double_utf8 = double_utf8

    def configured(self, config: Config) -> _EngineIO3:
        return _instance(type(self), config.double_utf8)

    def units(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        """Text in ASCII where that can be: clients of 1.x decode each packet of a text payload once more, and in browsers count its
        length in bytes. What is left goes as bytes to who takes binary payloads, in which all versions agree."""
        messages = self.encode(packet, binary)
        first = messages[0]
        if first.isascii() or isinstance(first, bytes):
            return messages
        first = self._in_ascii(first, packet)
        return (first.encode() if binary and not first.isascii() else first, *messages[1:])

    def _in_ascii(self, message: str, packet: Packet) -> str:
        return message

    def payload(self, messages: Sequence[str | bytes]) -> str | bytes:
        texts = [message for message in messages if isinstance(message, str)]
        if len(texts) < len(messages):
            return b"".join(map(_binary_unit, messages))
        return "".join([f"{_length(text)}:{text}" for text in texts]) or "0:"

    def decoder(self, limits: Limits) -> Decoder:
        return self._decoder(limits, self._double_utf8)


@cache
def _instance(kind: type[_EngineIO3], double_utf8: bool) -> _EngineIO3:
    return kind(double_utf8)


def _length(message: str) -> int:
    return len(message) if message.isascii() else len(message.encode("utf-16-le", "surrogatepass")) // 2


def _binary_unit(message: str | bytes) -> bytes:
    """A text packet begins with a digit or a letter, whether it comes as text or as its UTF-8; a binary one with a byte below."""
    data = message.encode() if isinstance(message, str) else message
    kind = b"\x01" if data[0] < 0x30 else b"\x00"
    return kind + bytes(map(int, str(len(data)))) + b"\xff" + data


class _EngineDecoder(Decoder):
    __slots__ = ("_double_utf8", "_limits")

    def __init__(self, limits: Limits, double_utf8: bool) -> None:
        self._limits = limits
        self._double_utf8 = double_utf8

    def payload(self, data: str | bytes) -> list[Packet]:
        packets: list[Packet] = []
        units = self._text_units(data) if isinstance(data, str) else _binary_units(data)
        for count, unit in enumerate(units):
            if count >= self._limits.max_packets:
                raise ProtocolError(f"more than {self._limits.max_packets} packets in one payload")
            packet = self.message(unit)
            if packet is not None:
                packets.append(packet)
        return packets

    def _text_units(self, data: str) -> Iterator[str]:
        """Each packet, without the empty ones of ``0:``."""
        if not data:
            raise ProtocolError("an empty payload")
        at = 0
        while at < len(data):
            colon = data.find(":", at, at + _MAX_DIGITS + 1)
            if colon < 0 or not _LENGTH.fullmatch(data, at, colon):
                raise ProtocolError("a packet without its length")
            unit = _take(data, colon + 1, int(data[at:colon]))
            at = colon + 1 + len(unit)
            if unit:
                yield self._mend(unit) if self._double_utf8 else unit

    def _mend(self, unit: str) -> str:
        """Undo the second UTF-8 of socket.io-client 1.x. Text that cannot be of its making shows that the client is a later one."""
        if unit.isascii():
            return unit
        try:
            return _LONE.sub("\ufffd", unit.encode("latin-1").decode("utf-8", "surrogatepass"))
        except UnicodeError:
            self._double_utf8 = False
            return unit

    def message(self, data: str | bytes) -> Packet | None:
        if type(data) is not str:
            if data[:1] != _MESSAGE:
                raise ProtocolError("unknown packet type")
            return self._binary(bytes(data[1:]))  # type: ignore[arg-type]
        kind = data[:1]
        if kind == "4":
            return self._text(data[1:])
        if kind == "b":
            if data[1:2] != "4":
                raise ProtocolError("unknown packet type")
            return self._binary(decode_base64(data[2:]))
        return control(kind, data[1:])

    def _text(self, data: str) -> Packet | None:
        raise NotImplementedError

    def _binary(self, data: bytes) -> Packet | None:
        raise NotImplementedError


def _take(data: str, start: int, length: int) -> str:
    """``length`` UTF-16 units from ``start`` on. Raises ProtocolError when there are fewer, or the last is half a character."""
    unit = data[start : start + length]
    units = len(unit)
    if not unit.isascii():
        encoded = unit.encode("utf-16-le", "surrogatepass")
        if len(encoded) > 2 * units:
            units = len(encoded) // 2
            try:
                unit = encoded[: 2 * length].decode("utf-16-le")
            except UnicodeDecodeError:
                raise ProtocolError("a length that ends within a character") from None
    if units < length:
        raise ProtocolError("a length beyond the payload's end")
    return unit


def _binary_units(data: bytes) -> Iterator[str | bytes]:
    at = 0
    while at < len(data):
        end = data.find(b"\xff", at + 1, at + 2 + _MAX_DIGITS)
        digits = data[at + 1 : end]
        if data[at] > 1 or end < 0 or not digits or max(digits) > 9:
            raise ProtocolError("a packet without its length")
        start, at = end + 1, end + 1 + int("".join(map(str, digits)))
        if at > len(data):
            raise ProtocolError("a length beyond the payload's end")
        unit = data[start:at]
        yield unit if data[end - len(digits) - 1] else _utf8(unit)


def _utf8(unit: bytes) -> str:
    """Lone surrogates, which the clients of 1.x let through, become U+FFFD."""
    try:
        return _LONE.sub("\ufffd", unit.decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        raise ProtocolError("text that is not UTF-8") from None


# -- with Socket.IO ---------------------------------------------------------------------------------------------------


class _SocketDecoder(_EngineDecoder):
    __slots__ = ("_packets",)

    def __init__(self, limits: Limits, double_utf8: bool) -> None:
        super().__init__(limits, double_utf8)
        self._packets = PacketDecoder(limits)

    @property
    def pending(self) -> bool:
        return self._packets.pending

    def message(self, data: str | bytes) -> Packet | None:
        # The hot path: an event in "/" without an acknowledgement.
        if type(data) is str and data.startswith("42["):
            return self._packets.plain_event(data[2:], None)
        return super().message(data)

    def _text(self, data: str) -> Packet | None:
        packet = self._packets.text(data)
        if type(packet) is Connect and packet.query:
            return packet._replace(data=_arguments(packet.query))
        return packet

    def _binary(self, data: bytes) -> Packet | None:
        return self._packets.binary(data)


def _arguments(query: str) -> dict[str, str]:
    """What a client says of itself behind a namespace's name stands for the ``auth`` that it has no other way to give."""
    try:
        return dict(parse_qsl(query, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise ProtocolError("too many arguments in a namespace's query") from None


class EngineIO3(_EngineIO3):
    """Socket.IO 4 (and 3, which only has fewer packets) over Engine.IO 3."""

    name = "socketio4"
    auto_connect = True
    public_ids = True
    _decoder = _SocketDecoder

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        if type(packet) is ConnectError:
            return ("4" + encode_refusal(packet.namespace, _reason(packet)),)
        text, attachments = encode_packet(packet)
        if not attachments:
            return ("4" + text,)
        return ("4" + text, *(_MESSAGE + data if binary else as_text(data, "b4") for data in attachments))

    encode_event = staticmethod(event_text)
    encode_ack = staticmethod(ack_text)
    encode_text = staticmethod(plain_text)

    def _in_ascii(self, message: str, packet: Packet) -> str:
        """JSON escapes; a namespace's name, which ends at the first comma, has none."""
        if type(packet) in CONTROLS:
            return message
        if getattr(packet, "namespace", "/") == "/":
            return _PLAIN.sub(_escape, message)
        head, comma, rest = message.partition(",")
        return head + comma + _PLAIN.sub(_escape, rest)

    def connected(self, namespace: str, sid: str, extra: dict[str, Any] | None = None) -> Connect:
        """The client makes its id from the engine's."""
        return Connect(namespace)

    def public_sid(self, engine_sid: str, namespace: str, fresh: str) -> str:
        """As the client makes it (socket.io-client 2.x, lib/manager.js, generateId)."""
        return engine_sid if namespace == "/" else f"{namespace}#{engine_sid}"


def _reason(error: ConnectError) -> Any:
    """The data if there is any, else the message (socket.io 2.x, lib/namespace.js); its parser takes texts, objects and arrays only."""
    if error.data is None:
        return error.message
    return error.data if isinstance(error.data, (str, dict, list, tuple)) else {"message": error.message, "data": error.data}


def _escape(found: re.Match[str]) -> str:
    plain = found[0]
    return plain if plain.isascii() else encode_basestring_ascii(plain)[1:-1]


# -- bare -------------------------------------------------------------------------------------------------------------


class _BareDecoder(_EngineDecoder):
    __slots__ = ()

    @property
    def pending(self) -> bool:
        return False

    def _text(self, data: str) -> Packet:
        return Message(data)

    def _binary(self, data: bytes) -> Packet:
        return Message(data)


class BareEngineIO3(_EngineIO3):
    """Engine.IO 3 without Socket.IO: each message is the application's."""

    name = "engineio3"
    bare = True
    _decoder = _BareDecoder

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        if type(packet) is not Message:
            raise TypeError(f"not an Engine.IO packet: {type(packet).__name__}")
        if isinstance(packet.data, str):
            return ("4" + packet.data,)
        return (_MESSAGE + packet.data if binary else as_text(packet.data, "b4"),)
