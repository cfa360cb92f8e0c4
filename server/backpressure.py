"""When a client has to wait: its events come faster than their handlers take them.

What waits for a client's running handlers is bounded by ``max_handler_backlog``. From half of that on nothing is read from the client any
more, so that TCP slows it down, and its POSTs are not answered at once; it goes on at a quarter. What one read or one POST has brought is
taken whole, however much that is: clients say at once all that was emitted while they were not connected. All clients of a session share
its carrier: the fullest of them decides.

A client that owes an acknowledgement is read up to the whole bound: the handler that its events wait for may be waiting for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .errors import CloseReason, ProtocolError

if TYPE_CHECKING:
    from .session import Session

__all__ = ["ease", "press"]

#: POSTs that are taken from a client that is to wait. One that sends them as their answers come has many seconds for these.
MAX_PRESSED = 5


def press(session: Session, clients: Iterable[Any], waiting: int) -> None:
    """One more event of a client waits, ``waiting`` by now. ``clients``: those of the session, with ``queue`` and ``acks``.

    Raises ProtocolError when its client cannot be made to wait; the session is closed then.
    """
    limit = session.env.config.max_handler_backlog
    if waiting > limit and session.pressed > MAX_PRESSED:
        session.close(CloseReason.OVERLOAD, 1008)
        raise ProtocolError(CloseReason.OVERLOAD.text)
    if not session.paused and (waiting >= limit or (waiting >= max(1, limit // 2) and not _owes(clients))):
        session.pause()


def ease(session: Session, clients: Iterable[Any]) -> None:
    """Less waits than before, or an acknowledgement is awaited: read on, if it is time. For sessions that are paused."""
    clients = list(clients)
    limit = session.env.config.max_handler_backlog
    mark = limit - 1 if _owes(clients) else limit // 4
    if all(len(client.queue or ()) <= mark for client in clients):
        session.resume()


def _owes(clients: Iterable[Any]) -> bool:
    return any(client.acks for client in clients)
