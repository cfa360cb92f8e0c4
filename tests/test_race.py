"""Two first carriers at once, a WebSocket and a first POST that name the same race: one session, whichever gets through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from anywire.server.config import Config
from anywire.server.errors import CloseReason
from anywire.server.events import Connect, Event, Open
from anywire.server.outgoing import Outgoing
from anywire.server.protocols.engineio4 import EngineIO4
from anywire.server.race import Race, Races
from anywire.server.session import Session, SessionEnv
from anywire.server.timers import Wheel
from anywire.transports.base import Loss
from fakes import FakeClock, FakePoll, FakeStream
from http_tools import Answer, RawClient, text
from hypothesis import given, settings
from hypothesis import strategies as st
from server_tools import BASE, serving
from test_session import NoPython

TOKEN = "1234567890,4567890123,7890123456,1234567890"
RACE = "&aw=" + TOKEN.replace(",", "%2C")


class Site:
    """A server whose handlers count, and a client's two ways to it."""

    def __init__(self, sio: Any, post: RawClient, socket: RawClient) -> None:
        self.sio, self.post, self.socket = sio, post, socket
        self.joins: list[str] = []
        self.ends: list[str] = []
        self.said: list[str] = []
        sio.on("connect", lambda sid, environ: self.joins.append("/"))
        sio.on("connect", lambda sid, environ: self.joins.append("/chat"), namespace="/chat")
        sio.on("disconnect", lambda sid, reason: self.ends.append(reason))
        sio.on("say", lambda sid, word: self.said.append(word))

    async def open_socket(self, query: str = RACE) -> dict[str, Any]:
        """Open the WebSocket; what the open packet says."""
        assert (await self.socket.upgrade(BASE + "websocket" + query)).status == 101
        return self.opened((await self.socket.frame())[1])

    def opened(self, packet: bytes) -> dict[str, Any]:
        assert packet[:1] == b"0"
        said: dict[str, Any] = json.loads(packet[1:])
        return said

    async def say(self, packet: str) -> None:
        """Say something over the WebSocket, and wait until it has been read."""
        self.socket.send(text(packet))
        await asyncio.sleep(0.05)

    async def begin(self, body: bytes = b"40", query: str = RACE) -> list[str]:
        """Begin by a POST; the packets of its answer."""
        answer = await self.post.request("POST", BASE + "polling" + query, body)
        assert answer.status == 200
        return answer.text.split("\x1e")

    async def poll(self, sid: str, method: str = "GET", body: bytes = b"") -> Answer:
        return await self.post.request(method, f"{BASE}polling{RACE}&sid={sid}", body)

    @property
    def sessions(self) -> int:
        return len(self.sio._hub.sessions)

    @property
    def races(self) -> int:
        return len(self.sio._requests.admission._races.running)


def racing(case: Callable[[Site], Any], run: Callable[..., Any], **config: Any) -> None:
    async def main() -> None:
        async with serving(**config) as sio, RawClient(sio.port) as post, RawClient(sio.port) as socket:
            await case(Site(sio, post, socket))

    run(main())


def test_a_post_beside_a_websocket_that_swallows_is_the_same_session(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        assert opened["upgrades"] == ["websocket"]
        first, joined = await site.begin()
        assert json.loads(first[1:]) == opened
        assert joined.startswith('40{"sid":')
        assert (site.joins, site.sessions, site.races) == (["/"], 1, 1)
        assert (await site.poll(opened["sid"], "POST", b'42["say","hello"]')).text == "ok"
        assert site.said == ["hello"]
        # Nothing but the handshake was said where nothing had come, and it is closed now.
        assert (await site.socket.frame())[0] == 0x88
        assert (site.ends, site.sessions, site.races) == ([], 1, 0)

    racing(case, run)


def test_both_get_through_and_the_client_stays_on_the_websocket(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        await site.say("40")
        first, joined = await site.begin()
        assert json.loads(first[1:]) == opened
        assert (await site.socket.frame())[1] == joined.encode()
        await site.say('42["say","hello"]')
        assert (site.joins, site.said, site.sessions, site.races) == (["/"], ["hello"], 1, 0)
        await site.sio.emit("news", 1)
        assert (await site.socket.frame())[1] == b'42["news",1]'
        assert (await site.poll(opened["sid"])).status == 400

    racing(case, run)


def test_both_get_through_and_the_client_goes_on_by_polling(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        await site.say("40")
        joined = (await site.begin())[1]
        await site.sio.emit("news", 1)
        await asyncio.sleep(0.05)
        # It was told to the WebSocket; the client has chosen the other way, where it was not told yet.
        assert (await site.poll(opened["sid"])).text == '42["news",1]'
        assert (await site.socket.frame())[1] == joined.encode()
        assert (await site.socket.frame())[1] == b'42["news",1]'
        assert (await site.socket.frame())[0] == 0x88
        await site.sio.emit("news", 2)
        assert (await site.poll(opened["sid"])).text == '42["news",2]'
        assert (site.joins, site.ends, site.sessions, site.races) == (["/"], [], 1, 0)

    racing(case, run)


def test_the_websocket_speaks_late_and_wins_for_the_answer_to_the_post_was_lost(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        joined = (await site.begin())[1]
        await site.sio.emit("news", 1)
        await site.say("40")
        assert (await site.socket.frame())[1] == joined.encode()
        assert (await site.socket.frame())[1] == b'42["news",1]'
        await site.say('42["say","hello"]')
        assert (site.joins, site.said, site.races) == (["/"], ["hello"], 0)
        assert (await site.poll(opened["sid"])).status == 400

    racing(case, run)


@pytest.mark.parametrize("winner", ["websocket", "polling"])
def test_a_websocket_that_comes_second_joins_the_session_of_the_post(winner: str, run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        first, joined = await site.begin()
        opened = json.loads(first[1:])
        assert await site.open_socket() == opened
        await site.say("40")
        assert (await site.socket.frame())[1] == joined.encode()
        if winner == "websocket":
            await site.say('42["say","hello"]')
        else:
            assert (await site.poll(opened["sid"], "POST", b'42["say","hello"]')).text == "ok"
        assert (site.joins, site.said, site.ends, site.sessions, site.races) == (["/"], ["hello"], [], 1, 0)
        assert site.sio.transport(next(iter(site.sio._hub.sessions.values())).sockets["/"].sid) == winner

    racing(case, run)


def test_what_one_way_brought_beyond_the_other_is_taken_once(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        await site.say("40")
        await site.say("40/chat,")
        assert len(await site.begin(b"40")) == 3
        # The page joined /chat when the POST had left: it says so again where it goes on.
        assert (await site.poll(opened["sid"], "POST", b"40/chat,")).text == "ok"
        assert (await site.poll(opened["sid"], "POST", b'42["say","hello"]')).text == "ok"
        assert (site.joins, site.said, site.ends, site.races) == (["/", "/chat"], ["hello"], [], 0)

    racing(case, run)


def test_what_the_websocket_says_again_is_passed_over(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        await site.begin(b"40\x1e40/chat,")
        for packet in ("40", "40/chat,", '42["say","hello"]'):
            await site.say(packet)
        assert (site.joins, site.said, site.ends, site.races) == (["/", "/chat"], ["hello"], [], 0)

    racing(case, run)


def test_a_post_that_says_nothing_counts_for_nothing(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        assert len(await site.begin(b"6")) == 1
        await site.say("40")
        assert (await site.socket.frame())[1].startswith(b'40{"sid":')
        assert site.joins == ["/"]

    racing(case, run)


@pytest.mark.parametrize("spoke", [False, True])
def test_a_websocket_that_is_closed_leaves_the_session_to_polling(spoke: bool, run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        if spoke:
            await site.say("40")
        await site.begin()
        site.socket.writer.transport.abort()
        await asyncio.sleep(0.05)
        await site.sio.emit("news", 1)
        assert (await site.poll(opened["sid"])).text == '42["news",1]'
        assert (site.joins, site.ends, site.sessions, site.races) == (["/"], [], 1, 0)

    racing(case, run)


def test_a_post_that_comes_twice_is_answered_twice_and_taken_once(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        first = await site.begin()
        await site.sio.emit("news", 1)
        assert await site.begin() == first
        assert (await site.poll(json.loads(first[0][1:])["sid"])).text == '42["news",1]'
        assert (site.joins, site.sessions) == (["/"], 1)

    racing(case, run)


def test_a_token_is_good_for_one_websocket_and_until_its_race_is_decided(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        async with RawClient(site.sio.port) as other:
            assert (await other.upgrade(BASE + "websocket" + RACE)).status == 400
        await site.say("40")
        await site.say('42["say","hello"]')
        # A POST that was under way, or comes once more, makes no second session that nobody would end.
        answer = await site.post.request("POST", BASE + "polling" + RACE, b"40")
        assert (answer.status, answer.body) == (400, b'{"code":3,"message":"Bad request"}')
        assert (site.joins, site.sessions, site.ends) == (["/"], 1, [])
        async with RawClient(site.sio.port) as other:
            assert (await other.upgrade(BASE + "websocket" + RACE)).status == 400
        # Only a race is over: its client may begin by a GET.
        assert json.loads((await site.post.request("GET", BASE + "polling" + RACE)).text[1:])["sid"] != opened["sid"]

    racing(case, run)


def test_a_session_that_ended_undecided_leaves_the_token_to_the_other_way(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        site.socket.writer.transport.abort()
        await asyncio.sleep(0.05)
        first, joined = await site.begin()
        assert json.loads(first[1:])["sid"] != opened["sid"] and joined.startswith('40{"sid":')

    racing(case, run)


def test_who_has_won_is_remembered_for_a_minute_and_not_for_ever() -> None:
    clock = FakeClock()
    races = Races(clock.time)
    for n in range(3):
        history = History(True, 1, 0)
        races.begin(f"token {n}", history.session, history.stream)
        races.running[f"token {n}"].decide(history.stream)
        clock.advance(25)
    assert [races.is_spent(f"token {n}") for n in range(3)] == [False, True, True]
    assert not races.running and len(races._spent) == 3
    clock.advance(40)
    history = History(True, 1, 0)
    races.begin("another", history.session, history.stream)
    races.running["another"].decide(history.stream)
    assert list(races._spent) == ["another"]


@pytest.mark.parametrize("query", ["&aw=1", "&aw=123456789012345", "&aw=" + "1" * 101, ""])
def test_without_a_token_that_cannot_be_guessed_there_is_no_race(query: str, run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket(query)
        answer = await site.post.request("POST", BASE + "polling" + query, b"40")
        if len(query) < 100 and query:
            assert json.loads(answer.text.split("\x1e")[0][1:])["sid"] != opened["sid"]
            assert opened["upgrades"] == []
        else:
            assert answer.status == 400
        assert site.races == 0

    racing(case, run)


def test_a_race_is_for_one_identity(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket(RACE + "&user=ann")
        assert json.loads((await site.begin(query=RACE + "&user=bob"))[0][1:])["sid"] != opened["sid"]
        assert site.sessions == 2

    racing(case, run, identity=lambda environ: environ["anywire.request"].argument("user"))


def test_the_second_way_counts_as_no_session_of_its_address(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        assert json.loads((await site.begin())[0][1:])["sid"] == opened["sid"]
        async with RawClient(site.sio.port) as other:
            assert (await other.request("POST", BASE + "polling" + RACE + "9", b"40")).status == 429

    racing(case, run, max_sessions_per_address=1)


def test_the_application_is_asked_about_both_ways(run: Callable[..., Any]) -> None:
    asked: list[str] = []

    async def authorize(environ: dict[str, Any]) -> bool:
        asked.append(environ["REQUEST_METHOD"])
        await asyncio.sleep(0.02)
        return environ["REQUEST_METHOD"] == "GET"

    async def case(site: Site) -> None:
        await site.open_socket()
        assert (await site.post.request("POST", BASE + "polling" + RACE, b"40")).status == 403
        assert (asked, site.sessions) == (["GET", "POST"], 1)

    racing(case, run, authorization=authorize)


def test_what_breaks_the_protocol_ends_the_session_and_its_race(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        answer = await site.post.request("POST", BASE + "polling" + RACE, b'42["too soon"]')
        assert (answer.status, answer.body) == (400, b"event for a namespace that is not joined")
        assert (await site.socket.frame())[0] == 0x88
        assert (site.sessions, site.races) == (0, 0)

    racing(case, run)


def test_attachments_come_whole_over_the_carrier_that_wins_by_them(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        site.sio.on("file", lambda sid, data: site.said.append(data))
        await site.open_socket()
        await site.begin()
        await site.say("40")
        await site.say('451-["file",{"_placeholder":true,"num":0}]')
        assert site.races == 0
        site.socket.send(b"\x82\x83\0\0\0\0abc")
        await asyncio.sleep(0.05)
        assert site.said == [b"abc"]

    racing(case, run)


def test_attachments_of_who_has_joined_nothing_end_the_session(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        site.socket.send(text('451-["file",{"_placeholder":true,"num":0}]'))
        kind, reason = await site.socket.frame()
        assert (kind, reason[2:]) == (0x88, b"attachments before CONNECT")
        assert (site.sessions, site.races) == (0, 0)

    racing(case, run)


def test_an_upgrade_of_who_has_not_said_all_again_ends_the_race(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        opened = await site.open_socket()
        await site.say("40")
        await site.say("40/chat,")
        await site.begin(b"40")
        async with RawClient(site.sio.port) as upgrade:
            assert (await upgrade.upgrade(BASE + "websocket&sid=" + opened["sid"])).status == 101
            upgrade.send(text("2probe") + text("5"))
            assert (await upgrade.frame())[1] == b"3probe"
            upgrade.send(text('42["say","hello"]'))
            await asyncio.sleep(0.05)
            assert (site.said, site.sessions, site.races) == (["hello"], 1, 0)

    racing(case, run)


def test_a_client_that_has_nothing_more_to_say_is_asked_and_its_answer_decides(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        await site.say("40")
        await site.socket.frame()
        assert site.races == 1
        assert (await asyncio.wait_for(site.socket.frame(), 4))[1] == b"2"
        await site.say("3")
        assert (site.races, site.sessions) == (0, 1)

    racing(case, run)


def test_a_shutdown_ends_a_race(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        await site.say("40")
        await site.begin()
        await site.sio.shutdown(1)
        assert site.races == site.sessions == 0

    racing(case, run)


def test_more_than_an_outbox_holds_decides_for_the_one_that_leads(run: Callable[..., Any]) -> None:
    async def case(site: Site) -> None:
        await site.open_socket()
        await site.say("40")
        await site.socket.frame()
        for n in range(20):
            await site.sio.emit("news", n)
        assert [(await site.socket.frame())[1] for _ in range(20)] == [f'42["news",{n}]'.encode() for n in range(20)]
        assert (site.races, site.ends) == (0, [])

    racing(case, run, max_queue_messages=10)


# -- random histories -----------------------------------------------------------------------------------------------------


class History:
    """A session, two carriers and their client; what goes up and down them arrives when ``step`` says so."""

    def __init__(self, stream_first: bool, joins: int, posted: int) -> None:
        self.clock = FakeClock()
        self.joined: list[str] = []
        self.heard: list[Any] = []
        self.ends: list[CloseReason] = []
        self.emitted = 0
        env = SessionEnv(
            Config.build({}), Wheel(self.clock), self._packet, lambda session, reason: self.ends.append(reason), self.clock.call_soon
        )
        self.session = Session("id", EngineIO4(), env, NoPython())  # type: ignore[arg-type]
        self.stream, self.poll = FakeStream(self.session), FakePoll(self.session)
        self.poll.is_ready = True
        #: What the client says first, on either way, as far as it has said it there.
        self.words = [f"40/{n}," for n in range(joins)]
        self.streamed, self.posted = 0, posted
        self.chosen = ""
        self.opened: set[str] = set()
        self.dropped = False
        first = self.stream if stream_first else self.poll
        self.over = 0
        race = Race(self.session, first, self._is_over)

        def told(session: Session) -> None:
            if not stream_first:
                self.poll.first(self._body())

        self.session.open(first, Open("id", (), 25.0, 20.0, 1000), told)
        self.opened.add(first.name)
        self.race = race
        self.clock.advance(0)

    def _is_over(self, decided: bool) -> None:
        self.over += 1

    def _body(self) -> bytes:
        return "\x1e".join(self.words[: self.posted]).encode() or b"6"

    def _packet(self, session: Session, packet: Any) -> None:
        if isinstance(packet, Connect):
            self.joined.append(packet.namespace)
            self.emit()
        elif isinstance(packet, Event):
            self.heard.append(packet.args[0])

    def emit(self) -> None:
        self.emitted += 1
        self.session.send(Outgoing(Event("/", "news", (self.emitted,))))

    def step(self, what: str) -> None:
        getattr(self, what)()
        self.clock.advance(0)

    def second(self) -> None:
        """The other carrier arrives."""
        if self.race is not self.session.race or self.chosen:
            return
        if "polling" not in self.opened:
            self.opened.add("polling")
            self.race.open_poll(self.poll, self._body())
        elif "websocket" not in self.opened:
            self.opened.add("websocket")
            self.race.open_stream(self.stream)

    def up(self) -> None:
        """One word more arrives over the stream."""
        if self.stream.started and self.stream.closed is None and self.chosen != "polling" and self.streamed < len(self.words):
            self.streamed += 1
            self.session.on_data(self.stream, self.words[self.streamed - 1])

    def choose_stream(self) -> None:
        """The client reads an answer on the stream, and says something that only who has an answer says."""
        if not self.chosen and len(self.stream.sent) > 1 and self.stream.closed is None:
            self.chosen = "websocket"

    def choose_poll(self) -> None:
        """The client reads the answer to its POST first."""
        if not self.chosen and self.poll.sent and self.poll.closed is None:
            self.chosen = "polling"

    def drop(self) -> None:
        """The stream's end arrives, which the client has closed for polling."""
        if self.chosen == "polling" and self.stream.started and not self.dropped and self.stream.closed is None:
            self.dropped = True
            self.session.on_detached(self.stream, Loss.PEER)

    def go_on(self) -> None:
        """The client says all that is left, and hears all."""
        if self.chosen == "websocket":
            for _ in range(len(self.words)):
                self.step("up")
            self.session.on_data(self.stream, '42["say","last"]')
        else:
            if self.session.race is not None:
                self.session.race.ask()
            self.session.on_data(self.poll, "\x1e".join([*self.words[self.posted :], '42["say","last"]']))
            self.clock.advance(0)
            for _ in range(3):
                self.poll.park()
                self.clock.advance(0)

    def told(self) -> list[int]:
        """What the client has heard over the way that it chose."""
        if self.chosen == "websocket":
            packets = [frame[2:] for frame in self.stream.sent]
        else:
            packets = [packet for body in self.poll.sent for packet in body.split(b"\x1e")]
        return [json.loads(packet[2:])[1] for packet in packets if packet.startswith(b"42")]


STEPS = ["second", "up", "up", "emit", "choose_stream", "choose_poll", "drop"]


@settings(max_examples=1500, deadline=None)
@given(st.booleans(), st.integers(1, 3), st.integers(0, 3), st.lists(st.sampled_from(STEPS), max_size=14))
def test_whatever_the_order_nothing_is_lost_doubled_or_out_of_order(
    stream_first: bool, joins: int, posted: int, steps: list[str]
) -> None:
    history = History(stream_first, joins, min(posted, joins))
    for step in steps:
        history.step(step)
    # In the end one of them gets through.
    for step in ("second", "up", "choose_poll", "choose_stream"):
        history.step(step)
    if not history.chosen:
        return
    history.step("go_on")
    history.step("drop")
    history.step("emit")
    if history.chosen == "polling" and not history.poll.is_ready:
        history.poll.park()
        history.clock.advance(0)
    assert history.joined == [f"/{n}" for n in range(joins)]
    assert history.heard == ["last"]
    assert history.told() == list(range(1, history.emitted + 1))
    assert history.ends == [] and history.over == 1
    assert history.session.race is None and not history.session.unproven
    assert len(history.session.outbox) == 0
