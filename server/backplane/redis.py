"""Nodes on one Redis: a connection that publishes and one that subscribes; both come back for ever.

Channels: ``<prefix>:all`` for everyone, ``<prefix>:node:<id>`` for one. A message is ``<8 letters of node id><8 bytes of number><data>``;
the number makes a message that was delivered twice recognisable, and a gap visible.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import re
import time
from collections import deque
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ..errors import ConfigError
from .base import Backplane, BackplaneStatus, OnMessage

__all__ = ["RedisBackplane"]

log = logging.getLogger("anywire.backplane")

#: Messages and bytes that wait while Redis is away; the oldest go first, and are counted.
MAX_QUEUE, MAX_QUEUE_BYTES = 10_000, 32 * 1024 * 1024
#: Seconds: first and longest pause between attempts to connect, each taken by chance up to it.
BACKOFF_FIRST, BACKOFF_LAST = 0.05, 2.0
#: A message may come twice only while its batch is sent again, so a number further behind than this is no repetition: it is the
#: forged one before it that was wrong.
REPEATS = 4096
_HEAD = 16
#: Options of redis-py that are secrets.
_SECRETS = ("password", "secret", "token")
#: Options of redis-py on which the code here relies.
_OURS = {"protocol", "decode_responses", "retry", "retry_on_timeout", "retry_on_error"}
_ERRORS = (RedisError, OSError, asyncio.TimeoutError)


#: What waits to be published: channel, number, data, and who waits to hear whether anyone received it.
_Item = tuple[str, int, bytes, "asyncio.Future[bool] | None"]


class RedisBackplane(Backplane):
    """``url``: redis://, rediss:// or unix://, with redis-py's options in the query, and ``prefix`` (default "anywire") of ours.

    ``watch``: seconds between the messages that a node sends to itself to learn whether Redis still delivers. Raises ConfigError for a
    URL that no server could be reached by.
    """

    def __init__(self, url: str, watch: float = 2.0) -> None:
        self._url, self._prefix = _split_prefix(url)
        _check(self._url)
        self._watch = watch
        self.status = BackplaneStatus(connected=False)
        self._node = ""
        self._on_message: OnMessage = lambda node, data: None
        self._queue: deque[_Item] = deque()
        self._ended = False
        #: One command at a time, so that there is one connection for them.
        self._commanding = asyncio.Lock()
        self._queued_bytes = 0
        self._number = 0
        self._seen: dict[tuple[str, bool], int] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._client: Any = None
        self._heard = 0.0
        self._complained = 0

    def __repr__(self) -> str:
        return f"RedisBackplane({redact(self._url)!r})"

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self, node: str, on_message: OnMessage) -> None:
        self._node, self._on_message = node, on_message
        self._wake, self._idle, self._commanding = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._ended = False
        # What was published before the start goes out now.
        self._client = redis.asyncio.Redis.from_pool(_pool(self._url))
        subscribed = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._read(subscribed), name="anywire-redis-reader"),
            asyncio.create_task(self._write(), name="anywire-redis-writer"),
        ]
        try:
            await asyncio.wait_for(subscribed.wait(), 2.0)
        except TimeoutError:
            log.error("! Redis at %s does not answer; serving this process alone until it does", redact(self._url))

    async def stop(self) -> None:
        if self._tasks:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.flush(), 1.0)
        self._ended = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._fail_queue()
        if self._client is not None:
            await _close(self._client)
            self._client = None

    # -- out --------------------------------------------------------------------------------------------------------

    def publish(self, data: bytes) -> None:
        self._enqueue(f"{self._prefix}:all", data, None)

    def send(self, node: str, data: bytes) -> asyncio.Future[bool]:
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._enqueue(f"{self._prefix}:node:{node}", data, done)
        return done

    def _enqueue(self, channel: str, data: bytes, done: asyncio.Future[bool] | None) -> None:
        if self._ended:
            if done is not None:
                done.set_result(False)
            return
        self._number += 1
        self._queue.append((channel, self._number, data, done))
        self._queued_bytes += len(data)
        while len(self._queue) > MAX_QUEUE or self._queued_bytes > MAX_QUEUE_BYTES:
            self._drop(self._queue.popleft())
        self.status.queued = len(self._queue)
        self._idle.clear()
        self._wake.set()

    def _drop(self, item: _Item) -> None:
        _, _, data, done = item
        self._queued_bytes -= len(data)
        self.status.dropped += 1
        if done is not None and not done.done():
            done.set_result(False)

    def _fail_queue(self) -> None:
        while self._queue:
            self._drop(self._queue.popleft())
        self.status.queued = 0

    async def _write(self) -> None:
        """Hand the queue to Redis, all that has gathered in one turn as one pipeline."""
        pause = BACKOFF_FIRST
        while True:
            if not self._queue:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), 500))]
            try:
                counts = await self._publish(batch)
            except _ERRORS as error:
                # Nobody knows what of it arrived; receivers know a repeated number, so it is sent again.
                self._queue.extendleft(reversed(batch))
                self._complain(error)
                await asyncio.sleep(random.uniform(0, pause))
                pause = min(pause * 2, BACKOFF_LAST)
                continue
            except Exception:
                log.exception("! a fault of ours: %d messages cannot be published", len(batch))
                for item in batch:
                    self._drop(item)
                continue
            pause = BACKOFF_FIRST
            self._complained = 0
            for (_, _, data, done), count in zip(batch, counts, strict=True):
                self._queued_bytes -= len(data)
                if done is not None and not done.done():
                    done.set_result(count > 0)
            self.status.queued = len(self._queue)

    async def _publish(self, batch: list[_Item]) -> list[int]:
        pipe = self._client.pipeline(transaction=False)
        for channel, number, data, _ in batch:
            pipe.publish(channel, self._node.encode() + number.to_bytes(8, "big") + data)
        async with self._commanding:
            return list(await pipe.execute())

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            log.warning("! publishing to %s fails (%s); %d messages wait", redact(self._url), type(error).__name__, len(self._queue))
        self._complained += 1

    async def alive(self, node: str) -> bool:
        return bool(await self._count(f"{self._prefix}:node:{node}"))

    async def nodes(self) -> int:
        return max(1, await self._count(f"{self._prefix}:all"))

    async def _count(self, channel: str) -> int:
        if not self.status.connected:
            return 0
        async with self._commanding:
            client = self._client
            if self._ended:
                return 0
            try:
                answer = await client.pubsub_numsub(channel)
            except _ERRORS:
                return 0
            finally:
                if self._ended:
                    # It may have made a connection after stop() had closed all.
                    await _close(client)
        return int(answer[0][1]) if answer else 0

    async def flush(self) -> None:
        await self._idle.wait()

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _read(self, subscribed: asyncio.Event) -> None:
        """Subscribe and read; when that ends for any reason, again."""
        pause = BACKOFF_FIRST
        while True:
            began = time.monotonic()
            try:
                await self._subscribe(subscribed)
            except _ERRORS as error:
                self._set_connected(False, f"{type(error).__name__}: {redact(str(error))}"[:120])
            except Exception:
                log.exception("! the reader failed and starts again")
                self._set_connected(False, "a fault of ours")
            if time.monotonic() - began > BACKOFF_LAST:
                pause = BACKOFF_FIRST
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(pause * 2, BACKOFF_LAST)

    async def _subscribe(self, subscribed: asyncio.Event) -> None:
        pubsub = self._client.pubsub()
        own = f"{self._prefix}:node:{self._node}"
        try:
            await pubsub.subscribe(f"{self._prefix}:all", own)
            confirmations = 0
            self._heard = time.monotonic()
            asked = self._heard
            while True:
                message = await pubsub.get_message(timeout=self._watch / 4)
                now = time.monotonic()
                if message is not None:
                    self._heard = now
                    if message["type"] == "subscribe":
                        confirmations += 1
                        if confirmations > 2:
                            log.warning("= Redis cut the subscription; messages may be missing")
                            confirmations = 1
                        elif confirmations == 2:
                            self._set_connected(True, "")
                            subscribed.set()
                    elif message["type"] == "message":
                        self._take(message["channel"].decode() == own, message["data"])
                elif now - self._heard > 3 * self._watch:
                    raise TimeoutError("Redis has fallen silent")
                elif now - asked > self._watch and now - self._heard > self._watch / 2:
                    asked = now
                    self._enqueue(own, b"", None)
        finally:
            await _close(pubsub)

    def _take(self, mine: bool, message: bytes) -> None:
        if len(message) < _HEAD:
            log.warning("! a message of %d bytes is not one of ours", len(message))
            return
        node, number, data = message[:8].decode("ascii", "replace"), int.from_bytes(message[8:_HEAD], "big"), message[_HEAD:]
        seen = self._seen.get((node, mine), 0)
        if seen - REPEATS < number <= seen:
            return
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[node, mine] = number
        if node == self._node or not data:
            return
        try:
            self._on_message(node, data)
        except Exception:
            log.exception("! a message from %s failed", node)

    def _set_connected(self, connected: bool, why: str) -> None:
        if connected == self.status.connected:
            return
        self.status.connected, self.status.since = connected, time.monotonic()
        if connected:
            self.status.reconnects += 1
            log.info("= connected to Redis at %s", redact(self._url))
        else:
            log.warning("= Redis at %s is away (%s); local traffic goes on", redact(self._url), why)


def redact(url: str) -> str:
    """The URL without its secrets, in whichever part of it."""
    parts = urlsplit(url)
    netloc, query = parts.netloc, parse_qsl(parts.query, keep_blank_values=True)
    user, _, host = netloc.rpartition("@")
    if ":" in user:
        netloc = f"{user.partition(':')[0]}:***@{host}"
    hidden = [(name, "***" if any(word in name.lower() for word in _SECRETS) else value) for name, value in query]
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(hidden, safe="*/:"), fragment=""))


def _pool(url: str) -> redis.asyncio.ConnectionPool:
    # Without redis-py's own retries: it would repeat a PUBLISH whose answer was lost. We do so ourselves, with the same number.
    pool: redis.asyncio.ConnectionPool = redis.asyncio.ConnectionPool.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=5, socket_timeout=5, protocol=2
    )
    return pool


async def _close(connected: Any) -> None:
    """Close a client, or a subscription, whatever has become of its connections."""
    with contextlib.suppress(*_ERRORS):
        await connected.aclose()


def _check(url: str) -> None:
    """Raise ConfigError for a URL that redis-py does not take. Its own errors would show what stands where the port should be."""
    try:
        urlsplit(url).port  # noqa: B018  (it raises)
    except ValueError:
        raise ConfigError("store: its port is no number; a password with one of / ? # in it must be percent-encoded") from None
    try:
        _pool(url).make_connection()  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise ConfigError(f"store: {redact(url)} is not taken by Redis's client: {error}") from None
    except TypeError as error:
        name = re.search(r"argument '(\w+)'", str(error))
        raise ConfigError(f"store: Redis's client has no option {name[1] if name else redact(url)!r}") from None


def _split_prefix(url: str) -> tuple[str, str]:
    """Our own ``prefix`` out of the URL's query; the rest is redis-py's."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    prefix = dict(query).get("prefix", "anywire")
    if not prefix:
        raise ConfigError('store: prefix is empty; it begins the names of our channels, such as "anywire"')
    for name in _OURS & dict(query).keys():
        raise ConfigError(f"store: {name} cannot be chosen")
    rest = urlencode([(name, value) for name, value in query if name != "prefix"])
    return urlunsplit(parts._replace(query=rest)), prefix
