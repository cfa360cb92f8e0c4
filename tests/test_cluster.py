"""Two servers on one Redis act as one: emits, rooms, single clients, acknowledgements, over every transport."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import anywire
import pytest
import socketio
from redis_tools import RedisServer


@asynccontextmanager
async def two(url: str) -> AsyncIterator[tuple[anywire.Server, anywire.Server]]:
    servers = []
    for _ in range(2):
        sio = anywire.Server(store=url)

        @sio.event
        async def connect(sid: str, environ: Any, auth: Any) -> None:
            pass

        await sio.start()
        sio.listen(0, "127.0.0.1")
        servers.append(sio)
    # A busy machine may take longer than start() waits.
    await until(lambda: all(sio._cluster.backplane.status.connected for sio in servers))
    try:
        yield servers[0], servers[1]
    finally:
        for sio in servers:
            await sio.shutdown(0)


@asynccontextmanager
async def client(sio: anywire.Server, transport: str = "websocket") -> AsyncIterator[tuple[Any, list[Any]]]:
    """A connected client and what it has heard."""
    heard: list[Any] = []
    made = socketio.AsyncClient(reconnection=False)
    made.on("*", lambda event, *args: heard.append((event, *args)))
    made.on("question", lambda text: text + "!")
    await made.connect(f"http://127.0.0.1:{sio.port}", transports=[transport])
    try:
        yield made, heard
    finally:
        await made.disconnect()


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_emits_reach_the_clients_of_the_other_process(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            async with two(redis.url) as (one, other), client(one, transport) as (_a, heard_a), client(other, transport) as (b, heard_b):
                await one.emit("all", (1, b"\x00\xff", {"deep": [b"x"]}))
                await one.enter_room(b.get_sid(), "red")
                await one.emit("red", 2, to="red")
                await one.emit("single", 3, to=b.get_sid())
                await one.emit("skipped", 4, skip_sid=b.get_sid())
                await one.leave_room(b.get_sid(), "red")
                await one.emit("red", "nobody", to="red")
                await one.emit("last")
                await until(lambda: heard_b and heard_b[-1] == ("last",))
                assert heard_b == [("all", 1, b"\x00\xff", {"deep": [b"x"]}), ("red", 2), ("single", 3), ("last",)]
                await until(lambda: heard_a and heard_a[-1] == ("last",))
                assert heard_a == [("all", 1, b"\x00\xff", {"deep": [b"x"]}), ("skipped", 4), ("last",)]

    run(main())


def test_what_clients_get_does_not_depend_on_their_process_and_what_cannot_travel_reaches_nobody(run: Callable[..., Any]) -> None:
    values = [{1: "x", None: "y", 2.5: {True: "z"}}, datetime(2012, 3, 4, 5, 6), UUID(int=7), (1, (2, b"\x00")), float("nan"), 2**64 - 1]

    async def main() -> None:
        with RedisServer() as redis:
            async with two(redis.url) as (one, other), client(one) as (_, near), client(other) as (_, far):
                await one.emit("values", tuple(values))
                for wrong in (object(), {1, 2}, 2**70, b"x" * 40_000_000):
                    with pytest.raises(anywire.PayloadError):
                        one.emit("wrong", wrong)
                await one.emit("last")
                await until(lambda: near[-1:] == far[-1:] == [("last",)])
                keys = {"1": "x", "null": "y", "2.5": {"true": "z"}}
                said = ("values", keys, "2012-03-04T05:06:00", str(UUID(int=7)), [1, [2, b"\x00"]], None, 2**64 - 1)
                assert near == far == [said, ("last",)]

    run(main())


def test_acknowledgements_come_back_from_the_other_process(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            async with two(redis.url) as (one, other), client(one) as (a, _), client(other) as (b, _):
                assert await one.call("question", "how", to=b.get_sid(), timeout=5) == "how!"
                await one.enter_room(a.get_sid(), "all")
                await asyncio.create_task(one.enter_room(b.get_sid(), "all"))
                answers = await one.call("question", "who", to="all", timeout=5)
                assert answers == {a.get_sid(): "who!", b.get_sid(): "who!"}
                heard: list[str] = []
                await one.emit("question", "cb", to=b.get_sid(), callback=heard.append)
                await until(lambda: heard == ["cb!"])
                async with client(other) as (silent, _):

                    @silent.event
                    async def question(text: str) -> None:
                        await asyncio.sleep(30)

                    # Who does not answer holds up nobody else's.
                    await one.emit("question", "all", callback=heard.append)
                    await until(lambda: heard[1:] == ["all!", "all!"])

    run(main())


def test_clients_of_the_other_process_can_be_listed_moved_and_disconnected(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            async with two(redis.url) as (one, other), client(one) as (a, _), client(other) as (b, _):
                await other.save_session(b.get_sid(), {"name": "bee"})
                await one.sockets_join("everyone")
                found = {socket.sid: socket for socket in await one.fetch_sockets(to="everyone")}
                assert set(found) == {a.get_sid(), b.get_sid()}
                assert found[b.get_sid()].data == {"name": "bee"} and found[b.get_sid()].transport == "websocket"
                assert "everyone" in found[b.get_sid()].rooms
                await one.close_room("everyone")
                assert await one.fetch_sockets(to="everyone") == []
                await one.disconnect(b.get_sid())
                await until(lambda: not b.connected)
                assert a.connected

    run(main())


def test_local_traffic_goes_on_while_redis_is_away_and_the_rest_when_it_is_back(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            async with two(redis.url) as (one, other), client(one) as (_, heard_a), client(other) as (_, heard_b):
                redis.stop()
                await one.emit("local", 1)
                await until(lambda: ("local", 1) in heard_a, 2)
                # Or they would be taken for connected before they have noticed.
                await until(lambda: not any(sio._cluster.backplane.status.connected for sio in (one, other)))
                redis.start()
                await until(lambda: all(sio._cluster.backplane.status.connected for sio in (one, other)), 20)
                await one.emit("again", 2)
                await until(lambda: ("again", 2) in heard_b, 15)

    run(main())


APP = """
import anywire
sio = anywire.Server()

@sio.event
async def shout(sid, text):
    await sio.emit("heard", text)
"""


def test_two_processes_started_by_the_command_are_one_server_and_end_with_exit_code_0(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "app.py").write_text(APP)

    async def start(url: str) -> tuple[asyncio.subprocess.Process, int]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "anywire", "serve", "app:sio", "--port", "0", "--store", url,
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        return process, int(line.rpartition(":")[2].partition("/")[0])

    async def main() -> None:
        with RedisServer() as redis:
            first, first_port = await start(redis.url)
            second, second_port = await start(redis.url)
            try:
                heard: list[str] = []
                a, b = socketio.AsyncClient(reconnection=False), socketio.AsyncClient(reconnection=False)
                b.on("heard", heard.append)
                await a.connect(f"http://127.0.0.1:{first_port}", transports=["websocket"])
                await b.connect(f"http://127.0.0.1:{second_port}", transports=["polling"])
                await a.emit("shout", "across")
                await until(lambda: heard == ["across"])
                first.send_signal(signal.SIGINT)
                second.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(first.wait(), 15) == 0
                assert await asyncio.wait_for(second.wait(), 15) == 0
                await a.disconnect()
                await b.disconnect()
            finally:
                for process in (first, second):
                    if process.returncode is None:
                        process.kill()
                        await process.wait()

    run(main())
