"""One packet on its way out, encoded at most once per (dialect, framing, binary) however many sessions it goes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ..transports.base import Framing
from ..transports.framing import frame, text_frame, wrap
from .events import Packet
from .protocols.base import Protocol

__all__ = ["Encoding", "Outgoing", "encoding_of"]

#: Reading a member off its enumeration costs a Python call in 3.11.
_FRAME = Framing.FRAME


class Encoding(NamedTuple):
    """Every fact that varies a packet's bytes. There is one object for each, from :func:`encoding_of`, so that ``is`` compares."""

    protocol: Protocol
    framing: Framing
    binary: bool


@cache
def encoding_of(protocol: Protocol, framing: Framing, binary: bool) -> Encoding:
    """The one object for these facts."""
    return Encoding(protocol, framing, binary)


class Outgoing:
    """A packet and its encodings so far.

    ``volatile``: may be dropped when it cannot be written at once.
    ``deflate_threshold``: bytes from which a message is deflated, where that is negotiated; the same for a whole server.
    """

    __slots__ = ("_cache", "_encoding", "_frame", "deflate_threshold", "packet", "volatile")

    def __init__(self, packet: Packet, volatile: bool = False, deflate_threshold: int = 1024) -> None:
        self.packet = packet
        self.volatile = volatile
        self.deflate_threshold = deflate_threshold
        self._cache: dict[Any, Any] | None = None
        #: The encoding that was asked for last, and its bytes: in a broadcast the next receiver mostly wants the same.
        self._encoding: Encoding | None = None
        self._frame = b""

    def messages(self, protocol: Protocol, binary: bool) -> tuple[str | bytes, ...]:
        """The packet as messages of ``protocol`` (one, and one per attachment). Raises ``errors.PayloadError``."""
        return self._once((protocol, binary), protocol.encode, binary)

    def units(self, protocol: Protocol, binary: bool) -> tuple[str | bytes, ...]:
        """The packet as parts of an HTTP body, for ``protocol.payload``. Raises ``errors.PayloadError``."""
        if not protocol.own_units:
            return self.messages(protocol, binary)
        return self._once((protocol, binary, "units"), protocol.units, binary)

    def _once(self, key: Any, encode: Callable[[Packet, bool], tuple[str | bytes, ...]], binary: bool) -> tuple[str | bytes, ...]:
        if self._cache is None:
            self._cache = {}
        found: tuple[str | bytes, ...] | None = self._cache.get(key)
        if found is None:
            found = self._cache[key] = encode(self.packet, binary)
        return found

    def framed(self, encoding: Encoding) -> bytes:
        """The bytes to write to a stream of that framing. Raises ``errors.PayloadError``."""
        if encoding is self._encoding:
            return self._frame
        found: bytes | None = self._cache.get(encoding) if self._cache is not None else None
        if found is None:
            found = self._build(encoding)
        if self._encoding is not None:
            # A second kind of receiver: from now on every kind is remembered.
            if self._cache is None:
                self._cache = {}
            self._cache[encoding] = found
            self._cache[self._encoding] = self._frame
        self._frame, self._encoding = found, encoding
        return found

    def _build(self, encoding: Encoding) -> bytes:
        protocol, framing, binary = encoding
        known = self._cache.get((protocol, binary)) if self._cache is not None else None
        if known is None:
            if framing is _FRAME:
                text = protocol.encode_text(self.packet)
                if text is not None:
                    return text_frame(text)
            known = protocol.encode(self.packet, binary)
        if framing is _FRAME:
            return b"".join(map(frame, known))
        return b"".join([self._wrap(message, framing) for message in known])

    def body(self, encoding: Encoding) -> tuple[bytes, bool]:
        """The HTTP body of a poll that carries this packet alone, and whether it is binary."""
        found: tuple[bytes, bool] | None = self._cache.get(encoding) if self._cache is not None else None
        if found is None:
            payload = encoding.protocol.payload(self.units(encoding.protocol, encoding.binary))
            found = (wrap(encoding.framing, payload), isinstance(payload, bytes))
            assert self._cache is not None
            self._cache[encoding] = found
        return found

    def _wrap(self, message: str | bytes, framing: Framing) -> bytes:
        if framing is Framing.FRAME_DEFLATED and len(message) < self.deflate_threshold:
            return frame(message)
        return wrap(framing, message)
