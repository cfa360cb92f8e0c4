"""Who must show that it lives, and by when: one kind of heartbeat for each way that a dialect and a carrier have.

A heartbeat holds nothing of its own and is shared by all sessions. What it knows of a peer is in the session: ``due``, the one deadline;
``heard``, whether anything came since that was set; ``expecting``, whether a ping waits for its pong; ``grace``, whether the deadline
is not the heartbeat's own (each kind says whose).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import CloseReason, ProtocolError
from .events import Ping, Pong
from .outgoing import Outgoing

if TYPE_CHECKING:
    from .protocols.base import Protocol
    from .session import Session

__all__ = ["Heartbeat", "heartbeat_of"]

#: Seconds after which a stream over which nothing has come is pinged, though no heartbeat is due: its client answers at once, and until
#: then all that is sent is kept for another carrier.
PROOF_INTERVAL = 2.0

_PING = Outgoing(Ping())


class Heartbeat:
    """What the kinds have in common. ``grace`` is the time until an unproven stream is pinged out of turn."""

    __slots__ = ()

    def start(self, session: Session) -> None:
        """Begin anew: a carrier was taken, or the peer has just shown that it lives."""
        config, wheel = session.env.config, session.env.wheel
        session.heard = False
        session.grace = session.unproven and config.ping_interval > PROOF_INTERVAL
        wheel.schedule(session, wheel.now() + (PROOF_INTERVAL if session.grace else self.silence(session)))

    def silence(self, session: Session) -> float:
        """Seconds without a sign of the peer after which something must happen."""
        raise NotImplementedError

    def on_deadline(self, session: Session, now: float) -> None:
        """It happened: ``now`` is when."""
        if session.grace:
            # Not yet a heartbeat: whoever is behind a proxy that swallows it has longer to find another way.
            session.grace = False
            session.env.wheel.schedule(session, now + session.env.config.ping_interval)
            if session.unproven:
                session.send(_PING)
        else:
            self.overdue(session, now)

    def overdue(self, session: Session, now: float) -> None:
        """The peer was silent for as long as :meth:`silence` says, or its pong is missing."""
        raise NotImplementedError

    def on_poll(self, session: Session) -> None:
        """The peer polls again."""
        return None

    def on_ping(self, session: Session, ping: Ping) -> None:
        """The peer pings. Raises ProtocolError when that is ours to do."""
        raise ProtocolError("ping from the side that answers pings")

    def on_pong(self, session: Session) -> None:
        """The peer answers a ping. Raises ProtocolError when it gets none."""
        raise ProtocolError("pong from the side that pings")


class ServerPings(Heartbeat):
    """We ping every ``ping_interval``, and the peer answers within ``ping_timeout``."""

    __slots__ = ()

    def silence(self, session: Session) -> float:
        return session.env.config.ping_interval

    def overdue(self, session: Session, now: float) -> None:
        if session.expecting and not session.heard:
            session.close(CloseReason.PING_TIMEOUT)
            return
        # Whoever has sent anything since the ping is alive, however slowly a large transfer lets its pong through.
        session.expecting, session.heard = True, False
        session.env.wheel.schedule(session, now + session.env.config.ping_timeout)
        session.send(_PING)

    def on_pong(self, session: Session) -> None:
        if session.expecting:
            session.expecting = False
            session.env.wheel.schedule(session, session.env.wheel.now() + session.env.config.ping_interval)


class ClientPings(Heartbeat):
    """The peer pings every ``ping_interval``, is answered, and has ``ping_timeout`` more."""

    __slots__ = ()

    def silence(self, session: Session) -> float:
        return session.env.config.ping_interval + session.env.config.ping_timeout

    def overdue(self, session: Session, now: float) -> None:
        if session.heard:
            # A large transfer holds up the client's ping, not the client.
            self.start(session)
        else:
            session.close(CloseReason.PING_TIMEOUT)

    def on_ping(self, session: Session, ping: Ping) -> None:
        self.start(session)
        session.send(Outgoing(Pong(ping.data)))


class TimedPolls(ServerPings):
    """No pings: a poll is answered after ``polling_duration`` at the latest, and the next one comes within ``close_timeout``.

    ``grace`` is the time until then.
    """

    __slots__ = ()

    def start(self, session: Session) -> None:
        session.grace = False
        session.env.wheel.schedule(session, session.env.wheel.now() + session.env.config.polling_duration)

    def on_poll(self, session: Session) -> None:
        self.start(session)

    def on_deadline(self, session: Session, now: float) -> None:
        if session.grace:
            session.close(CloseReason.PING_TIMEOUT)
            return
        session.grace = True
        session.env.wheel.schedule(session, now + session.env.config.close_timeout)
        session.end_poll()


_SERVER_PINGS, _CLIENT_PINGS, _TIMED_POLLS = ServerPings(), ClientPings(), TimedPolls()


def heartbeat_of(protocol: Protocol, streaming: bool) -> Heartbeat:
    """The heartbeat of a dialect's sessions on a stream, or on polls."""
    if protocol.timed_polls and not streaming:
        return _TIMED_POLLS
    return _SERVER_PINGS if protocol.pinger == "server" else _CLIENT_PINGS
