"""What every transport owes its session, over the registry: a new transport passes these or is none."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
from anywire.server.protocols.engineio4 import EngineIO4
from anywire.transports.base import Loss, Refused, Transport, TransportOptions
from anywire.transports.exchange import ExchangeRouter, TornadoExchange
from anywire.transports.framing import wrap
from anywire.transports.registry import TRANSPORTS
from http_tools import UPGRADE, Answer, RawClient, masked, text
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

TARGET = "/carrier?j=0"
OPTIONS = TransportOptions(EngineIO4.profile, high_water=10_000, close_timeout=0.3)
NAMES = list(TRANSPORTS)
STREAMS = [name for name in NAMES if TRANSPORTS[name].streaming]
POLLS = [name for name in NAMES if not TRANSPORTS[name].streaming]


class Carriage:
    """A server of one transport, of which it is the delegate and writes down all that it is told."""

    def __init__(self, name: str, start: bool) -> None:
        self.name = name
        self.port = 0
        self.told: list[Any] = []
        self.something = asyncio.Event()
        self.transport: Transport | None = None
        self.answer: Callable[[], Awaitable[None] | None] = lambda: None
        self._start = start
        self.router = ExchangeRouter(self._handle)
        #: The client's ends: what it hears and what it says.
        self.listening = self.speaking = None  # type: RawClient | None

    def _handle(self, exchange: TornadoExchange) -> None:
        if self.transport is not None:
            self.transport.handle(exchange)
            return
        try:
            self.transport = TRANSPORTS[self.name].open(exchange, self, OPTIONS)
        except Refused as error:
            exchange.respond(error.status, error.body, error.content_type, error.headers)
            return
        if self._start:
            self.transport.start()

    def _tell(self, *what: Any) -> None:
        self.told.append(what)
        self.something.set()

    def on_data(self, transport: Transport, data: str | bytes) -> Awaitable[None] | None:
        self._tell("data", data)
        return self.answer()

    def on_ready(self, transport: Transport) -> None:
        self._tell("ready")

    def on_taken(self, transport: Transport, ok: bool) -> None:
        self._tell("taken", ok)

    def on_detached(self, transport: Transport, loss: Loss) -> None:
        self._tell("lost", loss)

    async def hears(self, *what: Any, times: int = 1) -> None:
        while self.told.count(what) < times:
            self.something.clear()
            await asyncio.wait_for(self.something.wait(), 10)

    @property
    def carrier(self) -> Transport:
        assert self.transport is not None
        return self.transport

    # -- the client's side ------------------------------------------------------------------------------------------

    async def get(self) -> None:
        assert self.listening is not None
        upgrade = UPGRADE if self.name == "websocket" else ""
        self.listening.send(f"GET {TARGET} HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n".encode())
        if TRANSPORTS[self.name].streaming:
            status, _ = await self.listening.head()
            assert status in (101, 200)
            if self.name == "htmlfile":
                await self.listening.chunk()

    async def read(self) -> str:
        """What one send of the server brings."""
        assert self.listening is not None
        if self.name == "websocket":
            first, payload = await self.listening.frame()
            assert first == 0x81, (first, payload)
            return payload.decode()
        if self.name == "htmlfile":
            return str(json.loads((await self.listening.chunk()).removeprefix(b"<script>_(").removesuffix(b");</script>")))
        body = (await self.listening.answer()).text
        return body if self.name == "polling" else str(json.loads(body.removeprefix("___eio[0](").removesuffix(");")))

    async def say(self, message: str) -> Answer | None:
        """Send a message; the HTTP answer, where there is one."""
        assert self.listening is not None and self.speaking is not None
        if self.name == "websocket":
            self.listening.send(text(message))
            return None
        body = "d=" + quote(message) if self.name == "jsonp" else message
        return await self.speaking.request("POST", TARGET, body.encode())

    def vanish(self) -> None:
        assert self.listening is not None
        sock = self.listening.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.listening.writer.transport.abort()


@asynccontextmanager
async def carried(name: str, start: bool = True) -> AsyncIterator[Carriage]:
    async with served(name, start) as carriage:
        async with RawClient(carriage.port) as carriage.listening, RawClient(carriage.port) as carriage.speaking:
            await carriage.get()
            while carriage.transport is None:
                await asyncio.sleep(0)
            yield carriage
        carriage.transport.close()
        carriage.transport.abort()


@asynccontextmanager
async def served(name: str, start: bool = True) -> AsyncIterator[Carriage]:
    carriage = Carriage(name, start)
    http = HTTPServer(carriage.router)
    sockets = bind_sockets(0, "127.0.0.1")
    http.add_sockets(sockets)
    carriage.port = sockets[0].getsockname()[1]
    try:
        yield carriage
    finally:
        http.stop()
        await http.close_all_connections()


def framed(carriage: Carriage, message: str) -> bytes:
    return wrap(carriage.carrier.framing, message)


def test_the_registry_holds_each_transport_under_its_own_name_in_the_order_of_preference() -> None:
    assert NAMES == ["websocket", "polling", "jsonp", "htmlfile"]
    assert all(TRANSPORTS[name].name == name for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_told_before_the_start(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name, start=False) as carriage:
            if name == "websocket":
                await carriage.say("early")
            for _ in range(20):
                await asyncio.sleep(0)
            assert carriage.told == []
            carriage.carrier.start()
            await carriage.hears(*(("data", "early") if name == "websocket" else ("ready",)))

    run(main())


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_arrives_whole_and_in_order_and_polls_say_that_it_was_taken(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            messages = ["4one", '4</script><!-- "\\\u2028é€😀', "4" + "x" * 9000]
            for number, message in enumerate(messages, 1):
                if number > 1 and name in POLLS:
                    await carriage.get()
                    await carriage.hears("ready", times=number)
                assert carriage.carrier.ready
                carriage.carrier.send(framed(carriage, message))
                assert carriage.carrier.ready is (name in STREAMS)
                assert await carriage.read() == message
            if name in POLLS:
                await carriage.hears("taken", True, times=3)
            else:
                assert all(what[0] != "taken" for what in carriage.told)

    run(main())


@pytest.mark.parametrize("name", NAMES)
def test_what_the_client_says_is_handed_on_as_text_once(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            for message in ("4é€😀", "4+%&=d=\u2028", "4"):
                answer = await carriage.say(message)
                assert answer is None or (answer.status, answer.body) == (200, b"ok")
                await carriage.hears("data", message)
            assert [what[1] for what in carriage.told if what[0] == "data"] == ["4é€😀", "4+%&=d=\u2028", "4"]

    run(main())


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_of_what_was_said_is_answered(name: str, later: bool, run: Callable[..., Any]) -> None:
    async def refuse() -> None:
        await asyncio.sleep(0)
        raise Refused("not that", status=409, close_code=4001)

    def refuse_now() -> None:
        raise Refused("not that", status=409, close_code=4001)

    async def main() -> None:
        async with carried(name) as carriage:
            carriage.answer = refuse if later else refuse_now
            answer = await carriage.say("4")
            if answer is None:
                assert carriage.listening is not None
                assert await carriage.listening.frame() == (0x88, b"\x0f\xa1not that")
                assert carriage.told.count(("lost", Loss.ERROR)) == 1
            else:
                assert (answer.status, answer.body) == (409, b"not that")

    run(main())


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_to_take_what_was_said_is_never_passed_over_in_silence(name: str, run: Callable[..., Any]) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ConnectionError("the other process is gone")

    async def main() -> None:
        async with carried(name) as carriage:
            carriage.answer = fail
            answer = await carriage.say("4")
            if answer is None:
                assert carriage.listening is not None
                assert (await carriage.listening.frame())[1][:2] == (1011).to_bytes(2, "big")
            else:
                assert (answer.status, answer.headers["retry-after"]) == (503, "1")

    run(main())


@pytest.mark.parametrize("name", NAMES)
def test_what_was_said_is_confirmed_only_when_it_was_taken(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            carriage.answer = lambda: taken
            saying = asyncio.ensure_future(carriage.say("4first"))
            await carriage.hears("data", "4first")
            if name == "websocket":
                await saying
                await carriage.say("4second")
            for _ in range(30):
                await asyncio.sleep(0)
            # Over HTTP the answer is what confirms; a WebSocket is read no further.
            assert saying.done() is (name == "websocket") and ("data", "4second") not in carriage.told
            taken.set_result(None)
            await saying
            if name == "websocket":
                await carriage.hears("data", "4second")

    run(main())


@pytest.mark.parametrize("name", NAMES)
def test_a_close_says_its_last_word_once_and_then_nothing_more_is_told(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            for _ in range(2):
                carriage.carrier.close(framed(carriage, "6"), 1001, "later")
            assert await carriage.read() == "6" and not carriage.carrier.ready
            assert carriage.listening is not None
            if name == "websocket":
                assert await carriage.listening.frame() == (0x88, b"\x03\xe9later")
                await carriage.say("4late")
                carriage.listening.send(masked(0x88, b"\x03\xe9"))
                assert (await carriage.listening.frame())[0] == -1
            else:
                if name == "htmlfile":
                    assert await carriage.listening.chunk() == b""
                assert carriage.speaking is not None
                assert (await carriage.speaking.request("GET", TARGET)).status == 400
                answer = await carriage.say("4late")
                assert answer is not None and answer.status == 400
            assert carriage.told[-1] == ("lost", Loss.LOCAL) and carriage.told.count(("lost", Loss.LOCAL)) == 1
            assert ("data", "4late") not in carriage.told

    run(main())


@pytest.mark.parametrize("name", NAMES)
def test_a_peer_that_vanishes_is_told_once_and_harms_nobody(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            if name in STREAMS:
                carriage.carrier.send(framed(carriage, "4unread"))
            carriage.vanish()
            await carriage.hears("lost", Loss.PEER)
            assert not carriage.carrier.ready
            for last in (b"", framed(carriage, "6")):
                carriage.carrier.close(last)
            if name in STREAMS:
                carriage.carrier.send(framed(carriage, "4never"))
            carriage.carrier.pause()
            carriage.carrier.resume()
            for _ in range(20):
                await asyncio.sleep(0)
            assert [what for what in carriage.told if what[0] == "lost"] == [("lost", Loss.PEER)]

    run(main())


@pytest.mark.parametrize("name", STREAMS)
def test_a_full_stream_is_not_ready_until_the_peer_has_read(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            sent = 0
            while carriage.carrier.ready:
                carriage.carrier.send(framed(carriage, "4" + "x" * 100_000))
                sent += 1
            before = carriage.told.count(("ready",))
            for _ in range(sent):
                assert len(await carriage.read()) == 100_001
            await carriage.hears("ready", times=before + 1)
            assert carriage.carrier.ready

    run(main())


@pytest.mark.parametrize("name", [name for name in NAMES if name != "websocket"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "PATCH"])
def test_other_methods_are_405_and_change_nothing(name: str, method: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with carried(name) as carriage:
            assert carriage.speaking is not None
            answer = await carriage.speaking.request(method, TARGET)
            assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
            await carriage.say("4on")
            await carriage.hears("data", "4on")
            assert carriage.carrier.ready

    run(main())


@pytest.mark.parametrize("name", ["websocket", "jsonp"])
def test_a_first_request_that_is_wrong_is_refused_before_anything_is_answered(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with served(name) as carriage, RawClient(carriage.port) as client:
            assert (await client.request("GET", "/carrier")).status == 400
            assert carriage.transport is None and carriage.told == []

    run(main())
