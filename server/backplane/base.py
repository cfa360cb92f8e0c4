"""The contract of a backplane: bytes between the processes ("nodes") that act as one server."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Backplane", "BackplaneStatus", "OnMessage"]

#: Gets the sending node's id and the bytes; called in the loop.
OnMessage = Callable[[str, bytes], None]


@dataclass(slots=True)
class BackplaneStatus:
    """How it is: ``since`` is the monotonic time of the last change, ``queued`` and ``dropped`` count messages."""

    connected: bool = True
    since: float = 0.0
    queued: int = 0
    dropped: int = 0
    reconnects: int = 0


class Backplane(abc.ABC):
    """Bytes between nodes.

    How to add one: subclass it in a file of its own and add it to ``BACKPLANES`` in ``tests/test_backplane_contract.py``.
    Messages of one node reach another in their order, each at most once; while the medium is away they may be lost.
    """

    #: Whether there can be no other node, so that nothing need be encoded for one.
    alone: ClassVar[bool] = False
    status: BackplaneStatus

    @abc.abstractmethod
    async def start(self, node: str, on_message: OnMessage) -> None:
        """Join as ``node``. A medium that is away does not stop it: it is tried for ever, and said in the log."""

    @abc.abstractmethod
    def publish(self, data: bytes) -> None:
        """Tell all other nodes. Returns at once; never raises for a medium that is away."""

    @abc.abstractmethod
    def send(self, node: str, data: bytes) -> Awaitable[bool]:
        """Tell one node; False when nobody received it."""

    @abc.abstractmethod
    async def alive(self, node: str) -> bool:
        """Whether that node is there now."""

    @abc.abstractmethod
    async def nodes(self) -> int:
        """How many nodes there are now, this one included."""

    @abc.abstractmethod
    async def flush(self) -> None:
        """Wait until what was published has been handed over, or has failed."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Leave."""
