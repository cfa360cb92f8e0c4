"""A session whose client sends the heartbeats (Engine.IO 3), on a clock moved by hand."""

from __future__ import annotations

import pytest
from anywire.server.errors import CloseReason
from anywire.server.events import Event, Message
from anywire.server.outgoing import Outgoing
from anywire.server.protocols.engineio3 import BareEngineIO3, EngineIO3
from anywire.server.states import SessionState
from anywire.transports.base import Refused
from fakes import FakePoll, FakeStream
from test_session import World, framed


def test_the_deadline_is_interval_and_timeout_after_the_last_ping_and_the_server_says_nothing_by_itself() -> None:
    world = World(FakeStream, BareEngineIO3, ping_interval=25.0, ping_timeout=20.0)
    sent = len(world.carrier.sent)
    for _ in range(10):
        world.clock.advance(44.5)
        world.hear("2")
    assert world.carrier.sent[sent:] == [framed("3")] * 10 and not world.ends
    world.clock.advance(44.8)
    assert not world.ends and len(world.carrier.sent) == sent + 10
    world.clock.advance(0.4)
    assert world.ends == [CloseReason.PING_TIMEOUT]


def test_short_times_are_kept_to_20_ms() -> None:
    world = World(FakeStream, BareEngineIO3, ping_interval=0.3, ping_timeout=0.2)
    world.clock.advance(0.49)
    assert not world.ends
    world.clock.advance(0.03)
    assert world.ends == [CloseReason.PING_TIMEOUT]


def test_a_request_in_the_tick_after_the_deadline_is_late_and_one_after_a_longer_standstill_is_not() -> None:
    for late, ends in ((-0.001, []), (0.0, [CloseReason.PING_TIMEOUT]), (0.05, [CloseReason.PING_TIMEOUT]), (0.5, [])):
        world = World(FakeStream, BareEngineIO3, ping_interval=0.3, ping_timeout=0.2)
        # The loop's timers have not run yet.
        world.clock.now += 0.5 + late
        world.env.wheel.expire(world.session)
        assert world.ends == ends, late


def test_who_sends_something_is_alive_though_its_ping_is_held_up_but_only_once_more() -> None:
    world = World(FakeStream, BareEngineIO3, ping_interval=25.0, ping_timeout=20.0)
    world.clock.advance(40)
    world.hear("4a large message")
    world.clock.advance(44)
    assert not world.ends
    world.clock.advance(7)
    assert world.ends == [CloseReason.PING_TIMEOUT]


def test_a_pong_is_an_error_of_a_client_that_pings() -> None:
    world = World(FakeStream, BareEngineIO3)
    with pytest.raises(Refused, match="pong from the side that pings"):
        world.hear("3")
    assert world.ends == [CloseReason.PARSE_ERROR]


def test_a_flood_of_pings_has_one_deadline_and_each_its_answer() -> None:
    world = World(FakeStream, BareEngineIO3)
    before, alarms = len(world.carrier.sent), len(world.env.wheel)
    for number in range(1000):
        world.hear(f"2{number}")
    assert world.carrier.sent[before:] == [framed(f"3{number}") for number in range(1000)]
    assert len(world.env.wheel) == alarms


def test_a_poller_pings_by_post_and_reads_the_answer_with_its_next_poll() -> None:
    world = World(FakePoll, BareEngineIO3)
    world.poll(None)
    world.hear("1:2")
    assert world.carrier.sent[-1] == b"1:3"
    world.session.on_taken(world.carrier, True)
    assert world.poll() is None
    world.hear("6:2probe")
    assert world.carrier.sent[-1] == b"6:3probe"


def test_a_ping_of_the_probe_on_the_new_carrier_does_not_put_off_the_sessions_deadline() -> None:
    world = World(FakePoll, BareEngineIO3, ping_interval=25.0, ping_timeout=20.0, upgrade_timeout=10.0)
    world.clock.advance(40)
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    assert stream.sent == [framed("3probe")]
    world.clock.advance(5.2)
    assert world.ends == [CloseReason.PING_TIMEOUT] and stream.closed is not None


def test_an_upgrade_in_the_middle_keeps_the_heartbeat_and_the_order() -> None:
    world = World(FakePoll, BareEngineIO3)
    stream = world.probe()
    world.session.on_data(stream, "2probe")
    for text in "abc":
        world.say(text)
    world.session.on_data(stream, "5")
    world.clock.advance(0)
    assert stream.sent == [framed("3probe"), framed("4a"), framed("4b"), framed("4c")]
    world.clock.advance(44)
    world.session.on_data(stream, "2")
    world.clock.advance(44)
    assert world.session.state is SessionState.OPEN and stream.sent[-1] == framed("3")


def test_a_broadcast_has_each_of_its_forms_made_once() -> None:
    made: list[str] = []

    class Counting(EngineIO3):
        def encode(self, packet, binary):  # type: ignore[no-untyped-def]
            made.append("encode")
            return super().encode(packet, binary)

        def units(self, packet, binary):  # type: ignore[no-untyped-def]
            made.append("units")
            return super().units(packet, binary)

    protocol = Counting()
    outgoing = Outgoing(Event("/", "x", ("é", b"\x01")))
    streams = [World(FakeStream, lambda: protocol) for _ in range(3)]
    polls = [World(FakePoll, lambda: protocol) for _ in range(3)]
    waiting = [World(FakePoll, lambda: protocol) for _ in range(3)]
    for world in polls:
        world.poll(None)
    made.clear()
    for world in waiting:
        world.session.send(Outgoing(Event("/", "before", (1,))))
        world.clock.advance(0)
    made.clear()
    for world in [*streams, *polls, *waiting]:
        world.session.send(outgoing)
        world.clock.advance(0)
    # Frames; and units, which begin with an encoding of their own.
    assert made == ["encode", "units", "encode"]
    bodies = {world.carrier.sent[-1] for world in polls}
    assert len(bodies) == 1 and b"\\u00e9" in bodies.pop()
    assert all("é".encode() in world.carrier.sent[-1] for world in streams)
    answers = {world.poll() for world in waiting}
    assert len(answers) == 1 and None not in answers
    assert made == ["encode", "units", "encode"]


def test_a_poller_that_takes_text_only_and_one_that_takes_binary_share_a_message_but_not_its_bytes() -> None:
    plain, raw = World(FakePoll, BareEngineIO3), World(FakePoll, BareEngineIO3)
    plain.session.binary = False
    plain.session.carry(plain.carrier)
    outgoing = Outgoing(Message(b"\x01"))
    for world in (plain, raw):
        world.poll(None)
        world.session.send(outgoing)
        world.clock.advance(0)
    assert plain.carrier.sent[-1] == b"6:b4AQ=="
    assert raw.carrier.sent[-1] == b"\x01\x02\xff\x04\x01"
