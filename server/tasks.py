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

__all__ = ["FAILURES", "SETTLED", "WAITING", "Done", "Runner", "Settled"]

#: What a handler may raise and go no further. CancelledError too: the result() of a future that was cancelled raises it.
FAILURES = (Exception, asyncio.CancelledError)
#: Called once with (result, None) or (None, exception).
Done = Callable[[Any, BaseException | None], None]


class Settled(Coroutine[Any, Any, None]):
    """Awaitable that has nothing left to wait for.

    What returns it has already done its work: a plain function may ignore it, an async one awaits it at no cost, and it can be
    handed to ``create_task`` like a coroutine.
    """

    __slots__ = ()
    #: An iterator that has ended gives itself; that is all that an await needs, and no Python code runs for it.
    __await__ = iter(()).__iter__  # type: ignore[assignment]

    def send(self, value: Any) -> Any:
        raise StopIteration

    def throw(self, *error: Any) -> Any:
        raise error[0]

    def close(self) -> None:
        return None


SETTLED = Settled()
#: What :meth:`Runner.begin` returns for a coroutine that has begun to wait.
WAITING: Any = object()


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

    __slots__ = ("_begun", "_loop", "_spare", "_tasks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._spare: _Spare | None = None
        self._begun: tuple[_Spare, Coroutine[Any, Any, Any], Any, contextvars.Context] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, coro: Coroutine[Any, Any, Any], done: Done) -> bool:
        """Start ``coro``; True if it has ended (and ``done`` was called), False if it goes on as a task."""
        try:
            result = self.begin(coro)
        except FAILURES as error:
            done(None, error)
            return True
        if result is WAITING:
            self.go_on(done)
            return False
        done(result, None)
        return True

    def begin(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run ``coro`` to its end, and return or raise what it does; or to its first wait, and return :data:`WAITING`: then
        :meth:`go_on` must be called at once."""
        spare = self._spare
        if spare is None or spare.task.done():
            spare = self._spare = _Spare(self._loop)
        loop = self._loop
        context = contextvars.copy_context()
        outer = asyncio.current_task(loop)
        if outer is not None:
            _leave_task(loop, outer)
        _enter_task(loop, spare.task)
        try:
            yielded = context.run(coro.send, None)
        except StopIteration as stop:
            return stop.value
        finally:
            _leave_task(loop, spare.task)
            if outer is not None:
                _enter_task(loop, outer)
        if getattr(yielded, "_asyncio_future_blocking", None) is not None:
            # The mark that a future is being waited for, until a task takes note of it. Ours will do so later, and another coroutine
            # that waits for the same future meanwhile must not find it.
            yielded._asyncio_future_blocking = False
        self._spare = None
        self._begun = (spare, coro, yielded, context)
        return WAITING

    def go_on(self, done: Done) -> None:
        """Let a task carry on with what :meth:`begin` has left waiting, and call ``done`` at its end."""
        assert self._begun is not None
        spare, coro, yielded, context = self._begun
        self._begun = None
        spare.job = (coro, yielded, context, done)
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
