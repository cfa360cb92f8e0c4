"""Redis at its worst: replies that are lost, servers that freeze or refuse, strangers on the channel, passwords that must not be told."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
import redis.asyncio
from anywire.server import cluster
from anywire.server.backplane.redis import RedisBackplane, redact
from anywire.server.envelope import pack
from api_tools import client, until
from redis_tools import RedisServer, free_port


class Wire:
    """A way to Redis on which answers to PUBLISH can be lost: they are executed, and the connection ends before it is said."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.swallow = self._losing = False
        self.published = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        answers = asyncio.ensure_future(self._pump(there, writer))
        try:
            while data := await reader.read(65536):
                self.published += data.count(b"PUBLISH")
                self._losing = b"PUBLISH" in data and self.swallow
                back.write(data)
        finally:
            answers.cancel()
            back.close()
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._losing:
                self.swallow = self._losing = False
                break
            writer.write(data)
        writer.close()


def test_what_was_published_before_its_answer_was_lost_is_delivered_once_and_in_order(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            wire = Wire(server.port)
            async with wire.open() as url:
                a, b = RedisBackplane(url), RedisBackplane(server.url)
                received: list[bytes] = []
                await a.start("node0000", lambda node, data: None)
                await b.start("node0001", lambda node, data: received.append(data))
                await until(lambda: a.status.connected and b.status.connected)
                for number in range(20):
                    wire.swallow = number % 4 == 0
                    a.publish(b"all %d" % number)
                    assert await a.send("node0001", b"one %d" % number) is True
                await until(lambda: len(received) >= 40)
                assert wire.published > 40
                assert [said for said in received if said.startswith(b"all")] == [b"all %d" % number for number in range(20)]
                assert [said for said in received if said.startswith(b"one")] == [b"one %d" % number for number in range(20)]
                await a.stop()
                await b.stop()

    run(main())


@asynccontextmanager
async def servers(url: str, count: int = 2) -> AsyncIterator[list[anywire.Server]]:
    started: list[anywire.Server] = []
    try:
        for _ in range(count):
            sio = anywire.Server(store=url)
            sio.on("mark", lambda sid: None)
            await sio.start()
            sio.listen(0, "127.0.0.1")
            started.append(sio)
        # A busy machine may take longer than start() waits.
        await until(lambda: all(sio._cluster.backplane.status.connected for sio in started))
        yield started
    finally:
        for sio in started:
            await sio.shutdown(0)


def test_nothing_waits_longer_for_a_foreign_client_than_it_says_while_redis_is_away(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ANSWER_TIMEOUT", 0.3)

    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url) as (one, other), client(other) as far, client(one) as near:
                server.stop()
                await until(lambda: not one._cluster.backplane.status.connected)
                async with asyncio.timeout(3):
                    with pytest.raises(anywire.TimeoutError, match=r"no acknowledgement of 'question' within 0\.2 seconds"):
                        await one.call("question", "?", to=far.id, timeout=0.2)
                    await one.enter_room(far.id, "red")
                    await one.leave_room(far.id, "red")
                    await one.disconnect(far.id)
                    await one.emit("hello", to=far.id)
                    near.on("question", lambda text: text + "!")
                    assert await one.call("question", "all", to=near.id, timeout=1) == "all!"
                    await one.enter_room(near.id, "red")
                    assert await one.call("question", "room", to="red", timeout=1) == {near.id: "room!"}
                    assert [socket.sid for socket in await one.fetch_sockets(to="red")] == [near.id]

    run(main())


def test_local_clients_are_asked_at_once_while_redis_is_frozen(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url) as (one, _), client(one) as near:
                asked = asyncio.Event()
                near.on("question", lambda: asked.set())
                server.freeze()
                calling = asyncio.ensure_future(one.call("question", to="red", timeout=0.5))
                await one.enter_room(near.id, "red")
                calling.cancel()
                calling = asyncio.ensure_future(one.call("question", to="red", timeout=0.5))
                heard: list[Any] = []
                await one.emit("question", to="red", callback=lambda *answer: heard.append(answer))
                await asyncio.wait_for(asked.wait(), 0.4)
                await until(lambda: heard == [()], 0.4)
                # The other process may have clients in the room: nobody can know, so the time runs out.
                with pytest.raises(anywire.TimeoutError) as error:
                    await asyncio.wait_for(calling, 2)
                assert error.value.responses == {near.id: None}
                server.thaw()

    run(main())


HOSTILE = [
    b"",
    b"short",
    b"\xff" * 40,
    b"node9999" + struct.pack(">Q", 1) + b"\x80\x04\x95cposix\nsystem\n",
    b"node9999" + struct.pack(">Q", 2) + b"\x01" + b"\x91" * 5000,
    b"node9999" + struct.pack(">Q", 3) + b"\x02" + pack("close_room", "node9999", 1, {"namespace": "/", "room": "x"})[1:],
    b"node9999" + struct.pack(">Q", 4) + pack("fetch", "no such node", 1, {"id": "x", "namespace": "/", "rooms": None, "skip_sids": []}),
    b"node9999" + struct.pack(">Q", 5) + pack("ack_count", "node9999", 1, {"id": "unknown", "count": -5}),
    b"node9999" + struct.pack(">Q", 6) + pack("sockets", "node9999", 1, {"id": "unknown", "sockets": [None, 5]}),
]


def emitted(number: int, event: Any, args: list[Any], timeout: float | None = None) -> bytes:
    body = {"namespace": "/", "event": event, "args": args, "rooms": None, "skip_sids": [], "skip_rooms": [], "volatile": False,
            "ack": None if timeout is None else "x", "timeout": timeout}  # fmt: skip
    return b"node9999" + struct.pack(">Q", number) + pack("emit", "node9999", number, body)


HOSTILE += [
    emitted(8, "connect", []),
    emitted(9, "asked", [], float("nan")),
    emitted(10, "asked", [], float("inf")),
    emitted(11, "asked", [], -1e300),
]


def test_strangers_on_the_channel_are_dropped_and_the_next_message_is_heard(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url) as (one, other), client(other) as far:
                stranger = redis.asyncio.Redis.from_url(server.url)
                for channel in ("anywire:all", f"anywire:node:{other._hub.node}"):
                    for message in HOSTILE:
                        await stranger.publish(channel, message)
                await one.emit("good", 1)
                await one.enter_room(far.id, "red")
                await one.emit("red", 2, to="red")
                await until(lambda: ("red", 2) in far.heard)
                # Each number and place is an emit like any other, whatever is awaited of it.
                assert far.heard == [("asked",)] * 6 + [("good", 1), ("red", 2)]
                assert other._cluster.backplane.status.connected
                await stranger.aclose()

    run(main())
    assert "not msgpack" in caplog.text and "version 2" in caplog.text


def test_a_forged_number_does_not_silence_the_node_that_it_names(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            a, b = RedisBackplane(server.url), RedisBackplane(server.url)
            received: list[bytes] = []
            await a.start("node0000", lambda node, data: None)
            await b.start("node0001", lambda node, data: received.append(data))
            await until(lambda: a.status.connected and b.status.connected)
            a.publish(b"first")
            await until(lambda: received == [b"first"])
            stranger = redis.asyncio.Redis.from_url(server.url)
            await stranger.publish("anywire:all", b"node0000" + b"\xff" * 8 + b"forged")
            await stranger.aclose()
            a.publish(b"second")
            await until(lambda: b"second" in received)
            await a.stop()
            await b.stop()
            assert received == [b"first", b"forged", b"second"]

    run(main())


PASSWORD = "s3cret-pa55"


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}@127.0.0.1:6379/0",
        f"redis://user:{PASSWORD}@127.0.0.1:6379/0",
        f"rediss://user:{PASSWORD}@redis.example/0?ssl_cert_reqs=none",
        f"redis://127.0.0.1:6379/0?password={PASSWORD}&username=user",
        f"redis://127.0.0.1:6379/0?PASSWORD={PASSWORD}",
        f"unix://user:{PASSWORD}@/tmp/redis.sock",
        f"redis://127.0.0.1:6379/0?ssl_password={PASSWORD}",
    ],
)
def test_a_password_is_shown_by_nothing(url: str) -> None:
    assert PASSWORD not in redact(url) and "***" in redact(url)
    assert PASSWORD not in repr(anywire.Config(store=url, cookie_secret=PASSWORD))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://:{PASSWORD}@127.0.0.1:port/0", "its port is no number"),
        (f"redis://:{PASSWORD}/1@127.0.0.1/0", "its port is no number"),
        (f"redis://:{PASSWORD}@127.0.0.1/0?socket_timeot=5", "socket_timeot"),
        (f"redis://:{PASSWORD}@127.0.0.1/0?socket_timeout=soon", "socket_timeout"),
        (f"redis://:{PASSWORD}@127.0.0.1/0?prefix=", "prefix is empty"),
        (f"redis://:{PASSWORD}@127.0.0.1/0?decode_responses=true", "decode_responses cannot be chosen"),
    ],
)
def test_a_redis_url_that_cannot_work_is_refused_at_once_and_without_its_password(url: str, said: str) -> None:
    with pytest.raises(anywire.ConfigError) as error:
        anywire.Server(store=url)
    assert said in str(error.value) and PASSWORD not in str(error.value)
    assert error.value.__context__ is None or error.value.__suppress_context__


def test_a_wrong_password_and_an_outage_are_logged_without_it_and_the_right_one_serves(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with RedisServer("--requirepass", PASSWORD) as server:
            wrong = RedisBackplane(server.url.replace("redis://", f"redis://:{PASSWORD}-wrong@"))
            right = RedisBackplane(server.url.replace("redis://", f"redis://:{PASSWORD}@"))
            received: list[bytes] = []
            await wrong.start("node0000", lambda node, data: received.append(data))
            await right.start("node0001", lambda node, data: None)
            await until(lambda: right.status.connected)
            assert not wrong.status.connected
            right.publish(b"x")
            wrong.publish(b"y")
            await right.flush()
            server.stop()
            await until(lambda: not right.status.connected)
            server.start()
            await until(lambda: right.status.connected, 20)
            await wrong.stop()
            await right.stop()
            assert received == []

    with caplog.at_level(logging.DEBUG, "anywire"):
        run(main())
    assert PASSWORD not in caplog.text
    assert "is away" in caplog.text and "connected to Redis" in caplog.text and "fails (AuthenticationError)" in caplog.text


def test_the_pauses_between_attempts_are_by_chance_grow_to_their_limit_and_never_end(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        drawn.append((low, high))
        return 0.001

    async def main() -> None:
        plane = RedisBackplane(f"redis://127.0.0.1:{free_port()}/0")
        await plane.start("node0000", lambda node, data: None)
        await until(lambda: len(drawn) > 30)
        await plane.stop()

    monkeypatch.setattr("anywire.server.backplane.redis.random.uniform", uniform)
    run(main())
    assert drawn[:8] == [(0, 0.05), (0, 0.1), (0, 0.2), (0, 0.4), (0, 0.8), (0, 1.6), (0, 2.0), (0, 2.0)]
    assert set(drawn[8:]) == {(0, 2.0)}
    assert caplog.text.count("does not answer; serving this process alone") == 1


def test_an_application_that_nobody_started_joins_the_others_when_it_is_used(run: Callable[..., Any]) -> None:
    """As in python-socketio, which has no start()."""

    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url, 1) as (one,):
                lazy = anywire.Server(store=server.url)
                lazy.on("mark", lambda sid: None)
                lazy.listen(0, "127.0.0.1")
                async with client(lazy) as far:
                    await until(lambda: lazy._cluster.backplane.status.connected)
                    await one.emit("across", 1)
                    await until(lambda: far.heard == [("across", 1)])
                await lazy.shutdown(0)

    run(main())




def test_a_process_without_clients_emits_and_ends_with_or_without_start(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url, 1) as (one,), client(one) as near:
                for started in (True, False):
                    near.heard.clear()
                    worker = anywire.Server(store=server.url)
                    if started:
                        await worker.start()
                    await worker.emit("job", started)
                    await worker.enter_room(near.id, "done")
                    await worker.emit("room", started, to="done")
                    assert await worker.call("mark?", to=near.id, timeout=5) is None
                    await worker.shutdown(0)
                    await until(lambda: len(near.heard) > 2)
                    assert near.heard == [("job", started), ("room", started), ("mark?",)]

    run(main())


def test_what_is_emitted_after_the_end_goes_nowhere_and_starts_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            worker = anywire.Server(store=server.url)
            await worker.start()
            await worker.shutdown(0)
            tasks = asyncio.all_tasks()
            await worker.emit("late")
            await worker.enter_room("aaaaaaaa-" + "b" * 22, "room")
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == tasks and not worker._cluster.backplane.status.queued

    run(main())


def test_an_emit_to_other_processes_without_a_loop_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        anywire.Server(store="redis://127.0.0.1:1/0").emit("x")


def test_a_subscription_that_redis_cuts_is_made_again_and_said(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with RedisServer() as server:
            a, b = RedisBackplane(server.url), RedisBackplane(server.url)
            received: list[bytes] = []
            await a.start("node0000", lambda node, data: None)
            await b.start("node0001", lambda node, data: received.append(data))
            await until(lambda: a.status.connected and b.status.connected)
            admin = redis.asyncio.Redis.from_url(server.url)
            assert await admin.client_kill_filter(_type="pubsub") == 2
            await until(lambda: "messages may be missing" in caplog.text or "is away" in caplog.text)
            await until(lambda: a.status.connected and b.status.connected)
            async with asyncio.timeout(10):
                while not received:
                    a.publish(b"after")
                    await asyncio.sleep(0.05)
            assert await a.send("node0001", b"one") is True
            await until(lambda: b"one" in received)
            await admin.aclose()
            await a.stop()
            await b.stop()

    run(main())


def test_a_call_to_a_foreign_client_that_leaves_says_so(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url) as (one, other), client(other) as far:
                asked = asyncio.Event()

                async def never() -> None:
                    asked.set()
                    await asyncio.sleep(60)

                far.on("question", never)
                calling = asyncio.ensure_future(one.call("question", to=far.id, timeout=20))
                await asyncio.wait_for(asked.wait(), 10)
                await far.disconnect()
                with pytest.raises(anywire.DisconnectedError, match="disconnected before it acknowledged 'question'"):
                    await asyncio.wait_for(calling, 5)

    run(main())


def test_a_process_has_one_connection_that_publishes_and_one_that_subscribes_whatever_it_asks(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            async with servers(server.url) as (one, other), client(one), client(other):
                asking = [one.fetch_sockets() for _ in range(50)]
                for number in range(200):
                    other.emit("tick", number)
                assert {len(found) for found in await asyncio.gather(*asking)} == {2}
                admin = redis.asyncio.Redis.from_url(server.url)
                clients = await admin.client_list()
                await admin.aclose()
                last = sorted(entry["cmd"] for entry in clients)
                assert len(last) == 5 and last.count("subscribe") == 2 and last.count("client|list") == 1, last

    run(main())


def test_who_is_asked_for_while_it_stops_leaves_no_connection(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as server:
            plane = RedisBackplane(server.url)
            await plane.start("node0000", lambda node, data: None)
            await until(lambda: plane.status.connected)
            server.freeze()
            asking = [asyncio.ensure_future(plane.nodes()), asyncio.ensure_future(plane.alive("node0001"))]
            await asyncio.sleep(0.05)
            await plane.stop()
            server.thaw()
            assert await asyncio.gather(*asking) == [1, False]
            assert await plane.nodes() == 1
            admin = redis.asyncio.Redis.from_url(server.url)
            assert len(await admin.client_list()) == 1
            await admin.aclose()

    run(main())
