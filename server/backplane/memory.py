"""Nodes in one process: alone, or several servers on one shared medium (tests, and servers in threads of one loop)."""

from __future__ import annotations

import asyncio

from .base import Backplane, BackplaneStatus, OnMessage

__all__ = ["MemoryBackplane", "Medium"]


class Medium:
    """What several memory backplanes share: the nodes that have started, by id."""

    def __init__(self) -> None:
        self.nodes: dict[str, OnMessage] = {}


class MemoryBackplane(Backplane):
    """Without a medium a node is alone, and publishing costs nothing."""

    def __init__(self, medium: Medium | None = None) -> None:
        self._medium = medium if medium is not None else Medium()
        self.alone = medium is None  # type: ignore[misc]
        self.status = BackplaneStatus()
        self._node = ""

    async def start(self, node: str, on_message: OnMessage) -> None:
        self._node = node
        self._medium.nodes[node] = on_message

    def publish(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        for node in self._medium.nodes:
            if node != self._node:
                loop.call_soon(self._deliver, node, data)

    def send(self, node: str, data: bytes) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        done.set_result(node in self._medium.nodes)
        if node in self._medium.nodes:
            loop.call_soon(self._deliver, node, data)
        return done

    def _deliver(self, node: str, data: bytes) -> None:
        on_message = self._medium.nodes.get(node)
        if on_message is not None:
            on_message(self._node, data)

    async def alive(self, node: str) -> bool:
        return node in self._medium.nodes

    async def nodes(self) -> int:
        return len(self._medium.nodes)

    async def flush(self) -> None:
        await asyncio.sleep(0)

    async def stop(self) -> None:
        self._medium.nodes.pop(self._node, None)
