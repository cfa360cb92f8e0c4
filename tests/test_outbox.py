from __future__ import annotations

import pytest
from anywire.server.events import Message
from anywire.server.outbox import Outbox
from anywire.server.outgoing import Outgoing
from hypothesis import given
from hypothesis import strategies as st


def message(number: int) -> Outgoing:
    return Outgoing(Message(str(number)))


def texts(outbox: Outbox) -> list[str]:
    return [outgoing.packet.data for outgoing in outbox.unsent()]  # type: ignore[union-attr,misc]


def test_what_was_sent_and_not_acknowledged_goes_out_again_in_order() -> None:
    outbox = Outbox(10, 1000)
    for number in range(4):
        assert outbox.push(message(number), 1)
    outbox.mark_sent(3)
    outbox.ack(1)
    outbox.rollback()
    assert texts(outbox) == ["1", "2", "3"]


def test_the_ring_is_bounded_in_messages_and_in_bytes() -> None:
    outbox = Outbox(2, 10)
    assert outbox.push(message(0), 8)
    assert not outbox.push(message(1), 8)
    assert outbox.push(message(1), 2)
    assert not outbox.push(message(2), 0)
    assert len(outbox) == 2 and outbox.bytes == 10


def test_one_message_over_the_byte_limit_is_let_in_when_nothing_else_waits() -> None:
    outbox = Outbox(5, 10)
    assert outbox.push(message(0), 1000)
    assert not outbox.push(message(1), 1)


def test_an_empty_outbox_holds_no_ring() -> None:
    outbox = Outbox(5, 10)
    outbox.push(message(0), 1)
    outbox.mark_sent(1)
    outbox.ack_sent()
    assert outbox._ring is None and outbox.bytes == 0


def test_marks_that_cannot_be_are_refused() -> None:
    outbox = Outbox(5, 10)
    outbox.push(message(0), 1)
    with pytest.raises(ValueError, match="only 0 were sent"):
        outbox.ack(1)
    with pytest.raises(ValueError, match="1 were waiting"):
        outbox.mark_sent(2)


@given(st.lists(st.sampled_from(["push", "send", "ack", "rollback"]), max_size=60))
def test_any_history_loses_doubles_and_reorders_nothing(history: list[str]) -> None:
    outbox = Outbox(1000, 10**6)
    pushed = 0
    for step in history:
        if step == "push":
            outbox.push(message(pushed), 1)
            pushed += 1
        elif step == "send":
            outbox.mark_sent(outbox.waiting)
        elif step == "ack":
            outbox.ack_sent()
        else:
            outbox.rollback()
        assert outbox.acked <= outbox.sent <= outbox.last == pushed
        assert texts(outbox) == [str(number) for number in range(outbox.sent, pushed)]
