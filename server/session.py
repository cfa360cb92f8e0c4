"""One peer's session: its state, its outbox, its heartbeat, and the transport that carries it at the moment.

A session outlives its carriers. It gets its transport, its clock (inside the wheel) and what to do with packets handed in, so it
can be run without a loop. What may follow what stands in ``states``, who must show that it lives in ``heartbeat``, how a second carrier
is tried in ``upgrade``, how a carrier is given what waits in ``delivery``, and how it is taken leave of in ``farewell``.
"""

from __future__ import annotations

import logging
import math
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..transports.base import Framing, Loss, Refused, Transport
from ..transports.framing import text_frame
from .config import Config
from .delivery import NOOP, Delivery, delivery_to
from .errors import CloseReason, ProtocolError
from .events import Close, Event, Message, Noop, Open, Packet, Ping, Pong, Receipt, Upgrade
from .farewell import close_code, last_words
from .heartbeat import Heartbeat, heartbeat_of
from .outbox import Outbox
from .outgoing import Encoding, Outgoing, encoding_of
from .protocols.base import DEAD, Decoder, Limits, Protocol
from .states import Input, SessionState, state_after
from .timers import Alarm, Timed, Wheel
from .upgrade import Probe

if TYPE_CHECKING:
    from .handshake import Handshake
    from .race import Race

__all__ = ["Session", "SessionEnv"]

log = logging.getLogger("anywire.session")

#: Seconds that a closing session may take to hand out what it still holds.
DRAIN_TIMEOUT = 5.0

#: Carriers of one session that its client has left behind; there are four kinds of transport.
MAX_ABANDONED = 4

#: What a lost carrier means for the session.
_REASONS = {
    Loss.PEER: CloseReason.TRANSPORT_CLOSE,
    Loss.ERROR: CloseReason.TRANSPORT_ERROR,
    Loss.TOO_BIG: CloseReason.TOO_BIG,
    Loss.SLOW: CloseReason.SLOW_CONSUMER,
    Loss.LOCAL: CloseReason.SERVER,
}


#: Reading a member off its enumeration costs a Python call in 3.11.
_FRAME, _CLOSING = Framing.FRAME, SessionState.CLOSING


@dataclass(slots=True)
class SessionEnv:
    """What all sessions of a server share.

    ``on_packet(session, packet)`` gets everything that is not the session's own (Socket.IO packets, or ``Message``); it may raise
    ProtocolError. ``on_closed(session, reason)`` is called once. ``defer(callback)`` runs soon, in the loop.
    """

    config: Config
    wheel: Wheel
    on_packet: Callable[[Session, Packet], None]
    on_closed: Callable[[Session, CloseReason], None]
    defer: Callable[[Callable[[], None]], Any]
    limits: Limits = field(default_factory=Limits)
    #: Carriers of ended sessions that may still wait for their peer's goodbye.
    lingering: weakref.WeakSet[Transport] = field(default_factory=weakref.WeakSet)


class Session(Timed):
    """One peer. ``id`` is the engine's id: a secret between the two sides, never shown to others."""

    __slots__ = (
        "_abandoned", "_attachments", "_decoder", "_delivery", "_direct", "_encoding", "_flush_due", "_framed", "_held", "_parted",
        "_patience", "_reason", "_stream", "binary", "connect_alarm", "env", "expecting", "grace", "handshake", "heard", "heartbeat", "id",
        "in_flight", "outbox", "paused", "pressed", "probe", "protocol", "race", "sockets", "state", "transport", "unproven",
    )  # fmt: skip

    def __init__(self, id_: str, protocol: Protocol, env: SessionEnv, handshake: Handshake, binary: bool = True) -> None:
        super().__init__()
        self.id = id_
        self.protocol = protocol
        self.env = env
        self.handshake = handshake
        self.binary = binary
        self.state = SessionState.OPENING
        self.transport: Transport | None = None
        self.probe: Probe | None = None
        #: While its client tries two ways at once.
        self.race: Race | None = None
        self.outbox = Outbox(env.config.max_queue_messages, env.config.max_queue_bytes)
        #: Whatever the layer above keeps for this session (its namespaces).
        self.sockets: Any = None
        self.connect_alarm: Alarm | None = None
        self._decoder: Decoder = protocol.decoder(env.limits)
        #: What the heartbeat knows of the peer; see its module.
        self.heartbeat: Heartbeat = heartbeat_of(protocol, streaming=True)
        self.heard = self.expecting = self.grace = False
        #: The carrier, if it is a stream, and how messages are written for it.
        self._stream: Transport | None = None
        self._encoding: Encoding | None = None
        #: The stream while nothing is queued or held before what comes next: the short way, which the outbox never sees.
        self._direct: Transport | None = None
        #: A message that the stream will be given within this turn or the next ones; nothing is queued then. See :meth:`hold`.
        self._held: Outgoing | None = None
        self._flush_due = False
        self._framed = False
        self._delivery: Delivery = delivery_to(streaming=True)
        self.in_flight = False
        #: The deadline of a drain.
        self._patience: Alarm | None = None
        #: A deadline for the attachments of the packet that waits for them; kept, not due, once a packet has had some.
        self._attachments: Alarm | None = None
        self._reason = CloseReason.SERVER
        #: Whether nothing has come over this carrier yet, of a dialect whose clients go on over another one then. Until it has, what was
        #: sent stays in the outbox: a proxy may have swallowed it.
        self.unproven = False
        #: Carriers that the client has left behind. They stay open and silent: it would take their end for the session's.
        self._abandoned: list[Transport] | None = None
        #: Whether nothing is taken from the peer for now. See :meth:`pause`.
        self.paused = False
        #: Bodies of requests that came all the same.
        self.pressed = 0
        #: Whether the peer was told already that this is the end.
        self._parted = False

    # -- state ------------------------------------------------------------------------------------------------------

    def _step(self, event: Input) -> None:
        after = state_after(self.state, event)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("= %s...: %s -> %s", self.id[:12], self.state.value, after.value)
        self.state = after

    @property
    def alive(self) -> bool:
        """Whether messages can still be given to it."""
        return self.state not in (SessionState.CLOSED, SessionState.CLOSING)

    @property
    def transport_name(self) -> str:
        """The name of the transport that carries the session now; "" while none does."""
        return self.transport.name if self.transport is not None else ""

    def open(self, transport: Transport, opened: Open, told: Callable[[Session], None]) -> None:
        """Take the first carrier and say what the dialect says first; ``told`` may add to it, in the same poll's answer."""
        self._step(Input.ATTACH)
        self.carry(transport)
        for packet in self.protocol.open_packets(opened):
            self.send(Outgoing(packet))
        if self.state is not SessionState.CLOSED:
            self.heartbeat.start(self)
        told(self)
        transport.start()

    def await_carrier(self) -> None:
        """The client has its session's id and must come with a first carrier, within ``close_timeout``."""
        self.env.wheel.schedule(self, self.env.wheel.now() + self.env.config.close_timeout)

    def carrier(self, name: str) -> Transport | None:
        """The present or an abandoned carrier of that kind."""
        if self.transport is not None and self.transport.name == name:
            return self.transport
        return next((transport for transport in self._abandoned or () if transport.name == name), None)

    def take(self, transport: Transport) -> None:
        """Take a first carrier, or the one that the client falls back to. Raises Refused when there are too many.

        A client whose carrier works never opens another; who comes late is one that it has given up (socket.io-client 0.9.16 neither
        closes it nor survives its end), and must not carry anything.
        """
        if len(self._abandoned or ()) >= MAX_ABANDONED:
            raise Refused("too many transports on one session")
        late = self.transport is not None and not self.unproven
        left = transport if late else self.transport
        if left is not None:
            self._abandoned = [*(self._abandoned or ()), left]
        if not late:
            self._step(Input.ATTACH)
            self.outbox.rollback()
            self.unproven, self.expecting = True, False
            self.carry(transport)
            self.heartbeat.start(self)
        transport.start()
        self.flush()

    def prove(self) -> None:
        """Something came from the peer on this carrier: it works, and what was sent on it has arrived."""
        if self.race is not None:
            if self.transport is not None:
                self.race.decide(self.transport)
        elif self.unproven:
            self.unproven = False
            self.outbox.ack_sent()
            if self.transport is not None:
                self.carry(self.transport)

    def _end_trial(self) -> None:
        """The carrier must do, proven or not."""
        self.flush()
        if self.race is not None:
            self.race.finish()
        self.prove()

    def settle(self, decoder: Decoder) -> None:
        """The race of two carriers is over; what the one that won has brought last is in ``decoder``."""
        self.race = None
        self._decoder = decoder
        self.prove()

    def carry(self, transport: Transport) -> None:
        """Make that the carrier."""
        if transport is not self.transport:
            self.transport = transport
            self.in_flight = False
            if self.paused:
                transport.pause()
        self.heartbeat = heartbeat_of(self.protocol, transport.streaming)
        self._delivery = delivery_to(transport.streaming) if self.race is None else self.race.delivery(transport)
        self._framed = transport.framing in (Framing.FRAME, Framing.FRAME_DEFLATED)
        if self._framed:
            self.binary = self.binary and transport.binary
        self._stream = transport if transport.streaming else None
        if self.unproven:
            # Neither of the short ways.
            self._framed, self._stream = False, None
        self._direct = self._stream if self._held is None and not len(self.outbox) else None
        self._encoding = encoding_of(self.protocol, transport.framing, self.binary)

    # -- out --------------------------------------------------------------------------------------------------------

    def send(self, outgoing: Outgoing) -> bool:
        """Send or queue one message, in order. False when it was not taken: the session has ended or its queue is full.

        Raises ``errors.PayloadError`` for what cannot be encoded; nothing is sent then.
        """
        stream = self._direct
        if stream is not None and stream.ready:
            stream.send(outgoing.framed(self._encoding))  # type: ignore[arg-type]
            return True
        return self._queue(outgoing)

    def send_text(self, text: bytes | None) -> bool:
        """The short way of what the dialect's ``encode_text`` or ``encode_event`` gave, to one peer: written at once to a WebSocket that
        has nothing before it. False: nothing was done, and :meth:`send` must be asked, which also explains what cannot be sent."""
        stream = self._direct
        if text is None or stream is None or stream.framing is not _FRAME or not stream.ready:
            return False
        stream.send(text_frame(text))
        return True

    def _queue(self, outgoing: Outgoing) -> bool:
        if not self.alive:
            return False
        if self._held is not None:
            self._release()
            return self.send(outgoing)
        transport = self.transport
        if outgoing.volatile:
            if self.unproven and self.outbox.waiting:
                # It waits for the end of this turn only.
                self.flush()
            if transport is None or not transport.ready or self.outbox.waiting:
                return False
        if not self.push(outgoing):
            return False
        if transport is not None and transport.ready:
            if transport.streaming:
                self.flush()
            else:
                self.flush_soon()
        return True

    def push(self, outgoing: Outgoing) -> bool:
        """Queue without writing; :meth:`flush` writes. For fan-outs that are written in slices."""
        if not self.alive:
            return False
        if self._held is not None:
            self._release()
        # For a poll in the form that it will need; a session between two carriers finds out.
        stream = self._stream is not None
        messages = outgoing.messages(self.protocol, self.binary) if stream else outgoing.units(self.protocol, self.binary)
        if not messages:
            return False
        size = sum(map(len, messages))
        if self.outbox.push(outgoing, size):
            self._direct = None
            return True
        if self.unproven and self.outbox.sent > self.outbox.acked:
            # Too much to keep for a carrier that may yet fail.
            self._end_trial()
            return self.push(outgoing)
        if not outgoing.volatile:
            self.overflow(f"{len(self.outbox)} messages, {self.outbox.bytes} bytes")
        return False

    def overflow(self, waiting: str) -> None:
        """More waits for the peer than may, which ``waiting`` says for the log: end it, if that is the policy."""
        if self.env.config.slow_consumer == "close":
            log.warning("! %s...: queue full (%s)", self.id[:12], waiting)
            self.close(CloseReason.SLOW_CONSUMER)

    def hold(self, outgoing: Outgoing) -> None:
        """As :meth:`push`, at the least cost where the short way is open; :meth:`flush` writes. For large fan-outs."""
        if self._direct is not None:
            # As its data is now, also in a dialect that nobody has had it encoded for yet.
            outgoing.framed(self._encoding)  # type: ignore[arg-type]
            self._direct, self._held = None, outgoing
        else:
            self.push(outgoing)

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._direct = self._stream
            if not self.send(held):
                log.debug("> %s...: a held message was not taken", self.id[:12])

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop, so that one poll takes all that one handler emits."""
        if not self._flush_due:
            self._flush_due = True
            self.env.defer(self._flush_deferred)

    def _flush_deferred(self) -> None:
        self._flush_due = False
        self.flush()

    def flush(self) -> None:
        """Give the carrier what it can take now."""
        if self._held is not None:
            # There is nothing else to write.
            self._release()
            return
        transport, outbox = self.transport, self.outbox
        if transport is not None and outbox.waiting and transport.ready:
            self._delivery.flush(self, transport, self._encoding)  # type: ignore[arg-type]
        if not len(outbox):
            self._direct = self._stream
            if self.state is _CLOSING:
                self.close(self._reason)

    def end_poll(self) -> None:
        """Answer the poll that waits, if one does, with what says nothing."""
        if self.transport is not None:
            self._delivery.end_poll(self, self.transport, self._encoding)  # type: ignore[arg-type]

    # -- what a transport says --------------------------------------------------------------------------------------

    def on_data(self, transport: Transport, data: str | bytes) -> Awaitable[None] | None:
        """Decode and dispatch; a peer that breaks the protocol is closed before the error goes back to the transport."""
        if transport is not self.transport and (self.race is None or not self.race.runs(transport)):
            if self.probe is not None and transport is self.probe.transport:
                self.probe.on_data(data)
            return None
        self.heard = True
        try:
            if self._framed:
                packet = self._decoder.message(data)
                if packet is not None:
                    if self._attachments is not None:
                        self._got_attachments()
                    if type(packet) is Event or type(packet) is Message:
                        self.env.on_packet(self, packet)
                    else:
                        self.on_packet(packet)
                elif not self._awaits_attachments and self._decoder.pending:
                    self.await_attachments()
            else:
                self._on_body(transport, data)
        except Refused as error:
            log.info("! %s...: %s", self.id[:12], error)
            self.close(CloseReason.PARSE_ERROR, error.close_code, str(error))
            raise
        return None

    def _on_body(self, transport: Transport, data: str | bytes) -> None:
        if self.paused:
            self.pressed += 1
        if self.race is not None:
            self.race.on_data(transport, data)
            return
        if self.unproven:
            self.prove()
            if self._framed:
                packet = self._decoder.message(data)
                if packet is not None:
                    self.on_packet(packet)
                return
        if transport.framing is Framing.CALL and isinstance(data, str):
            data = self.protocol.script_body(data)
        packets = self._decoder.payload(data)
        if packets and self._attachments is not None:
            self._got_attachments()
        for packet in packets:
            if self.state is SessionState.CLOSED:
                return
            self.on_packet(packet)
        if not self._awaits_attachments and self._decoder.pending:
            self.await_attachments()

    def pause(self) -> None:
        """Take nothing more from the peer for now; what was read already still comes. Its heartbeat has time until then."""
        self.paused = True
        if self.transport is not None:
            self.transport.pause()

    def resume(self) -> None:
        """Take what comes again."""
        self.paused, self.pressed = False, 0
        # What it has said meanwhile is still to be read.
        self.heard = True
        if self.transport is not None:
            self.transport.resume()

    def on_packet(self, packet: Packet) -> None:
        kind = type(packet)
        if kind is Pong:
            self.heartbeat.on_pong(self)
        elif kind is Ping:
            self.heartbeat.on_ping(self, packet)  # type: ignore[arg-type]
        elif kind is Close:
            self.close(CloseReason.CLIENT)
        elif kind is Noop:
            return
        elif kind is Receipt:
            self._on_receipt(packet)  # type: ignore[arg-type]
        elif kind is Upgrade:
            raise ProtocolError("upgrade on a transport that was not probed")
        else:
            self.env.on_packet(self, packet)

    def _on_receipt(self, receipt: Receipt) -> None:
        self.send(Outgoing(receipt.ack))
        self.on_packet(receipt.packet)

    def await_attachments(self) -> None:
        """A packet whose attachments never come holds memory: it has as long as a heartbeat.

        Raises ProtocolError when the client is in no namespace (CVE-2026-48804).
        """
        if self.sockets is not None and not self.sockets:
            raise ProtocolError("attachments before CONNECT")

        if self._attachments is None:
            self._attachments = Alarm(self._attachments_late)
        self.env.wheel.schedule(self._attachments, self.env.wheel.now() + self.env.config.ping_timeout)

    def _attachments_late(self) -> None:
        self.close(CloseReason.PARSE_ERROR, 1002, "attachments did not come in time")

    @property
    def _awaits_attachments(self) -> bool:
        return self._attachments is not None and self._attachments.due != math.inf

    def _got_attachments(self) -> None:
        if self._attachments is not None:
            # It keeps its place in the wheel, which the next packet's deadline mostly finds again.
            self._attachments.due = math.inf

    def on_ready(self, transport: Transport) -> None:
        if transport is self.transport:
            self._delivery.on_ready(self)

    def on_taken(self, transport: Transport, ok: bool) -> None:
        if transport is self.transport:
            self._delivery.on_taken(self, transport, ok)

    def on_detached(self, transport: Transport, loss: Loss) -> None:
        if self.probe is not None and transport is self.probe.transport:
            self.drop_probe()
        elif self._abandoned is not None and transport in self._abandoned:
            self._abandoned.remove(transport)
        elif self.race is not None and self.race.lost(transport):
            return
        elif transport is self.transport and self.state is not SessionState.CLOSED:
            self.close(self._reason if self.state is SessionState.CLOSING else _REASONS[loss])

    # -- upgrade ----------------------------------------------------------------------------------------------------

    def try_upgrade(self, transport: Transport, binary: bool = True) -> None:
        """Begin to probe a second carrier; the present one goes on carrying. Raises StateError when one is probed already.

        ``binary``: whether the peer takes raw binary on it.
        """
        self._step(Input.PROBE)
        self.probe = Probe(self, transport, binary)
        transport.start()

    @property
    def can_upgrade(self) -> bool:
        """Whether a second carrier may be tried now."""
        return self.state is SessionState.OPEN and self.probe is None and not (self.transport and self.transport.streaming)

    def finish_upgrade(self, probe: Probe) -> None:
        """The carrier that was tried takes over."""
        old = self.transport
        assert old is not None
        probe.stop()
        if self.race is not None:
            self.race.finish()
        self._step(Input.UPGRADE)
        self.probe = None
        last = NOOP.body(self._encode_for(old))[0]
        self.binary = probe.binary
        self.carry(probe.transport)
        # The client says "5" only after its last poll has ended: what that poll carried has arrived.
        self.outbox.ack_sent()
        old.close(last)
        self.flush()

    def drop_probe(self) -> None:
        """The carrier that was tried is none; the present one goes on."""
        probe, self.probe = self.probe, None
        if probe is not None:
            probe.stop()
            self._step(Input.PROBE_LOST)
            self.part(probe.transport)

    def part(self, carrier: Transport, last: bytes = b"", code: int = 1000, text: str = "") -> None:
        """Close a carrier; it may still wait for its peer's goodbye."""
        self.env.lingering.add(carrier)
        carrier.close(last, code, text)

    # -- heartbeat --------------------------------------------------------------------------------------------------

    def on_deadline(self, now: float) -> None:
        """The first carrier has not come, or the heartbeat must be seen to."""
        if self.state is SessionState.OPENING:
            self.close(CloseReason.CONNECT_TIMEOUT)
        else:
            # While nothing is read, its silence is ours.
            self.heard = self.heard or self.paused
            self.heartbeat.on_deadline(self, now)

    # -- the end ----------------------------------------------------------------------------------------------------

    def close_when_drained(self, reason: CloseReason) -> None:
        """Take nothing more, hand out what is held, then close; after DRAIN_TIMEOUT seconds close anyway."""
        if not self.alive:
            return
        self._release()
        parting = None if reason.come_back else self.protocol.parting()
        if parting is not None:
            self._parted = self.send(Outgoing(parting))
        if self.unproven:
            self._end_trial()
        if self.state in (SessionState.OPENING, SessionState.DETACHED) or not len(self.outbox):
            self.close(reason)
            return
        self.drop_probe()
        self._reason = reason
        self._step(Input.DRAIN)
        self._patience = self.env.wheel.after(DRAIN_TIMEOUT, lambda: self.close(reason))
        self.flush()

    def close(self, reason: CloseReason, code: int = 1000, text: str = "") -> None:
        """End now. Idempotent; ``on_closed`` is called once, after the transport was closed."""
        if self.state is SessionState.CLOSED:
            return
        self._step(Input.CLOSE)
        self._forget_deadlines()
        if self.race is not None:
            self.race.stop()
            self.race = None
        transport, probe, abandoned = self.transport, self.probe, self._abandoned
        self.transport = self.probe = self._stream = self._direct = self._held = self._abandoned = None
        self.outbox.clear()
        self._decoder = DEAD
        self.paused = False
        for carrier in abandoned or ():
            self.part(carrier)
        if probe is not None:
            probe.stop()
            self.part(probe.transport)
        if transport is not None:
            self.part(transport, self._last_words(transport, reason), close_code(reason, code), text or reason.text)
        self.env.on_closed(self, reason)

    def _forget_deadlines(self) -> None:
        for timed in (self, self.connect_alarm, self._patience, self._attachments):
            if timed is not None:
                self.env.wheel.discard(timed)
        self.connect_alarm = self._patience = self._attachments = None

    def _last_words(self, transport: Transport, reason: CloseReason) -> bytes:
        if self._parted:
            return b""
        return last_words(self._encode_for(transport), transport.streaming, reason, self.handshake)

    def _encode_for(self, transport: Transport) -> Encoding:
        return encoding_of(self.protocol, transport.framing, self.binary)
