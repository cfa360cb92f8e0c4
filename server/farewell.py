"""A session's last words on a carrier. Pure: values in, bytes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transports.base import Framing
from ..transports.framing import wrap
from .errors import CloseReason
from .outgoing import Encoding, Outgoing

if TYPE_CHECKING:
    from .handshake import Handshake

__all__ = ["close_code", "last_words"]

#: WebSocket close codes for ends that have one (RFC 6455, section 7.4.1; 4008 is ours: slow consumer).
_CODES = {CloseReason.SHUTDOWN: 1001, CloseReason.TOO_BIG: 1009, CloseReason.SLOW_CONSUMER: 4008}


def last_words(encoding: Encoding, streaming: bool, reason: CloseReason, handshake: Handshake) -> bytes:
    """What a carrier of that encoding is told when its session ends; nothing where the carrier's own end says it."""
    protocol, framing, _ = encoding
    if protocol.unknown_session is not None and reason.come_back:
        # A WebSocket's end says it by itself; over HTTP the client must be told to come back.
        return b"" if framing in (Framing.FRAME, Framing.FRAME_DEFLATED) else wrap(framing, protocol.unknown_session)
    # python-engineio's client takes a close packet for the end of everything (5.x, _receive_packet) and does not come back; after a
    # poll that ends with nothing it asks again, learns that the session is gone, and does.
    quietly = reason is CloseReason.CLIENT or (reason.come_back and not streaming and handshake.from_python)
    packet = protocol.farewell(framing, quietly)
    if packet is None:
        return b""
    return Outgoing(packet).framed(encoding) if streaming else Outgoing(packet).body(encoding)[0]


def close_code(reason: CloseReason, otherwise: int) -> int:
    """The WebSocket close code of a reason; ``otherwise`` for those without one of their own."""
    return _CODES.get(reason, otherwise)
