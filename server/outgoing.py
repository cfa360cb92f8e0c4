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

    __slots__ = ("_binary", "_cache", "_frame", "_framing", "_protocol", "deflate_threshold", "packet", "volatile")

    def __init__(self, packet: Packet, volatile: bool = False, deflate_threshold: int = 1024) -> None:
        self.packet = packet
        self.volatile = volatile
        self.deflate_threshold = deflate_threshold
        self._cache: dict[tuple[Protocol, Framing | None, bool], Any] | None = None
        #: The encoding that was asked for last, and its key: in a broadcast the next receiver mostly wants the same.
        self._frame = b""
        self._protocol: Protocol | None = None
        self._framing: Framing | None = None
        self._binary = False

    def messages(self, protocol: Protocol, binary: bool) -> tuple[str | bytes, ...]:
        """The packet as messages of ``protocol`` (one, and one per attachment). Raises ``errors.PayloadError``."""
        if self._cache is None:
            self._cache = {}
        key = (protocol, None, binary)
        found: tuple[str | bytes, ...] | None = self._cache.get(key)
        if found is None:
            found = self._cache[key] = protocol.encode(self.packet, binary)
        return found

    def framed(self, protocol: Protocol, framing: Framing, binary: bool) -> bytes:
        """The bytes to write to a stream of that framing."""
        if framing is self._framing and protocol is self._protocol and binary is self._binary:
            return self._frame
        key = (protocol, framing, binary)
        found: bytes | None = self._cache.get(key) if self._cache is not None else None
        if found is None:
            found = self._build(protocol, framing, binary)
        if self._protocol is not None:
            # A second kind of receiver: from now on every kind is remembered.
            if self._cache is None:
                self._cache = {}
            self._cache[key] = found
            self._cache[self._protocol, self._framing, self._binary] = self._frame
        self._frame, self._protocol, self._framing, self._binary = found, protocol, framing, binary
        return found

    def _build(self, protocol: Protocol, framing: Framing, binary: bool) -> bytes:
        known = self._cache.get((protocol, None, binary)) if self._cache is not None else None
        messages = known if known is not None else protocol.encode(self.packet, binary)
        if len(messages) == 1:
            return self._wrap(messages[0], framing)
        return b"".join([self._wrap(message, framing) for message in messages])

    def body(self, protocol: Protocol, framing: Framing, binary: bool) -> tuple[bytes, bool]:
        """The HTTP body of a poll that carries this packet alone, and whether it is binary."""
        messages = self.messages(protocol, binary)
        assert self._cache is not None
        key = (protocol, framing, binary)
        found: tuple[bytes, bool] | None = self._cache.get(key)
        if found is None:
            payload = protocol.payload(messages)
            found = self._cache[key] = (wrap(framing, payload), isinstance(payload, bytes))
        return found

    def _wrap(self, message: str | bytes, framing: Framing) -> bytes:
        if framing is Framing.FRAME or (framing is Framing.FRAME_DEFLATED and len(message) < self.deflate_threshold):
            return frame(message)
        return wrap(framing, message)
