"""socket.io-client 0.9.16 under Node, driven step by step: ``async with Driver(port, "websocket") as client``."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from node_tools import NODE

__all__ = ["Driver"]


class Driver:
    """One client. ``heard`` holds everything that it has printed: [namespace, event, *arguments].

    ``options`` are the client's; ``events`` names further events to print, ``answer`` is what it acknowledges with.
    """

    def __init__(self, port: int, transports: str, query: str = "", **options: Any) -> None:
        self._url = f"http://127.0.0.1:{port}" + (f"?{query}" if query else "")
        self._arguments = [transports, json.dumps(options)]
        self.heard: list[list[Any]] = []
        self._new = asyncio.Event()

    async def __aenter__(self) -> Driver:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            "node", "driver09.cjs", self._url, *self._arguments, cwd=NODE, stdin=pipe, stdout=pipe
        )
        self._reading = asyncio.ensure_future(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.heard.append(json.loads(line))
            self._new.set()

    def do(self, verb: str, namespace: str = "", *args: Any) -> None:
        """Let it do something; the verbs are in driver09.cjs."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([verb, namespace, *args]).encode() + b"\n")

    async def hears(self, event: str, namespace: str = "", times: int = 1, seconds: float = 15) -> list[Any]:
        """The arguments of an event's ``times``-th occurrence, once it has come."""
        async with asyncio.timeout(seconds):
            while True:
                found = [line[2:] for line in self.heard if line[:2] == [namespace, event]]
                if len(found) >= times:
                    return found[times - 1]
                self._new.clear()
                await self._new.wait()

    def count(self, event: str, namespace: str = "") -> int:
        """How often it has heard an event."""
        return sum(line[:2] == [namespace, event] for line in self.heard)

    async def ask(self, name: str, *args: Any, namespace: str = "") -> list[Any]:
        """Emit with an acknowledgement; what came back."""
        before = self.count("answer", namespace)
        self.do("ask", namespace, name, *args)
        return await self.hears("answer", namespace, before + 1)
