"""Run a coroutine to its first real wait in the caller's frame, and make it a task only then.

Most handlers of a real-time server never wait, and a task costs several times what they do.
"""

from __future__ import annotations

import asyncio
import contextvars
import types
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Callable, Coroutine, Generator
from typing import Any

__all__ = ["SETTLED", "Done", "Runner", "Settled"]

#: Called once with (result, None) or (None, exception).
Done = Callable[[Any, BaseException | None], None]


class Settled(Coroutine[Any, Any, None]):
    """Awaitable that has nothing left to wait for.

    What returns it has already done its work: a plain function may ignore it, an async one awaits it at no cost, and it can be
    handed to ``create_task`` like a coroutine.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        return iter(())  # type: ignore[return-value]

    def send(self, value: Any) -> Any:
        raise StopIteration

    def throw(self, *error: Any) -> Any:
        raise error[0]

    def close(self) -> None:
        return None


SETTLED = Settled()


class _Spare:
    """A task that waits to take over a coroutine which has begun to wait.

    The first step of a coroutine runs *as* this task (``asyncio.current_task()`` is it), so that what looks at the current task
    before its first wait (``asyncio.timeout``, task groups) finds the one that will carry on. Python's documentation,
    "Extending asyncio", names the two functions that make a task the current one.
    """

    __slots__ = ("__weakref__", "job", "task", "wake")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.wake: asyncio.Future[None] = loop.create_future()
        self.job: tuple[Coroutine[Any, Any, Any], Any, contextvars.Context, Done] | None = None
        self.task = loop.create_task(self._drive(), name="anywire-handler")

    async def _drive(self) -> None:
        cancelled: BaseException | None = None
        try:
            await self.wake
        except asyncio.CancelledError as error:
            if self.job is None:
                raise
            cancelled = error
        if self.job is None:
            return
        coro, yielded, context, done = self.job
        self.job = None
        try:
            result = await _rest(coro, yielded, context, cancelled)
        except BaseException as error:
            done(None, error)
            if not isinstance(error, Exception):
                raise
        else:
            done(result, None)


@types.coroutine
def _rest(
    coro: Coroutine[Any, Any, Any], yielded: Any, context: contextvars.Context, error: BaseException | None
) -> Generator[Any, Any, Any]:
    """Go on with a coroutine that has already yielded once."""
    value = None
    if getattr(yielded, "_asyncio_future_blocking", None) is not None:
        yielded._asyncio_future_blocking = True
    while True:
        if error is None:
            try:
                value = yield yielded
            except BaseException as raised:
                error = raised
        try:
            if error is not None:
                passed_on, error = error, None
                yielded = context.run(coro.throw, passed_on)
            else:
                yielded = context.run(coro.send, value)
        except StopIteration as stop:
            return stop.value


class Runner:
    """Starts coroutines eagerly on one loop and keeps the tasks of those that wait."""

    __slots__ = ("_loop", "_spare", "_tasks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spare: _Spare | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, coro: Coroutine[Any, Any, Any], done: Done) -> bool:
        """Start ``coro``; True if it has ended (and ``done`` was called), False if it goes on as a task."""
        spare = self._spare
        if spare is None or spare.task.done():
            spare = self._spare = _Spare(self._loop)
        context = contextvars.copy_context()
        outer = asyncio.current_task(self._loop)
        if outer is not None:
            _leave_task(self._loop, outer)
        _enter_task(self._loop, spare.task)
        try:
            yielded = context.run(coro.send, None)
        except StopIteration as stop:
            result, error = stop.value, None
        except BaseException as raised:
            if not isinstance(raised, (Exception, asyncio.CancelledError)):
                raise
            result, error = None, raised
        else:
            if getattr(yielded, "_asyncio_future_blocking", None) is not None:
                # The mark that a future is being waited for, until a task takes note of it. Ours will do so later, and another coroutine
                # that waits for the same future meanwhile must not find it.
                yielded._asyncio_future_blocking = False
            spare.job = (coro, yielded, context, done)
            self._hand_over(spare)
            return False
        finally:
            _leave_task(self._loop, spare.task)
            if outer is not None:
                _enter_task(self._loop, outer)
        done(result, error)
        return True

    def _hand_over(self, spare: _Spare) -> None:
        self._spare = None
        self._tasks.add(spare.task)
        spare.task.add_done_callback(self._tasks.discard)
        if not spare.wake.done():
            spare.wake.set_result(None)

    async def stop(self, grace: float) -> None:
        """Wait up to ``grace`` seconds for what runs, then cancel it."""
        me = asyncio.current_task()
        tasks = {task for task in self._tasks if task is not me}
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        rest = [task for task in tasks if not task.done()]
        if self._spare is not None and self._spare.task is not me:
            rest.append(self._spare.task)
            self._spare = None
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
