"""The fault proxy does to literal requests what its faults say, and passes everything else on unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fault_proxy import FaultProxy
from faults import FAULTS, FOREIGN_HTML, fault
from http_tools import RawClient, text

ANSWERS = {
    "sized": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Seen: 1\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "closing": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "empty": b"HTTP/1.1 204 No Content\r\n\r\n",
    "large": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000,
}
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Origin:
    """A server: a path's name is its answer, /stream never ends, a POST's body and an upgraded connection's bytes are echoed."""

    def __init__(self) -> None:
        #: First lines and bodies, in the order in which they came.
        self.requests: list[tuple[str, bytes]] = []
        self.heads: list[str] = []
        self.left = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._request(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            self.left.set()
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = [line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Content-Length")]
        body = await reader.readexactly(int(size[0])) if size else b""
        self.heads.append(head)
        self.requests.append((head.split("\r\n")[0], body))
        name = head.split()[1].rpartition("/")[2]
        if "Upgrade: websocket" in head:
            writer.write(SWITCHED)
            while data := await reader.read(1000):
                writer.write(data)
            raise EOFError
        if name == "stream":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n")
            await reader.read()
            raise asyncio.IncompleteReadError(b"", None)
        writer.write(ANSWERS[name] if not body else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        if name == "closing":
            raise ConnectionError


@asynccontextmanager
async def proxied(*names: Any, path: str = "/socket.io/") -> AsyncIterator[tuple[FaultProxy, Origin]]:
    """A proxy with that fault before an :class:`Origin`."""
    origin = Origin()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await origin.serve(reader, writer)
        except EOFError:
            origin.left.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin.port = server.sockets[0].getsockname()[1]
    try:
        async with FaultProxy(origin.port, fault(*names), path) as proxy:
            yield proxy, origin
    finally:
        server.close()


async def gone(client: RawClient, seconds: float = 5) -> bytes:
    """What comes until the connection ends."""
    data = b""
    try:
        async with asyncio.timeout(seconds):
            while piece := await client.reader.read(65536):
                data += piece
    except ConnectionResetError:
        # A reader that was told of a reset keeps what came before to itself.
        data += bytes(client.reader._buffer)  # type: ignore[attr-defined]
    return data


async def silent(waiting: Awaitable[Any], seconds: float = 0.15) -> bool:
    """Whether nothing comes for so long."""
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        return True
    return False


UPGRADE = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
Runner = Callable[[Awaitable[Any]], Any]


@pytest.mark.parametrize("name", ["sized", "chunked", "large"])
def test_without_a_fault_every_byte_passes_and_the_connection_goes_on(name: str, run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, origin), RawClient(proxy.port) as client:
            for _ in range(2):
                client.send(f"GET /socket.io/{name} HTTP/1.1\r\nHost: x\r\nX-Odd: a: b\r\n\r\n".encode())
                assert await client.reader.readexactly(len(ANSWERS[name])) == ANSWERS[name]
            assert origin.heads == [f"GET /socket.io/{name} HTTP/1.1\r\nHost: x\r\nX-Odd: a: b\r\n\r\n"] * 2
            assert proxy.seen == [f"GET /socket.io/{name}"] * 2

    run(main())


def test_an_answer_that_ends_with_its_connection_ends_the_clients_too(run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, _), RawClient(proxy.port) as client:
            client.send(b"GET /closing HTTP/1.1\r\n\r\n")
            assert await gone(client) == ANSWERS["closing"]

    run(main())


def test_answers_without_a_body_do_not_wait_for_one(run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, _), RawClient(proxy.port) as client:
            assert (await client.request("GET", "/empty")).status == 204
            assert (await client.request("HEAD", "/closing")).status == 200

    run(main())


def test_a_client_that_leaves_is_gone_for_the_server_too(run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, origin):
            async with RawClient(proxy.port) as client:
                client.send(b"GET /socket.io/stream HTTP/1.1\r\n\r\n")
                await client.reader.readuntil(b"hel\r\n")
                assert not origin.left.is_set()
            await asyncio.wait_for(origin.left.wait(), 5)

    run(main())


def test_an_upgraded_connection_carries_bytes_both_ways_until_either_side_ends(run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, origin):
            async with RawClient(proxy.port) as client:
                assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
                client.send(text("hello"))
                assert await client.reader.readexactly(len(text("hello"))) == text("hello")
            await asyncio.wait_for(origin.left.wait(), 5)

    run(main())


@pytest.mark.parametrize("status", [403, 502])
def test_a_refused_upgrade_never_reaches_the_server_and_plain_requests_do(status: int, run: Runner) -> None:
    async def main() -> None:
        async with proxied("refuse-upgrade", status) as (proxy, origin), RawClient(proxy.port) as client:
            assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == status
            assert (await client.request("GET", "/socket.io/sized")).body == b"hello"
            assert [first for first, _ in origin.requests] == ["GET /socket.io/sized HTTP/1.1"]

    run(main())


def test_a_reset_upgrade_ends_the_connection_without_an_answer(run: Runner) -> None:
    async def main() -> None:
        async with proxied("refuse-upgrade", "reset") as (proxy, origin), RawClient(proxy.port) as client:
            client.send(f"GET /socket.io/ HTTP/1.1\r\n{UPGRADE}\r\n".encode())
            assert await gone(client) == b""
            assert origin.requests == []

    run(main())


def test_stripped_headers_leave_a_plain_get(run: Runner) -> None:
    async def main() -> None:
        async with proxied("strip-upgrade") as (proxy, origin), RawClient(proxy.port) as client:
            client.send(f"GET /socket.io/sized HTTP/1.1\r\nHost: x\r\n{UPGRADE}Sec-WebSocket-Version: 13\r\n\r\n".encode())
            assert (await client.answer()).status == 200
            assert origin.heads == ["GET /socket.io/sized HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 13\r\n\r\n"]

    run(main())


@pytest.mark.parametrize("direction", ["up", "down", "both"])
def test_after_a_silent_upgrade_no_frame_arrives(direction: str, run: Runner) -> None:
    async def main() -> None:
        async with proxied("silent-upgrade", direction) as (proxy, _), RawClient(proxy.port) as client:
            assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            client.send(text("hello"))
            assert await silent(client.reader.read(1))

    run(main())


def test_a_slow_upgrade_comes_after_its_time(run: Runner) -> None:
    async def main() -> None:
        async with proxied("slow-upgrade", 0.3) as (proxy, _), RawClient(proxy.port) as client:
            before = asyncio.get_running_loop().time()
            assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            assert asyncio.get_running_loop().time() - before >= 0.29

    run(main())


def test_a_buffering_proxy_gives_what_ends_and_holds_what_does_not(run: Runner) -> None:
    async def main() -> None:
        async with proxied("buffer") as (proxy, _), RawClient(proxy.port) as client, RawClient(proxy.port) as other:
            assert (await client.request("GET", "/socket.io/chunked")).body == b"hello"
            client.send(b"GET /socket.io/stream HTTP/1.1\r\n\r\n")
            other.send(f"GET /socket.io/ HTTP/1.1\r\n{UPGRADE}\r\n".encode())
            assert await silent(client.reader.read(1))
            assert await silent(other.reader.read(1), 0.01)

    run(main())


@pytest.mark.parametrize("target", ["stream", "upgrade"])
def test_an_answer_is_cut_after_its_seconds(target: str, run: Runner) -> None:
    async def main() -> None:
        async with proxied("cut-seconds", 0.3) as (proxy, origin), RawClient(proxy.port) as client:
            before = asyncio.get_running_loop().time()
            upgrade = UPGRADE if target == "upgrade" else ""
            client.send(f"GET /socket.io/{target} HTTP/1.1\r\n{upgrade}\r\n".encode())
            assert (await gone(client)).startswith(b"HTTP/1.1 ")
            assert 0.29 <= asyncio.get_running_loop().time() - before < 5
            await asyncio.wait_for(origin.left.wait(), 5)

    run(main())


def test_an_answer_is_cut_after_its_bytes_and_a_smaller_one_is_not(run: Runner) -> None:
    async def main() -> None:
        async with proxied("cut-bytes", 1000) as (proxy, _), RawClient(proxy.port) as client, RawClient(proxy.port) as other:
            for _ in range(30):
                assert (await client.request("GET", "/socket.io/sized")).body == b"hello"
            client.send(b"GET /socket.io/large HTTP/1.1\r\n\r\n")
            assert await gone(client) == ANSWERS["large"][:1000]
            assert (await other.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            other.send(b"y" * 2000)
            assert await gone(other) == b"y" * (1000 - len(SWITCHED))

    run(main())


def test_each_direction_has_its_delay_and_a_new_connection_takes_both_once_more(run: Runner) -> None:
    async def main() -> None:
        async with proxied("delay", 0.1, 0.2) as (proxy, _origin), RawClient(proxy.port) as client:
            clock = asyncio.get_running_loop().time
            before = clock()
            assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            assert 0.59 <= clock() - before < 1.5
            before = clock()
            for number in range(5):
                client.send(b"%d" % number)
                await asyncio.sleep(0.02)
            assert await client.reader.readexactly(5) == b"01234"
            # A delay is no bandwidth: five messages are on their way together.
            assert 0.37 <= clock() - before < 0.8

    run(main())


def test_nothing_is_left_behind_of_a_slow_connection(run: Runner) -> None:
    async def main() -> None:
        async with proxied("delay", 0.01) as (proxy, _):
            for name in ("sized", "chunked"):
                async with RawClient(proxy.port) as client:
                    assert (await client.request("GET", f"/socket.io/{name}")).body == b"hello"
            async with RawClient(proxy.port) as client:
                assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
        async with asyncio.timeout(5):
            while any("Line" in task.get_coro().__qualname__ for task in asyncio.all_tasks()):  # type: ignore[union-attr]
                await asyncio.sleep(0)

    run(main())


def test_a_dropped_post_is_never_answered_and_gets_pass(run: Runner) -> None:
    async def main() -> None:
        async with proxied("drop-posts") as (proxy, origin), RawClient(proxy.port) as client, RawClient(proxy.port) as other:
            client.send(b"POST /socket.io/ HTTP/1.1\r\nContent-Length: 2\r\n\r\n40")
            assert await silent(client.reader.read(1))
            assert (await other.request("GET", "/socket.io/sized")).body == b"hello"
            assert [first for first, _ in origin.requests] == ["GET /socket.io/sized HTTP/1.1"]

    run(main())


def test_an_eaten_post_is_answered_with_200_though_the_server_never_saw_it(run: Runner) -> None:
    async def main() -> None:
        async with proxied("drop-posts", "") as (proxy, origin), RawClient(proxy.port) as client:
            answer = await client.request("POST", "/socket.io/", b"40")
            assert (answer.status, answer.body) == (200, b"")
            assert origin.requests == []

    run(main())


def test_a_duplicated_post_arrives_twice_and_is_answered_once(run: Runner) -> None:
    async def main() -> None:
        async with proxied("duplicate-posts") as (proxy, origin), RawClient(proxy.port) as client:
            assert (await client.request("POST", "/socket.io/", b"40")).body == b"40"
            assert (await client.request("GET", "/socket.io/sized")).body == b"hello"
            assert origin.requests == [("POST /socket.io/ HTTP/1.1", b"40")] * 2 + [("GET /socket.io/sized HTTP/1.1", b"")]

    run(main())


def test_a_captive_portal_answers_everything_itself(run: Runner) -> None:
    async def main() -> None:
        async with proxied("inject-html") as (proxy, origin), RawClient(proxy.port) as client:
            for headers in ("", UPGRADE):
                answer = await client.request("GET", "/socket.io/", headers=headers)
                assert (answer.status, answer.body) == (200, FOREIGN_HTML)
            proxy.fault = fault("inject-html", "http")
            assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            assert len(origin.requests) == 1

    run(main())


@pytest.mark.parametrize(("which", "headers", "status"), [("http", UPGRADE, 101), ("upgrade", "", 200)])
def test_a_black_hole_for_one_kind_of_request_lets_the_other_through(which: str, headers: str, status: int, run: Runner) -> None:
    async def main() -> None:
        async with proxied("black-hole", which) as (proxy, _), RawClient(proxy.port) as client:
            assert (await client.request("GET", "/socket.io/sized", headers=headers)).status == status
            if status == 101:
                client.send(text("hello"))
                assert await client.reader.readexactly(len(text("hello"))) == text("hello")

    run(main())


@pytest.mark.parametrize(("which", "headers"), [("all", ""), ("all", UPGRADE), ("upgrade", UPGRADE), ("http", "")])
def test_a_black_hole_takes_requests_and_says_nothing(which: str, headers: str, run: Runner) -> None:
    async def main() -> None:
        async with proxied("black-hole", which) as (proxy, origin), RawClient(proxy.port) as client:
            client.send(f"GET /socket.io/sized HTTP/1.1\r\n{headers}\r\n".encode())
            assert await silent(client.reader.read(1))
            assert origin.requests == []

    run(main())


def test_a_network_can_go_silent_under_open_connections(run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, _), RawClient(proxy.port) as client:
            assert (await client.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            proxy.fault = fault("black-hole")
            client.send(b"lost")
            assert await silent(client.reader.read(1))
            proxy.fault = fault("none")
            client.send(b"heard")
            assert await client.reader.readexactly(5) == b"heard"

    run(main())


def test_all_connections_can_be_killed_and_new_ones_are_taken(run: Runner) -> None:
    async def main() -> None:
        async with proxied("none") as (proxy, _origin), RawClient(proxy.port) as one, RawClient(proxy.port) as two:
            assert (await one.request("GET", "/socket.io/", headers=UPGRADE)).status == 101
            assert (await two.request("GET", "/socket.io/sized")).status == 200
            assert proxy.connections == 2
            await proxy.kill()
            assert [await gone(one), await gone(two)] == [b"", b""]
            assert proxy.connections == 0
            async with RawClient(proxy.port) as three:
                assert (await three.request("GET", "/socket.io/sized")).status == 200

    run(main())


@pytest.mark.parametrize(("status", "body"), [(400, "no"), (200, "")])
def test_what_stands_in_the_servers_place_answers_everything_alike(status: int, body: str, run: Runner) -> None:
    async def main() -> None:
        async with proxied("answer", status, body) as (proxy, origin), RawClient(proxy.port) as client:
            for method, headers in (("GET", ""), ("POST", ""), ("GET", UPGRADE)):
                answer = await client.request(method, "/socket.io/sized", headers=headers)
                assert (answer.status, answer.text) == (status, body)
            proxy.fault = fault("answer", 0)
            client.send(b"GET /socket.io/sized HTTP/1.1\r\n\r\n")
            assert await gone(client) == b""
            assert origin.requests == []

    run(main())


@pytest.mark.parametrize("name", sorted(set(FAULTS) - {"none", "delay"}))
def test_requests_outside_the_path_meet_no_fault(name: str, run: Runner) -> None:
    async def main() -> None:
        async with proxied(name) as (proxy, origin), RawClient(proxy.port) as client:
            assert (await client.request("POST", "/page", b"report")).body == b"report"
            assert (await client.request("GET", "/page/chunked")).body == b"hello"
            assert len(origin.requests) == 2
            assert proxy.seen == []

    run(main())
