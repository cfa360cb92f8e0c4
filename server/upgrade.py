"""A carrier on trial beside the one that carries: it is probed, and then takes over or is dropped alone.

Engine.IO's upgrade (engine.io-protocol, "Upgrade"): the client says ``2probe`` and hears ``3probe``; its poll is answered with a noop
so that it can stop polling; then it says ``5``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..transports.base import Refused, Transport
from .events import Ping, Pong, Upgrade
from .outgoing import Outgoing, encoding_of
from .timers import Alarm

if TYPE_CHECKING:
    from .session import Session

__all__ = ["NOOP_INTERVAL", "Probe"]

#: Seconds between the noops that end a client's polls while it upgrades (engine.io, lib/socket.ts: 100 ms).
NOOP_INTERVAL = 0.1

_ANSWER = Outgoing(Pong("probe"))


class Probe:
    """The carrier that is tried; exists only as long as that takes. ``binary``: whether the peer takes raw binary on it."""

    __slots__ = ("_answered", "_late", "_noops", "_session", "binary", "transport")

    def __init__(self, session: Session, transport: Transport, binary: bool) -> None:
        self.transport = transport
        self.binary = binary
        self._session = session
        self._answered = False
        self._noops: Alarm | None = None
        self._late = session.env.wheel.after(session.env.config.upgrade_timeout, session.drop_probe)

    def on_data(self, data: str | bytes) -> None:
        """Only ``2probe`` and then ``5`` may come on a carrier that is tried; anything else ends that carrier alone."""
        session = self._session
        try:
            packet = session.protocol.decoder(session.env.limits).message(data)
        except Refused:
            packet = None
        if isinstance(packet, Ping) and packet.data == "probe":
            self._answered = True
            self.transport.send(_ANSWER.framed(encoding_of(session.protocol, self.transport.framing, session.binary)))
            self._end_polls()
        elif isinstance(packet, Upgrade) and self._answered:
            session.finish_upgrade(self)
        else:
            session.drop_probe()

    def _end_polls(self) -> None:
        """Answer the parked poll, now and every 100 ms: a client may begin one more before it stops polling."""
        wheel = self._session.env.wheel
        self._stop_noops()
        if self._session.probe is self:
            if not self._session.outbox.waiting:
                self._session.end_poll()
            self._noops = wheel.after(NOOP_INTERVAL, self._end_polls)

    def _stop_noops(self) -> None:
        if self._noops is not None:
            self._session.env.wheel.discard(self._noops)
            self._noops = None

    def stop(self) -> None:
        """The trial is over; nothing of it falls due any more."""
        self._stop_noops()
        self._session.env.wheel.discard(self._late)
