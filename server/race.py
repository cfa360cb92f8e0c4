"""Two first carriers at once, of one client and for one session: a WebSocket, and polling beside it, whichever gets through.

Our own client names the race by a token in both URLs (docs/protocol.md, "Two ways at once"). Whichever arrives first makes the session,
and the other one joins it. Both bring the same first packets, so that those which the other has brought are skipped by their count; both
are told the same from the start, so that the client may go on with the one whose answer reaches it first. Only it knows which that
is. It tells by what it does next, and the other carrier is closed:

- a request that names the session: it goes on by polling;
- any packet but a request to join or leave a namespace: it goes on where that came.

A stream says nothing but the handshake before something has come over it: a client takes an answer for the proof that its words arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..transports.base import Transport
from .delivery import Delivery, delivery_to, poll_answer
from .events import Connect, Disconnect, Noop
from .outgoing import Encoding, encoding_of
from .protocols.base import Decoder
from .states import SessionState

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Race", "Races"]

#: Seconds after a race within which another request of it may come: a POST that was under way, or that a proxy sends once more.
SPENT = 60.0
#: Races that are remembered for it at most.
MAX_SPENT = 20_000

#: Messages that a stream is given before anything has come over it: the handshake's.
GREETING = 1


class _Runner:
    """One of the carriers: how many of the session's messages it was given, and how many packets it has brought."""

    __slots__ = ("brought", "decoder", "told", "transport")

    def __init__(self, transport: Transport, decoder: Decoder) -> None:
        self.transport = transport
        self.decoder = decoder
        self.told = self.brought = 0


class Race:
    """The carriers of a session that is not decided yet; the session's ``transport`` is the one that leads.

    Until it is decided everything stays in the outbox, for either. ``over(decided)`` is called once, when it is, or when the session ends
    before: no other carrier may come from then on.
    """

    __slots__ = ("_decided", "_over", "_runners", "_taken", "session")

    def __init__(self, session: Session, transport: Transport, over: Callable[[bool], None]) -> None:
        self.session = session
        self._over = over
        self._runners = [self._runner(transport)]
        #: Packets that were taken, from whichever carrier brought them first.
        self._taken = 0
        self._decided = False
        session.race = self
        session.unproven = True

    def _runner(self, transport: Transport) -> _Runner:
        return _Runner(transport, self.session.protocol.decoder(self.session.env.limits))

    def _find(self, streaming: bool) -> _Runner | None:
        return next((runner for runner in self._runners if runner.transport.streaming is streaming), None)

    def _of(self, transport: Transport | None) -> _Runner | None:
        return next((runner for runner in self._runners if runner.transport is transport), None)

    def runs(self, transport: Transport) -> bool:
        """Whether that is one of the carriers."""
        return self._of(transport) is not None

    def delivery(self, transport: Transport) -> Delivery:
        """How the one that leads is given what waits."""
        return _TO_RACING_STREAM if transport.streaming else delivery_to(streaming=False)

    @property
    def stream_spoke(self) -> bool:
        """Whether anything has come over the stream."""
        stream = self._find(streaming=True)
        return stream is not None and stream.brought > 0

    # -- a second carrier -------------------------------------------------------------------------------------------

    @property
    def takes_stream(self) -> bool:
        """Whether there is no stream yet."""
        return self._find(streaming=True) is None

    def open_stream(self, transport: Transport) -> None:
        """A stream comes second. It leads once something has come over it."""
        runner = self._runner(transport)
        self._runners.append(runner)
        self._tell(runner, GREETING)
        transport.start()

    def open_poll(self, transport: Transport, body: bytes) -> None:
        """A first POST comes second, or once more: a proxy that found its connection stale sends it again."""
        before = self._find(streaming=False)
        if before is not None:
            self._tell(self._runner(transport), self._told(before))
            return
        runner = self._runner(transport)
        self._runners.append(runner)
        if not self.stream_spoke:
            self._lead(runner)
        transport.first(body)
        if transport is self.session.transport:
            transport.start()
        elif self.session.race is self and transport.ready:
            self._tell(runner, len(self.session.outbox))

    def _tell(self, runner: _Runner, upto: int) -> None:
        """Give a carrier that does not lead the first messages of the session, which the other one is given, too."""
        session, transport = self.session, runner.transport
        encoding = encoding_of(session.protocol, transport.framing, session.binary)
        messages = session.outbox.first(upto)
        if transport.streaming:
            for outgoing in messages:
                transport.send(outgoing.framed(encoding))
            runner.told = upto
        else:
            runner.told, data, binary = poll_answer(messages, encoding, session.handshake)
            transport.send(data, binary)

    def _told(self, runner: _Runner) -> int:
        outbox = self.session.outbox
        return outbox.sent - outbox.acked if runner.transport is self.session.transport else runner.told

    def _lead(self, runner: _Runner) -> None:
        session, outbox = self.session, self.session.outbox
        leader = self._of(session.transport)
        if leader is not None:
            leader.told = self._told(leader)
        outbox.rollback()
        outbox.mark_sent(runner.told)
        session.carry(runner.transport)
        session.flush_soon()

    # -- what comes -------------------------------------------------------------------------------------------------

    def on_data(self, transport: Transport, data: str | bytes) -> None:
        """Take what a carrier brings, without what the other one has brought. Raises ProtocolError."""
        session, runner = self.session, self._of(transport)
        assert runner is not None
        if transport.streaming:
            packet = runner.decoder.message(data)
            packets = [] if packet is None else [packet]
        else:
            packets = runner.decoder.payload(data)
        for packet in packets:
            if session.state is SessionState.CLOSED:
                return
            if type(packet) is Noop:
                # What a POST says that has nothing to say.
                continue
            runner.brought += 1
            if transport.streaming and transport is not session.transport:
                self._lead(runner)
            if runner.brought > self._taken:
                self._taken = runner.brought
                if type(packet) not in (Connect, Disconnect):
                    self.decide(transport)
                session.on_packet(packet)
        if runner.decoder.pending:
            # The header of what has attachments, which no request to join has.
            self.decide(transport)
            self.finish()
            if session.alive:
                session.await_attachments()
        elif self._decided:
            self.decide(transport)

    def ask(self) -> None:
        """A request has named the session: its client has read the answer to a POST, and goes on with that."""
        poll = self._find(streaming=False)
        if poll is not None:
            self.decide(poll.transport)

    # -- the end ----------------------------------------------------------------------------------------------------

    def decide(self, transport: Transport) -> None:
        """The client goes on with that carrier. It is over once that has brought all that the other one had."""
        if self.session.race is not self:
            return
        chosen = self._of(transport)
        assert chosen is not None
        if not self._decided:
            self._decided = True
            self._over(True)
        if transport is not self.session.transport:
            self._lead(chosen)
        runners, self._runners = self._runners, [chosen]
        for runner in runners:
            if runner is not chosen:
                self.session.part(runner.transport)
        if chosen.brought >= self._taken:
            self.session.settle(chosen.decoder)

    def finish(self) -> None:
        """The carrier that leads has won, whatever it has brought."""
        leader = self._of(self.session.transport)
        if leader is not None:
            self.decide(leader.transport)
            if self.session.race is self:
                self.session.settle(leader.decoder)

    def lost(self, transport: Transport) -> bool:
        """A carrier has gone; whether the session has another one."""
        gone = self._of(transport)
        if gone is None or len(self._runners) == 1:
            return False
        self._runners.remove(gone)
        left = self._runners[0]
        if left.transport.streaming and left.brought:
            self.decide(left.transport)
        else:
            # A poll is decided for by the next one, which tells that the answer to the POST was read; a stream, by what comes over it.
            self._lead(left)
        return True

    def stop(self) -> None:
        """The session has ended, and its leading carrier is seen to."""
        if not self._decided:
            self._over(False)
        for runner in self._runners:
            if runner.transport is not self.session.transport:
                self.session.part(runner.transport)


class _ToRacingStream(Delivery):
    """To a stream over which nothing may have come yet."""

    __slots__ = ()

    def flush(self, session: Session, transport: Transport, encoding: Encoding) -> None:
        race, outbox = session.race, session.outbox
        if (race is not None and race.stream_spoke) or outbox.sent == outbox.acked:
            super().flush(session, transport, encoding)


_TO_RACING_STREAM = _ToRacingStream()


class Races:
    """A server's races by their tokens. ``now()``: monotonic seconds."""

    __slots__ = ("_now", "_spent", "running")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.running: dict[str, Race] = {}
        #: token -> when it was decided, oldest first.
        self._spent: dict[str, float] = {}

    def begin(self, token: str, session: Session, transport: Transport) -> None:
        """The first carrier of a race has come, and has made the session."""
        self.running[token] = Race(session, transport, partial(self._end, token))

    def _end(self, token: str, decided: bool) -> None:
        del self.running[token]
        if decided:
            now, spent = self._now(), self._spent
            while spent and (len(spent) >= MAX_SPENT or now - next(iter(spent.values())) > SPENT):
                del spent[next(iter(spent))]
            spent[token] = now

    def is_spent(self, token: str) -> bool:
        """Whether the client of that race has gone on with another carrier already."""
        decided = self._spent.get(token)
        return decided is not None and self._now() - decided <= SPENT
