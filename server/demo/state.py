"""What the talk remembers: old chat messages, votes, and how often each viewer may speak. No clock of its own, no I/O."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["Bucket", "ChatLog", "Message", "Poll", "RateLimit", "clean"]

#: Messages kept for newcomers; about 0.5 MB when all are as long as they may be.
MAX_MESSAGES: Final = 1000
#: Messages that a newcomer gets at once, and each scrolling up brings.
PAGE: Final = 30
MAX_TEXT: Final = 500  # characters
MAX_NAME: Final = 24  # characters
#: Voters that one poll counts; later ones are told that it is full.
MAX_VOTERS: Final = 20_000
#: Viewers whose rate is remembered; the one that was quiet longest is forgotten first.
MAX_BUCKETS: Final = 20_000


def clean(value: Any, limit: int) -> str:
    """``value`` as one printable line of at most ``limit`` characters; empty when it is no text."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in value[: limit * 4]).split())[:limit].strip()


@dataclass(frozen=True, slots=True)
class Message:
    """One line of chat. ``id`` counts from 1 without gaps, ``at`` is in seconds since 1970, ``key`` is the sender's name for it."""

    id: int
    name: str
    text: str
    at: float
    key: str

    def as_json(self) -> dict[str, Any]:
        """What viewers get."""
        return {"id": self.id, "name": self.name, "text": self.text, "at": round(self.at * 1000), "key": self.key}


class ChatLog:
    """The last messages, oldest first."""

    def __init__(self, limit: int = MAX_MESSAGES) -> None:
        self._messages: deque[Message] = deque()
        self._by_key: dict[tuple[str, str], Message] = {}
        self._keys: deque[tuple[str, str]] = deque()
        self._limit = limit
        self._ids = itertools.count(1)

    def add(self, viewer: str, name: str, text: str, key: str, at: float) -> tuple[Message, bool]:
        """The message, and whether it is new: one that a viewer sends again with the same ``key`` is not kept twice."""
        known = self._by_key.get((viewer, key)) if key else None
        if known is not None:
            return known, False
        message = Message(next(self._ids), name, text, at, key)
        self._messages.append(message)
        self._by_key[viewer, key] = message
        self._keys.append((viewer, key))
        if len(self._messages) > self._limit:
            self._messages.popleft()
            self._by_key.pop(self._keys.popleft(), None)
        return message, True

    def page(self, before: int | None = None, size: int = PAGE) -> tuple[list[Message], bool]:
        """The last ``size`` messages, or the last before the id ``before``; and whether older ones are left."""
        if not self._messages:
            return [], False
        first = self._messages[0].id
        end = len(self._messages) if before is None else max(0, min(before - first, len(self._messages)))
        start = max(0, end - size)
        return list(itertools.islice(self._messages, start, end)), start > 0


@dataclass(slots=True)
class Poll:
    """The votes on one slide's question: each viewer has one, and may change it while the poll is open."""

    slide: str
    options: int
    open: bool = False
    #: Grows when the speaker clears the poll, so that viewers forget what they voted.
    round: int = 0
    votes: dict[str, int] = field(default_factory=dict)

    def vote(self, viewer: str, option: Any) -> str:
        """Count a vote. Returns what to tell the viewer when it does not count, else an empty text."""
        if not self.open:
            return "this poll is closed"
        if type(option) is not int or not 0 <= option < self.options:
            return "there is no such option"
        if viewer not in self.votes and len(self.votes) >= MAX_VOTERS:
            return "this poll is full"
        self.votes[viewer] = option
        return ""

    def clear(self) -> None:
        """Forget all votes."""
        self.votes.clear()
        self.round += 1

    def as_json(self) -> dict[str, Any]:
        """What viewers get: the votes of each option, nobody's name."""
        counts = [0] * self.options
        for option in self.votes.values():
            counts[option] += 1
        return {"slide": self.slide, "open": self.open, "round": self.round, "counts": counts}


@dataclass(slots=True)
class Bucket:
    """How many actions are left, as of a moment."""

    left: float
    at: float


class RateLimit:
    """At most ``burst`` actions at once and ``rate`` a second in the long run, for each name (a token bucket)."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Whether ``name`` may act now; if so, it has."""
        now = self._clock()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(self._burst, now)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        bucket.left = min(self._burst, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.left < 1:
            return False
        bucket.left -= 1
        return True
