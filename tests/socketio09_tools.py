"""Sessions of Socket.IO 0.9 by literal bytes: a server with an echo, and a client's first steps over polling and WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anywire
from http_tools import Answer, RawClient
from server_tools import listening

__all__ = ["OFFER", "get", "handshake", "held", "poller", "serving", "websocket"]

OFFER = "websocket,htmlfile,xhr-polling,jsonp-polling"


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[anywire.Server]:
    sio = anywire.Server(**settings)

    @sio.event
    def message(sid: str, data: Any) -> Any:
        sio.send(f"echo:{data}", to=sid)
        return "got", data

    @sio.event
    def ev(sid: str, *args: Any) -> Any:
        return "A", {"b": args[1]}

    async with listening(sio):
        yield sio


async def handshake(client: RawClient) -> str:
    answer = await client.request("GET", "/socket.io/1/?t=1")
    assert answer.status == 200, answer
    return answer.text.split(":")[0]


async def poller(client: RawClient) -> str:
    """A session on xhr-polling that has heard ``1::``; its target."""
    target = f"/socket.io/1/xhr-polling/{await handshake(client)}?t=2"
    assert (await client.request("GET", target)).text == "1::"
    return target


async def websocket(client: RawClient) -> str:
    """A session on a WebSocket that has heard ``1::``; its id."""
    sid = await handshake(client)
    assert (await client.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
    assert await client.frame() == (0x81, b"1::")
    return sid


def get(client: RawClient, target: str) -> asyncio.Task[Answer]:
    return asyncio.ensure_future(client.request("GET", target))


async def held(sio: anywire.Server) -> None:
    """Wait until the server holds a poll."""
    while not any(session.transport is not None and session.transport.ready for session in sio._hub.sessions.values()):
        await asyncio.sleep(0.001)
