"""One packet on its way out, encoded at most once per (dialect, framing, binary) however many sessions it goes to."""

from __future__ import annotations

from typing import Any

from ..transports.base import Framing
from ..transports.framing import frame, wrap
from .events import Packet
from .protocols.base import Protocol

__all__ = ["Outgoing"]


class Outgoing:
    """A packet and its encodings so far. Every fact that varies the bytes is in the cache's key.

    ``volatile``: may be dropped when it cannot be written at once.
    ``deflate_threshold``: bytes from which a message is deflated, where that is negotiated; the same for a whole server.
    """

    __slots__ = ("_cache", "deflate_threshold", "packet", "volatile")

    def __init__(self, packet: Packet, volatile: bool = False, deflate_threshold: int = 1024) -> None:
        self.packet = packet
        self.volatile = volatile
        self.deflate_threshold = deflate_threshold
        self._cache: dict[tuple[Protocol, Framing | None, bool], Any] = {}

    def messages(self, protocol: Protocol, binary: bool) -> tuple[str | bytes, ...]:
        """The packet as messages of ``protocol`` (one, and one per attachment). Raises ``errors.PayloadError``."""
        key = (protocol, None, binary)
        found: tuple[str | bytes, ...] | None = self._cache.get(key)
        if found is None:
            found = self._cache[key] = protocol.encode(self.packet, binary)
        return found

    def framed(self, protocol: Protocol, framing: Framing, binary: bool) -> bytes:
        """The bytes to write to a stream of that framing."""
        key = (protocol, framing, binary)
        found: bytes | None = self._cache.get(key)
        if found is None:
            messages = self.messages(protocol, binary)
            found = self._wrap(messages[0], framing)
            if len(messages) > 1:
                found = b"".join([found, *(self._wrap(message, framing) for message in messages[1:])])
            self._cache[key] = found
        return found

    def body(self, protocol: Protocol, framing: Framing, binary: bool) -> tuple[bytes, bool]:
        """The HTTP body of a poll that carries this packet alone, and whether it is binary."""
        key = (protocol, framing, binary)
        found: tuple[bytes, bool] | None = self._cache.get(key)
        if found is None:
            payload = protocol.payload(self.messages(protocol, binary))
            found = self._cache[key] = (wrap(framing, payload), isinstance(payload, bytes))
        return found

    def _wrap(self, message: str | bytes, framing: Framing) -> bytes:
        if framing is Framing.FRAME_DEFLATED and len(message) < self.deflate_threshold:
            return frame(message)
        return wrap(framing, message)
