"""One suite over every backplane: what a node says reaches the others, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anywire.server.backplane.base import Backplane
from anywire.server.backplane.memory import Medium, MemoryBackplane
from anywire.server.backplane.redis import RedisBackplane
from redis_tools import RedisServer

BACKPLANES = ["memory", "redis"]
Node = tuple[Backplane, list[tuple[str, bytes]]]


@asynccontextmanager
async def nodes(kind: str, count: int) -> AsyncIterator[list[Node]]:
    """That many started nodes on one medium, each with what it has received."""
    redis = RedisServer() if kind == "redis" else None
    if redis is not None:
        redis.start()
    medium, made = Medium(), []
    try:
        for number in range(count):
            plane: Backplane = RedisBackplane(redis.url) if redis is not None else MemoryBackplane(medium)
            received: list[tuple[str, bytes]] = []
            await plane.start(f"node000{number}", lambda node, data, received=received: received.append((node, data)))  # type: ignore[misc]
            made.append((plane, received))
        # A busy machine may take longer than start() waits.
        await until(lambda: all(plane.status.connected for plane, _ in made))
        yield made
    finally:
        for plane, _ in made:
            await plane.stop()
        if redis is not None:
            redis.__exit__(None, None, None)


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", BACKPLANES)
def test_what_is_published_reaches_all_others_once_and_in_order(kind: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with nodes(kind, 3) as (a, b, c):
            for number in range(200):
                a[0].publish(b"%d" % number)
            await until(lambda: len(b[1]) >= 200 and len(c[1]) >= 200)
            expected = [("node0000", b"%d" % number) for number in range(200)]
            assert b[1] == expected and c[1] == expected and a[1] == []

    run(main())


@pytest.mark.parametrize("kind", BACKPLANES)
def test_what_is_sent_reaches_one_and_says_whether_it_did(kind: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with nodes(kind, 3) as (a, b, c):
            assert await a[0].send("node0001", b"\x00\xffbinary") is True
            assert await a[0].send("nowhere0", b"x") is False
            await until(lambda: b[1])
            assert b[1] == [("node0000", b"\x00\xffbinary")] and c[1] == []

    run(main())


@pytest.mark.parametrize("kind", BACKPLANES)
def test_who_is_there_can_be_asked_and_who_left_is_not(kind: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with nodes(kind, 2) as (a, b):
            assert await a[0].nodes() == 2
            assert await a[0].alive("node0001") and not await a[0].alive("nowhere0")
            await b[0].stop()
            assert await a[0].nodes() == 1 and not await a[0].alive("node0001")

    run(main())


@pytest.mark.parametrize("kind", BACKPLANES)
def test_a_message_of_a_megabyte_arrives_whole(kind: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with nodes(kind, 2) as (a, b):
            a[0].publish(bytes(range(256)) * 4096)
            await until(lambda: b[1])
            assert b[1][0][1] == bytes(range(256)) * 4096

    run(main())


def test_redis_away_and_back_is_survived_and_said(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            a, b = RedisBackplane(redis.url), RedisBackplane(redis.url)
            received: list[bytes] = []
            await a.start("node0000", lambda node, data: None)
            await b.start("node0001", lambda node, data: received.append(data))
            await until(lambda: a.status.connected and b.status.connected)
            redis.stop()
            await until(lambda: not a.status.connected and not b.status.connected)
            redis.start()
            await until(lambda: a.status.connected and b.status.connected, 20)
            a.publish(b"after")
            await until(lambda: b"after" in received)
            await a.stop()
            await b.stop()

    run(main())
    assert "is away" in caplog.text and "local traffic goes on" in caplog.text


def test_a_frozen_redis_is_noticed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            plane = RedisBackplane(redis.url, watch=0.2)
            await plane.start("node0000", lambda node, data: None)
            await until(lambda: plane.status.connected)
            await asyncio.sleep(1)
            assert plane.status.connected
            redis.freeze()
            await until(lambda: not plane.status.connected, 5)
            redis.thaw()
            await until(lambda: plane.status.connected, 15)
            await plane.stop()

    run(main())


def test_a_server_starts_without_redis_and_joins_when_it_comes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        redis = RedisServer()
        plane = RedisBackplane(redis.url)
        await plane.start("node0000", lambda node, data: None)
        assert not plane.status.connected
        with redis:
            await until(lambda: plane.status.connected)
            await plane.stop()

    run(main())


def test_foreign_messages_and_failing_receivers_stop_nothing(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    import redis.asyncio

    async def main() -> None:
        with RedisServer() as server:
            received: list[bytes] = []

            def take(node: str, data: bytes) -> None:
                received.append(data)
                if data == b"bad":
                    raise KeyError("receiver")

            a, b = RedisBackplane(server.url), RedisBackplane(server.url)
            await a.start("node0000", lambda node, data: None)
            await b.start("node0001", take)
            await until(lambda: a.status.connected and b.status.connected)
            stranger = redis.asyncio.Redis.from_url(server.url)
            for message in (b"", b"short", b"\xff" * 40):
                await stranger.publish("anywire:all", message)
            await stranger.aclose()
            a.publish(b"bad")
            a.publish(b"good")
            await until(lambda: b"good" in received)
            await a.stop()
            await b.stop()

    run(main())
    assert "a message from node0000 failed" in caplog.text


def test_a_password_is_never_shown() -> None:
    plane = RedisBackplane("redis://user:secret@127.0.0.1:6379/0")
    assert "secret" not in repr(plane) and "user:***@127.0.0.1:6379" in repr(plane)
