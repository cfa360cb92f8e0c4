"""Run a coroutine to its first real wait in the caller's frame, and make it a task only then.

Most handlers of a real-time server never wait, and a task costs several times what they do.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

if sys.version_info >= (3, 12):
    from asyncio import current_task as _current_task
else:
    # There it is a Python function around this, of three times the cost.
    from asyncio.tasks import _current_tasks  # type: ignore[attr-defined]

    _current_task = _current_tasks.get

#: Where nobody counts, none is ever found to be kept.
_references: Callable[[Any], int] = getattr(sys, "getrefcount", lambda task: 0)

__all__ = ["FAILURES", "SETTLED", "WAITING", "Done", "Runner", "Settled", "Underway"]

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


class Underway(Coroutine[Any, Any, Any]):
    """Awaitable of work that goes on by itself: like :class:`Settled`, also where a coroutine is asked for (``create_task``)."""

    __slots__ = ("_future", "_steps")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self._future = future
        self._steps: Generator[Any, Any, Any] | None = None

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._future.__await__()

    def send(self, value: Any) -> Any:
        if self._steps is None:
            self._steps = self._future.__await__()
        return self._steps.send(value)

    def throw(self, *error: Any) -> Any:
        if self._steps is None:
            raise error[0]
        return self._steps.throw(*error)

    def close(self) -> None:
        if self._steps is not None:
            self._steps.close()


#: What :meth:`Runner.begin` returns for a coroutine that has begun to wait.
WAITING: Any = object()


class _Spare:
    """A driver that runs coroutines to their first wait, and a task that waits to take over the one that does.

    The first step of a coroutine runs *as* this task (``asyncio.current_task()`` is it), so that what looks at the current task
    before its first wait (``asyncio.timeout``, task groups) finds the one that will carry on. Python's documentation,
    "Extending asyncio", names the two functions that make a task the current one.

    ``drive`` gives the driver a coroutine: it returns what that waits for; or :data:`_ENDED`, and ``result`` is what it returned; or
    raises what it raises, and the driver has ended. An end inside a generator costs half of what a StopIteration does.
    """

    __slots__ = ("__weakref__", "drive", "driver", "job", "loop", "result", "task", "unkept", "wake")

    def __init__(self) -> None:
        self.loop = loop = asyncio.get_running_loop()
        self.wake: asyncio.Future[None] = loop.create_future()
        self.job: tuple[Any, contextvars.Context, Done] | None = None
        self.result: Any = None
        self.driver = _driver(self)
        self.driver.send(None)
        self.drive = self.driver.send
        # One that has begun: a task that is cancelled before its first step throws into what has not, and nobody would hear of the job.
        coro = self._carry_on()
        coro.send(None)
        task = self.task = loop.create_task(coro, name="anywire-handler")
        #: References to the task while none is the application's, counted where the caller has one as well.
        self.unkept = _references(task)

    def retire(self) -> None:
        """Let the task end: it will run no other coroutine."""
        if not self.wake.done():
            self.wake.set_result(None)

    async def _carry_on(self) -> None:
        try:
            await self._take_over()
        finally:
            # It refers to us, and we to it.
            self.driver.close()

    async def _take_over(self) -> None:
        cancelled: BaseException | None = None
        try:
            await _a_turn()
            await self.wake
        except asyncio.CancelledError as error:
            if self.job is None:
                raise
            cancelled = error
        if self.job is None:
            return
        yielded, context, done = self.job
        self.job = None
        try:
            await _rest(self.driver, yielded, context, cancelled)
        except BaseException as error:
            done(None, error)
            if not isinstance(error, Exception):
                raise
        else:
            done(self.result, None)


@types.coroutine
def _a_turn() -> Generator[None, None, None]:
    yield


#: What a driver yields when its coroutine has ended.
_ENDED: Any = object()


@types.coroutine
def _driver(spare: _Spare) -> Generator[Any, Any, None]:
    """Run one coroutine after the other, and yield what they wait for."""
    coro: Any = yield
    while True:
        spare.result = yield from coro
        coro = yield _ENDED


@types.coroutine
def _rest(
    driver: Generator[Any, Any, Any], yielded: Any, context: contextvars.Context, error: BaseException | None
) -> Generator[Any, Any, None]:
    """Go on with a driver whose coroutine has already yielded once, to the end of that coroutine."""
    value = None
    if getattr(yielded, "_asyncio_future_blocking", None) is not None:
        yielded._asyncio_future_blocking = True
    while yielded is not _ENDED:
        if error is None:
            try:
                value = yield yielded
            except BaseException as raised:
                error = raised
        if error is not None:
            passed_on, error = error, None
            yielded = context.run(driver.throw, passed_on)
        else:
            yielded = context.run(driver.send, value)


class Runner:
    """Starts coroutines eagerly on the loop that runs, and keeps the tasks of those that wait."""

    __slots__ = ("_begun", "_spares", "_stopped", "_tasks", "stopping")

    def __init__(self) -> None:
        #: One, or as many as coroutines have begun others while they ran.
        self._spares: list[_Spare] = []
        self._begun: tuple[_Spare, Any, contextvars.Context] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        #: Whether what runs is being cancelled: nothing should follow it but what has to.
        self.stopping = False
        self._stopped = False

    def run(self, coro: Coroutine[Any, Any, Any], done: Done) -> bool:
        """Start ``coro``; True if it has ended (and ``done`` was called), False if it goes on as a task."""
        try:
            result = self.begin(coro if isinstance(coro, types.CoroutineType) else _native(coro))
        except FAILURES as error:
            done(None, error)
            return True
        if result is WAITING:
            self.go_on(done)
            return False
        done(result, None)
        return True

    def begin(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run ``coro``, which an ``async def`` has made, to its end, and return or raise what it does; or to its first wait, and return
        :data:`WAITING`: then :meth:`go_on` must be called at once."""
        spares = self._spares
        spare = spares.pop() if spares else self._fresh(coro)
        if spare.task.cancelling():
            # By itself, or with all others.
            spare = self._fresh(coro)
        task, loop = spare.task, spare.loop
        context = contextvars.copy_context()
        outer = _current_task(loop)
        if outer is not None:
            _leave_task(loop, outer)
        _enter_task(loop, task)
        try:
            yielded = context.run(spare.drive, coro)
        except BaseException:
            # Its driver has ended, and the traceback may hold the task.
            spare.retire()
            raise
        finally:
            _leave_task(loop, task)
            if outer is not None:
                _enter_task(loop, outer)
        if yielded is _ENDED:
            if _references(task) == spare.unkept:
                spares.append(spare)
            else:
                # Who has kept it, to cancel it or to ask whether it has ended, must not find another coroutine in it.
                spare.retire()
            result, spare.result = spare.result, None
            return result
        if getattr(yielded, "_asyncio_future_blocking", None) is not None:
            # The mark that a future is being waited for, until a task takes note of it. Ours will do so later, and another coroutine
            # that waits for the same future meanwhile must not find it.
            yielded._asyncio_future_blocking = False
        self._begun = (spare, yielded, context)
        return WAITING

    def _fresh(self, coro: Coroutine[Any, Any, Any]) -> _Spare:
        """Raises CancelledError once all has been stopped."""
        if self._stopped:
            coro.close()
            raise asyncio.CancelledError
        return _Spare()

    def go_on(self, done: Done) -> None:
        """Let a task carry on with what :meth:`begin` has left waiting, and call ``done`` at its end."""
        assert self._begun is not None
        spare, yielded, context = self._begun
        self._begun = None
        spare.job = (yielded, context, done)
        self._tasks.add(spare.task)
        spare.task.add_done_callback(self._tasks.discard)
        if not spare.wake.done():
            spare.wake.set_result(None)

    def forget(self) -> None:
        """Begin anew, on another loop."""
        self._spares.clear()
        self._tasks.clear()
        self.stopping = self._stopped = False

    async def stop(self, grace: float) -> None:
        """Wait up to ``grace`` seconds for what runs and for what follows it, then cancel both. Nothing can begin afterwards, until
        :meth:`forget`."""
        me, loop = asyncio.current_task(), asyncio.get_running_loop()
        end = loop.time() + grace
        while (running := self._tasks - {me}) and (left := end - loop.time()) > 0:
            await asyncio.wait(running, timeout=left)
        self.stopping = True
        while rest := [task for task in (*self._tasks, *(spare.task for spare in self._spares)) if task is not me]:
            self._spares.clear()
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
        self._stopped = True


async def _native(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
