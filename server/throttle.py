"""Token buckets: how often something may happen for each of many keys. A bucket that is full again is forgotten."""

from __future__ import annotations

from collections.abc import Hashable

__all__ = ["Throttle"]

#: Seconds' worth of the rate that may come at once.
BURST = 10.0
#: Buckets from which on those that are full again are looked for.
MANY = 10_000


class Throttle:
    """At most ``rate`` takings a second for each key, and a burst of ten seconds' worth."""

    __slots__ = ("_buckets", "_burst", "_many", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, rate * BURST)
        #: key -> (tokens, when they were counted)
        self._buckets: dict[Hashable, tuple[float, float]] = {}
        self._many = MANY

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, now: float) -> bool:
        """Take a token; False when there is none. ``now``: monotonic seconds."""
        tokens, counted = self._buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - counted) * self._rate)
        if tokens < 1:
            return False
        if len(self._buckets) >= self._many:
            self._forget_full(now)
        self._buckets[key] = (tokens - 1, now)
        return True

    def forget(self, key: Hashable) -> None:
        """Nothing more will be asked for ``key``."""
        self._buckets.pop(key, None)

    def _forget_full(self, now: float) -> None:
        full = [key for key, (tokens, counted) in self._buckets.items() if tokens + (now - counted) * self._rate >= self._burst]
        for key in full:
            del self._buckets[key]
        # So that looking costs little for each taking however many there are.
        self._many = max(MANY, 2 * len(self._buckets))
