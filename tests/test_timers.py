from __future__ import annotations

import asyncio
import functools
import math
import random

from anywire.server.timers import Timed, Wheel
from fakes import FakeClock


class Recorder(Timed):
    __slots__ = ("fired",)

    def __init__(self) -> None:
        super().__init__()
        self.fired: list[float] = []

    def on_deadline(self, now: float) -> None:
        self.fired.append(now)


def test_a_deadline_fires_once_and_at_most_one_tick_late() -> None:
    clock = FakeClock()
    wheel, item = Wheel(clock), Recorder()
    wheel.schedule(item, clock.now + 0.3)
    clock.advance(0.299)
    assert item.fired == []
    clock.advance(0.02)
    assert len(item.fired) == 1 and 1000.3 <= item.fired[0] <= 1000.31
    clock.advance(100)
    assert len(item.fired) == 1 and len(wheel) == 0


def test_a_deadline_put_off_again_and_again_never_fires() -> None:
    clock = FakeClock()
    wheel, item = Wheel(clock), Recorder()
    for _ in range(50):
        wheel.schedule(item, clock.now + 0.2)
        clock.advance(0.1)
    assert item.fired == [] and len(wheel) == 1
    clock.advance(0.2)
    assert len(item.fired) == 1


def test_a_deadline_brought_forward_fires_at_the_new_time() -> None:
    clock = FakeClock()
    wheel, item = Wheel(clock), Recorder()
    wheel.schedule(item, clock.now + 20)
    wheel.schedule(item, clock.now + 0.1)
    clock.advance(0.12)
    assert len(item.fired) == 1
    clock.advance(30)
    assert len(item.fired) == 1


def test_a_discarded_deadline_is_held_by_nothing() -> None:
    clock = FakeClock()
    wheel, item = Wheel(clock), Recorder()
    wheel.schedule(item, clock.now + 20)
    wheel.discard(item)
    assert len(wheel) == 0 and item.due == math.inf
    clock.advance(30)
    assert item.fired == []


def test_far_deadlines_share_wake_ups_and_are_never_early() -> None:
    clock = FakeClock()
    wheel = Wheel(clock)
    items = [Recorder() for _ in range(100)]
    for number, item in enumerate(items):
        wheel.schedule(item, clock.now + 25 + number / 1000)
    assert len(wheel._buckets) <= 3
    clock.advance(26)
    assert all(item.fired and item.fired[0] >= 1025 + number / 1000 for number, item in enumerate(items))


def test_one_failing_deadline_does_not_stop_the_others(caplog) -> None:  # type: ignore[no-untyped-def]
    clock = FakeClock()
    wheel = Wheel(clock)
    seen: list[int] = []
    wheel.after(0.1, lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    wheel.after(0.1, lambda: seen.append(1))
    clock.advance(0.2)
    assert seen == [1] and "a deadline failed" in caplog.text


def test_a_deadline_that_sets_a_far_one_does_not_hold_up_those_between() -> None:
    """A session that was pinged, or whose poll was ended, has its next deadline in a minute; the other sessions do not wait for it."""
    clock = FakeClock()
    wheel, near, after = Wheel(clock), Recorder(), Recorder()
    wheel.after(0.1, lambda: wheel.schedule(after, clock.now + 60))
    wheel.schedule(near, clock.now + 0.3)
    clock.advance(0.32)
    assert len(near.fired) == 1 and after.fired == []
    clock.advance(60)
    assert len(after.fired) == 1


def test_any_deadlines_that_set_others_all_fire_in_time() -> None:
    chance = random.Random(5)
    clock = FakeClock()
    wheel = Wheel(clock)
    late: list[float] = []

    def again(left: int, due: float) -> None:
        late.append(clock.now - due)
        for _ in range(left and chance.randrange(3)):
            delay = chance.choice([0.01, 0.3, 1, 7, 25, 60])
            wheel.after(delay, functools.partial(again, left - 1, clock.now + delay))

    for _ in range(50):
        delay = chance.uniform(0, 30)
        wheel.after(delay, functools.partial(again, 5, clock.now + delay))
    clock.advance(600)
    assert len(wheel) == 0 and len(late) > 300 and min(late) >= -0.005 and max(late) < 0.13


def test_on_a_real_loop_a_short_deadline_is_exact_to_20_ms() -> None:
    async def run() -> float:
        loop = asyncio.get_running_loop()
        wheel, done = Wheel(loop), loop.create_future()
        began = loop.time()
        wheel.after(0.3, lambda: done.set_result(loop.time() - began))
        return await asyncio.wait_for(done, 5)

    # The lower bound is exact; the upper one leaves room for a machine that is busy with other tests.
    best = min(asyncio.run(run()) for _ in range(3))
    assert best + 0.005 >= 0.3 and best < 0.32


def test_what_is_due_is_told_its_time_and_after_a_standstill_the_present() -> None:
    clock = FakeClock()
    wheel, near, held = Wheel(clock), Recorder(), Recorder()
    wheel.schedule(near, clock.now + 0.3042)
    clock.advance(0.4)
    assert [round(time, 4) for time in near.fired] == [1000.3042]
    wheel.schedule(held, clock.now + 0.3)
    clock.now += 2
    clock.advance(0)
    assert held.fired == [1002.4]
