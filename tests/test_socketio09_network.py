"""socket.io-client 0.9.16, unmodified, over networks that misbehave, with servers that refuse, go and come back, and for a long time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from anywire.server.errors import CloseReason
from driver09 import Driver
from fault_proxy import FaultProxy
from faults import fault

TRANSPORTS = ["websocket", "xhr-polling"]


@asynccontextmanager
async def serving(heard: list[Any] | None = None, port: int = 0, **settings: Any) -> AsyncIterator[anywire.Server]:
    """A server with an echo in "/" and in "/chat"; ``heard`` gets its messages, who came and who left, and why."""
    sio = anywire.Server(**settings)
    seen: list[Any] = [] if heard is None else heard

    def listen(name: str) -> None:
        sio.on("connect", lambda sid, environ: seen.append(["connect", name]), namespace=name)
        sio.on("message", lambda sid, data: seen.append([name, data]), namespace=name)
        sio.on("echo", lambda sid, data: data, namespace=name)
        sio.on("disconnect", lambda sid, reason: seen.append(["disconnect", name, reason]), namespace=name)

    listen("/")
    listen("/chat")
    await sio.start()
    sio.listen(port, "127.0.0.1")
    try:
        yield sio
    finally:
        await sio.shutdown(0)


# -- falling back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        ("silent-upgrade", "both"), ("silent-upgrade", "down"), ("refuse-upgrade", 502), ("strip-upgrade",), ("buffer",),
        ("black-hole", "upgrade"),
    ],
    ids=str,
)  # fmt: skip
def test_a_network_without_websocket_is_crossed_by_polling_on_the_same_session(name: tuple[Any, ...], run: Callable[..., Any]) -> None:
    """What the original's clients could not: where a proxy swallows the frames, "1::" is said once more to the poll."""

    async def main() -> None:
        heard: list[Any] = []
        timers = {"ping_interval": 0.5, "ping_timeout": 1, "polling_duration": 0.4, "close_timeout": 4}
        options = {"connect timeout": 1200}
        async with serving(heard, **timers) as sio, FaultProxy(sio.port, fault(*name)) as proxy:
            async with Driver(proxy.port, "websocket,xhr-polling", **options) as client:
                await client.hears("connect")
                assert [line[2] for line in client.heard if line[1] == "connecting"] == TRANSPORTS, client.heard
                assert await client.ask("echo", "é😀") == ["é😀"]
                if name == ("silent-upgrade", "both"):
                    # Longer than each of the times above: neither the end nor the silence of the WebSocket ends the session.
                    await asyncio.sleep(4.5)
                assert await client.ask("echo", "still") == ["still"]
                assert client.count("connect") == 1 and not client.count("disconnect")
                assert heard == [["connect", "/"]] and len(sio._hub.sessions) == 1
                client.do("disconnect")
                await client.hears("disconnect")
            assert heard[1:] == [["disconnect", "/", "client disconnect"]]

    run(main())


# -- refusals ---------------------------------------------------------------------------------------------------------


async def later(verdict: Any) -> Any:
    await asyncio.sleep(0.01)
    if isinstance(verdict, Exception):
        # A fresh one: the traceback of one that outlives the test would hold the request.
        raise type(verdict)(*verdict.args)
    return verdict


@pytest.mark.parametrize("asynchronous", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        ("token expired", "token expired"), (anywire.ConnectionRefusedError("no room"), "no room"),
        (RuntimeError("mistake"), "handshake error"),
    ],
    ids=["a text", "a refusal", "a mistake"],
)  # fmt: skip
def test_a_refused_client_hears_why_and_can_try_again(verdict: Any, said: str, asynchronous: bool, run: Callable[..., Any]) -> None:
    verdicts = [verdict, True]

    def authorization(environ: Any) -> Any:
        now = verdicts.pop(0)
        if asynchronous:
            return later(now)
        if isinstance(now, Exception):
            raise type(now)(*now.args)
        return now

    async def main() -> None:
        async with serving(authorization=authorization) as sio, Driver(sio.port, "xhr-polling") as client:
            assert await client.hears("error") == [said]
            client.do("connect")
            await client.hears("connect")
            assert await client.ask("echo", 1) == [1]

    run(main())


def test_a_final_refusal_is_final(run: Callable[..., Any]) -> None:
    """After 403 the client counts as connecting, and does nothing more when it is told to connect."""

    async def main() -> None:
        verdicts = [False, True]
        async with serving(authorization=lambda environ: verdicts.pop(0)) as sio, Driver(sio.port, "websocket") as client:
            assert await client.hears("error") == ["handshake unauthorized"]
            client.do("connect")
            client.do("state")
            assert await client.hears("state") == [{"connected": False, "connecting": True, "reconnecting": False}]
            assert verdicts == [True]

    run(main())


def test_a_refused_reconnect_goes_on_until_it_is_let_in(run: Callable[..., Any]) -> None:
    async def main() -> None:
        verdicts: list[Any] = [True, "not yet", RuntimeError(), True]

        def authorization(environ: Any) -> Any:
            verdict = verdicts.pop(0)
            if isinstance(verdict, Exception):
                raise verdict
            return verdict

        server = serving(authorization=authorization)
        async with server as sio, FaultProxy(sio.port) as proxy, Driver(proxy.port, "websocket") as client:
            await client.hears("connect")
            await proxy.kill()
            await client.hears("reconnect", seconds=20)
            assert verdicts == [] and client.count("reconnecting") == 3 and not client.count("error")

    run(main())


def test_a_refused_namespace_leaves_the_others(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio, Driver(sio.port, "xhr-polling") as client:
            sio.on("connect", lambda sid, environ: "right" in environ["QUERY_STRING"], namespace="/guarded")
            await client.hears("connect")
            client.do("of", "/guarded")
            assert await client.hears("connect_failed", "/guarded") == ["unauthorized"]
            assert await client.ask("echo", 1) == [1]
            client.do("of", "/chat")
            await client.hears("connect", "/chat")
            assert await client.ask("echo", 2, namespace="/chat") == [2]

    run(main())


# -- coming back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["it says so", "it dies"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_client_comes_back_to_a_restarted_server_with_what_it_had_to_say(transport: str, ending: str, run: Callable[..., Any]) -> None:
    """What it buffered for a namespace comes before it joins that namespace again, and waits for it."""

    async def main() -> None:
        heard: list[Any] = []
        async with serving() as old, FaultProxy(old.port) as proxy, Driver(proxy.port, transport) as client:
            await client.hears("connect")
            client.do("of", "/chat")
            await client.hears("connect", "/chat")
            if ending == "it says so":
                await old.shutdown(0)
            proxy.target = 1
            await proxy.kill()
            await client.hears("disconnect")
            client.do("send", "", "while away")
            client.do("send", "/chat", "chat while away")
            async with serving(heard) as new:
                proxy.target = new.port
                await client.hears("reconnect", seconds=20)
                await client.hears("connect", "/chat", 2)
                assert await client.ask("echo", "é", namespace="/chat") == ["é"]
                assert heard == [["connect", "/"], ["/", "while away"], ["connect", "/chat"], ["/chat", "chat while away"]]
                assert client.count("disconnect") == 1 and client.count("connect") == 2

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_that_the_server_does_not_know_leads_the_client_back(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        heard: list[Any] = []
        async with serving(heard, polling_duration=0.2) as sio, Driver(sio.port, transport) as client:
            await client.hears("connect")
            for session in list(sio._hub.sessions.values()):
                session.close(CloseReason.PING_TIMEOUT)
            await client.hears("reconnect")
            assert await client.ask("echo", 1) == [1]
            if transport == "xhr-polling":
                # "7:::1+0" to the poll.
                assert ["", "disconnect", "booted"] in client.heard and ["", "error", "client not handshaken"] in client.heard
            assert heard == [["connect", "/"], ["disconnect", "/", "ping timeout"], ["connect", "/"]]

    run(main())


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_connection_that_goes_silent_is_given_up_by_both_sides(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        heard: list[Any] = []
        timers = {"ping_interval": 0.4, "ping_timeout": 0.4, "polling_duration": 0.4, "close_timeout": 2.5}
        async with serving(heard, **timers) as sio, FaultProxy(sio.port) as proxy, Driver(proxy.port, transport) as client:
            await client.hears("connect")
            assert await client.ask("echo", 1) == [1]
            proxy.fault = fault("black-hole", "all")
            await client.hears("disconnect")
            # Its tries hang meanwhile: it waits for each handshake without end.
            proxy.fault = fault("none")
            await proxy.kill()
            await client.hears("reconnect", seconds=20)
            assert await client.ask("echo", 2) == [2]
            while len(heard) < 3:
                await asyncio.sleep(0.01)
            assert sorted(heard) == [["connect", "/"], ["connect", "/"], ["disconnect", "/", "ping timeout"]]

    run(main())


# -- staying ----------------------------------------------------------------------------------------------------------


def test_quiet_clients_stay_under_heartbeats_and_polls(run: Callable[..., Any]) -> None:
    """Scaled down from 25, 20 and 60 seconds: more than twice as long as anything that could end them."""

    async def stay(transport: str) -> None:
        heard: list[Any] = []
        timers = {"ping_interval": 0.5, "ping_timeout": 2, "polling_duration": 0.4, "close_timeout": 3}
        async with serving(heard, **timers) as sio, FaultProxy(sio.port) as proxy, Driver(proxy.port, transport) as client:
            await client.hears("connect")
            await asyncio.sleep(8)
            assert await client.ask("echo", 1) == [1]
            assert [line[1] for line in client.heard] == ["connecting", "connect", "answer"]
            assert heard == [["connect", "/"]]
            polls = sum("GET /socket.io/1/xhr-polling/" in line for line in proxy.seen)
            assert polls == 0 if transport == "websocket" else 8 <= polls <= 24

    async def main() -> None:
        await asyncio.gather(*(stay(transport) for transport in TRANSPORTS))

    run(main())
