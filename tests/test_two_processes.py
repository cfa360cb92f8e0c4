"""Two processes by the command on one Redis, over every transport: what one is asked to do reaches the clients of the other."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis_tools import RedisServer
from server_tools import TRANSPORTS, Peer

#: What a client may ask its process to do for others, as commands: ["emit", "name", [args...], {options}].
APP = """
import anywire

sio = anywire.Server()


@sio.event
async def do(sid, method, arguments, options):
    try:
        result = getattr(sio, method)(*arguments, **options)
        result = await result if hasattr(result, "__await__") else result
    except anywire.AnywireError as error:
        return {"error": type(error).__name__}
    return {"result": [[s.sid, sorted(s.rooms), s.transport] for s in result] if method == "fetch_sockets" else result}


@sio.event
async def know(sid):
    return sio._cluster.backplane.status.connected


@sio.event
async def disconnect(sid, reason):
    await sio.emit("left", [sid, reason])
"""


class Process:
    """``anywire serve`` of :data:`APP`, on a free port."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._url = folder, url

    async def __aenter__(self) -> Process:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "anywire", "serve", "app:sio", "--port", "0", "--store", self._url,
            cwd=self._folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = (await asyncio.wait_for(self.process.stdout.readline(), 20)).decode()
        self.port = int(line.rpartition(":")[2].partition("/")[0])
        return self

    async def __aexit__(self, *error: object) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        _, self.log = await asyncio.wait_for(self.process.communicate(), 15)


class Caller(Peer):
    """A peer that sends events and waits for answers; other packets that come meanwhile are in ``heard``."""

    def __init__(self, port: int, transport: str) -> None:
        super().__init__(port, transport)
        self.heard: list[Any] = []
        self._id = 0
        self.left = False

    async def __aenter__(self) -> Caller:
        await super().__aenter__()
        self.id = json.loads((await self.connect())[2:])["sid"]
        # A busy machine may take longer to reach Redis than the start waits.
        while not await self.ask("know"):
            await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *error: object) -> None:
        if not error[0]:
            # Who says that it leaves keeps no process waiting.
            await self.send("1")
        await super().__aexit__(*error)

    async def next(self) -> Any:
        """The next packet: an event as a list, an answer as (id, value); heartbeats are answered, questions too."""
        while True:
            said = await self.receive()
            if said == "2":
                await self.send("3")
            elif said == "41":
                self.left = True
                return None
            elif said.startswith("43"):
                number, _, value = said[2:].partition("[")
                return int(number), json.loads("[" + value)
            else:
                number, _, value = said[2:].partition("[")
                event = json.loads("[" + value)
                if number:
                    await self.send(f"43{number}{json.dumps([event[1] + '!', self.transport])}")
                return event

    async def ask(self, event: str, *args: Any) -> Any:
        self._id += 1
        await self.send(f"42{self._id}{json.dumps([event, *args])}")
        while True:
            said = await self.next()
            if isinstance(said, tuple):
                assert said[0] == self._id
                return said[1][0] if said[1] else None
            self.heard.append(said)

    async def do(self, method: str, *args: Any, **options: Any) -> Any:
        answer = await self.ask("do", method, args, options)
        return answer["result"] if "result" in answer else answer["error"]

    async def until(self, event: list[Any]) -> list[Any]:
        """What was heard, up to and with ``event``."""
        async with asyncio.timeout(10):
            while event not in self.heard:
                said = await self.next()
                if said is None:
                    break
                self.heard.append(said)
        heard, self.heard = self.heard, []
        return heard


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[tuple[Process, Process, RedisServer]]:
    (folder / "app.py").write_text(APP)
    with RedisServer() as redis:
        async with Process(folder, redis.url) as one, Process(folder, redis.url) as two:
            yield one, two, redis


async def converse(a: Caller, b: Caller) -> None:
    """``a`` has all the cluster's operations done to ``b``, and ``b`` ends disconnected."""
    # Broadcast, and single targets.
    await a.do("emit", "all", ["x", {"y": None}])
    assert await b.until(["all", ["x", {"y": None}]]) == [["all", ["x", {"y": None}]]]
    await a.do("emit", "single", 1, to=b.id)
    await a.do("emit", "skipped", 2, skip_sid=b.id)
    await a.do("emit", "mark", 3)
    assert await b.until(["mark", 3]) == [["single", 1], ["mark", 3]]
    assert await a.until(["mark", 3]) == [["all", ["x", {"y": None}]], ["skipped", 2], ["mark", 3]]

    # Rooms: a foreign client enters and leaves.
    await a.do("enter_room", b.id, "red")
    await b.do("enter_room", a.id, "red")
    # The answer comes from a's process, behind what it was asked before.
    known = sorted(await b.do("fetch_sockets", "red"))
    assert known == sorted([[peer.id, sorted([peer.id, "red"]), a.transport] for peer in (a, b)])
    await a.do("emit", "red", 4, room="red")
    assert await b.until(["red", 4]) == [["red", 4]] and await a.until(["red", 4]) == [["red", 4]]

    # Acknowledgements: one foreign client, then a whole room on both.
    listening = asyncio.ensure_future(b.until(["enough"]))
    assert await a.do("call", "question", "how", b.id, timeout=10) == ["how!", a.transport]
    assert await a.do("call", "question", "all", "red", timeout=10) == {peer.id: ["all!", a.transport] for peer in (a, b)}
    await a.do("emit", "enough")
    assert await listening == [["question", "how"], ["question", "all"], ["enough"]]
    assert await a.until(["enough"]) == [["question", "all"], ["enough"]]

    # A foreign client leaves a room, a room is closed, a foreign client is disconnected: its own process says so to all.
    await a.do("leave_room", b.id, "red")
    await a.do("emit", "red", 5, room="red", skip_room="blue")
    await a.do("close_room", "red")
    await b.do("emit", "red", 6, room="red")
    await a.do("emit", "mark", 7)
    assert await b.until(["mark", 7]) == [["mark", 7]]
    assert await a.until(["mark", 7]) == [["red", 5], ["mark", 7]]
    await a.do("disconnect", b.id)
    assert await b.until(["never"]) == [] and b.left
    assert await a.until(["left", [b.id, "server disconnect"]]) == [["left", [b.id, "server disconnect"]]]
    assert await a.do("call", "question", "gone", b.id, timeout=5) in ("BadNamespaceError", "TimeoutError")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_two_processes_are_one_server(transport: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with pair(tmp_path) as (one, two, _), Caller(one.port, transport) as a, Caller(two.port, transport) as b:
            await converse(a, b)

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_redis_stops_and_starts_in_between_and_nobody_is_disconnected(transport: str, tmp_path: Path, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with pair(tmp_path) as (one, two, redis), Caller(one.port, transport) as a, Caller(two.port, transport) as b:
            await a.do("emit", "before", 0)
            assert await b.until(["before", 0]) == await a.until(["before", 0])
            redis.stop()
            while await a.ask("know") or await b.ask("know"):
                await asyncio.sleep(0.02)
            await a.do("enter_room", a.id, "blue")
            await a.do("emit", "local", 1, room="blue")
            assert await a.until(["local", 1]) == [["local", 1]]
            assert await a.do("call", "question", "nobody", b.id, timeout=0.1) == "TimeoutError"
            redis.start()
            while not (await a.ask("know") and await b.ask("know")):
                await asyncio.sleep(0.02)
            # The question that waited arrives late or, when b's process came back last, not at all; in no case twice.
            await a.do("emit", "again", 2)
            assert await b.until(["again", 2]) in ([["question", "nobody"], ["again", 2]], [["again", 2]])
            assert await a.until(["again", 2]) == [["again", 2]]
            await a.do("leave_room", a.id, "blue")
            await converse(a, b)
        for process in (one, two):
            said = process.log.decode()
            assert "is away" in said and "local traffic goes on" in said and said.count("connected to Redis") == 2, said
            assert process.process.returncode == 0

    run(main())
