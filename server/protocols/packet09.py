"""Packets and payloads of Socket.IO 0.9: ``type:id[+]:endpoint[:data]``, several as ``U+FFFD length U+FFFD packet`` each.

Source: socket.io-client 0.9.16, ``lib/parser.js``. Lengths count UTF-16 units, as JavaScript's ``length`` does.

What is no packet at all is passed over, as the servers and clients of the time did (they say bare ``0`` and ``2``), and the last packet of
a payload may be shorter than it says. A packet whose contents cannot be what its type promises, and other wrong lengths, end the session.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson

from ..errors import PayloadError, ProtocolError
from ..events import Ack, Close, Connect, ConnectError, Disconnect, Event, Noop, Packet, Ping, Pong, Receipt
from .base import Decoder, Limits
from .packet import MAX_ID_DIGITS, RESERVED, load_json, parse_json

__all__ = ["BinaryPolicy", "PacketDecoder09", "encode_packet", "encode_payload", "quick_event"]

#: What becomes of a packet with bytes in it, which 0.9 cannot carry.
BinaryPolicy = Literal["base64", "drop", "refuse"]
#: Both sides' decoder, anchored: type, id, "+", endpoint, data.
_PACKET = re.compile(r"([0-8]):([0-9]+)?(\+)?:([^:]+)?:?([\s\S]*)")
_ACK = re.compile(r"([0-9]+)(?:\+([\s\S]*))?")
_MARK = "\ufffd"
_FRAME = re.compile("\ufffd([0-9]{1,10})\ufffd")
#: Code of the reason "unauthorized": the client's namespace says ``connect_failed``. There is no way to carry a text.
_UNAUTHORIZED = "2"
_PLAIN: dict[type, str] = {Close: "0::", Ping: "2::", Pong: "2::", Noop: "8::"}


class _Dropped(Exception):
    """The packet holds bytes, and the policy is to drop such packets."""


# -- encoding ---------------------------------------------------------------------------------------------------------


def encode_packet(packet: Packet, binary: BinaryPolicy = "base64") -> str | None:
    """The packet's text, or None where ``binary`` says to drop it. Raises PayloadError for what JSON cannot carry."""
    plain = _PLAIN.get(type(packet))
    if plain is not None:
        return plain
    try:
        if type(packet) is Event:
            return _encode_event(packet, binary)
        if type(packet) is Ack:
            return _encode_ack(packet, binary)
    except _Dropped:
        return None
    if type(packet) is Connect:
        return "1::" + _endpoint(packet.namespace)
    if type(packet) is Disconnect:
        return "0::" + _endpoint(packet.namespace)
    if type(packet) is ConnectError:
        return f"7::{_endpoint(packet.namespace)}:{_UNAUTHORIZED}"
    raise TypeError(f"not a Socket.IO 0.9 packet: {type(packet).__name__}")


def _endpoint(namespace: str) -> str:
    return "" if namespace == "/" else namespace


def _encode_event(packet: Event, binary: BinaryPolicy) -> str:
    endpoint, args = _endpoint(packet.namespace), packet.args
    if packet.name == "message" and len(args) == 1:
        # What the servers of the time sent for send() and json.send(). Clients acknowledge these two by themselves, and their handlers
        # never had anything to answer with: the id is plain.
        head = f":{'' if packet.ack is None else packet.ack}:{endpoint}"
        if type(args[0]) is str and "\\/" not in args[0]:
            return f"3{head}:{_checked(args[0])}" if args[0] else f"3{head}"
        return f"4{head}:{_dump(args[0], binary)}"
    # An event's plain id is never acknowledged by clients; one with "+" always is, by the handler.
    head = f":{'' if packet.ack is None else f'{packet.ack}+'}:{endpoint}"
    body = {"name": packet.name, "args": args} if args else {"name": packet.name}
    return f"5{head}:{_dump(body, binary)}"


def _encode_ack(packet: Ack, binary: BinaryPolicy) -> str:
    head = f"6::{_endpoint(packet.namespace)}:{packet.id}"
    if not packet.args:
        return head
    # The client reads acknowledgements by a regular expression that ends at a line end, and these are two for JavaScript.
    return f"{head}+{_dump(packet.args, binary)}".replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def quick_event(packet: Event) -> bytes | None:
    """The UTF-8 of a plain event for a WebSocket, or None where :func:`encode_packet` must look closer."""
    if packet.ack is not None or packet.namespace != "/" or packet.name == "message":
        return None
    try:
        return b"5:::" + orjson.dumps({"name": packet.name, "args": packet.args} if packet.args else {"name": packet.name})
    except TypeError:
        return None


def _checked(text: str) -> str:
    """``text``, if it can be sent. Raises PayloadError for lone surrogates, which UTF-8 does not have."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PayloadError("cannot be sent: a text with a lone surrogate") from None
    return text


def _dump(value: Any, binary: BinaryPolicy) -> str:
    def convert(unknown: Any) -> Any:
        if isinstance(unknown, (bytes, bytearray, memoryview)):
            return _convert_bytes(bytes(unknown), binary)
        if isinstance(unknown, tuple):
            return list(unknown)  # as in packet.py: a named one
        raise PayloadError(f"{type(unknown).__name__} cannot be sent; JSON types and bytes can")

    text = _dump_json(value, convert)
    # The htmlfile transport of the client turns every "\/" that it receives into "/": a backslash must not stand before a slash.
    return text.replace("\\/", "\\\\u002f") if "\\/" in text else text


def _convert_bytes(data: bytes, binary: BinaryPolicy) -> str:
    if binary == "drop":
        raise _Dropped
    if binary == "refuse":
        raise PayloadError("bytes cannot be sent to a client of Socket.IO 0.9 (the setting binary_fallback)")
    return base64.b64encode(data).decode()


def _dump_json(value: Any, convert: Callable[[Any], Any]) -> str:
    for options in (0, orjson.OPT_NON_STR_KEYS):
        try:
            return orjson.dumps(value, convert, options).decode()
        except TypeError as error:
            cause = error if isinstance(error, PayloadError) else error.__cause__
            if isinstance(cause, (PayloadError, _Dropped)):
                raise cause from None
            if options or "Dict key must be str" not in str(error):
                raise PayloadError(f"cannot be sent: {error}; JSON types can (integers up to 64 bits, no lone surrogates)") from None
    raise AssertionError("the last option returns or raises")


def encode_payload(packets: Sequence[str]) -> str:
    """One packet as it is, several each with its length before it, none as nothing."""
    if len(packets) == 1:
        return packets[0]
    return "".join(f"{_MARK}{_units(packet)}{_MARK}{packet}" for packet in packets)


def _units(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


# -- decoding ---------------------------------------------------------------------------------------------------------


class PacketDecoder09(Decoder):
    """Stateless: no packet of 0.9 has attachments. Raises ProtocolError, and nothing else."""

    __slots__ = ("_limits",)

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @property
    def pending(self) -> bool:
        return False

    def message(self, data: str | bytes) -> Packet | None:
        """One packet; payloads are not taken apart on a WebSocket, and a binary message says nothing in this protocol."""
        return self._packet(data) if isinstance(data, str) else None

    def payload(self, data: str | bytes) -> list[Packet]:
        """One packet or several. XDomainRequest sends no type, so any is read as text."""
        if not isinstance(data, str):
            try:
                data = data.decode()
            except UnicodeDecodeError:
                raise ProtocolError("the payload is not UTF-8") from None
        texts = self._split(data) if data.startswith(_MARK) else [data]
        packets = map(self._packet, texts)
        return [packet for packet in packets if packet is not None]

    @staticmethod
    def json_string(data: str) -> str:
        """The text that ``data``, a JSON string, stands for."""
        try:
            value = load_json(data)
        except ValueError:
            value = None
        if not isinstance(value, str):
            raise ProtocolError("the field d is not a JSON string")
        return value

    def _split(self, data: str) -> list[str]:
        """The packets of a payload. Without astral characters, units are Python's own; with them the text is cut in UTF-16."""
        if max(data) > "\uffff":
            return self._split_units(data)
        texts: list[str] = []
        position = 0
        while position < len(data):
            start, size = self._frame(_FRAME.match(data, position), len(texts))
            position = start + size
            texts.append(data[start:position])
        return texts

    def _split_units(self, data: str) -> list[str]:
        units = data.encode("utf-16-le", "surrogatepass")
        texts: list[str] = []
        position = 0
        try:
            while position < len(units):
                # A mark, at most ten digits and a mark.
                start, size = self._frame(_FRAME.match(units[position : position + 24].decode("utf-16-le", "replace")), len(texts))
                begin = position + 2 * start
                position = begin + 2 * size
                texts.append(units[begin:position].decode("utf-16-le"))
        except UnicodeDecodeError:
            raise ProtocolError("a length that cuts a character") from None
        return texts

    def _frame(self, head: re.Match[str] | None, count: int) -> tuple[int, int]:
        """Where a packet begins, and its length."""
        if head is None:
            raise ProtocolError("a payload without a length where one is due")
        if count >= self._limits.max_packets:
            raise ProtocolError(f"more than {self._limits.max_packets} packets in one payload")
        return head.end(), int(head.group(1))

    def _packet(self, text: str) -> Packet | None:
        if text.startswith("5:::"):
            # The most frequent one, without the pattern: an event in "/" that wants no acknowledgement.
            return self._event("5", "/", text[4:], None)
        found = _PACKET.match(text)
        if found is None:
            return None
        kind, digits, plus, endpoint, data = found.groups()
        namespace = self._namespace(endpoint)
        id_ = self._id(digits)
        packet = self._event(kind, namespace, data, id_ if plus else None) if kind in "345" else self._other(kind, namespace, data)
        if id_ is not None and not plus:
            return Receipt(Ack(namespace, id_), Noop() if packet is None else packet)
        return packet

    def _other(self, kind: str, namespace: str, data: str) -> Packet | None:
        if kind == "0":
            return Close() if namespace == "/" else Disconnect(namespace)
        if kind == "1":
            return Connect(namespace, None, data[1:] if data.startswith("?") else "")
        if kind == "2":
            return Pong()
        return self._ack(namespace, data) if kind == "6" else None

    def _event(self, kind: str, namespace: str, data: str, ack: int | None) -> Packet | None:
        if kind == "3":
            return Event(namespace, "message", (data,), ack)
        value = self._json(data)
        if kind == "4":
            return None if value is _GARBAGE else Event(namespace, "message", (value,), ack)
        if not isinstance(value, dict) or "name" not in value:
            return None
        name, args = value["name"], value.get("args", [])
        if not isinstance(args, list):
            raise ProtocolError("an event's args are an array")
        if type(name) is not str and (not isinstance(name, (int, float)) or isinstance(name, bool)):
            raise ProtocolError("an event's name is a string or a number")
        # Names of the libraries' own events: socket.io 0.9 ignored "disconnect", and the others were never sent.
        return None if name in RESERVED else Event(namespace, name, tuple(args), ack)

    def _ack(self, namespace: str, data: str) -> Packet | None:
        found = _ACK.fullmatch(data)
        if found is None:
            return None
        id_ = self._id(found.group(1))
        assert id_ is not None
        value = self._json(found.group(2)) if found.group(2) else []
        return Ack(namespace, id_, tuple(value) if isinstance(value, list) else ())

    def _json(self, text: str) -> Any:
        if text.count("[") + text.count("{") > self._limits.max_depth:
            return parse_json(text, self._limits.max_depth)
        try:
            return load_json(text)
        except ValueError:
            return _GARBAGE

    def _namespace(self, endpoint: str | None) -> str:
        if endpoint is None:
            return "/"
        if endpoint[0] != "/" or len(endpoint.encode(errors="replace")) > self._limits.max_namespace:
            raise ProtocolError("an endpoint begins with a slash and is not that long")
        return endpoint

    def _id(self, digits: str | None) -> int | None:
        if digits is None:
            return None
        if len(digits) > MAX_ID_DIGITS:
            raise ProtocolError("an acknowledgement id that is too long")
        return int(digits)


#: Stands for what is not JSON.
_GARBAGE: Any = object()
