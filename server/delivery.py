"""How a carrier is given what a session has to send, and what counts as arrived: a stream takes message by message, a poll all in one.

A delivery holds nothing of its own and is shared by all sessions: the messages and their marks are in the session's ``outbox``;
``in_flight`` says whether a poll was answered and its connection has not said yet whether it took the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transports.base import Transport
from ..transports.framing import wrap
from .events import Noop
from .outgoing import Encoding, Outgoing

if TYPE_CHECKING:
    from .handshake import Handshake
    from .session import Session

__all__ = ["FEW_PACKETS", "NOOP", "Delivery", "delivery_to", "poll_answer"]

#: python-engineio's client (up to 4.15) drops the connection at a payload of more packets than this.
FEW_PACKETS = 16

NOOP = Outgoing(Noop())


class Delivery:
    """To a stream: what it took has arrived, unless it is still unproven."""

    __slots__ = ()

    def flush(self, session: Session, transport: Transport, encoding: Encoding) -> None:
        """Give a carrier that is ready what waits, as much as it takes."""
        outbox = session.outbox
        while outbox.waiting and transport.ready:
            data = next(outbox.unsent()).framed(encoding)
            outbox.mark_sent(1)
            if not session.unproven:
                outbox.ack_sent()
            transport.send(data)

    def on_ready(self, session: Session) -> None:
        """The carrier can be given something again."""
        session.flush()

    def on_taken(self, session: Session, transport: Transport, ok: bool) -> None:
        """The kernel took what was sent, or the connection broke first. Streams do not say so."""
        return None

    def end_poll(self, session: Session, transport: Transport, encoding: Encoding) -> None:
        """Answer the poll that waits, if one does, with what says nothing."""
        return None


class PollDelivery(Delivery):
    """To a poll: an answer has arrived when the kernel took it, or the client polls again; if its connection broke, it goes out again."""

    __slots__ = ()

    def flush(self, session: Session, transport: Transport, encoding: Encoding) -> None:
        if session.in_flight:
            return
        count, data, binary = poll_answer(list(session.outbox.unsent()), encoding, session.handshake)
        session.outbox.mark_sent(count)
        session.in_flight = True
        transport.send(data, binary)

    def on_ready(self, session: Session) -> None:
        if session.in_flight:
            # It has not read the last answer, and may never: what that carried is this poll's, should its connection fail.
            return
        if session.outbox.sent > session.outbox.acked:
            # A client polls again when it has read the last answer: for stock clients that is the acknowledgement.
            session.outbox.ack_sent()
            session.prove()
        session.heartbeat.on_poll(session)
        session.flush()

    def on_taken(self, session: Session, transport: Transport, ok: bool) -> None:
        session.in_flight = False
        if not ok:
            session.outbox.rollback()
        elif not session.unproven:
            session.outbox.ack_sent()
        if transport.ready:
            self.on_ready(session)
        elif not session.alive:
            session.flush()

    def end_poll(self, session: Session, transport: Transport, encoding: Encoding) -> None:
        if transport.ready and not session.in_flight:
            session.in_flight = True
            transport.send(*NOOP.body(encoding))


_TO_STREAMS, _TO_POLLS = Delivery(), PollDelivery()


def delivery_to(streaming: bool) -> Delivery:
    """How a stream, or a transport of polls, is given what waits."""
    return _TO_STREAMS if streaming else _TO_POLLS


def poll_answer(waiting: list[Outgoing], encoding: Encoding, handshake: Handshake) -> tuple[int, bytes, bool]:
    """How many of the messages that wait a poll takes, and the body that carries them and whether it is binary."""
    if len(waiting) == 1:
        return 1, *waiting[0].body(encoding)
    protocol, framing, binary = encoding
    packets = [packet for outgoing in waiting for packet in outgoing.units(protocol, binary)]
    count = len(waiting)
    if len(packets) > FEW_PACKETS and handshake.from_python:
        count, packets = _few(waiting, encoding)
    payload = protocol.payload(packets)
    return count, wrap(framing, payload), isinstance(payload, bytes)


def _few(waiting: list[Outgoing], encoding: Encoding) -> tuple[int, list[str | bytes]]:
    """As many whole messages as make at most FEW_PACKETS packets, attachments counted; at least one. And those packets."""
    packets: list[str | bytes] = []
    for count, outgoing in enumerate(waiting):
        more = outgoing.units(encoding.protocol, encoding.binary)
        if count and len(packets) + len(more) > FEW_PACKETS:
            return count, packets
        packets += more
    return len(waiting), packets
