"""A request in, its protocol, transport and session out; the first lines of defence stand here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..transports.base import Exchange, Loss, Refused, Transport
from ..transports.framing import wrap
from .admission import NO_STORE, Admission, Newcomer
from .carriers import Carriers
from .check import CheckPage
from .config import Config
from .errors import CloseReason, HandshakeCode, HandshakeRefused
from .handshake import Handshake
from .hub import Hub
from .metrics import Counters
from .origins import OriginPolicy
from .protocols.base import Located, Protocol
from .protocols.registry import locate
from .session import Session, SessionEnv
from .states import SessionState
from .static import StaticFiles
from .tasks import Runner

__all__ = ["RequestRouter"]

log = logging.getLogger("anywire.router")

#: Bytes of a POST that begins a session: it is read before anybody has looked at who sends it.
MAX_FIRST_BODY = 65_536


class RequestRouter:
    """Finds the session that a request belongs to, or asks for one, and hands the request to its transport.

    What it is made of is told by :class:`Admission`, which makes the sessions and is reached as ``admission``.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub,
        protocols: tuple[Protocol, ...],
        transports: Mapping[str, type[Transport]],
        env: Callable[[], SessionEnv],
        opened: Callable[[Session], None],
        greeted: Callable[[Session, Callable[[str | None], None]], None],
        runner: Runner,
        counters: Counters,
    ) -> None:
        self._config = config
        self._hub = hub
        self._protocols = protocols
        self._env = env
        self._counters = counters
        self._carriers = Carriers(config, transports)
        self.admission = Admission(config, hub, self._carriers, env, opened, greeted, runner, counters, self._refuse)
        self._origins = OriginPolicy(config)
        # The page speaks Socket.IO, which a bare Engine.IO server does not.
        self._check = CheckPage(config) if config.check_page and not any(protocol.bare for protocol in protocols) else None
        self._static = StaticFiles(config.serve_client, None if self._check is None else self._check.facts())

    # -- entry ------------------------------------------------------------------------------------------------------

    def handle(self, exchange: Exchange) -> None:
        """Answer a request, or hand it to what will. Never raises."""
        try:
            self._handle(exchange)
        except Refused as error:
            self._refuse(exchange, error)
        except Exception:
            log.exception("! %s failed", exchange.method)
            _fail(exchange)

    def _refuse(self, exchange: Exchange, error: Refused) -> None:
        """Who asked for a WebSocket gets the bare message, as engine.io answers it; browsers do not show it anyway."""
        self._counters.refused[error.status] += 1
        body, kind = error.body, error.content_type
        if isinstance(error, HandshakeRefused) and exchange.wants_upgrade:
            body, kind = error.message.encode(), "text/html"
        try:
            exchange.respond(error.status, body, kind, error.headers)
        except RuntimeError:
            exchange.abort()

    def _handle(self, exchange: Exchange) -> None:
        tail = exchange.path.removeprefix(self._config.path)
        if tail != exchange.path and self._static.has(tail):
            self._static.serve(exchange, tail)
            return
        if tail != exchange.path and self._check is not None and self._check.has(tail):
            self._check.answer(exchange, tail)
            return
        if exchange.method == "OPTIONS":
            self._origins.preflight(exchange, self._environ(exchange), self._asks_with_credentials(exchange))
            return
        try:
            found = locate(self._protocols, exchange.path, exchange.query, self._config.path)
        except Refused:
            self._origins.permit(exchange, self._environ(exchange))
            raise
        if found is None:
            exchange.respond(404, b"not found")
            return
        protocol, located = found
        note = self._check.note(exchange, located.transport) if self._check is not None and located.sid is None else None
        try:
            self._dispatch(exchange, protocol, located)
        except Refused as error:
            if note is not None:
                note["refusal"] = str(error)[:200]
            raise protocol.refusal(error, exchange.query) from None

    def _asks_with_credentials(self, exchange: Exchange) -> bool:
        """Whether the request after this preflight will carry credentials whatever the settings say."""
        try:
            found = locate(self._protocols, exchange.path, exchange.query, self._config.path)
        except Refused:
            return False
        return found is not None and _credentialed(*found)

    def _environ(self, exchange: Exchange) -> dict[str, Any] | None:
        """What a callable in ``origins`` may look at; None when there is none."""
        return Handshake(exchange).environ() if callable(self._config.origins) else None

    def _dispatch(self, exchange: Exchange, protocol: Protocol, located: Located) -> None:
        script = located.script or located.transport == "jsonp"
        environ = self._environ(exchange)
        cookies = self._origins.admit(exchange, environ, script, _credentialed(protocol, located))
        if located.transport and located.transport not in self._config.transports:
            raise HandshakeRefused(HandshakeCode.UNKNOWN_TRANSPORT)
        if located.transport not in ("", "websocket") and exchange.wants_upgrade:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        if located.transport == "htmlfile" and exchange.method == "GET":
            self._origins.frame(exchange, environ)
        if located.sid is not None:
            self._continue(exchange, protocol, located, located.sid, cookies)
            return
        new = Newcomer(exchange, protocol, located, Handshake(exchange, cookies))
        if located.posts and exchange.method == "POST":
            exchange.read_body(MAX_FIRST_BODY, lambda body: self._begin_later(replace(new, body=body)), self._config.body_timeout)
        else:
            self.admission.begin(new)

    def _begin_later(self, new: Newcomer) -> None:
        try:
            self.admission.begin(new)
        except Refused as error:
            self._refuse(new.exchange, new.protocol.refusal(error, new.exchange.query))
        except Exception:
            log.exception("! %s failed", new.exchange.method)
            _fail(new.exchange)

    # -- an existing session ----------------------------------------------------------------------------------------

    def _continue(self, exchange: Exchange, protocol: Protocol, located: Located, sid: str, cookies: bool) -> None:
        session = self._hub.sessions.get(sid)
        if session is not None:
            session.env.wheel.expire(session)
            session = session if session.state is not SessionState.CLOSED else None
        if session is not None and session.protocol is protocol and self._config.identity is not None:
            self._check_identity(session, Handshake(exchange, cookies))
        if located.leaves:
            if session is not None and session.protocol is protocol:
                session.close(CloseReason.CLIENT)
            exchange.respond(200, b"", headers=NO_STORE)
            return
        if session is None:
            self.admission.check_rate(exchange)
            self._miss(exchange, protocol, located)
            return
        if session.protocol is not protocol:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        if protocol.public_ids and self._config.bind_network and not session.handshake.same_network(exchange.peer):
            raise HandshakeRefused(HandshakeCode.UNKNOWN_SID)
        if session.race is not None:
            session.race.ask()
        if protocol.falls_back:
            self._carry(exchange, protocol, located, session)
            return
        transport = session.transport
        if transport is not None and located.transport == transport.name and transport.name != "websocket":
            transport.handle(exchange)
        elif self._config.allow_upgrades and located.transport in protocol.upgrades and session.can_upgrade:
            carrier = self._carriers.open(located.transport, exchange, session, protocol)
            session.try_upgrade(carrier, located.binary)
        elif self._config.allow_upgrades and located.transport in protocol.upgrades and exchange.method == "GET":
            # A socket too many. As Node's engine.io answers it: opened and closed, which is no error to those who try it.
            self._end(exchange, protocol, located)
        else:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)

    def _check_identity(self, session: Session, request: Handshake) -> None:
        """Close a session that somebody else asks for than who opened it: its id has leaked, or who opened it has logged out."""
        if self.admission.identify(request) != session.handshake.identity:
            session.close(CloseReason.IDENTITY, 1008)
            raise HandshakeRefused(HandshakeCode.FORBIDDEN)

    def _end(self, exchange: Exchange, protocol: Protocol, located: Located, last: str = "") -> None:
        """Open a carrier that nobody listens to, say ``last`` on it, and close it."""
        lingering = self._env().lingering
        transport = self._carriers.open(located.transport, exchange, _NOBODY, protocol)
        lingering.add(transport)
        transport.close(wrap(transport.framing, last) if last else b"")

    def _carry(self, exchange: Exchange, protocol: Protocol, located: Located, session: Session) -> None:
        """A request of a session whose client says in each URL which transport it uses now."""
        carrier = session.carrier(located.transport)
        if carrier is not None and located.transport != "websocket":
            carrier.handle(exchange)
        elif not session.alive:
            self._miss(exchange, protocol, located)
        elif carrier is not None or exchange.method != "GET":
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        else:
            session.take(self._carriers.open(located.transport, exchange, session, protocol))

    def _miss(self, exchange: Exchange, protocol: Protocol, located: Located) -> None:
        """A request for a session that is not there."""
        message = protocol.unknown_session
        if message is None:
            raise HandshakeRefused(HandshakeCode.UNKNOWN_SID)
        if exchange.method == "GET":
            self._end(exchange, protocol, located, message)
        else:
            # The next poll tells it. The body is read because a connection is closed with an unread one.
            profile = protocol.profile
            exchange.read_body(
                self._config.max_payload,
                lambda body: exchange.respond(200, profile.ok_body, profile.ok_type, [*NO_STORE, *profile.headers]),
                self._config.body_timeout,
            )


def _credentialed(protocol: Protocol, located: Located) -> bool:
    return protocol.credentials or (protocol.handshake_credentials and located.sid is None)


class _Nobody:
    """The delegate of a carrier that is ended as soon as it was opened."""

    def on_data(self, transport: Transport, data: str | bytes) -> None:
        return None

    def on_ready(self, transport: Transport) -> None:
        return None

    def on_taken(self, transport: Transport, ok: bool) -> None:
        return None

    def on_detached(self, transport: Transport, loss: Loss) -> None:
        return None


_NOBODY = _Nobody()


def _fail(exchange: Exchange) -> None:
    try:
        exchange.respond(500, b"internal error")
    except RuntimeError:
        exchange.abort()
