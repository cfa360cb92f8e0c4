"""socket.io-client 0.9.16, unmodified, under Node and in Chromium, against our server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from conversation import build
from node_tools import run_node


@asynccontextmanager
async def server(**settings: Any) -> AsyncIterator[anywire.Server]:
    """The conversation's server; messages are echoed, and a client can ask who it is."""
    sio = anywire.Server(**settings)
    build(sio, anywire.ConnectionRefusedError)

    @sio.event
    async def message(sid: str, data: Any) -> None:
        sio.send(data, to=sid)

    @sio.event
    async def whoami(sid: str) -> str:
        return sid

    await sio.start()
    sio.listen(0, "127.0.0.1")
    try:
        yield sio
    finally:
        await sio.shutdown(0)


@pytest.mark.parametrize("transport", ["websocket", "xhr-polling"])
def test_the_conversation_by_the_client_under_node(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with server() as sio:
            said = await run_node("conversation_client09.cjs", f"http://127.0.0.1:{sio.port}", transport)
        assert dict(json.loads(line) for line in said.strip().split("\n")) == {
            "transport": transport,
            "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
            "ack from client": [["how!", 7]],
            "separators": ["\u2028\u2029\n\ufffd5\ufffd\\/</script>", "a\\/b"],
            "500 in order": True,
            "500 to the server in order": True,
            "large": True,
            "messages": ["plain", {"json": ["é", 1]}, "acknowledged"],
            "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
            "namespace": ["chat"],
            "refused": "unauthorized",
            "kicked from /chat": [True, ["here"]],
            "kicked": ["booted", False],
            "left": ["booted"],
        }

    run(main())
