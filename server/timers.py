"""One coarse timer wheel for every deadline of a server; never a timer object of the event loop per session or packet.

Deadlines fall into buckets ("ticks"); only the earliest tick has a timer in the loop. Putting a deadline off costs one attribute
write: the entry stays in its old bucket and is moved on when that bucket comes up.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["COARSE", "TICK", "Alarm", "Clock", "Timed", "Wheel"]

log = logging.getLogger("anywire.timers")

#: Seconds per tick. Heartbeats of 300 ms must be exact to 20 ms, so a tick is half of that.
TICK = 0.01
#: Deadlines further away than FAR seconds are rounded up to COARSE ticks, so that sessions share wake-ups.
FAR, COARSE = 5.0, 10


class Clock(Protocol):
    """What the wheel needs of an event loop; tests hand in a clock that they move by hand."""

    def time(self) -> float:
        """Monotonic seconds."""

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> Any:
        """Call ``callback`` at ``when``; the handle that is returned has ``cancel()``."""


class Timed:
    """Something with one deadline, ``due`` (monotonic seconds; infinity: none). The wheel calls :meth:`on_deadline`."""

    __slots__ = ("_tick", "due")

    def __init__(self) -> None:
        self.due = math.inf
        self._tick = 0

    def on_deadline(self, now: float) -> None:
        """The deadline has passed; set a new one with ``Wheel.schedule`` to be called again.

        ``now`` is when it was due, so that the next one does not drift, or the present time when the loop was held up for longer than
        the wheel is coarse.
        """
        raise NotImplementedError


class Alarm(Timed):
    """A single deadline with a callback, for what happens rarely."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        super().__init__()
        self._callback = callback

    def on_deadline(self, now: float) -> None:
        self._callback()


class Wheel:
    """Buckets of :class:`Timed` by tick."""

    __slots__ = ("_buckets", "_clock", "_handle", "_heap", "_next")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[int, dict[Timed, None]] = {}
        self._heap: list[int] = []
        self._next = 0
        self._handle: Any = None

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock.time()

    def schedule(self, item: Timed, due: float) -> None:
        """Set or move the deadline of ``item``. It fires at most one tick late, and never early."""
        item.due = due
        if item._tick and item._tick * TICK <= due:
            # Its bucket comes up before, and moves it on.
            return
        tick = _tick_of(due, self._clock.time())
        if not item._tick or tick < item._tick:
            self._remove(item)
            self._insert(item, tick)

    def after(self, delay: float, callback: Callable[[], None]) -> Alarm:
        """Call ``callback`` once, ``delay`` seconds from now, unless the alarm is discarded before."""
        alarm = Alarm(callback)
        self.schedule(alarm, self._clock.time() + delay)
        return alarm

    def expire(self, item: Timed) -> None:
        """Call ``item`` at once if it falls due in this tick: who comes after the deadline is late, if only by a millisecond.

        After more than a tick the loop was held up, and what came in time may wait behind this call.
        """
        if item.due <= self._clock.time() <= item.due + COARSE * TICK:
            due = item.due
            self.discard(item)
            item.on_deadline(due)

    def discard(self, item: Timed) -> None:
        """Forget the deadline of ``item``; harmless when it has none."""
        item.due = math.inf
        self._remove(item)

    def close(self) -> None:
        """Forget everything."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._buckets.clear()
        self._heap.clear()

    def _remove(self, item: Timed) -> None:
        if item._tick:
            bucket = self._buckets.get(item._tick)
            if bucket is not None:
                bucket.pop(item, None)
            item._tick = 0

    def _insert(self, item: Timed, tick: int) -> None:
        item._tick = tick
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = {}
            heapq.heappush(self._heap, tick)
            if self._handle is None or tick < self._next:
                self._arm(tick)
        bucket[item] = None

    def _arm(self, tick: int) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._next = tick
        self._handle = self._clock.call_at(tick * TICK, self._fire)

    def _fire(self) -> None:
        self._handle = None
        now = self._clock.time()
        # The loop may call a timer early by its clock's resolution; half a tick covers that.
        last = int((now + TICK / 2) / TICK)
        while self._heap and self._heap[0] <= last:
            bucket = self._buckets.pop(heapq.heappop(self._heap))
            for item in bucket:
                self._expire(item, now)
        # What fired may have set a deadline, and armed the timer for it, while nearer ones wait.
        if self._heap and (self._handle is None or self._next != self._heap[0]):
            self._arm(self._heap[0])

    def _expire(self, item: Timed, now: float) -> None:
        item._tick = 0
        if item.due == math.inf:
            return
        if item.due > now + TICK / 2:
            self._insert(item, _tick_of(item.due, now))
            return
        due, item.due = item.due, math.inf
        try:
            item.on_deadline(due if now - due <= COARSE * TICK else now)
        except Exception:
            log.exception("! a deadline failed")


def _tick_of(due: float, now: float) -> int:
    tick = math.ceil(due / TICK)
    return tick if due - now < FAR else -(-tick // COARSE) * COARSE
