"""What every server of ours is made of: settings, hub, wheel, routes, and its life from start to shutdown."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from threading import get_ident
from typing import Any, Concatenate, ParamSpec, TypeVar

from tornado.netutil import bind_sockets

from ..transports.exchange import ExchangeRouter
from ..transports.registry import TRANSPORTS
from ..transports.strict import StrictServer
from .config import Config
from .errors import CloseReason, ConfigError
from .events import Packet
from .hub import Hub
from .metrics import Counters
from .protocols.base import Limits, Protocol
from .router import RequestRouter
from .session import Session, SessionEnv
from .tasks import Runner
from .throttle import Throttle
from .timers import Wheel

__all__ = ["Endpoint", "Sent", "from_any_thread"]

log = logging.getLogger("anywire.server")

#: Pending connections of a listening socket: a restarted server meets all its clients at once.
BACKLOG = 4096


#: What the sending methods return: already done, or about to be.
Sent = Awaitable[Any]
_Self = TypeVar("_Self", bound="Endpoint")
_Args = ParamSpec("_Args")


def from_any_thread(method: Callable[Concatenate[_Self, _Args], Sent]) -> Callable[Concatenate[_Self, _Args], Sent]:
    """Make a method that does its work when it is called safe for ``asyncio.run_coroutine_threadsafe(sio.method(...), loop)``: called
    in a thread that is not the server's, it only makes the coroutine that does the work."""

    @functools.wraps(method)
    def call(self: _Self, /, *args: _Args.args, **kwargs: _Args.kwargs) -> Sent:
        if self._elsewhere():
            return self._later(method, self, *args, **kwargs)
        return method(self, *args, **kwargs)

    return call


class Endpoint:
    """The common half of :class:`Server` and :class:`EngineServer`."""

    _protocols: tuple[Protocol, ...]

    def __init__(self, config: Config) -> None:
        self.config = config
        self._hub = Hub()
        self._protocols = tuple(protocol.configured(config) for protocol in self._protocols)
        self._loop: asyncio.AbstractEventLoop | None = None
        #: The thread of that loop.
        self._thread = 0
        self._env: SessionEnv | None = None
        self._runner = Runner()
        #: How many packets of each session came lately, where that is limited.
        self._meter: Throttle | None = None
        #: What happened to clients since the server was made.
        self.counters = Counters()
        self._http: list[StrictServer] = []
        self._ports: list[int] = []
        self._background: set[asyncio.Task[Any]] = set()
        self._requests = RequestRouter(
            config, self._hub, self._protocols, TRANSPORTS, self._session_env, self._on_opened, self._on_greeted, self._runner,
            self.counters,
        )  # fmt: skip
        #: Mount it: ``tornado.web.Application([(r"/socket\\.io/.*", sio.router), ...])``.
        self.router = ExchangeRouter(self._requests.handle, config.trusted_proxies, config.send_timeout)

    # -- life -------------------------------------------------------------------------------------------------------

    def _bind_loop(self) -> None:
        """Tie the server to the running loop, on first use. Raises RuntimeError when that loop is another one."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        if self._loop is not None and not self._loop.is_closed():
            raise RuntimeError("this server already runs in another event loop; make one server per loop")
        self._loop = loop
        self._thread = get_ident()
        self._runner.forget()
        self._env = SessionEnv(
            config=self.config,
            wheel=Wheel(loop),
            on_packet=self._metered(self._packet_sink()) if self.config.event_rate else self._packet_sink(),
            on_closed=self._on_closed,
            defer=loop.call_soon,
            limits=Limits(max_bytes=self.config.max_payload),
        )

    def _elsewhere(self) -> bool:
        """Whether this is a thread in which no loop runs, while the server's runs in another."""
        return get_ident() != self._thread and self._loop is not None and asyncio._get_running_loop() is None

    async def _later(self, method: Callable[..., Sent], *args: Any, **kwargs: Any) -> Any:
        return await method(*args, **kwargs)

    def _session_env(self) -> SessionEnv:
        """Bound on first use. Raises Refused after the end."""
        if self._env is None:
            # After the end, too, a Tornado application may go on listening: no request of it brings the server back to life.
            self._requests.admission.check_open()
            self._bind_loop()
        assert self._env is not None
        return self._env

    async def start(self) -> None:
        """Make ready in the running loop. Needed once before clients come; harmless to repeat."""
        self._bind_loop()
        self._requests.admission.draining = False

    def listen(
        self,
        port: int,
        address: str | None = None,
        app: Any = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> StrictServer:
        """Serve on ``port`` (0: a free one, see :attr:`port`), this server alone or inside a Tornado application ``app``.

        ``ssl_options`` are Tornado's. Raises ConfigError for an ``app`` without a route to :attr:`router`, OSError when the port is taken.
        """
        self._bind_loop()
        if app is not None and not callable(app):
            raise ConfigError(f"app must be a tornado.web.Application, not {type(app).__name__}")
        if not isinstance(port, int) or isinstance(port, bool):
            raise ConfigError(f"port must be a number, not {type(port).__name__}")
        if not (ssl_options is None or isinstance(ssl_options, (dict, ssl.SSLContext))):
            raise ConfigError(f"ssl_options must be a dictionary or an ssl.SSLContext, not {type(ssl_options).__name__}")
        if not 0 <= port <= 65535:
            raise ConfigError(f"port {port} is none; ports are from 1 to 65535, and 0 is a free one")
        if not self.router.mounted_in(app):
            raise ConfigError(f"app has no route to this server; give it (r'{re.escape(self.config.path)}.*', sio.router)")
        server = StrictServer(
            app if app is not None else self.router,
            ssl_options=ssl_options,
            idle_connection_timeout=self.config.idle_timeout,
            body_timeout=self.config.body_timeout,
            max_header_size=32_768,
        )
        sockets = bind_sockets(port, address, backlog=BACKLOG)
        server.add_sockets(sockets)
        self._http.append(server)
        self._ports.extend(socket.getsockname()[1] for socket in sockets)
        return server

    @property
    def port(self) -> int:
        """The port of the first :meth:`listen`. Raises RuntimeError before it."""
        if not self._ports:
            raise RuntimeError("listen() was not called yet")
        return self._ports[0]

    async def shutdown(self, grace: float = 5.0) -> None:
        """End: accept nothing new, tell every client to come back, give them and running handlers ``grace`` seconds."""
        self._requests.admission.draining = True
        for server in self._http:
            server.stop()
        deadline = asyncio.get_running_loop().time() + grace
        for session in list(self._hub.sessions.values()):
            session.close_when_drained(CloseReason.SHUTDOWN)
        while self._hub.sessions and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.01)
        for session in list(self._hub.sessions.values()):
            session.close(CloseReason.SHUTDOWN)
        await self._runner.stop(max(0.0, deadline - asyncio.get_running_loop().time()))
        for server in self._http:
            await server.close_all_connections()
        self._http.clear()
        self._ports.clear()
        if self._env is not None:
            for transport in list(self._env.lingering):
                transport.abort()
            self._env.wheel.close()
        self._loop = self._env = None

    # -- what sessions say ------------------------------------------------------------------------------------------

    def _on_opened(self, session: Session) -> None:
        """A session was made; it was told its parameters, and nothing else."""

    def _on_greeted(self, session: Session, decided: Callable[[str | None], None]) -> None:
        """A client asks for a session before it has a carrier. ``decided`` is called with None to admit it, or with why not."""
        decided(None)

    def _packet_sink(self) -> Callable[[Session, Packet], None]:
        """What takes a session's packets, called directly: it is on the hot path."""
        raise NotImplementedError

    def _metered(self, sink: Callable[[Session, Packet], None]) -> Callable[[Session, Packet], None]:
        """``sink`` for sessions that keep to ``event_rate``."""
        loop, throttle = asyncio.get_running_loop(), Throttle(self.config.event_rate)
        self._meter = throttle

        def on_packet(session: Session, packet: Packet) -> None:
            if throttle.take(session, loop.time()):
                sink(session, packet)
            else:
                session.close(CloseReason.OVERLOAD, 1008)

        return on_packet

    def _on_closed(self, session: Session, reason: CloseReason) -> None:
        if self._hub.sessions.pop(session.id, None) is not None:
            self._requests.admission.left(session)
            self.counters.closed[reason.text] += 1
        if self._meter is not None:
            self._meter.forget(session)

    # -- small things that both servers have ------------------------------------------------------------------------

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Run ``target(*args, **kwargs)``, an async function, as a task of its own. Errors are logged, unless somebody asks the task.

        Raises TypeError for a function that is not async: it would run at once and hold everything up.
        """
        loop = asyncio.get_running_loop()
        awaitable: Awaitable[Any] = target(*args, **kwargs)
        if not inspect.isawaitable(awaitable):
            raise TypeError(f"a background task needs an async function; {getattr(target, '__name__', target)!r} is a plain one")

        async def run() -> Any:
            return await awaitable

        task = loop.create_task(run())
        # Loops keep no tasks of their own: one that nobody holds may vanish while it waits.
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def sleep(self, seconds: float = 0) -> None:
        """Wait; other work goes on."""
        await asyncio.sleep(seconds)
