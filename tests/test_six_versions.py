"""One server, one room, six versions of socket.io-client from 2012 to today: each hears each, and the server treats all alike."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from node_tools import run_node
from server_tools import listening

OLD, *NEWER = VERSIONS = ["0.9.16", "1.7.4", "2.5.0", "3.1.3", "4.0.0", "4.8.3"]


@asynccontextmanager
async def house(gone: list[tuple[str, str]]) -> AsyncIterator[int]:
    """A server that knows nothing of versions. ``gone`` gets who left, and why."""
    sio = anywire.Server()
    names: dict[str, str] = {}

    @sio.event
    async def echo(sid: str, *args: Any) -> Any:
        return args

    @sio.event
    async def join(sid: str, room: str, name: str) -> None:
        names[sid] = name
        await sio.enter_room(sid, room)

    @sio.event
    async def say(sid: str, room: str, text: str) -> None:
        assert text == f"{names[sid]} é€😀"
        await sio.emit("said", text, to=room)

    @sio.event
    async def show(sid: str, room: str, name: str, data: Any) -> None:
        assert data == {"deep": [name.encode()]}
        await sio.emit("shown", (name, data), to=room)

    @sio.event
    async def tell(sid: str, name: str, text: str) -> None:
        await sio.emit("single", text, to=next(sid for sid, known in names.items() if known == name))

    @sio.on("tell others")
    async def tell_others(sid: str, text: str) -> None:
        await sio.emit("others", text, skip_sid=sid)

    @sio.on("call me")
    async def call_me(sid: str) -> Any:
        return await sio.call("question", "who", to=sid, timeout=10)

    @sio.on("show me")
    async def show_me(sid: str) -> Any:
        return await sio.call("picture", b"\x00\xff", to=sid, timeout=10)

    @sio.on("call all")
    async def call_all(sid: str, room: str) -> Any:
        answers = await sio.call("question", "all", to=room, timeout=10)
        return {names[sid]: answer for sid, answer in answers.items()}

    @sio.event
    async def transport(sid: str) -> str:
        return sio.transport(sid)

    @sio.event
    async def kick(sid: str) -> None:
        await sio.disconnect(sid)

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        gone.append((names[sid], reason))

    async with listening(sio):
        yield sio.port


@pytest.mark.parametrize("mode", ["polling", "websocket", "upgrade"])
def test_six_versions_in_one_room_hear_each_other_and_are_treated_alike(mode: str, run: Callable[..., Any]) -> None:
    gone: list[tuple[str, str]] = []

    async def main() -> None:
        async with house(gone) as port:
            said = json.loads(await run_node("six_versions.cjs", f"http://127.0.0.1:{port}", mode))
        for index, name in enumerate(VERSIONS):
            heard = said["heard"][name]
            assert heard["said"] == [[f"{other} é€😀"] for other in VERSIONS], name
            # Socket.IO 0.9 has no bytes: it hears base64.
            raw = (lambda data: base64.b64encode(data).decode()) if name == OLD else (lambda data: {"hex": data.hex()})
            assert heard["shown"] == [[other, {"deep": [raw(other.encode())]}] for other in NEWER], name
            assert heard["single"] == [[f"from {VERSIONS[index - 1]}"]], name
            assert heard["others"] == [[other] for other in VERSIONS if other != name], name
            assert heard["echo"] == [1, None, {"three": ["é€😀"]}], name
            assert heard["called"] == f"who {name} é€😀"
            assert heard["transport"] == ("polling" if mode == "polling" else "websocket")
            assert heard.get("picture") == (None if name == OLD else {"again": {"hex": "00ff"}})
            assert heard["gone"] == ("booted" if name == OLD else "io server disconnect")
        assert said["gathered"] == {name: f"all {name} é€😀" for name in VERSIONS}
        assert gone == [(name, "server disconnect") for name in VERSIONS]

    run(main())
