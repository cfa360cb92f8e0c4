"""Real clients that move from polling to WebSocket while both sides talk: nothing is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
import socketio
from fault_proxy import FaultProxy
from faults import fault
from node_tools import run_node
from server_tools import listening

SESSIONS, MESSAGES = 8, 200


def filling(number: int, long: int) -> str | bytes | None:
    """As in ``node/upgrade_client.mjs``."""
    return "x" * long if number % 7 == 0 else bytes([number % 256]) * 500 if number % 5 == 0 else None


@asynccontextmanager
async def talking(long: int) -> AsyncIterator[anywire.Server]:
    """A server that talks to each client from its first moment, and remembers what the client says; some of it is ``long``."""
    sio = anywire.Server()
    heard: dict[str, list[int]] = defaultdict(list)

    async def talk(sid: str, burst: int) -> None:
        for number in range(MESSAGES):
            await sio.emit("down", (number, filling(number, long)), to=sid)
            if number % burst == 0:
                await asyncio.sleep(0.002)

    @sio.event
    def connect(sid: str, environ: Any) -> None:
        sio.start_background_task(talk, sid, 1 + len(heard) % 5)
        heard[sid] = []

    @sio.event
    def up(sid: str, number: int, filled: Any) -> None:
        assert filled == filling(number, long)
        heard[sid].append(number)

    @sio.event
    def seen(sid: str) -> list[int]:
        return heard[sid]

    async with listening(sio):
        yield sio


# Clients of 1.x read a payload by appending character to character: long ones take it seconds.
@pytest.mark.parametrize(("client", "long"), [("sio1", 1000), ("sio2", 1000), ("sio3", 30_000), ("sio4", 30_000)])
def test_socket_io_client_loses_doubles_and_reorders_nothing_while_it_moves(client: str, long: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        # A gateway that takes its time: what is said meanwhile goes by polls.
        async with talking(long) as sio, FaultProxy(sio.port, fault("slow-upgrade", 0.05)) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            ends = json.loads(await run_node("upgrade_client.mjs", url, client, str(SESSIONS), str(MESSAGES), str(long)))
        for end in ends:
            assert end["end"] is None, end["end"]
            assert end["heard"] == list(range(MESSAGES)) and end["seen"] == list(range(MESSAGES))
            assert end["transport"] == "websocket"
        # Otherwise nothing was tested.
        assert any(0 < (end["moved"] or 0) < MESSAGES for end in ends), [end["moved"] for end in ends]

    run(main())


def test_python_socketios_client_loses_doubles_and_reorders_nothing_while_it_moves(run: Callable[..., Any]) -> None:
    long = 30_000

    async def one(port: int) -> tuple[list[int], list[int], str]:
        heard: list[int] = []
        all_heard = asyncio.Event()
        async with asyncio.timeout(40):
            client = socketio.AsyncClient(reconnection=False)

            @client.event
            def down(number: int, filled: Any) -> None:
                assert filled == filling(number, long)
                heard.append(number)
                if len(heard) == MESSAGES:
                    all_heard.set()

            await client.connect(f"http://127.0.0.1:{port}")
            for number in range(MESSAGES):
                await client.emit("up", (number, filling(number, long)))
            await all_heard.wait()
            seen = await client.call("seen")
            transport = client.transport()
            await client.disconnect()
        return heard, seen, transport

    async def main() -> None:
        async with talking(long) as sio:
            for heard, seen, transport in await asyncio.gather(*(one(sio.port) for _ in range(4))):
                assert heard == list(range(MESSAGES)) and seen == list(range(MESSAGES)) and transport == "websocket"

    run(main())
