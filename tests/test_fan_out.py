"""A fan-out that is written in slices keeps each client's order, whatever is sent to it in between."""

from __future__ import annotations

from anywire.server.config import Config
from anywire.server.errors import CloseReason
from anywire.server.events import Message, Open
from anywire.server.outgoing import Outgoing
from anywire.server.protocols.engineio4 import BareEngineIO4
from anywire.server.session import Session, SessionEnv
from anywire.server.timers import Wheel
from fakes import FakeClock, FakeStream
from hypothesis import given
from hypothesis import strategies as st
from test_session import NoPython


def stream_session(**settings: object) -> tuple[Session, FakeStream, list[CloseReason]]:
    clock, ends = FakeClock(), []
    env = SessionEnv(
        Config.build({}, **settings),
        Wheel(clock),
        lambda session, packet: None,
        lambda session, reason: ends.append(reason),
        clock.call_soon,
    )
    session = Session("id", BareEngineIO4(), env, NoPython())  # type: ignore[arg-type]
    stream = FakeStream(session)
    session.open(stream, Open("id", (), 25.0, 20.0, 1000), lambda session: None)
    stream.sent.clear()
    return session, stream, ends


def message(text: str) -> Outgoing:
    return Outgoing(Message(text))


def test_a_held_message_is_written_when_its_slice_comes() -> None:
    session, stream, _ = stream_session()
    session.hold(message("late"))
    assert stream.sent == []
    session.flush()
    assert stream.sent == [b"\x81\x054late"]
    session.flush()
    assert len(stream.sent) == 1


def test_what_is_sent_meanwhile_goes_behind_the_held_message() -> None:
    session, stream, _ = stream_session()
    session.hold(message("1"))
    session.send(message("2"))
    session.flush()
    session.send(message("3"))
    assert stream.sent == [b"\x81\x0241", b"\x81\x0242", b"\x81\x0243"]


def test_two_fan_outs_at_once_arrive_in_the_order_of_their_emits() -> None:
    session, stream, _ = stream_session()
    session.hold(message("1"))
    session.hold(message("2"))
    session.flush()
    session.flush()
    assert stream.sent == [b"\x81\x0241", b"\x81\x0242"]


def test_a_held_message_waits_with_others_when_the_stream_is_full_by_then() -> None:
    session, stream, _ = stream_session()
    session.hold(message("1"))
    stream.is_ready = False
    session.send(message("2"))
    session.flush()
    assert stream.sent == []
    assert len(session.outbox) == 2
    stream.is_ready = True
    session.on_ready(stream)
    assert stream.sent == [b"\x81\x0241", b"\x81\x0242"]


def test_a_session_that_ends_by_draining_hands_out_what_is_held() -> None:
    session, stream, ends = stream_session()
    session.hold(message("last"))
    session.close_when_drained(CloseReason.SHUTDOWN)
    assert stream.sent == [b"\x81\x054last"]
    assert ends == [CloseReason.SHUTDOWN]


def test_a_session_that_ends_at_once_writes_nothing_more() -> None:
    session, stream, ends = stream_session()
    session.hold(message("never"))
    session.close(CloseReason.SERVER)
    session.flush()
    assert stream.sent == []
    assert ends == [CloseReason.SERVER]


@given(st.lists(st.sampled_from(["send", "hold", "push", "flush", "full", "room"]), max_size=40))
def test_any_mixture_of_ways_to_a_stream_that_is_full_at_times_arrives_whole_and_in_order(history: list[str]) -> None:
    session, stream, _ = stream_session()
    count = 0
    for step in [*history, "room"]:
        if step == "flush":
            session.flush()
        elif step in ("full", "room"):
            stream.is_ready = step == "room"
            if stream.is_ready:
                session.on_ready(stream)
        else:
            getattr(session, step)(message(f"{count:03}"))
            count += 1
    assert stream.sent == [b"\x81\x044%03d" % number for number in range(count)]
    assert not len(session.outbox)
