"""A server with handlers on a real socket, and python-socketio's client with what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anywire
import socketio
from server_tools import listening


@asynccontextmanager
async def serving(*setup: Callable[[anywire.Server], Any], **settings: Any) -> AsyncIterator[anywire.Server]:
    """A server with the handlers that each of ``setup`` registers."""
    sio = anywire.Server(**settings)
    for register in setup:
        register(sio)
    async with listening(sio):
        yield sio


class Client(socketio.AsyncClient):
    """Its events that have no handler are in ``heard`` in their order; those of other namespaces than "/" with the namespace first."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        super().__init__(reconnection=False)
        self.heard: list[tuple[Any, ...]] = []
        for namespace in namespaces:
            prefix = () if namespace == "/" else (namespace,)
            self.on("*", lambda event, *args, prefix=prefix: self.heard.append((*prefix, event, *args)), namespace=namespace)

    @property
    def id(self) -> str:
        """The id in "/"."""
        return str(self.get_sid())

    async def leave(self, namespace: str = "/") -> None:
        """Say that a namespace is left; its library has no other way than to end the whole connection."""
        await self._send_packet(self.packet_class(socketio.packet.DISCONNECT, namespace=namespace))

    async def settled(self) -> list[tuple[Any, ...]]:
        """What was heard, once all that the server has sent until now is here; the server needs :func:`marks`."""
        await self.call("mark", timeout=10)
        return self.heard


def marks(sio: anywire.Server) -> None:
    """An event that is only answered: the answer comes behind everything sent before."""
    sio.on("mark", lambda sid: None)


@asynccontextmanager
async def client(sio: Any, transport: str = "websocket", **options: Any) -> AsyncIterator[Client]:
    """A connected client of ``sio``, or of the port that it is."""
    made = Client(options.get("namespaces") or ["/"])
    port = sio if isinstance(sio, int) else sio.port
    await made.connect(f"http://127.0.0.1:{port}", transports=[transport], wait_timeout=10, **options)
    try:
        yield made
    finally:
        await made.disconnect()


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for what happens in the same loop."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
