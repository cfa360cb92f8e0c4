"""A request in, its protocol, transport and session out; the first lines of defence stand here."""

from __future__ import annotations

import builtins
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..transports.base import Exchange, HttpProfile, Loss, Refused, Transport, TransportOptions
from ..transports.framing import wrap
from .check import CheckPage
from .config import Config
from .errors import CloseReason, ConnectionRefusedError, HandshakeCode, HandshakeRefused, TooMany
from .events import Open
from .handshake import Handshake, network_of
from .hub import Hub
from .metrics import Counters
from .origins import OriginPolicy
from .protocols.base import Located, Protocol
from .protocols.registry import locate
from .session import Session, SessionEnv
from .states import SessionState
from .static import StaticFiles
from .tasks import Runner
from .throttle import Throttle

__all__ = ["RequestRouter"]

log = logging.getLogger("anywire.router")

#: Bytes of a POST that begins a session: it is read before anybody has looked at who sends it.
MAX_FIRST_BODY = 65_536

#: A handshake's answer is for one client, once: iOS 6 caches even answers to POST.
NO_STORE = [("Cache-Control", "no-store")]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A request for a session. ``body``: what the client says first, where it may do so by a POST."""

    exchange: Exchange
    protocol: Protocol
    located: Located
    handshake: Handshake
    body: bytes | None = None


class RequestRouter:
    """Finds or makes the session that a request belongs to and hands the request to its transport.

    ``opened(session)`` is told of each new session when its parameters are said, and nothing else. ``greeted(session, decided)``
    is asked about a session that is to begin without a carrier. ``runner()`` runs an asynchronous authorization.
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
        runner: Callable[[], Runner],
        counters: Counters,
    ) -> None:
        self._config = config
        self._hub = hub
        self._protocols = protocols
        self._transports = transports
        self._env = env
        self._opened = opened
        self._greeted = greeted
        self._runner = runner
        self._counters = counters
        self._origins = OriginPolicy(config)
        # The page speaks Socket.IO, which a bare Engine.IO server does not.
        self._check = CheckPage(config) if config.check_page and not any(protocol.bare for protocol in protocols) else None
        self._static = StaticFiles(config.serve_client, None if self._check is None else self._check.facts())
        self._options: dict[HttpProfile, TransportOptions] = {}
        self._rate = Throttle(config.handshake_rate) if config.handshake_rate else None
        #: Sessions by address, where their number is limited.
        self._crowd: Counter[str] = Counter()
        #: While true, no new session is made: the server is shutting down.
        self.draining = False

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
            self._begin(new)

    # -- a new session ----------------------------------------------------------------------------------------------

    def _begin_later(self, new: Newcomer) -> None:
        try:
            self._begin(new)
        except Refused as error:
            self._refuse(new.exchange, new.protocol.refusal(error, new.exchange.query))
        except Exception:
            log.exception("! %s failed", new.exchange.method)
            _fail(new.exchange)

    def _begin(self, new: Newcomer) -> None:
        exchange = new.exchange
        if exchange.method not in new.protocol.handshake_methods and new.body is None:
            raise HandshakeRefused(HandshakeCode.BAD_METHOD)
        if self.draining:
            raise Refused("server shutting down", status=503, headers=[("Retry-After", "1")])
        self._check_rate(exchange)
        limit = self._config.max_sessions_per_address
        if limit and self._crowd[network_of(exchange.peer[0])] >= limit:
            raise TooMany("Too many sessions")
        new.handshake.identity = self._identify(new.handshake)
        authorize = self._config.authorization
        try:
            verdict = authorize(new.handshake.environ()) if authorize is not None else None
        except Exception as error:
            raise _failed(error) from None
        if isinstance(verdict, Awaitable):
            self._decide_later(new, verdict)
        else:
            _judge(verdict)
            self._admit(new)

    def _check_rate(self, exchange: Exchange) -> None:
        if self._rate is not None and not self._rate.take(network_of(exchange.peer[0]), self._env().wheel.now()):
            raise TooMany("Too many requests")

    def _enter(self, session: Session) -> None:
        self._hub.sessions[session.id] = session
        self._counters.opened += 1
        if self._config.max_sessions_per_address:
            self._crowd[network_of(session.handshake.peer[0])] += 1

    def left(self, session: Session) -> None:
        """A session that was made here has ended."""
        if self._config.max_sessions_per_address:
            key = network_of(session.handshake.peer[0])
            self._crowd[key] -= 1
            if not self._crowd[key]:
                del self._crowd[key]

    def _decide_later(self, new: Newcomer, verdict: Awaitable[Any]) -> None:
        exchange, protocol = new.exchange, new.protocol
        gone = False

        def left() -> None:
            nonlocal gone
            gone = True

        def decided(result: Any, error: BaseException | None) -> None:
            if gone:
                return
            exchange.on_close = None
            try:
                if error is not None:
                    raise error
                _judge(result)
                self._admit(new)
            except Refused as refused:
                self._refuse(exchange, protocol.refusal(refused, exchange.query))
            except BaseException as raised:
                self._refuse(exchange, protocol.refusal(_failed(raised), exchange.query))

        async def wait() -> Any:
            return await verdict

        exchange.on_close = left
        coroutine: Coroutine[Any, Any, Any] = wait()
        self._runner().run(coroutine, decided)

    def _admit(self, new: Newcomer) -> None:
        if new.protocol.handshake_first:
            self._greet(new)
        else:
            self._open(new)

    def _session(self, new: Newcomer) -> Session:
        return Session(self._hub.new_id(), new.protocol, self._env(), new.handshake, new.located.binary)

    def _greet(self, new: Newcomer) -> None:
        """Make a session that waits for its first carrier, and answer with its id once the application has agreed."""
        exchange, protocol, session = new.exchange, new.protocol, self._session(new)
        self._enter(session)
        session.await_carrier()

        def decided(refusal: str | None) -> None:
            exchange.on_close = None
            if refusal is not None:
                session.close(CloseReason.SERVER)
                self._refuse(exchange, protocol.refusal(HandshakeRefused(HandshakeCode.FORBIDDEN, refusal), exchange.query))
            elif not session.alive:
                self._refuse(exchange, protocol.refusal(Refused("server shutting down", status=503), exchange.query))
            else:
                self._set_cookie(exchange, session)
                exchange.respond(200, *protocol.greeting(session.id, exchange.query), headers=NO_STORE)

        exchange.on_close = lambda: session.close(CloseReason.TRANSPORT_CLOSE)
        self._greeted(session, decided)

    def _set_cookie(self, exchange: Exchange, session: Session) -> None:
        if self._config.cookie:
            secure = "; Secure" if exchange.secure else ""
            value = f"{self._config.cookie}={session.id}; Path=/; HttpOnly; SameSite=Lax{secure}"
            exchange.extra_headers.append(("Set-Cookie", value))

    def _open(self, new: Newcomer) -> None:
        config, protocol, session = self._config, new.protocol, self._session(new)
        self._set_cookie(new.exchange, session)
        kind = self._transports[new.located.transport]
        transport = kind.open(new.exchange, session, self._options_for(protocol))
        self._enter(session)
        # A stream has nothing to gain from an upgrade, and its end could not be told in order.
        offers = config.allow_upgrades and not kind.streaming
        upgrades = tuple(name for name in protocol.upgrades if name in config.transports) if offers else ()
        opened = Open(session.id, upgrades, config.ping_interval, config.ping_timeout, config.max_payload)

        def told(session: Session) -> None:
            self._opened(session)
            if new.body is not None:
                transport.first(new.body)

        session.open(transport, opened, told)

    def _options_for(self, protocol: Protocol) -> TransportOptions:
        options = self._options.get(protocol.profile)
        if options is None:
            config = self._config
            options = self._options[protocol.profile] = TransportOptions(
                profile=protocol.profile,
                max_message=config.max_payload,
                high_water=config.max_socket_backlog,
                send_timeout=config.send_timeout,
                control_rate=config.control_rate,
                deflate=config.per_message_deflate,
                deflate_threshold=config.per_message_deflate_threshold,
                body_timeout=config.body_timeout,
                compression=config.compression,
                compression_threshold=config.compression_threshold,
            )
        return options

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
            self._check_rate(exchange)
            self._miss(exchange, protocol, located)
            return
        if session.protocol is not protocol:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        if protocol.public_ids and self._config.bind_network and not session.handshake.same_network(exchange.peer):
            raise HandshakeRefused(HandshakeCode.UNKNOWN_SID)
        if protocol.falls_back:
            self._carry(exchange, protocol, located, session)
            return
        transport = session.transport
        if transport is not None and located.transport == transport.name and transport.name != "websocket":
            transport.handle(exchange)
        elif self._config.allow_upgrades and located.transport in protocol.upgrades and session.can_upgrade:
            carrier = self._transports[located.transport].open(exchange, session, self._options_for(protocol))
            session.try_upgrade(carrier, located.binary)
        elif self._config.allow_upgrades and located.transport in protocol.upgrades and exchange.method == "GET":
            # A socket too many. As Node's engine.io answers it: opened and closed, which is no error to those who try it.
            self._end(exchange, protocol, located)
        else:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)

    def _check_identity(self, session: Session, request: Handshake) -> None:
        """Close a session that somebody else asks for than who opened it: its id has leaked, or who opened it has logged out."""
        if self._identify(request) != session.handshake.identity:
            session.close(CloseReason.IDENTITY, 1008)
            raise HandshakeRefused(HandshakeCode.FORBIDDEN)

    def _identify(self, request: Handshake) -> Any:
        identity = self._config.identity
        try:
            return identity(request.environ()) if identity is not None else None
        except Exception as error:
            raise _failed(error) from None

    def _end(self, exchange: Exchange, protocol: Protocol, located: Located, last: str = "") -> None:
        """Open a carrier that nobody listens to, say ``last`` on it, and close it."""
        transport = self._transports[located.transport].open(exchange, _NOBODY, self._options_for(protocol))
        self._env().lingering.add(transport)
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
            session.take(self._transports[located.transport].open(exchange, session, self._options_for(protocol)))

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


def _judge(verdict: Any) -> None:
    """The authorization's word: None or True admits; False or a text refuses."""
    if verdict is None or verdict is True:
        return
    raise HandshakeRefused(HandshakeCode.FORBIDDEN, verdict if isinstance(verdict, str) else None)


def _failed(error: BaseException) -> Refused:
    """What an exception of ``authorization`` or ``identity`` means: its own word, or a mistake that is logged and not told."""
    if isinstance(error, (ConnectionRefusedError, builtins.ConnectionRefusedError)):
        return HandshakeRefused(HandshakeCode.FORBIDDEN, str(error.args[0]) if error.args else None)
    log.error("! authorization or identity failed", exc_info=error)
    return Refused("internal error", status=500)


def _fail(exchange: Exchange) -> None:
    try:
        exchange.respond(500, b"internal error")
    except RuntimeError:
        exchange.abort()
