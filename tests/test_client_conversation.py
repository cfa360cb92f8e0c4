"""Our browser client holds the scripted conversation, in a small browser under Node, with our server and with Node's socket.io."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from conversation import our_server
from node_tools import node_server, run_node
from test_conversation import FROM_NODE

TRANSPORTS = ["websocket", "polling", "jsonp", "htmlfile"]


async def transcript(port: int, mode: str) -> dict[str, Any]:
    said = await run_node("conversation_client.mjs", f"http://127.0.0.1:{port}", mode, "anywire")
    return dict(json.loads(line) for line in said.splitlines())


@pytest.mark.parametrize("mode", [*TRANSPORTS, "upgrade"])
def test_our_client_hears_from_our_server_what_socket_io_client_hears_from_node(mode: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with our_server() as port:
            assert await transcript(port, mode) == {"transport": "websocket" if mode == "upgrade" else mode, **FROM_NODE}

    run(main())


@pytest.mark.parametrize("mode", ["websocket", "polling", "jsonp", "upgrade"])
def test_our_client_hears_the_same_from_nodes_socket_io_over_the_transports_that_it_has(mode: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with node_server("conversation_server.mjs") as port:
            assert await transcript(port, mode) == {"transport": "websocket" if mode == "upgrade" else mode, **FROM_NODE}

    run(main())
