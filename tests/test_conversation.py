"""The same scripted conversation against Node's socket.io and against ours must read the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import conversation
import pytest
from node_tools import node_server, run_node


@asynccontextmanager
async def our_server() -> AsyncIterator[int]:
    sio = anywire.Server()
    conversation.build(sio, anywire.ConnectionRefusedError)
    await sio.start()
    sio.listen(0, "127.0.0.1")
    try:
        yield sio.port
    finally:
        await sio.shutdown(0)


@pytest.mark.parametrize("mode", ["polling", "websocket", "upgrade"])
def test_socket_io_client_hears_from_us_what_it_hears_from_node(mode: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with node_server("conversation_server.mjs") as node, our_server() as ours:
            theirs = await run_node("conversation_client.mjs", f"http://127.0.0.1:{node}", mode)
            mine = await run_node("conversation_client.mjs", f"http://127.0.0.1:{ours}", mode)
        expected = [json.loads(line) for line in theirs.splitlines()]
        assert len(expected) == 15
        assert [json.loads(line) for line in mine.splitlines()] == expected

    run(main())


@pytest.mark.parametrize("mode", ["polling", "websocket", "upgrade"])
def test_python_socketios_client_holds_the_conversation(mode: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with our_server() as ours:
            said = await conversation.talk(f"http://127.0.0.1:{ours}", mode)
        assert said == {
            "transport": "polling" if mode == "polling" else "websocket",
            "echo": (1, "two", None, {"three": [True, 1.5, "é€😀"]}),
            "binary": (b"\x01\x02", {"deep": [b"\x03", {"er": b""}]}),
            "ack from client": ["how!", b"\x07"],
            "500 in order": True,
            "500 to the server in order": True,
            "large": True,
            "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
            "kicked": True,
        }

    run(main())
