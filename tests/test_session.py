"""One session without a loop: its states, heartbeats, upgrades, limits and ends, on a clock moved by hand."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from anywire.server.config import Config
from anywire.server.errors import CloseReason, ProtocolError
from anywire.server.events import Event, Message, Open
from anywire.server.outgoing import Outgoing
from anywire.server.protocols.base import Limits
from anywire.server.protocols.engineio3 import BareEngineIO3
from anywire.server.protocols.engineio4 import BareEngineIO4, EngineIO4
from anywire.server.session import DRAIN_TIMEOUT, Session, SessionEnv
from anywire.server.states import Input as SessionInput
from anywire.server.states import SessionState, StateError
from anywire.server.timers import Wheel
from anywire.server.upgrade import NOOP_INTERVAL
from anywire.transports.base import Loss, Refused, Transport
from fakes import FakeClock, FakePoll, FakeStream
from hypothesis import given, settings
from hypothesis import strategies as st


class NoPython:
    """A handshake of a browser's."""

    from_python = False


class World:
    """A session on a carrier, with all that happened to it."""

    def __init__(self, carrier: type[FakeStream] = FakePoll, protocol: Any = BareEngineIO4, **config: Any) -> None:
        self.clock = FakeClock()
        self.packets: list[Any] = []
        self.ends: list[CloseReason] = []
        self.env = SessionEnv(
            Config.build({}, **config),
            Wheel(self.clock),
            lambda session, packet: self.packets.append(packet),
            lambda session, reason: self.ends.append(reason),
            self.clock.call_soon,
            Limits(max_bytes=1000),
        )
        self.session = Session("node-secret", protocol(), self.env, NoPython())  # type: ignore[arg-type]
        self.carrier = carrier(self.session)
        if isinstance(self.carrier, FakePoll):
            self.carrier.is_ready = True
        self.session.open(self.carrier, Open("node-secret", ("websocket",), 25.0, 20.0, 1000), lambda session: None)
        self.clock.advance(0)

    def say(self, text: str | bytes, volatile: bool = False) -> bool:
        """Send from the server, and end the turn of the loop."""
        taken = self.session.send(Outgoing(Message(text), volatile))
        self.clock.advance(0)
        return taken

    def hear(self, data: str | bytes) -> None:
        """The client sends."""
        self.session.on_data(self.session.transport, data)  # type: ignore[arg-type]
        self.clock.advance(0)

    def poll(self, taken: bool | None = True) -> bytes | None:
        """The client polls; the answer, if there is one at once, whose bytes the kernel took or not (None: not known yet)."""
        carrier, before = self.carrier, len(self.carrier.sent)
        assert isinstance(carrier, FakePoll)
        carrier.takes = taken
        carrier.park()
        self.clock.advance(0)
        return carrier.sent[-1] if len(carrier.sent) > before else None

    @property
    def on_trial(self) -> Transport | None:
        """The carrier that is tried beside the present one."""
        return self.session.probe.transport if self.session.probe is not None else None

    def probe(self) -> FakeStream:
        """The client opens a WebSocket beside its polls."""
        stream = FakeStream(self.session)
        self.session.try_upgrade(stream)
        return stream


def framed(text: str) -> bytes:
    return bytes((0x81, len(text))) + text.encode()


# -- the state table ----------------------------------------------------------------------------------------------------

S, In = SessionState, SessionInput
#: What may happen in each state, and where it leads: written out here again, so that no entry of the code's table is an accident.
MAY = {
    (S.OPENING, In.ATTACH): S.OPEN,
    (S.OPENING, In.CLOSE): S.CLOSED,
    (S.OPEN, In.ATTACH): S.OPEN,
    (S.OPEN, In.PROBE): S.UPGRADING,
    (S.OPEN, In.DETACH): S.DETACHED,
    (S.OPEN, In.DRAIN): S.CLOSING,
    (S.OPEN, In.CLOSE): S.CLOSED,
    (S.UPGRADING, In.UPGRADE): S.OPEN,
    (S.UPGRADING, In.PROBE_LOST): S.OPEN,
    (S.UPGRADING, In.DRAIN): S.CLOSING,
    (S.UPGRADING, In.CLOSE): S.CLOSED,
    (S.DETACHED, In.ATTACH): S.OPEN,
    (S.DETACHED, In.CLOSE): S.CLOSED,
    (S.CLOSING, In.CLOSE): S.CLOSED,
    (S.CLOSING, In.PROBE_LOST): S.CLOSING,
}


@pytest.mark.parametrize(("state", "event"), list(product(S, In)), ids=lambda value: value.value)
def test_each_state_takes_what_the_table_has_and_refuses_the_rest(state: S, event: In) -> None:
    session = World().session
    session.state = state
    if (state, event) in MAY:
        session._step(event)
        assert session.state is MAY[state, event]
    else:
        with pytest.raises(StateError, match=f"{event.value} in state {state.value}"):
            session._step(event)
        assert session.state is state


def test_each_change_of_state_is_logged_without_the_secret_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anywire.session")
    world = World()
    world.session.id = "n" * 12 + "SECRET"
    world.session.close(CloseReason.SERVER)
    assert any("open -> closed" in line for line in caplog.messages)
    assert "SECRET" not in caplog.text


# -- heartbeats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("interval", "timeout"), [(0.3, 0.2), (25.0, 20.0)])
def test_the_ping_comes_after_the_interval_and_the_end_after_the_timeout_neither_early(interval: float, timeout: float) -> None:
    """To 20 ms where times are short; long ones share wake-ups of 100 ms."""
    slack = 0.02 if interval < 5 else 0.1
    world = World(FakeStream, ping_interval=interval, ping_timeout=timeout)
    told = len(world.carrier.sent)
    world.clock.advance(interval - 0.001)
    assert len(world.carrier.sent) == told
    world.clock.advance(slack + 0.001)
    assert world.carrier.sent[told:] == [framed("2")]
    world.clock.advance(timeout - slack - 0.001)
    assert world.ends == []
    world.clock.advance(2 * slack + 0.001)
    assert world.ends == [CloseReason.PING_TIMEOUT]
    assert len(world.env.wheel) == 0


def test_twenty_heartbeats_do_not_drift_by_more_than_a_tick_each() -> None:
    world = World(FakeStream, ping_interval=0.3, ping_timeout=0.2)
    for _ in range(20):
        asked = len(world.carrier.sent)
        for _ in range(40):
            world.clock.advance(0.01)
            if len(world.carrier.sent) > asked:
                break
        assert world.carrier.sent[asked:] == [framed("2")]
        world.hear("3")
    assert world.ends == []
    assert 1000 + 20 * 0.3 <= world.clock.now <= 1000 + 20 * 0.32


def test_a_waiting_poll_is_answered_with_the_ping() -> None:
    world = World(ping_interval=0.3, ping_timeout=0.2)
    assert world.poll() is None
    world.clock.advance(0.32)
    assert world.carrier.sent[-1] == b"2"


def test_pongs_that_nobody_asked_for_neither_end_the_session_nor_put_off_its_heartbeat() -> None:
    world = World(FakeStream, ping_interval=0.3, ping_timeout=0.2)
    for _ in range(1000):
        world.hear("3")
    assert len(world.env.wheel) == 1
    world.clock.advance(0.32)
    assert world.carrier.sent[-1] == framed("2")


def test_who_sends_anything_after_the_ping_is_alive_though_its_pong_is_held_up() -> None:
    """A large upload holds up the pong behind it."""
    world = World(FakeStream, ping_interval=0.3, ping_timeout=0.2)
    for _ in range(5):
        world.clock.advance(0.15)
        world.hear("4part")
    assert world.ends == []
    world.clock.advance(1)
    assert world.ends == [CloseReason.PING_TIMEOUT]


@pytest.mark.parametrize("protocol", [BareEngineIO4, lambda: BareEngineIO3(double_utf8=False)], ids=["4", "3"])
def test_a_peer_that_nothing_is_read_from_is_not_taken_for_dead_but_one_that_is_silent_afterwards_is(protocol: Any) -> None:
    world = World(protocol=protocol)
    world.session.pause()
    world.clock.advance(500)
    assert world.ends == []
    world.session.resume()
    world.clock.advance(19)
    assert world.ends == []
    world.clock.advance(75)
    assert world.ends == [CloseReason.PING_TIMEOUT]


def test_a_peer_that_is_to_wait_is_not_read_over_another_carrier_either() -> None:
    class Paused(FakeStream):
        paused = False

        def pause(self) -> None:
            self.paused = True

        def resume(self) -> None:
            self.paused = False

    world = World()
    stream = Paused(world.session)
    world.session.try_upgrade(stream)
    world.session.pause()
    for text in ("2probe", "5"):
        world.session.on_data(stream, text)
    assert world.session.transport is stream and stream.paused
    world.session.resume()
    assert not stream.paused


def test_a_session_has_one_deadline_in_the_wheel_whatever_it_does() -> None:
    world = World(FakeStream)
    for number in range(100):
        world.hear(f"4{number}")
        world.say(str(number))
    assert len(world.env.wheel) == 1


# -- upgrade ------------------------------------------------------------------------------------------------------------


def test_an_upgrade_takes_over_what_waits_in_order_and_ends_the_old_polls() -> None:
    world = World()
    world.say("before")
    assert world.poll() == b"4before"
    stream = world.probe()
    assert world.session.state is S.UPGRADING
    world.session.on_data(stream, "2probe")
    assert stream.sent == [framed("3probe")]
    world.say("during 1")
    world.say("during 2")
    assert stream.sent == [framed("3probe")]
    world.session.on_data(stream, "5")
    assert stream.sent == [framed("3probe"), framed("4during 1"), framed("4during 2")]
    assert world.session.state is S.OPEN and world.session.transport_name == "websocket"
    assert world.carrier.closed is not None
    world.say("after")
    assert stream.sent[-1] == framed("4after")
    assert world.ends == []


def test_a_poll_that_waits_during_the_probe_is_ended_by_a_noop_and_so_is_the_next_within_100_ms() -> None:
    world = World()
    assert world.poll() is None
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    assert world.carrier.sent[-1] == b"6"
    world.session.on_taken(world.carrier, True)
    said = len(world.carrier.sent)
    assert world.poll() is None
    world.clock.advance(NOOP_INTERVAL + 0.02)
    assert world.carrier.sent[said:] == [b"6"]


def test_what_is_said_while_a_probe_lasts_still_goes_out_by_poll() -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.say("by poll")
    assert world.poll() == b"4by poll"
    world.session.on_data(stream, "5")
    assert framed("4by poll") not in stream.sent


def test_what_a_dead_poll_did_not_take_goes_over_the_new_stream_once() -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.say("saved")
    assert world.poll(taken=False) == b"4saved"
    world.session.on_data(stream, "5")
    assert stream.sent[1:] == [framed("4saved")]


def test_what_the_last_poll_carried_is_not_said_again_though_the_kernel_has_not_told_yet() -> None:
    """The client says "5" only when its last poll has ended."""
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.say("once")
    assert world.poll(taken=None) == b"4once"
    world.session.on_data(stream, "5")
    assert stream.sent == [framed("3probe")]
    assert len(world.session.outbox) == 0


def test_an_upgrade_that_takes_too_long_is_given_up_and_the_polls_go_on() -> None:
    world = World(upgrade_timeout=0.5)
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.clock.advance(0.49)
    assert stream.closed is None
    world.clock.advance(0.03)
    assert stream.closed is not None
    assert world.session.state is S.OPEN and world.session.probe is None and world.session.can_upgrade
    world.say("on")
    assert world.poll() == b"4on"
    assert world.ends == [] and len(world.env.wheel) == 1


def test_a_probe_that_is_repeated_is_answered_again_and_keeps_one_alarm() -> None:
    world = World(upgrade_timeout=5)
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    kept = len(world.env.wheel)
    for _ in range(50):
        world.session.on_data(stream, "2probe")
    assert stream.sent == [framed("3probe")] * 51
    assert len(world.env.wheel) == kept


def test_a_finished_upgrade_leaves_no_alarm_behind() -> None:
    world = World(upgrade_timeout=0.5)
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.session.on_data(stream, "5")
    assert len(world.env.wheel) == 1
    world.clock.advance(1)
    assert stream.closed is None and stream.sent == [framed("3probe")]


@pytest.mark.parametrize("first", ["5", "2", "2other", "3probe", "4hello", "1", "", b"bytes"])
def test_a_new_carrier_that_says_anything_but_probe_first_is_closed_alone(first: str | bytes) -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, first)
    assert stream.closed is not None and stream.sent == []
    assert world.session.state is S.OPEN and world.packets == [] and world.ends == []


def test_a_new_carrier_that_vanishes_leaves_the_session_as_it_was() -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.session.on_detached(stream, Loss.ERROR)
    assert world.session.state is S.OPEN and world.ends == []
    second = world.probe()
    world.session.on_data(second, "2probe")
    world.session.on_data(second, "5")
    assert world.session.transport is second


def test_the_old_carrier_has_no_say_after_the_upgrade() -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.session.on_data(stream, "5")
    world.session.on_data(world.carrier, "4late")
    world.session.on_taken(world.carrier, False)
    world.session.on_detached(world.carrier, Loss.PEER)
    assert world.packets == [] and world.ends == []
    world.session.on_detached(stream, Loss.PEER)
    assert world.ends == [CloseReason.TRANSPORT_CLOSE]


def test_a_session_that_ends_during_an_upgrade_ends_both_carriers_and_all_alarms() -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.session.close(CloseReason.SERVER)
    assert stream.closed is not None and world.carrier.closed is not None
    assert len(world.env.wheel) == 0 and world.ends == [CloseReason.SERVER]


#: A history of an upgrade: the server says something, the client polls (and gets the answer, or not, or the kernel tells later), opens a
#: WebSocket, or moves.
_STEPS = st.lists(
    st.sampled_from(["say", "poll", "lost poll", "slow poll", "took it", "lost it", "probe", "upgrade", "give up", "tick"]), max_size=40
)


@given(_STEPS)
@settings(max_examples=700, deadline=None)
def test_no_history_of_polls_and_upgrades_loses_doubles_or_reorders_a_message(history: list[str]) -> None:
    """The client gets 0, 1, 2... whatever happens. It moves only when its last poll has ended."""
    world = World(max_queue_messages=10_000)
    carrier = world.carrier
    assert isinstance(carrier, FakePoll)
    got: list[str] = []
    stream: FakeStream | None = None
    slow: bytes | None = None
    said, read, answered = 0, 0, len(carrier.sent)

    def take(data: bytes) -> None:
        got.extend(packet[1:] for packet in data.decode().split("\x1e") if packet[0] == "4")

    for step in history:
        if step == "say":
            world.say(str(said))
            said += 1
        elif step.endswith("poll") and world.session.transport is carrier and not carrier.is_ready:
            world.poll(taken={"poll": True, "lost poll": False, "slow poll": None}[step])
        elif step in ("took it", "lost it") and slow is not None:
            if step == "took it":
                take(slow)
            slow = None
            world.session.on_taken(carrier, step == "took it")
        elif step == "probe" and world.session.can_upgrade:
            stream, read = world.probe(), 0
            world.session.on_data(stream, "2probe")
        elif step == "upgrade" and stream is not None and world.on_trial is stream and not carrier.is_ready and slow is None:
            world.session.on_data(stream, "5")
        elif step == "give up" and stream is not None and world.on_trial is stream:
            stream.closed = (b"", 1000, "")
            world.session.on_detached(stream, Loss.PEER)
        elif step == "tick":
            world.clock.advance(0.11)
        for answer in carrier.sent[answered:]:
            assert slow is None, "an answer before the fate of the last one is known"
            if carrier.takes:
                take(answer)
            elif carrier.takes is None:
                slow = answer
        answered = len(carrier.sent)
        if stream is not None and world.session.transport is stream:
            for frame in stream.sent[read:]:
                take(frame[2:])
            read = len(stream.sent)
        assert got == [str(number) for number in range(len(got))]
    carrier.takes = True
    if slow is not None:
        world.session.on_taken(carrier, False)
    if world.session.transport is carrier:
        for answer in carrier.sent[answered:]:
            take(answer)
        if not carrier.is_ready:
            take(world.poll() or b"6")
    assert got == [str(number) for number in range(said)] and world.ends == []


# -- what a poll's dead connection could not take -------------------------------------------------------------------------


def test_an_answer_that_the_kernel_did_not_take_goes_out_again_before_what_came_after_it() -> None:
    world = World()
    world.say("1")
    world.say("2")
    assert world.poll(taken=False) == b"41\x1e42"
    world.say("3")
    assert world.poll(taken=False) == b"41\x1e42\x1e43"
    assert world.poll(taken=True) == b"41\x1e42\x1e43"
    assert world.poll() is None


def test_a_poll_that_comes_before_the_last_answer_was_taken_waits_for_that_and_takes_its_place() -> None:
    """Of a client that has given the last one up, or of a proxy: whoever read it polls after the kernel has told."""
    world = World()
    world.say("1")
    assert world.poll(taken=None) == b"41"
    assert world.poll(taken=None) is None
    world.say("2")
    assert world.carrier.sent[1:] == [b"41"]
    world.session.on_taken(world.carrier, False)
    assert world.carrier.sent[1:] == [b"41", b"41\x1e42"]
    world.session.on_taken(world.carrier, True)
    assert len(world.session.outbox) == 0


def test_a_poll_that_came_before_the_last_answer_was_taken_gets_what_follows_it() -> None:
    world = World()
    world.say("1")
    assert world.poll(taken=None) == b"41"
    assert world.poll(taken=None) is None
    world.say("2")
    world.session.on_taken(world.carrier, True)
    assert world.carrier.sent[1:] == [b"41", b"42"]
    world.session.on_taken(world.carrier, True)
    assert len(world.session.outbox) == 0


def test_binary_travels_as_base64_by_poll_and_as_itself_by_stream_also_when_it_waited() -> None:
    world = World()
    world.say(b"\x01\x02\x03")
    assert world.poll(taken=False) == b"b" + base64.b64encode(b"\x01\x02\x03")
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.session.on_data(stream, "5")
    assert stream.sent[1:] == [b"\x82\x03\x01\x02\x03"]


# -- slow consumers and limits ------------------------------------------------------------------------------------------


def test_a_full_queue_ends_the_session_as_a_slow_consumer(caplog: pytest.LogCaptureFixture) -> None:
    world = World(FakeStream, max_queue_messages=3)
    world.carrier.is_ready = False
    assert [world.say(str(number)) for number in range(4)] == [True, True, True, False]
    assert world.ends == [CloseReason.SLOW_CONSUMER]
    assert world.carrier.closed is not None and world.carrier.closed[1:] == (4008, "slow consumer")
    assert "queue full (3 messages" in caplog.text
    assert world.session.outbox.bytes == 0 and world.session.outbox._ring is None
    assert not world.say("more")


def test_a_queue_too_large_in_bytes_ends_the_session_too() -> None:
    world = World(FakeStream, max_queue_bytes=1024)
    world.carrier.is_ready = False
    assert world.say("x" * 600)
    assert not world.say("x" * 600)
    assert world.ends == [CloseReason.SLOW_CONSUMER]


def test_the_policy_drop_keeps_the_session_and_what_waits_and_leaves_out_the_new(caplog: pytest.LogCaptureFixture) -> None:
    world = World(FakeStream, max_queue_messages=2, slow_consumer="drop")
    world.carrier.is_ready = False
    assert [world.say(str(number)) for number in range(4)] == [True, True, False, False]
    assert world.ends == []
    world.carrier.is_ready = True
    world.session.on_ready(world.carrier)
    assert world.carrier.sent[-2:] == [framed("40"), framed("41")]
    assert world.say("4") and world.carrier.sent[-1] == framed("44")


@pytest.mark.parametrize("policy", ["close", "drop"])
def test_a_volatile_message_is_dropped_for_who_cannot_take_it_now_and_never_ends_a_session(policy: str) -> None:
    world = World(FakeStream, max_queue_messages=1, slow_consumer=policy)
    assert world.say("now", volatile=True)
    world.carrier.is_ready = False
    assert not world.say("lost", volatile=True)
    assert world.say("kept")
    assert not world.say("lost", volatile=True)
    world.carrier.is_ready = True
    world.session.on_ready(world.carrier)
    assert world.carrier.sent[-2:] == [framed("4now"), framed("4kept")]
    assert world.ends == []


def test_a_volatile_message_goes_to_a_parked_poll_and_never_waits_for_one() -> None:
    world = World()
    assert not world.say("lost", volatile=True)
    assert world.poll() is None
    assert world.say("heard", volatile=True)
    assert world.carrier.sent[-1] == b"4heard"


def test_a_stream_that_is_full_keeps_the_rest_and_goes_on_where_it_stopped() -> None:
    class Narrow(FakeStream):
        """Takes two messages, then is full."""

        __slots__ = ()

        def send(self, data: bytes, binary: bool = False) -> None:
            super().send(data)
            self.is_ready = len(self.sent) % 2 == 1

    world = World(Narrow)
    for number in range(5):
        assert world.say(str(number))
    while len(world.session.outbox):
        world.carrier.is_ready = True
        world.session.on_ready(world.carrier)
    assert [frame[3:] for frame in world.carrier.sent[1:]] == [b"0", b"1", b"2", b"3", b"4"]


# -- packets that wait --------------------------------------------------------------------------------------------------


def test_a_packet_whose_attachments_never_come_ends_the_session_after_a_heartbeats_time() -> None:
    world = World(FakeStream, EngineIO4, ping_timeout=0.5)
    world.hear('451-["x",{"_placeholder":true,"num":0}]')
    world.clock.advance(0.49)
    assert world.ends == []
    world.clock.advance(0.03)
    assert world.ends == [CloseReason.PARSE_ERROR]
    assert len(world.env.wheel) == 0


def test_attachments_that_come_in_time_leave_the_session_alone() -> None:
    world = World(FakeStream, EngineIO4, ping_timeout=0.5)
    world.hear('451-["x",{"_placeholder":true,"num":0}]')
    world.hear(b"\x01")
    world.clock.advance(0.6)
    assert world.ends == [] and world.packets[0].args == (b"\x01",)


def test_a_second_packet_has_its_own_time_for_its_attachments() -> None:
    world = World(FakeStream, EngineIO4, ping_timeout=0.5)
    world.hear('451-["x",{"_placeholder":true,"num":0}]')
    world.clock.advance(0.3)
    world.hear(b"\x01")
    world.hear('451-["y",{"_placeholder":true,"num":0}]')
    world.clock.advance(0.3)
    world.hear(b"\x02")
    assert world.ends == [] and [packet.name for packet in world.packets] == ["x", "y"]


def test_attachments_have_their_time_during_an_upgrade_too() -> None:
    world = World(protocol=EngineIO4, ping_timeout=0.5)
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.hear('451-["x",{"_placeholder":true,"num":0}]')
    world.session.on_detached(stream, Loss.PEER)
    world.clock.advance(0.52)
    assert world.ends == [CloseReason.PARSE_ERROR]


def test_a_session_that_ends_frees_the_packet_that_waits() -> None:
    world = World(FakeStream, EngineIO4)
    world.hear('451-["x",{"_placeholder":true,"num":0}]')
    decoder = world.session._decoder
    world.session.on_detached(world.carrier, Loss.PEER)
    assert world.session._decoder is not decoder and not world.session._decoder.pending
    assert len(world.env.wheel) == 0


def test_attachments_count_towards_the_size_of_their_packet() -> None:
    world = World(FakeStream, EngineIO4)
    world.hear('452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
    world.hear(bytes(600))
    with pytest.raises(ProtocolError):
        world.hear(bytes(600))
    assert world.ends == [CloseReason.PARSE_ERROR]


# -- ends ---------------------------------------------------------------------------------------------------------------


def _full(world: World) -> None:
    world.carrier.is_ready = False
    for _ in range(world.env.config.max_queue_messages + 100):
        world.say("x")


def _refused(world: World, data: str) -> None:
    with pytest.raises(Refused):
        world.hear(data)


ENDS: list[tuple[str, CloseReason, Callable[[World], Any]]] = [
    ("the client says so", CloseReason.CLIENT, lambda world: world.hear("1")),
    ("the server says so", CloseReason.SERVER, lambda world: world.session.close_when_drained(CloseReason.SERVER)),
    ("no answer to a ping", CloseReason.PING_TIMEOUT, lambda world: world.clock.advance(46)),
    ("the peer is gone", CloseReason.TRANSPORT_CLOSE, lambda world: world.session.on_detached(world.carrier, Loss.PEER)),
    ("its socket fails", CloseReason.TRANSPORT_ERROR, lambda world: world.session.on_detached(world.carrier, Loss.ERROR)),
    ("nonsense", CloseReason.PARSE_ERROR, lambda world: _refused(world, "nonsense")),
    ("too much at once", CloseReason.TOO_BIG, lambda world: world.session.on_detached(world.carrier, Loss.TOO_BIG)),
    ("the queue is full", CloseReason.SLOW_CONSUMER, _full),
    ("the socket is not read", CloseReason.SLOW_CONSUMER, lambda world: world.session.on_detached(world.carrier, Loss.SLOW)),
    ("shutting down", CloseReason.SHUTDOWN, lambda world: world.session.close_when_drained(CloseReason.SHUTDOWN)),
]


@pytest.mark.parametrize(("why", "reason", "end"), ENDS, ids=[why for why, _, _ in ENDS])
def test_every_end_is_told_once_with_its_reason_and_leaves_nothing(why: str, reason: CloseReason, end: Callable[[World], Any]) -> None:
    world = World(FakeStream)
    end(world)
    assert world.ends == [reason]
    session = world.session
    assert session.state is S.CLOSED and not session.alive and session.transport is None and session.transport_name == ""
    session.close(CloseReason.CLIENT)
    session.close_when_drained(CloseReason.CLIENT)
    session.on_detached(world.carrier, Loss.PEER)
    session.flush()
    world.clock.advance(100)
    assert world.ends == [reason] and len(world.env.wheel) == 0
    assert not world.say("late")


def test_the_reasons_are_python_socketios_and_those_it_has_no_name_for() -> None:
    assert [str(reason) for reason in CloseReason] == [
        "client disconnect", "server disconnect", "ping timeout", "transport close", "transport error", "parse error", "message too big",
        "slow consumer", "identity changed", "connect timeout", "too many waiting events", "server shutting down",
    ]  # fmt: skip
    assert [reason for reason in CloseReason if not reason.come_back] == [CloseReason.CLIENT, CloseReason.SERVER]


@pytest.mark.parametrize(
    ("reason", "code"),
    [(CloseReason.SERVER, 1000), (CloseReason.SHUTDOWN, 1001), (CloseReason.TOO_BIG, 1009), (CloseReason.SLOW_CONSUMER, 4008)],
)
def test_a_websocket_is_closed_with_the_code_and_text_of_the_reason(reason: CloseReason, code: int) -> None:
    world = World(FakeStream)
    world.session.close(reason)
    assert world.carrier.closed is not None and world.carrier.closed[1:] == (code, reason.text)


def test_a_session_that_drains_takes_nothing_more_and_hands_out_what_it_holds() -> None:
    world = World()
    world.say("1")
    world.session.close_when_drained(CloseReason.SERVER)
    assert world.session.state is S.CLOSING and world.ends == []
    assert not world.say("2")
    assert world.poll(taken=None) == b"41"
    assert world.ends == []
    world.session.on_taken(world.carrier, True)
    assert world.ends == [CloseReason.SERVER]


def test_a_session_whose_client_fetches_nothing_is_drained_for_five_seconds_only() -> None:
    world = World()
    world.say("1")
    world.session.close_when_drained(CloseReason.SERVER)
    world.clock.advance(DRAIN_TIMEOUT - 0.01)
    assert world.ends == []
    world.clock.advance(0.12)
    assert world.ends == [CloseReason.SERVER]


def test_a_session_that_drains_during_an_upgrade_gives_up_the_probe_and_hands_out_by_poll() -> None:
    world = World()
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    world.say("1")
    world.session.close_when_drained(CloseReason.SERVER)
    assert stream.closed is not None
    assert world.poll() == b"41"
    assert world.ends == [CloseReason.SERVER]


def test_packets_behind_the_one_that_ends_the_session_are_not_looked_at() -> None:
    world = World()
    world.hear("4first\x1e1\x1e4never")
    assert world.packets == [Message("first")] and world.ends == [CloseReason.CLIENT]


def test_what_is_handed_to_a_dead_transport_harms_nobody() -> None:
    class Dying(FakeStream):
        """Loses its peer while it writes."""

        __slots__ = ()

        def send(self, data: bytes, binary: bool = False) -> None:
            super().send(data)
            if len(self.sent) == 3:
                self.is_ready = False
                self.delegate.on_detached(self, Loss.PEER)

    world = World(Dying)
    world.carrier.is_ready = False
    for number in range(5):
        world.say(str(number))
    world.carrier.is_ready = True
    world.session.on_ready(world.carrier)
    assert world.ends == [CloseReason.TRANSPORT_CLOSE]
    assert [frame[3:] for frame in world.carrier.sent[1:]] == [b"0", b"1"]


def test_the_transport_can_tell_who_carries_now() -> None:
    world = World()
    carried: Transport | None = world.session.carrier("polling")
    assert carried is world.carrier and world.session.carrier("websocket") is None


def test_pythons_clients_get_no_more_packets_in_one_answer_than_they_take_attachments_counted() -> None:
    """python-engineio's client drops the connection at the 17th packet of a payload."""
    world = World(protocol=EngineIO4)
    world.session.handshake = type("Python", (), {"from_python": True})()
    for number in range(5):
        world.session.send(Outgoing(Event("/", str(number), (b"1", b"2", b"3", b"4", b"5"))))
    answers = []
    while (answer := world.poll()) is not None:
        answers.append(answer.decode().split("\x1e"))
    assert [len(packets) for packets in answers] == [12, 12, 6]
    assert [packet[6] for packets in answers for packet in packets if packet.startswith("45")] == list("01234")
