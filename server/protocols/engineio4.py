"""Engine.IO 4, with Socket.IO 5 on top (socket.io-client 3.x and 4.x) or bare."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import replace

from ..errors import ProtocolError
from ..events import Message, Packet
from .base import Decoder, Limits
from .engineio import EngineIO, ack_text, as_text, control, decode_base64, event_text, plain_text
from .packet import PacketDecoder, encode_packet

__all__ = ["BareEngineIO4", "EngineIO4"]

#: Between the packets of a payload (engine.io-parser 5).
SEPARATOR = "\x1e"


#: What our own client adds to its URLs: 1, or the token of a race.
_OWN = re.compile(r"(?:^|&)aw=([\w.%-]{1,100})(?:&|$)")
#: Characters of a token that nobody guesses while it is good for something; shorter ones name no race.
MIN_TOKEN = 16


def _is_own(query: str) -> bool:
    return _OWN.search(query) is not None


class _EngineIO4(EngineIO):
    """What both forms share: payloads, heartbeats from the server."""

    revision = "4"
    open_keys = ("sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload")
    pinger = "server"
    profile = replace(EngineIO.profile, last_words=_is_own)

    def own_client(self, query: str) -> bool:
        return _is_own(query)

    def payload(self, messages: Sequence[str | bytes]) -> str | bytes:
        return SEPARATOR.join(message if isinstance(message, str) else "b" + base64.b64encode(message).decode() for message in messages)


class EngineIO4(_EngineIO4):
    """Socket.IO 5 over Engine.IO 4."""

    name = "socketio5"

    def _encode_message(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        text, attachments = encode_packet(packet)
        if not attachments:
            return ("4" + text,)
        return ("4" + text, *(attachments if binary else (as_text(data, "b") for data in attachments)))

    def race(self, query: str) -> str:
        found = _OWN.search(query)
        return found[1] if found is not None and len(found[1]) >= MIN_TOKEN else ""

    encode_event = staticmethod(event_text)
    encode_ack = staticmethod(ack_text)
    encode_text = staticmethod(plain_text)

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
        return (packet.data if binary else as_text(packet.data, "b"),)

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
            return self._binary(decode_base64(data[1:]))
        return control(kind, data[1:])

    def _text(self, data: str) -> Packet | None:
        raise NotImplementedError

    def _binary(self, data: bytes) -> Packet | None:
        raise NotImplementedError


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
            return self._packets.plain_event(data[2:], None)
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
