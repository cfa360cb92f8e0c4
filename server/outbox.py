"""What a session has still to send: a bounded ring of references with three marks, acked <= sent <= last.

Messages up to ``acked`` are the peer's for good; those up to ``sent`` went to a carrier that may yet fail; those up to ``last`` wait.
A carrier that fails puts ``sent`` back to ``acked``, so that the next one gets them again, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from .outgoing import Outgoing

__all__ = ["Outbox"]


class Outbox:
    """The marks count the messages that had to be kept, since the session opened; what a stream takes at once is not among them. The
    ring exists only while something is in it."""

    __slots__ = ("_ring", "acked", "bytes", "last", "max_bytes", "max_messages", "sent")

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.acked = self.sent = self.last = 0
        self.bytes = 0
        self._ring: deque[tuple[Outgoing, int]] | None = None

    def __len__(self) -> int:
        """Messages that are not acknowledged yet."""
        return self.last - self.acked

    @property
    def waiting(self) -> int:
        """Messages that no carrier has been given."""
        return self.last - self.sent

    def push(self, outgoing: Outgoing, size: int) -> bool:
        """Append a message of ``size`` bytes. False, and nothing kept, when it would break a limit.

        A single message over ``max_bytes`` is let in when nothing else waits: the limit is on the backlog, and one
        message must always be sendable.
        """
        held = self.last - self.acked
        if held >= self.max_messages or (held and self.bytes + size > self.max_bytes):
            return False
        if self._ring is None:
            self._ring = deque()
        self._ring.append((outgoing, size))
        self.bytes += size
        self.last += 1
        return True

    def unsent(self) -> Iterator[Outgoing]:
        """The messages that no carrier has been given, oldest first."""
        if self._ring is None:
            return iter(())
        return (outgoing for outgoing, _ in islice(self._ring, self.sent - self.acked, None))

    def first(self, count: int) -> list[Outgoing]:
        """The oldest ``count`` messages that are not acknowledged."""
        return [outgoing for outgoing, _ in islice(self._ring or (), count)]

    def mark_sent(self, count: int) -> None:
        """``count`` more messages went to a carrier."""
        if not 0 <= count <= self.waiting:
            raise ValueError(f"{count} messages marked as sent, {self.waiting} were waiting")
        self.sent += count

    def ack_sent(self) -> None:
        """Everything sent has arrived, as far as this carrier can tell; forget it."""
        self.ack(self.sent)

    def ack(self, upto: int) -> None:
        """Trim everything up to the mark ``upto``. Older marks are ignored; a mark beyond ``sent`` is the peer's error."""
        if upto > self.sent:
            raise ValueError(f"mark {upto} acknowledged, only {self.sent} were sent")
        while self.acked < upto and self._ring:
            self.bytes -= self._ring.popleft()[1]
            self.acked += 1
        if not self._ring:
            self._ring = None

    def rollback(self) -> None:
        """The carrier failed: what was sent and is not acknowledged goes out again with the next."""
        self.sent = self.acked

    def clear(self) -> None:
        """The session has ended; hold nothing."""
        self._ring = None
        self.bytes = 0
        self.acked = self.sent = self.last
