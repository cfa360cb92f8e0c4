"""A request in, its protocol, transport and session out; the first lines of defence stand here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from ..transports.base import Exchange, HttpProfile, Refused, Transport, TransportOptions
from .config import Config
from .errors import HandshakeCode, HandshakeRefused
from .events import Open
from .handshake import Handshake
from .hub import Hub
from .origins import OriginPolicy
from .protocols.base import Located, Protocol
from .protocols.registry import locate
from .session import Session, SessionEnv
from .static import StaticFiles
from .tasks import Runner

__all__ = ["RequestRouter"]

log = logging.getLogger("anywire.router")


class RequestRouter:
    """Finds or makes the session that a request belongs to and hands the request to its transport.

    ``opened(session)`` is told of each new session before anything is said on it. ``runner()`` runs an asynchronous
    authorization.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub,
        protocols: tuple[Protocol, ...],
        transports: Mapping[str, type[Transport]],
        env: Callable[[], SessionEnv],
        opened: Callable[[Session], None],
        runner: Callable[[], Runner],
    ) -> None:
        self._config = config
        self._hub = hub
        self._protocols = protocols
        self._transports = transports
        self._env = env
        self._opened = opened
        self._runner = runner
        self._origins = OriginPolicy(config)
        self._static = StaticFiles()
        self._options: dict[HttpProfile, TransportOptions] = {}
        #: While true, no new session is made: the server is shutting down.
        self.draining = False

    # -- entry ------------------------------------------------------------------------------------------------------

    def handle(self, exchange: Exchange) -> None:
        """Answer a request, or hand it to what will. Never raises."""
        try:
            self._handle(exchange)
        except Refused as error:
            _answer(exchange, error)
        except Exception:
            log.exception("! %s failed", exchange.method)
            _fail(exchange)

    def _handle(self, exchange: Exchange) -> None:
        tail = exchange.path.removeprefix(self._config.path)
        if tail != exchange.path and self._config.serve_client and self._static.has(tail):
            self._static.serve(exchange, tail)
            return
        if exchange.method == "OPTIONS":
            self._origins.preflight(exchange)
            return
        found = locate(self._protocols, exchange.path, exchange.query, self._config.path)
        if found is None:
            exchange.respond(404, b"not found")
            return
        protocol, located = found
        try:
            self._dispatch(exchange, protocol, located)
        except HandshakeRefused as error:
            raise protocol.refusal(error, exchange.query) from None

    def _dispatch(self, exchange: Exchange, protocol: Protocol, located: Located) -> None:
        if located.transport not in self._config.transports:
            raise HandshakeRefused(HandshakeCode.UNKNOWN_TRANSPORT)
        script = located.transport == "jsonp"
        environ = Handshake(exchange).environ() if callable(self._config.origins) else None
        self._origins.admit(exchange, environ, script)
        if located.sid is None:
            self._begin(exchange, protocol, located)
        else:
            self._continue(exchange, protocol, located, located.sid)

    # -- a new session ----------------------------------------------------------------------------------------------

    def _begin(self, exchange: Exchange, protocol: Protocol, located: Located) -> None:
        if exchange.method != "GET":
            raise HandshakeRefused(HandshakeCode.BAD_METHOD)
        if self.draining:
            raise Refused("server shutting down", status=503, headers=[("Retry-After", "1")])
        handshake = Handshake(exchange)
        authorize = self._config.authorization
        verdict = authorize(handshake.environ()) if authorize is not None else None
        if isinstance(verdict, Awaitable):
            self._decide_later(exchange, protocol, located, handshake, verdict)
        else:
            _judge(verdict)
            self._open(exchange, protocol, located, handshake)

    def _decide_later(
        self, exchange: Exchange, protocol: Protocol, located: Located, handshake: Handshake, verdict: Awaitable[Any]
    ) -> None:
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
                self._open(exchange, protocol, located, handshake)
            except HandshakeRefused as refused:
                _answer(exchange, protocol.refusal(refused, exchange.query))
            except Refused as refused:
                _answer(exchange, refused)
            except BaseException as raised:
                log.error("! authorization failed", exc_info=raised)
                _fail(exchange)

        async def wait() -> Any:
            return await verdict

        exchange.on_close = left
        coroutine: Coroutine[Any, Any, Any] = wait()
        self._runner().run(coroutine, decided)

    def _open(self, exchange: Exchange, protocol: Protocol, located: Located, handshake: Handshake) -> None:
        config = self._config
        session = Session(self._hub.new_id(), protocol, self._env(), handshake, located.binary)
        if config.cookie:
            secure = "; Secure" if exchange.secure else ""
            value = f"{config.cookie}={session.id}; Path=/; HttpOnly; SameSite=Lax{secure}"
            exchange.extra_headers.append(("Set-Cookie", value))
        kind = self._transports[located.transport]
        transport = kind.open(exchange, session, self._options_for(protocol))
        self._hub.sessions[session.id] = session
        self._opened(session)
        # A stream has nothing to gain from an upgrade, and its end could not be told in order.
        offers = config.allow_upgrades and not kind.streaming
        upgrades = tuple(name for name in protocol.upgrades if name in config.transports) if offers else ()
        session.open(transport, Open(session.id, upgrades, config.ping_interval, config.ping_timeout, config.max_payload))

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

    def _continue(self, exchange: Exchange, protocol: Protocol, located: Located, sid: str) -> None:
        session = self._hub.sessions.get(sid)
        if session is None:
            raise HandshakeRefused(HandshakeCode.UNKNOWN_SID)
        if session.protocol is not protocol:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        transport = session.transport
        if transport is not None and located.transport == transport.name and transport.name != "websocket":
            transport.handle(exchange)
        elif self._config.allow_upgrades and located.transport in protocol.upgrades and session.can_upgrade:
            session.try_upgrade(self._transports[located.transport].open(exchange, session, self._options_for(protocol)))
        else:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)


def _judge(verdict: Any) -> None:
    """The authorization's word: None or True admits; False or a text refuses."""
    if verdict is None or verdict is True:
        return
    raise HandshakeRefused(HandshakeCode.FORBIDDEN, verdict if isinstance(verdict, str) else None)


def _answer(exchange: Exchange, error: Refused) -> None:
    """Refuse. Who asked for a WebSocket gets the bare message, as engine.io answers it; browsers do not show it anyway."""
    body, kind = error.body, error.content_type
    if isinstance(error, HandshakeRefused) and exchange.headers.get("Upgrade", "").lower() == "websocket":
        body, kind = error.message.encode(), "text/html"
    try:
        exchange.respond(error.status, body, kind, error.headers)
    except RuntimeError:
        exchange.abort()


def _fail(exchange: Exchange) -> None:
    try:
        exchange.respond(500, b"internal error")
    except RuntimeError:
        exchange.abort()
