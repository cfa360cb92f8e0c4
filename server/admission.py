"""Who is let in: a request for a session is counted, judged by the application, and given one."""

from __future__ import annotations

import builtins
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ..transports.base import Exchange, Refused
from .carriers import Carriers
from .config import Config
from .errors import CloseReason, ConnectionRefusedError, HandshakeCode, HandshakeRefused, TooMany
from .events import Open
from .handshake import Handshake, network_of
from .hub import Hub
from .metrics import Counters
from .protocols.base import Located, Protocol
from .race import Race, Races
from .session import Session, SessionEnv
from .tasks import Runner
from .throttle import Throttle

__all__ = ["NO_STORE", "Admission", "Newcomer"]

log = logging.getLogger("anywire.admission")

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


class Admission:
    """Makes the sessions of a server.

    ``opened(session)`` is told of each new session when its parameters are said, and nothing else. ``greeted(session, decided)``
    is asked about a session that is to begin without a carrier. ``runner`` runs an asynchronous authorization.
    ``refuse(exchange, error)`` answers who is refused after :meth:`begin` has returned.
    """

    def __init__(
        self,
        config: Config,
        hub: Hub,
        carriers: Carriers,
        env: Callable[[], SessionEnv],
        opened: Callable[[Session], None],
        greeted: Callable[[Session, Callable[[str | None], None]], None],
        runner: Runner,
        counters: Counters,
        refuse: Callable[[Exchange, Refused], None],
    ) -> None:
        self._config = config
        self._hub = hub
        self._carriers = carriers
        self._env = env
        self._opened = opened
        self._greeted = greeted
        self._runner = runner
        self._counters = counters
        self._refuse = refuse
        self._rate = Throttle(config.handshake_rate) if config.handshake_rate else None
        #: Sessions by address, where their number is limited.
        self.crowd: Counter[str] = Counter()
        #: Sessions whose clients try two ways at once, by the token that both name.
        self._races = Races(lambda: env().wheel.now())
        #: While true, no new session is made: the server is shutting down.
        self.draining = False

    def begin(self, new: Newcomer) -> None:
        """Give a session, now or once the application has decided. Raises :class:`Refused`."""
        exchange = new.exchange
        if exchange.method not in new.protocol.handshake_methods and new.body is None:
            raise HandshakeRefused(HandshakeCode.BAD_METHOD)
        self.check_open()
        self.check_rate(exchange)
        new.handshake.identity = self.identify(new.handshake)
        limit = self._config.max_sessions_per_address
        if limit and self.crowd[network_of(exchange.peer[0])] >= limit and self._race_of(new) is None:
            raise TooMany("Too many sessions")
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

    def check_open(self) -> None:
        """Raise :class:`Refused` once the server shuts down."""
        if self.draining:
            raise Refused("server shutting down", status=503, headers=[("Retry-After", "1")])

    def check_rate(self, exchange: Exchange) -> None:
        """Raises TooMany where one address asks for too much."""
        if self._rate is not None and not self._rate.take(network_of(exchange.peer[0]), self._env().wheel.now()):
            raise TooMany("Too many requests")

    def identify(self, request: Handshake) -> Any:
        """Who asks, by the setting ``identity``; None without one. Raises :class:`Refused`."""
        identity = self._config.identity
        try:
            return identity(request.environ()) if identity is not None else None
        except Exception as error:
            raise _failed(error) from None

    def _enter(self, session: Session) -> None:
        self._hub.sessions[session.id] = session
        self._counters.opened += 1
        if self._config.max_sessions_per_address:
            self.crowd[network_of(session.handshake.peer[0])] += 1

    def left(self, session: Session) -> None:
        """A session that was made here has ended."""
        if self._config.max_sessions_per_address:
            key = network_of(session.handshake.peer[0])
            self.crowd[key] -= 1
            if not self.crowd[key]:
                del self.crowd[key]

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
        self._runner.run(coroutine, decided)

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

    def _race_of(self, new: Newcomer) -> Race | None:
        """The race in which this is another carrier of a session that is there already."""
        race = self._races.running.get(_token(new))
        if race is None or not race.session.alive or race.session.protocol is not new.protocol:
            return None
        first = race.session.handshake
        return race if first.identity == new.handshake.identity and first.same_network(new.exchange.peer) else None

    def _join_race(self, race: Race, new: Newcomer) -> None:
        session = race.session
        if new.body is None and not race.takes_stream:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        self._set_cookie(new.exchange, session)
        transport = self._carriers.open(new.located.transport, new.exchange, session, new.protocol)
        if new.body is None:
            race.open_stream(transport)
        else:
            race.open_poll(transport, new.body)

    def _open(self, new: Newcomer) -> None:
        race = self._race_of(new)
        if race is not None:
            self._join_race(race, new)
            return
        token = _token(new)
        if self._races.is_spent(token):
            # Its client has gone on without it; nobody would end the session.
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        config, protocol, session = self._config, new.protocol, self._session(new)
        self._set_cookie(new.exchange, session)
        transport = self._carriers.open(new.located.transport, new.exchange, session, protocol)
        self._enter(session)
        first = new.located.transport
        if token and token not in self._races.running:
            self._races.begin(token, session, transport)
            # It may go on by polling, whatever it has begun with.
            first = "polling"
        upgrades = self._carriers.upgrades_of(first, protocol)
        opened = Open(session.id, upgrades, config.ping_interval, config.ping_timeout, config.max_payload)

        def told(session: Session) -> None:
            self._opened(session)
            if new.body is not None:
                transport.first(new.body)

        session.open(transport, opened, told)


def _token(new: Newcomer) -> str:
    """The token of the race that it is in, as only a WebSocket or a first POST can be; "" of anything else."""
    return new.located.race if new.body is not None or new.located.transport == "websocket" else ""


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
