"""Socket.IO packets, revision 5: ``<type>[<attachments>-][<namespace>,][<ack id>][JSON]`` (socket.io-parser 4.2).

Attachments follow their packet as binary messages; ``{"_placeholder":true,"num":i}`` marks their place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from ..errors import PayloadError, ProtocolError
from ..events import Ack, Connect, ConnectError, Disconnect, Event, Packet
from .base import Limits

__all__ = ["PacketDecoder", "encode_packet", "encode_refusal", "load_json", "parse_json"]

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = "0123456"
#: Names that only the libraries themselves may use (socket.io-parser, RESERVED_EVENTS).
RESERVED = frozenset({"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
#: Digits of an acknowledgement id; JavaScript counts exactly up to 16 digits.
MAX_ID_DIGITS = 16
_HEAD = re.compile(r"(?:([0-9]+)-)?(?:(/[^,]*),?)?([0-9]+)?")
_new = tuple.__new__
#: A string, also one that never ends: without its closing quote optional, each quote in it would be tried as another beginning.
_JSON_STRING = re.compile(r'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)
#: An escape of JSON: a pair of surrogates, a lone one, or another.
_JSON_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)


#: What socket.io-parser 4.2.6 and later take; at one more they end the connection.
MAX_ATTACHMENTS = 10


def parse_json(text: str, max_depth: int) -> Any:
    """The value of ``text``. Raises ProtocolError for what is not JSON, or nested deeper than ``max_depth``.

    Integers beyond 64 bits become floats; infinities and NaN are not JSON.
    """
    if text.count("[") + text.count("{") > max_depth:
        _check_depth(text, max_depth)
    try:
        return load_json(text)
    except ValueError:
        raise ProtocolError("invalid JSON") from None


def load_json(text: str) -> Any:
    """The value of ``text``. Raises ValueError for what is not JSON.

    A lone surrogate, half of a character that some page has cut in two, is read as U+FFFD: JavaScript writes it as an escape, orjson takes
    none, and UTF-8 has no form for it.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        if "\\ud" not in text and "\\uD" not in text:
            raise
        return orjson.loads(_JSON_ESCAPE.sub(lambda escape: "\\ufffd" if escape[1] else escape[0], text))


def _check_depth(text: str, max_depth: int) -> None:
    depth = 0
    for character in _JSON_STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > max_depth:
                raise ProtocolError(f"JSON nested deeper than {max_depth}")
        elif character in "]}":
            depth -= 1


# -- encoding ---------------------------------------------------------------------------------------------------------


def encode_packet(packet: Packet) -> tuple[str, list[bytes]]:
    """The packet's text and its attachments. Raises PayloadError for what JSON cannot carry."""
    if type(packet) is Event:
        data, attachments = _dump([packet.name, *packet.args])
        kind = BINARY_EVENT if attachments else EVENT
        return _head(kind, attachments, packet.namespace, packet.ack) + data, attachments
    if type(packet) is Ack:
        data, attachments = _dump(packet.args)
        return _head(BINARY_ACK if attachments else ACK, attachments, packet.namespace, packet.id) + data, attachments
    if type(packet) is Connect:
        return _head(CONNECT, [], packet.namespace, None) + ("" if packet.data is None else _plain(packet.data)), []
    if type(packet) is Disconnect:
        return _head(DISCONNECT, [], packet.namespace, None), []
    if type(packet) is ConnectError:
        body = {"message": packet.message} if packet.data is None else {"message": packet.message, "data": packet.data}
        return encode_refusal(packet.namespace, body), []
    raise TypeError(f"not a Socket.IO packet: {type(packet).__name__}")


def encode_refusal(namespace: str, body: Any) -> str:
    """A refused namespace, with whatever says why. Raises PayloadError."""
    return _head(CONNECT_ERROR, [], namespace, None) + _plain(body)


def _head(kind: str, attachments: list[bytes], namespace: str, id_: int | None) -> str:
    head = f"{kind}{len(attachments)}-" if attachments else kind
    if namespace != "/":
        head += namespace + ","
    return head if id_ is None else head + str(id_)


def _plain(value: Any) -> str:
    text, attachments = _dump(value)
    if attachments:
        raise PayloadError("a refusal's data cannot hold bytes")
    return text


def _dump(value: Any) -> tuple[str, list[bytes]]:
    """JSON and attachments, in one pass: the serialiser asks only about what it does not know, and bytes are that."""
    attachments: list[bytes] = []

    def extract(unknown: Any) -> Any:
        if isinstance(unknown, (bytes, bytearray, memoryview)):
            attachments.append(bytes(unknown))
            return {"_placeholder": True, "num": len(attachments) - 1}
        if isinstance(unknown, tuple):
            return list(unknown)  # a named one: the serialiser knows no others than plain tuples
        if isinstance(unknown, (set, frozenset)):
            raise PayloadError("a set has no order and cannot be sent; send a list")
        raise PayloadError(f"{type(unknown).__name__} cannot be sent; JSON types and bytes can")

    try:
        text = orjson.dumps(value, extract).decode()
    except PayloadError:
        raise
    except TypeError as error:
        if "Dict key must be str" in str(error):
            attachments.clear()
            text = _dump_keys(value, extract)
        else:
            raise _explain(error) from None
    if len(attachments) > MAX_ATTACHMENTS:
        raise PayloadError(
            f"{len(attachments)} attachments; socket.io-client takes {MAX_ATTACHMENTS} of them in one message, and leaves at more:"
            " put them into one, or send several messages"
        )
    return text, attachments


def _dump_keys(value: Any, extract: Callable[[Any], Any]) -> str:
    try:
        return orjson.dumps(value, extract, orjson.OPT_NON_STR_KEYS).decode()
    except PayloadError:
        raise
    except TypeError as error:
        raise _explain(error) from None


def _explain(error: TypeError) -> PayloadError:
    cause: BaseException | None = error.__cause__
    if isinstance(cause, PayloadError):
        return cause
    return PayloadError(f"cannot be sent: {error}; JSON types and bytes can (integers up to 64 bits, no lone surrogates)")


# -- decoding ---------------------------------------------------------------------------------------------------------


class PacketDecoder:
    """Rebuilds packets from text and the attachments behind it. Raises ProtocolError, and nothing else."""

    __slots__ = ("_attachments", "_bytes", "_due", "_limits", "_waiting")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: tuple[str, str, int | None, Any] | None = None
        self._attachments: list[bytes] = []
        self._due = 0
        self._bytes = 0

    @property
    def pending(self) -> bool:
        """Whether attachments are due."""
        return self._waiting is not None

    def text(self, text: str) -> Packet | None:
        """Take the text of one packet; None when its attachments are still to come."""
        if self._waiting is not None:
            raise ProtocolError("text while attachments are due")
        kind = text[:1]
        if kind == EVENT:
            # An event in "/" that wants an acknowledgement: what the pattern would find, for half of its cost.
            at = text.find("[")
            digits = text[1:at]
            if 1 < at <= 1 + MAX_ID_DIGITS and digits.isdecimal() and digits.isascii():
                return self.plain_event(text[at:], int(digits))
        elif kind == BINARY_EVENT and text[2:4] == "-[" and text[1] in "123456789":
            # An event in "/" with up to nine attachments that wants no acknowledgement.
            return self._begin(kind, text[1], "/", None, parse_json(text[3:], self._limits.max_depth), len(text) - 3)
        head = _HEAD.match(text, 1)
        assert head is not None  # every part of the pattern is optional
        count, namespace, digits = head.groups()
        rest = text[head.end() :]
        if namespace is None:
            return self._packet(kind, count, "/", self._id(digits), rest, "")
        name, _, query = namespace.partition("?")
        if query and kind != CONNECT:
            raise ProtocolError("a query behind a namespace that is not being joined")
        return self._packet(kind, count, self._namespace(name), self._id(digits), rest, query)

    def plain_event(self, text: str, id_: int | None) -> Event:
        """Take an event in "/" that has no attachments: the text from its array on."""
        if self._waiting is not None:
            raise ProtocolError("text while attachments are due")
        try:
            # What is no longer than the depth that is allowed cannot be deeper.
            value = orjson.loads(text) if len(text) <= self._limits.max_depth else parse_json(text, self._limits.max_depth)
        except ValueError:
            value = parse_json(text, self._limits.max_depth)
        if not value or type(name := value[0]) is not str or name in RESERVED:
            return self._event("/", id_, value, 0)
        # What Event() does, without its Python-level __new__.
        return _new(Event, ("/", name, (value[1],) if len(value) == 2 else tuple(value[1:]), id_))

    def binary(self, data: bytes) -> Packet | None:
        """Take one attachment; the packet when it was the last."""
        if self._waiting is None:
            raise ProtocolError("binary data when none is due")
        self._bytes += len(data)
        if self._bytes > self._limits.max_bytes:
            raise ProtocolError("attachments too big")
        self._attachments.append(data)
        if len(self._attachments) < self._due:
            return None
        kind, namespace, id_, value = self._waiting
        attachments, self._attachments, self._waiting = self._attachments, [], None
        used: set[int] = set()
        value = _fill(value, attachments, used)
        if len(used) != len(attachments):
            raise ProtocolError("an attachment that nothing refers to")
        if kind == BINARY_EVENT:
            return self._event(namespace, id_, value, len(attachments))
        return self._ack(namespace, id_, value)

    def _packet(self, kind: str, count: str | None, namespace: str, id_: int | None, rest: str, query: str) -> Packet | None:
        if (count is not None) != (kind in (BINARY_EVENT, BINARY_ACK)):
            raise ProtocolError("attachments on a packet that has none, or none on one that has")
        if kind == CONNECT:
            return self._connect(namespace, rest, query)
        if kind == DISCONNECT:
            return Disconnect(namespace)
        if kind not in (EVENT, ACK, BINARY_EVENT, BINARY_ACK):
            raise ProtocolError("unknown packet type")
        value = parse_json(rest, self._limits.max_depth)
        if count is None:
            return self._event(namespace, id_, value, 0) if kind == EVENT else self._ack(namespace, id_, value)
        return self._begin(kind, count, namespace, id_, value, len(rest))

    def _begin(self, kind: str, count: str, namespace: str, id_: int | None, value: Any, size: int) -> Packet | None:
        if len(count) > 2 or int(count) > self._limits.max_attachments or (len(count) > 1 and count[0] == "0"):
            raise ProtocolError(f"more than {self._limits.max_attachments} attachments")
        if not isinstance(value, list):
            raise ProtocolError("a binary packet's data must be an array")
        due = int(count)
        if due == 0:
            _fill(value, [], set())
            return self._event(namespace, id_, value, 0) if kind == BINARY_EVENT else self._ack(namespace, id_, value)
        self._waiting, self._due, self._bytes = (kind, namespace, id_, value), due, size
        return None

    def _connect(self, namespace: str, rest: str, query: str) -> Packet:
        data = parse_json(rest, self._limits.max_depth) if rest else None
        if data is not None and not isinstance(data, dict):
            raise ProtocolError("CONNECT carries an object or nothing")
        return Connect(namespace, data, query)

    def _event(self, namespace: str, id_: int | None, value: Any, attachments: int) -> Event:
        if type(value) is not list or not value:
            raise ProtocolError("an event is an array that begins with its name")
        name = value[0]
        if type(name) is not str and (not isinstance(name, (int, float)) or isinstance(name, bool)):
            raise ProtocolError("an event's name is a string or a number")
        if name in RESERVED:
            raise ProtocolError("a reserved event name")
        return Event(namespace, name, tuple(value[1:]), id_)

    def _ack(self, namespace: str, id_: int | None, value: Any) -> Ack:
        if type(value) is not list or id_ is None:
            raise ProtocolError("an acknowledgement is an id and an array")
        return Ack(namespace, id_, tuple(value))

    def _namespace(self, name: str) -> str:
        if len(name.encode(errors="replace")) > self._limits.max_namespace:
            raise ProtocolError("a namespace's name that is too long")
        return name

    def _id(self, digits: str | None) -> int | None:
        if digits is None:
            return None
        if len(digits) > MAX_ID_DIGITS or not digits.isascii():
            raise ProtocolError("an acknowledgement id that is too long")
        return int(digits)


def _fill(value: Any, attachments: list[bytes], used: set[int]) -> Any:
    """Put attachments in their places. Depth is bounded by the JSON's; CVE-2022-2421: ``num`` must be an index."""
    if isinstance(value, list):
        return [_fill(item, attachments, used) for item in value]
    if isinstance(value, dict):
        if value.get("_placeholder") is True:
            number = value.get("num")
            if type(number) is not int or not 0 <= number < len(attachments):
                raise ProtocolError("a placeholder without its attachment")
            used.add(number)
            return attachments[number]
        return {key: _fill(item, attachments, used) for key, item in value.items()}
    return value
