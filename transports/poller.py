"""One epoll of our own inside the event loop: tens of thousands of sockets, one reader of the loop.

The loop sees a single file descriptor that is readable when any socket is (epoll(7): "the file descriptor from epoll_create may
itself be monitored"). What that saves for each event is the loop's handle, its context and its queue; for each idle connection, their
memory. Where there is no epoll (macOS), the loop's own readers and writers are used.
"""

from __future__ import annotations

import asyncio
import logging
import select
import weakref
from typing import Protocol

__all__ = ["Pollable", "Poller", "poller_of"]

log = logging.getLogger("anywire.wire")

_EPOLLOUT = getattr(select, "EPOLLOUT", 4)
#: Events handled before the loop gets a turn; a few milliseconds of work.
EVENTS_A_TURN = 256
#: Sockets that are read before the answers to all of them are written; half a millisecond of work.
EVENTS_A_BATCH = 64


class Pollable(Protocol):
    """What a socket's owner is told. Exceptions are logged and go no further."""

    def on_readable(self) -> None:
        """Bytes, an end or an error are there to be read."""

    def on_writable(self) -> None:
        """The kernel has room."""

    def on_batch_end(self) -> None:
        """All sockets of the batch have been read; only for those that are in :attr:`Poller.late`."""


class Poller:
    """The sockets of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._items: dict[int, Pollable] = {}
        #: Those of the batch that is being handed out that want :meth:`Pollable.on_batch_end`; None outside of one.
        self.late: list[Pollable] | None = None
        loop.add_reader(self._epoll.fileno(), self._turn)

    def set(self, fd: int, item: Pollable, read: bool, write: bool) -> None:
        """Watch ``fd`` for reading, writing, both, or (only errors and ends) neither."""
        mask = (select.EPOLLIN if read else 0) | (select.EPOLLOUT if write else 0)
        if fd in self._items:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._items[fd] = item

    def forget(self, fd: int) -> None:
        """Watch ``fd`` no more; must come before it is closed."""
        if self._items.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def _turn(self) -> None:
        left = EVENTS_A_TURN
        # What has come meanwhile is taken too: asking again costs a tenth of a turn of the loop.
        while left > 0 and (ready := self._epoll.poll(0, EVENTS_A_BATCH)):
            left -= len(ready)
            late: list[Pollable] = []
            self.late = late
            try:
                self._hand_out(ready)
            finally:
                self.late = None
                for item in late:
                    try:
                        item.on_batch_end()
                    except Exception:
                        log.exception("! a socket's owner failed")

    def _hand_out(self, ready: list[tuple[int, int]]) -> None:
        items = self._items
        for fd, events in ready:
            item = items.get(fd)
            if item is None:
                continue
            try:
                if events & ~_EPOLLOUT:
                    item.on_readable()
                if events & _EPOLLOUT and items.get(fd) is item:
                    item.on_writable()
            except Exception:
                log.exception("! a socket's owner failed")


class LoopPoller(Poller):
    """The same by the loop's own readers and writers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.late = None

    def set(self, fd: int, item: Pollable, read: bool, write: bool) -> None:
        if read:
            self._loop.add_reader(fd, item.on_readable)
        else:
            self._loop.remove_reader(fd)
        if write:
            self._loop.add_writer(fd, item.on_writable)
        else:
            self._loop.remove_writer(fd)

    def forget(self, fd: int) -> None:
        self._loop.remove_reader(fd)
        self._loop.remove_writer(fd)


_pollers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Poller] = weakref.WeakKeyDictionary()


def poller_of(loop: asyncio.AbstractEventLoop) -> Poller:
    """The loop's poller, made on first use."""
    poller = _pollers.get(loop)
    if poller is None:
        poller = _pollers[loop] = Poller(loop) if hasattr(select, "epoll") else LoopPoller(loop)
    return poller
