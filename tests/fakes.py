"""Small real implementations that stand in for the clock and the network in tests of the pure layers."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from anywire.transports.base import Framing, Loss, Transport


class FakeClock:
    """A clock that tests move by hand; the part of an event loop that the timer wheel needs."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._heap: list[tuple[float, int, FakeHandle]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> FakeHandle:
        handle = FakeHandle(lambda: callback(*args))
        heapq.heappush(self._heap, (when, next(self._order), handle))
        return handle

    def call_soon(self, callback: Callable[..., object], *args: Any) -> FakeHandle:
        return self.call_at(self.now, callback, *args)

    def advance(self, seconds: float) -> None:
        """Let time pass, running what falls due at its own time."""
        end = self.now + seconds
        while self._heap and self._heap[0][0] <= end:
            when, _, handle = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            if not handle.cancelled:
                handle.callback()
        self.now = end


class FakeHandle:
    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeStream(Transport):
    """A WebSocket-like carrier that records what it is given."""

    __slots__ = ("closed", "is_ready", "sent", "started")
    name = "websocket"
    framing = Framing.FRAME
    streaming = True
    binary = True

    def __init__(self, delegate: Any = None) -> None:
        self.delegate = delegate
        self.sent: list[bytes] = []
        self.is_ready = True
        self.started = False
        self.closed: tuple[bytes, int, str] | None = None

    @classmethod
    def open(cls, exchange: Any, delegate: Any, options: Any) -> FakeStream:
        return cls(delegate)

    def start(self) -> None:
        self.started = True

    def handle(self, exchange: Any) -> None:
        raise NotImplementedError

    @property
    def ready(self) -> bool:
        return self.is_ready and self.closed is None

    def send(self, data: bytes, binary: bool = False) -> None:
        self.sent.append(data)

    def close(self, last: bytes = b"", code: int = 1000, reason: str = "") -> None:
        if self.closed is None:
            self.closed = (last, code, reason)
            self.delegate.on_detached(self, Loss.LOCAL)


class FakePoll(FakeStream):
    """A long-polling carrier: takes one answer each time it is parked.

    ``takes``: whether the kernel takes the answers, which is told at once; None: the test tells.
    """

    __slots__ = ("takes",)
    name = "polling"
    framing = Framing.TEXT
    streaming = False
    binary = False

    def __init__(self, delegate: Any = None) -> None:
        super().__init__(delegate)
        self.is_ready = False
        self.takes: bool | None = True

    def first(self, body: bytes) -> None:
        self.delegate.on_data(self, body.decode())

    def start(self) -> None:
        super().start()
        if self.is_ready:
            self.delegate.on_ready(self)

    def park(self) -> None:
        """A GET arrives."""
        self.is_ready = True
        self.delegate.on_ready(self)

    def send(self, data: bytes, binary: bool = False) -> None:
        assert self.is_ready, "an answer without a poll"
        self.is_ready = False
        self.sent.append(data)
        if self.takes is not None:
            self.delegate.on_taken(self, self.takes)
