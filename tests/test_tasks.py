from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest
from anywire.server.tasks import SETTLED, Runner


def run_one(make: Any) -> tuple[bool, Any, BaseException | None]:
    """Run a coroutine on a Runner: whether it ended at once, its result, its error."""

    async def main() -> tuple[bool, Any, BaseException | None]:
        loop = asyncio.get_running_loop()
        runner, ended = Runner(), loop.create_future()
        at_once = runner.run(make(), lambda result, error: ended.set_result((result, error)))
        result, error = await asyncio.wait_for(ended, 5)
        await runner.stop(0)
        return at_once, result, error

    return asyncio.run(main())


def test_a_coroutine_that_never_waits_ends_in_the_callers_frame() -> None:
    async def work() -> int:
        return 7

    assert run_one(work) == (True, 7, None)


def test_a_coroutine_that_waits_goes_on_as_a_task() -> None:
    async def work() -> int:
        await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        return 8

    assert run_one(work) == (False, 8, None)


def test_an_error_is_handed_over_before_and_after_the_first_wait() -> None:
    async def early() -> None:
        raise KeyError("early")

    async def late() -> None:
        await asyncio.sleep(0)
        raise KeyError("late")

    at_once, _, error = run_one(early)
    assert at_once and isinstance(error, KeyError) and error.args == ("early",)
    at_once, _, error = run_one(late)
    assert not at_once and isinstance(error, KeyError) and error.args == ("late",)


def test_a_task_that_was_cancelled_before_it_began_takes_over_nothing() -> None:
    """As by a program that cancels all tasks there are."""

    async def at_once() -> None:
        return None

    async def waits() -> int:
        await asyncio.sleep(0)
        return 9

    async def main() -> Any:
        runner, ended = Runner(), asyncio.get_running_loop().create_future()
        runner.run(at_once(), lambda result, error: None)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.01)
        runner.run(waits(), lambda result, error: ended.set_result((result, error)))
        found = await asyncio.wait_for(ended, 5)
        await runner.stop(0)
        return found

    assert asyncio.run(main()) == (9, None)


def test_the_current_task_is_the_same_before_and_after_the_first_wait() -> None:
    async def work() -> bool:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        return before is not None and before is asyncio.current_task()

    assert run_one(work)[1] is True


def test_a_timeout_entered_before_the_first_wait_works() -> None:
    async def work() -> str:
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(5)
        except TimeoutError:
            return "timed out"
        return "slept"

    assert run_one(work) == (False, "timed out", None)


def test_a_task_group_entered_before_the_first_wait_works() -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    async def work() -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(double(value)) for value in (1, 2)]
        return sum(task.result() for task in tasks)

    assert run_one(work) == (False, 6, None)


def test_context_variables_of_one_coroutine_do_not_reach_the_next() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        runner, seen, ended = Runner(), [], loop.create_future()

        async def setter() -> None:
            variable.set("mine")
            await asyncio.sleep(0)
            seen.append(variable.get())
            ended.set_result(None)

        async def reader() -> None:
            seen.append(variable.get())

        runner.run(setter(), lambda result, error: None)
        runner.run(reader(), lambda result, error: None)
        await ended
        await runner.stop(0)
        return seen

    assert asyncio.run(main()) == ["unset", "mine"]


def test_a_coroutine_can_be_run_from_inside_another_task() -> None:
    async def main() -> bool:
        mine = asyncio.current_task()
        runner = Runner()
        seen: list[Any] = []

        async def work() -> None:
            seen.append(asyncio.current_task())

        runner.run(work(), lambda result, error: None)
        await runner.stop(0)
        return asyncio.current_task() is mine and seen[0] is not mine

    assert asyncio.run(main())


def test_a_coroutine_that_another_begins_goes_on_beside_it() -> None:
    async def main() -> tuple[list[str], bool]:
        runner, seen, tasks = Runner(), list[str](), list[Any]()

        async def inner() -> str:
            tasks.append(asyncio.current_task())
            await asyncio.sleep(0)
            return "inner"

        async def outer() -> str:
            runner.run(inner(), lambda result, error: seen.append(result))
            tasks.append(asyncio.current_task())
            await asyncio.sleep(0)
            return "outer"

        runner.run(outer(), lambda result, error: seen.append(result))
        await runner.stop(1)
        return sorted(seen), tasks[0] is not tasks[1]

    assert asyncio.run(main()) == (["inner", "outer"], True)


def test_a_coroutine_that_another_begins_and_that_fails_leaves_the_other_alone() -> None:
    async def main() -> list[Any]:
        runner, seen = Runner(), list[Any]()

        async def inner() -> None:
            raise KeyError("inner")

        async def outer() -> str:
            runner.run(inner(), lambda result, error: seen.append(type(error)))
            return "outer"

        runner.run(outer(), lambda result, error: seen.append(result))
        runner.run(outer(), lambda result, error: seen.append(result))
        await runner.stop(0)
        return seen

    assert asyncio.run(main()) == [KeyError, "outer", KeyError, "outer"]


def test_nothing_that_has_ended_is_kept() -> None:
    class Thing:
        pass

    async def main() -> list[Any]:
        runner, seen = Runner(), list[Any]()

        async def work(thing: Thing) -> Thing:
            seen.append(weakref.ref(thing))
            return thing

        gc.disable()
        try:
            runner.run(work(Thing()), lambda result, error: seen.append(weakref.ref(result)))
            return [found() for found in seen]
        finally:
            gc.enable()
            await runner.stop(0)

    assert asyncio.run(main()) == [None, None]


@pytest.mark.parametrize("fails", [False, True])
def test_a_task_that_somebody_has_kept_is_done_when_its_coroutine_is_and_cancels_no_other(fails: bool) -> None:
    async def main() -> list[Any]:
        runner, kept, seen = Runner(), list[Any](), list[Any]()

        async def keeps() -> None:
            kept.append(asyncio.current_task())
            if fails:
                raise KeyError

        async def another() -> None:
            assert asyncio.current_task() not in kept
            await asyncio.sleep(0.02)
            seen.append("ended")

        runner.run(keeps(), lambda result, error: None)
        runner.run(another(), lambda result, error: seen.append(error))
        kept[0].cancel()
        await asyncio.wait(kept, timeout=5)
        await runner.stop(1)
        return seen

    assert asyncio.run(main()) == ["ended", None]


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("waits", [False, True])
def test_a_coroutine_that_cancels_itself_cancels_no_other_and_its_end_is_told(waits: bool, warm: bool) -> None:
    """``warm``: whether the task that it runs as has had its first step."""

    async def main() -> list[Any]:
        runner, seen = Runner(), list[Any]()

        async def nothing() -> None:
            return None

        async def cancels_itself() -> str:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            if waits:
                await asyncio.sleep(5)
            return "over"

        async def another() -> str:
            await asyncio.sleep(0.02)
            return "another"

        if warm:
            runner.run(nothing(), lambda result, error: None)
            await asyncio.sleep(0)
        runner.run(cancels_itself(), lambda result, error: seen.append(result or type(error)))
        runner.run(another(), lambda result, error: seen.append(result or type(error)))
        await runner.stop(1)
        return seen

    assert asyncio.run(main()) == [asyncio.CancelledError if waits else "over", "another"]


def test_a_task_that_is_cancelled_in_the_turn_in_which_it_takes_over_tells_its_end() -> None:
    async def main() -> list[Any]:
        runner, kept, seen = Runner(), list[Any](), list[Any]()

        async def work() -> None:
            kept.append(asyncio.current_task())
            await asyncio.sleep(5)

        runner.run(work(), lambda result, error: seen.append(type(error)))
        kept[0].cancel()
        await asyncio.wait(kept, timeout=5)
        return seen

    assert asyncio.run(main()) == [asyncio.CancelledError]


def test_the_task_of_coroutines_that_end_at_once_serves_again_and_again() -> None:
    async def main() -> set[int]:
        runner, seen = Runner(), set[int]()

        async def work() -> None:
            seen.add(id(asyncio.current_task()))
            async with asyncio.timeout(1), asyncio.TaskGroup():
                pass

        for _ in range(5):
            runner.run(work(), lambda result, error: None)
            await asyncio.sleep(0)
        await runner.stop(0)
        return seen

    assert len(asyncio.run(main())) == 1


def test_stop_waits_for_what_runs_and_then_cancels_it() -> None:
    async def main() -> list[str]:
        runner = Runner()
        seen: list[str] = []

        async def work(name: str, seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
                seen.append(name + " ended")
            except asyncio.CancelledError:
                seen.append(name + " cancelled")
                raise

        runner.run(work("short", 0.01), lambda result, error: None)
        runner.run(work("long", 60), lambda result, error: None)
        await runner.stop(0.1)
        return seen

    assert asyncio.run(main()) == ["short ended", "long cancelled"]


def test_stop_waits_for_what_follows_what_runs_too_and_nothing_can_begin_afterwards() -> None:
    async def main() -> list[str]:
        runner = Runner()
        seen: list[str] = []

        async def work(name: str) -> None:
            seen.append(name)
            await asyncio.sleep(0.01 if name == "first" else 60)

        def follow(name: str) -> None:
            runner.run(work(name), lambda result, error: seen.append(f"{name}: {type(error).__name__}"))

        def ended(result: Any, error: BaseException | None) -> None:
            runner.run(work("second"), lambda result, error: follow("last"))

        runner.run(work("first"), ended)
        await runner.stop(0.1)
        follow("too late")
        runner.forget()
        follow("again")
        runner.forget()
        return seen

    seen = asyncio.run(main())
    assert seen[:4] == ["first", "second", "last", "last: CancelledError"]
    assert seen[4:6] == ["too late: CancelledError", "again"]


def test_what_is_settled_can_be_awaited_gathered_made_a_task_or_ignored() -> None:
    async def main() -> None:
        await SETTLED
        await asyncio.gather(SETTLED, SETTLED)
        await asyncio.create_task(SETTLED)  # type: ignore[arg-type]

    asyncio.run(main())
    assert isinstance(SETTLED, Coroutine)


@pytest.mark.parametrize("count", [3])
def test_many_coroutines_wait_side_by_side(count: int) -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        runner, gate, results = Runner(), loop.create_future(), []

        async def work() -> None:
            await gate
            results.append(1)

        for _ in range(count):
            runner.run(work(), lambda result, error: None)
        gate.set_result(None)
        await runner.stop(1)
        return len(results)

    assert asyncio.run(main()) == count
