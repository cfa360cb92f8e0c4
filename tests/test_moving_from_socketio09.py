"""docs/moving-from-socketio-0.9.md: its old programs on socket.io 0.9.19, the new ones here, and a client of 0.9.16 that hears the same."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anywire.server.config import settings_table
from driver09 import Driver
from node_tools import node_server
from test_docs import ROOT, blocks, load

NAME = "docs/moving-from-socketio-0.9.md"
PAGE = ROOT / NAME
EVENTS = ["welcome", "told", "news", "tick", "shouted", "heard", "question"]


@asynccontextmanager
async def original() -> AsyncIterator[list[int]]:
    """The page's old programs; the ports of the main server and of the guarded one."""
    async with node_server("page09.cjs", "\n".join(blocks(PAGE, "javascript"))) as ports:
        yield ports


@asynccontextmanager
async def ours() -> AsyncIterator[list[int]]:
    """The page's new programs."""
    page = load(NAME)
    servers = [page["sio"], page["guarded"]]
    for sio in servers:
        await sio.start()
        sio.listen(0, "127.0.0.1")
    try:
        yield [sio.port for sio in servers]
    finally:
        for sio in servers:
            await sio.shutdown(0)


async def talk(port: int, transport: str) -> dict[str, Any]:
    """What two clients hear of every step of the page."""
    said: dict[str, Any] = {}
    async with (
        Driver(port, transport, query="badge=7", events=EVENTS, answer=4) as a,
        Driver(port, transport, events=EVENTS, answer=5) as b,
    ):
        said["welcome"] = [await client.hears("welcome") for client in (a, b)]
        said["add"] = await a.ask("add", 2, 3)
        a.do("send", "", "hello")
        said["messages"] = [await a.hears("message", times=times) for times in (1, 2)]
        a.do("emit", "", "tell", "x")
        said["told"] = [await b.hears("told"), await b.hears("news"), await a.hears("news"), a.count("told")]
        if transport == "websocket":
            # A poll may be on its way just then.
            assert await a.hears("tick") == [1]
        said["enter"] = [await a.ask("enter", "red"), await b.ask("enter", "red")]
        a.do("emit", "", "shout", "red", "loud")
        said["shouted"] = [await a.hears("shouted"), await b.hears("shouted"), await b.hears("heard"), a.count("heard")]
        said["go"] = await b.ask("go", "red")
        said["left"] = await a.ask("enter", "red")
        for client in (a, b):
            client.do("of", "/staff")
        await a.hears("connect", "/staff")
        said["staff"] = [await a.ask("where", namespace="/staff"), await b.hears("connect_failed", "/staff")]
        said["quiz"] = [await a.ask("quiz"), await a.hears("question"), await b.ask("quiz")]
        said["login"] = [await a.ask("login", "ann"), await a.ask("whoami")]
        a.do("disconnect")
        said["disconnect"] = await a.hears("disconnect")
    return said


async def knock(port: int) -> list[Any]:
    """What the guarded server tells."""
    said = []
    for token in ("bad", "broken", "good"):
        async with Driver(port, "xhr-polling", query=f"token={token}") as client:
            said.append(await client.hears("connect" if token == "good" else "error"))
            client.do("state")
            said.append((await client.hears("state"))[0]["connecting"])
    return said


HEARD = {
    "welcome": [[{"to": "you"}]] * 2,
    "add": [5],
    "messages": [["you said hello"], [{"said": "hello"}]],
    "told": [["x"], ["x"], ["x"], 0],
    "enter": [[1], [2]],
    "shouted": [["loud"], ["loud"], ["loud"], 0],
    "go": [],
    "left": [1],
    "staff": [["staff"], ["unauthorized"]],
    "quiz": [[True], ["2 + 2"], [False]],
    "login": [[], ["ann"]],
    "disconnect": ["booted"],
}


@pytest.mark.parametrize("transport", ["websocket", "xhr-polling"])
@pytest.mark.parametrize("server", [original, ours])
def test_the_old_and_the_new_programs_say_the_same(server: Any, transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with server() as (port, guarded):
            assert await talk(port, transport) == HEARD
            # 403 is for ever; 500 is not.
            assert await knock(guarded) == [["handshake unauthorized"], True, ["handshake error"], False, [], False]

    run(main())


def test_the_settings_of_the_table_are_settings() -> None:
    names = {row.name for row in settings_table()}
    rows = re.findall(r"^\| (`.*?) \| (?:`(\w+)`)? \| ", PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 10 and {name for _, name in rows if name} <= names
    page = load(NAME)
    assert page["tuned"].config.transports == ("websocket", "polling") and page["many"].config.store.startswith("redis://")
