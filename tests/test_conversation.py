"""The same scripted conversation must read the same, whichever client holds it, with Node's socket.io and with ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import engineio.payload
import pytest
from conversation import our_server, python_socketio_server, talk
from node_tools import node_server, run_node

MODES = ["polling", "websocket", "upgrade"]
#: What the reference says; without it, two servers that are silent alike would pass.
FROM_NODE = {
    "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
    "binary": [{"hex": "0102"}, {"deep": [{"hex": "03"}, {"er": {"hex": ""}}]}],
    "binary event": [{"file": {"hex": "00ff"}}, "name"],
    "ack from client": [["how!", {"hex": "07"}]],
    "500 in order": True,
    "500 to the server in order": True,
    "large": [True, 300_000, True],
    "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
    "namespace": ["chat"],
    "own id in each namespace": True,
    "unknown": ["Invalid namespace", None],
    "refused": ["wrong key", {"tried": "bad"}],
    "admitted": True,
    "kicked from /chat": ["io server disconnect", True, ["here"]],
    "kicked": "io server disconnect",
    "left": "io client disconnect",
}
FROM_PYTHON = {
    "echo": (1, "two", None, {"three": [True, 1.5, "é€😀"]}),
    "binary": (b"\x01\x02", {"deep": [b"\x03", {"er": b""}]}),
    "binary event": ({"file": b"\x00\xff"}, "name"),
    "ack from client": ["how!", b"\x07"],
    "500 in order": True,
    "500 to the server in order": True,
    "large": [True, True],
    "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
    "namespace": "chat",
    "unknown": {"message": "Invalid namespace"},
    "refused": {"message": "wrong key", "data": {"tried": "bad"}},
    "admitted": "admitted",
    "kicked from /chat": True,
    "still in /": "here",
    "kicked": True,
}


@pytest.fixture
def long_payloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-engineio refuses a body of more than 16 packets, which every client and server but it sends; its manual says to raise this."""
    monkeypatch.setattr(engineio.payload.Payload, "max_decode_packets", 1000)


def carrier(mode: str) -> str:
    return "polling" if mode == "polling" else "websocket"


@pytest.mark.parametrize("mode", MODES)
def test_socket_io_client_hears_from_us_what_it_hears_from_node(mode: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with node_server("conversation_server.mjs") as node, our_server() as ours:
            theirs = await run_node("conversation_client.mjs", f"http://127.0.0.1:{node}", mode)
            mine = await run_node("conversation_client.mjs", f"http://127.0.0.1:{ours}", mode)
        assert dict(json.loads(line) for line in theirs.splitlines()) == {"transport": carrier(mode), **FROM_NODE}
        assert mine.splitlines() == theirs.splitlines()

    run(main())


@pytest.mark.usefixtures("long_payloads")
@pytest.mark.parametrize("mode", MODES)
def test_python_socketios_client_hears_from_us_what_it_hears_from_node(mode: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with node_server("conversation_server.mjs") as node, our_server() as ours:
            theirs = await talk(f"http://127.0.0.1:{node}", mode)
            mine = await talk(f"http://127.0.0.1:{ours}", mode)
        assert theirs == {"transport": carrier(mode), **FROM_PYTHON}
        assert mine == theirs

    run(main())


# Not over polling: python-socketio 5 on Tornado does not end a poll whose session closed, and the script waits for it.
@pytest.mark.usefixtures("long_payloads")
@pytest.mark.parametrize("mode", ["websocket", "upgrade"])
def test_the_same_application_on_python_socketio_differs_only_in_how_it_names_an_unknown_namespace(
    mode: str, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with python_socketio_server() as port:
            said = await talk(f"http://127.0.0.1:{port}", mode)
        assert said == {"transport": carrier(mode), **FROM_PYTHON, "unknown": "Unable to connect"}

    run(main())
