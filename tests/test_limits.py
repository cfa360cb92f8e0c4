"""How much one address and one client may ask for: buckets of tokens, and what is answered when they are empty."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import tracemalloc
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from anywire.server import throttle
from anywire.server.handshake import network_of
from anywire.server.throttle import Throttle
from http_tools import UPGRADE, RawClient, text
from hypothesis import given
from hypothesis import strategies as st
from server_tools import BASE, TRANSPORTS, Peer, knock, serving

#: Buckets that hold a thousand seconds' worth, so that none fills while a slow machine thinks.
LONG = 1000.0
PROXY: dict[str, Any] = {"trusted_proxies": ["127.0.0.1"]}


@pytest.fixture
def slowly_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BURST", LONG)


def of(address: str) -> str:
    return f"X-Forwarded-For: {address}\r\n"


@given(st.floats(0.1, 100), st.lists(st.floats(0, 3), max_size=60))
def test_no_more_is_taken_than_the_rate_gives_and_the_burst_holds(rate: float, pauses: list[float]) -> None:
    bucket, now, taken = Throttle(rate), 100.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take("key", now)
        assert taken <= max(1, rate * 10) + (now - 100) * rate + 1e-6
    assert bucket.take("another", now)


def test_buckets_that_are_full_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MANY", 100)
    bucket = Throttle(1)
    for number in range(1000):
        assert bucket.take(number, float(number))
    assert len(bucket) <= 101
    bucket.forget(999)
    assert bucket.take(999, 999.0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("unknown", "unknown", True),
        ("", "", True),
    ],
)
def test_an_address_stands_for_what_its_owner_has(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


@pytest.mark.usefixtures("slowly_filled")
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_address_that_asks_too_often_gets_429_and_others_do_not(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(handshake_rate=3 / LONG, **PROXY) as sio:
            for _ in range(3):
                assert (await knock(sio.port, transport, of("192.0.2.1"))).status in (101, 200)
            answer = await knock(sio.port, transport, of("192.0.2.1"))
            assert (answer.status, answer.headers["retry-after"]) == (429, "10")
            assert answer.text in ('{"code":4,"message":"Too many requests"}', "Too many requests")
            assert (await knock(sio.port, transport, of("192.0.2.2"))).status in (101, 200)

    run(main())


@pytest.mark.usefixtures("slowly_filled")
def test_guessing_ids_counts_as_asking_and_a_session_that_exists_goes_on(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(handshake_rate=3 / LONG) as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as client:
            statuses = [(await client.request("GET", f"{BASE}polling&sid=guess{n}")).status for n in range(4)]
            assert statuses == [400, 400, 429, 429]
            await peer.connect()
            await peer.send('42["echo"]')
            assert await peer.receive() == '42["echoed"]'

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_address_has_so_many_sessions_at_once(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_sessions_per_address=2, **PROXY) as sio, AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(Peer(sio.port, transport, headers=of("2001:db8::1")))
            answer = await knock(sio.port, transport, of("2001:db8::2"))
            assert answer.status == 429 and "Too many sessions" in answer.text
            assert (await knock(sio.port, transport, of("192.0.2.1"))).status in (101, 200)
            for session in list(sio._hub.sessions.values()):
                session.close(session._reason)
            assert not sio._requests.admission.crowd
            assert (await knock(sio.port, transport, of("2001:db8::2"))).status in (101, 200)

    run(main())


def test_a_handshake_that_is_refused_counts_as_no_session(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(max_sessions_per_address=1) as sio, RawClient(sio.port) as client:
            for _ in range(3):
                assert (await client.request("GET", BASE + "websocket")).status == 400
            async with Peer(sio.port, "websocket") as peer:
                await peer.connect()

    run(main())


@pytest.mark.usefixtures("slowly_filled")
def test_a_client_that_says_too_much_is_closed_and_no_other(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ends: list[str] = []
        async with serving(event_rate=50 / LONG) as sio, Peer(sio.port, "websocket") as flood, Peer(sio.port, "polling") as posts:
            async with Peer(sio.port, "websocket") as calm:
                sio.on("disconnect", lambda sid, reason: ends.append(reason))
                for peer in (flood, posts, calm):
                    await peer.connect()
                flood.listening.send(text('42["echo"]') * 60)
                heard = [await flood.listening.frame() for _ in range(50)]
                assert heard[:49] == [(0x81, b'42["echoed"]')] * 49
                assert heard[49] == (0x88, b"\x03\xf0too many waiting events")
                answer = await posts.speaking.request("POST", posts.target, "\x1e".join(['42["echo"]'] * 60).encode())
                assert answer.status in (200, 400) and posts.sid not in sio._hub.sessions
                assert ends == ["too many waiting events"] * 2
                await calm.send('42["echo"]')
                assert await calm.receive() == '42["echoed"]'
            while sio._hub.sessions:
                await asyncio.sleep(0)
            assert len(sio._meter) == 0  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_server_can_refuse_who_does_not_say_where_it_comes_from(transport: str, run: Callable[..., Any]) -> None:
    """O4: with a cookie as the only proof, what is no browser of today, or an old one that says no origin, is not let in."""

    async def main() -> None:
        async with serving(require_origin=True) as sio:
            own = f"http://127.0.0.1:{sio.port}"
            for silent in ("", "Cookie: session=1\r\n", "Referer: https://evil.example/\r\n", f"Referer: {own}.evil.example/\r\n"):
                answer = await knock(sio.port, transport, silent)
                assert answer.status == 403 and "Origin not allowed" in answer.text
            assert not sio._hub.sessions
            for said in (f"Origin: {own}\r\n", "Sec-Fetch-Site: same-origin\r\n", f"Referer: {own}/page\r\n"):
                assert (await knock(sio.port, transport, said)).status in (101, 200)

    run(main())


def test_who_asks_for_a_session_and_says_no_more_costs_less_than_4_kb(run: Callable[..., Any]) -> None:
    """P19: what a flood of handshakes without CONNECT holds until connect_timeout; the heap alone, and this end's sockets with it."""

    async def main() -> None:
        async with serving() as sio, AsyncExitStack() as stack:

            async def flood(count: int) -> None:
                for _ in range(count):
                    knocking = stack.enter_context(socket.create_connection(("127.0.0.1", sio.port)))
                    knocking.sendall(f"GET {BASE}websocket HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode())
                    await asyncio.sleep(0)

            await flood(20)
            tracemalloc.start()
            try:
                gc.collect()
                before = tracemalloc.get_traced_memory()[0]
                await flood(200)
                while len(sio._hub.sessions) < 220:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                gc.collect()
                assert (tracemalloc.get_traced_memory()[0] - before) / 200 < 4096
            finally:
                tracemalloc.stop()

    run(main())


def test_by_default_a_thousand_messages_of_one_handler_reach_a_poller(run: Callable[..., Any]) -> None:
    """What a page needs at once: its history. Every stock client begins by polling."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "polling") as peer:

            @sio.event
            def history(sid: str) -> None:
                for number in range(2000):
                    sio.emit("line", number, to=sid)

            await peer.connect()
            await peer.send('42["history"]')
            assert [json.loads((await peer.receive())[2:])[1] for _ in range(2000)] == list(range(2000))

    run(main())
