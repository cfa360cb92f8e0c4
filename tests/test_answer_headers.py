"""What stands in the head of each answer: cookies, lengths, caches, and what old browsers need."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest
from http_tools import UPGRADE, RawClient
from server_tools import BASE, TARGETS, TRANSPORTS, Peer, contexts, knock, serving


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_cookie_for_balancers_is_set_by_the_first_answer_alone(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(cookie="io") as sio:
            answer = await knock(sio.port, transport)
            (sid,) = sio._hub.sessions if transport in ("polling", "jsonp") else (answer.headers["set-cookie"][3:34],)
            assert answer.headers["set-cookie"] == f"io={sid}; Path=/; HttpOnly; SameSite=Lax"
            assert len(sid) == 31
            async with Peer(sio.port, transport) as peer:
                if transport != "websocket":
                    further = await peer.speaking.request("POST", peer.target, b"40" if transport != "jsonp" else b"d=40")
                    assert further.status == 200 and "set-cookie" not in further.headers
        async with serving() as sio:
            assert "set-cookie" not in (await knock(sio.port, transport)).headers

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_cookie_is_secure_where_the_client_came_by_tls(transport: str, tmp_path: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        server, client = contexts(tmp_path / "tls")
        async with serving(server, cookie="io") as sio:
            assert (await knock(sio.port, transport, tls=client)).headers["set-cookie"].endswith("; SameSite=Lax; Secure")
        async with serving(cookie="io", trusted_proxies=["127.0.0.1"]) as sio:
            behind = await knock(sio.port, transport, "X-Forwarded-Proto: https\r\n")
            assert behind.headers["set-cookie"].endswith("; SameSite=Lax; Secure")

    run(main())


@pytest.mark.parametrize(
    "agent", ["Mozilla/4.0 (compatible;MSIE 8.0; Windows NT 5.1)", "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0)", "curl"]
)
@pytest.mark.parametrize("transport", ["polling", "jsonp"])
def test_the_filter_of_old_internet_explorers_is_switched_off_for_them(transport: str, agent: str, run: Callable[..., Any]) -> None:
    """engine.io, lib/transports/polling.ts: it would cut what looks like markup out of an answer."""

    async def main() -> None:
        async with serving() as sio, Peer(sio.port, transport, headers=f"User-Agent: {agent}\r\n") as peer:
            answer = await peer.speaking.request(
                "POST", peer.target, b"d=40" if transport == "jsonp" else b"40", f"User-Agent: {agent}\r\n"
            )
            polled = await peer.listening.request("GET", peer.target, headers=f"User-Agent: {agent}\r\n")
            for one in (answer, polled):
                assert one.headers.get("x-xss-protection") == (None if agent == "curl" else "0")

    run(main())


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", BASE + "polling", 200),
        ("GET", BASE + "polling&j=1", 200),
        ("GET", BASE + "none", 400),
        ("GET", BASE + "polling&sid=none", 400),
        ("POST", BASE + "polling", 400),
        ("GET", "/nothing", 404),
        ("GET", "/socket.io/anywire.js", 200),
        ("OPTIONS", BASE + "polling", 204),
    ],
)
def test_every_answer_says_its_length_and_nothing_of_a_session_is_kept(
    method: str, target: str, status: int, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            for _ in range(2):
                answer = await client.request(method, target)
                assert answer.status == status and ("content-length" in answer.headers) is (status != 204)
                if target.startswith(BASE) and status == 200:
                    assert answer.headers["cache-control"] == "no-store" and "etag" not in answer.headers

    run(main())


def test_two_jsonp_polls_at_once_end_the_session_and_both_are_answered_by_scripts_or_errors(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Peer(sio.port, "jsonp") as peer:
            waiting = asyncio.ensure_future(peer.listening.request("GET", peer.target))
            session = sio._hub.sessions[peer.sid]
            while not (session.transport and session.transport.ready):
                await asyncio.sleep(0)
            answer = await peer.speaking.request("GET", peer.target)
            assert (answer.status, json.loads(answer.body)) == (400, {"code": 3, "message": "Bad request"})
            assert (await waiting).text == '___eio[0]("1");'
            assert not sio._hub.sessions

    run(main())


@pytest.mark.parametrize(
    "tail",
    [
        "..%2fsetup.cfg",
        "%2e%2e/setup.cfg",
        "../setup.cfg",
        "..\\setup.cfg",
        "anywire.js%00",
        "anywire.js/../../x",
        ".map",
        "anywire.js.map~",
    ],
)
def test_no_path_in_a_url_reaches_a_file(tail: str, run: Callable[..., Any]) -> None:
    """H18."""

    async def main() -> None:
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/" + tail)
            assert answer.status in (400, 404) and b"metadata" not in answer.body

    run(main())


@pytest.mark.parametrize("verdict", [True, False, "not you"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_that_leaves_while_it_is_thought_about_harms_nobody(
    transport: str, verdict: Any, run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """CVE-2022-41940: a reset of what is being refused, or admitted."""

    async def main() -> None:
        asked, decide = asyncio.Event(), asyncio.Event()

        async def authorize(environ: Any) -> Any:
            asked.set()
            await decide.wait()
            return verdict

        # A session whose client left before it had heard of it ends with this.
        async with serving(authorization=authorize, connect_timeout=1.0) as sio:
            for told_late in (False, True):
                asked.clear()
                decide.clear()
                async with RawClient(sio.port) as client:
                    upgrade = UPGRADE if transport == "websocket" else ""
                    client.send(f"GET {TARGETS[transport]} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n".encode())
                    await asyncio.wait_for(asked.wait(), 10)
                    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if told_late:
                        # Both in one turn of the loop: the server answers a connection of whose end it has not heard.
                        decide.set()
                    client.writer.transport.abort()
                for _ in range(20):
                    await asyncio.sleep(0)
                decide.set()
                while sio._hub.sessions:
                    await asyncio.sleep(0.01)
            assert (await knock(sio.port, transport)).status in (200, 101, 403)
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []

    run(main())


def test_a_refused_upgrade_that_is_reset_at_any_byte_harms_nobody(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(authorization=lambda environ: False) as sio:
            request = f"GET {TARGETS['websocket']} HTTP/1.1\r\nHost: x\r\n{UPGRADE}\r\n".encode()
            for size in range(0, len(request) + 1, 3):
                async with RawClient(sio.port) as client:
                    client.send(request[:size])
                    await client.writer.drain()
                    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.writer.transport.abort()
            assert (await knock(sio.port, "websocket")).status == 403 and not sio._hub.sessions
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []

    run(main())
