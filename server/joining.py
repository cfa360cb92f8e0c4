"""Who may come into which namespace: connect handlers and middlewares decide, and what comes before their word waits for it."""

from __future__ import annotations

import builtins
import inspect
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from .config import Config, takes
from .errors import CloseReason, ConnectionRefusedError, PayloadError, ProtocolError
from .events import Connect, ConnectError, Disconnect, Event, Noop
from .hub import Hub, Socket
from .namespace import Handler, Handlers
from .outgoing import Outgoing
from .session import Session
from .tasks import Runner
from .timers import Alarm

__all__ = ["REJECTED", "Clients", "Joining"]

log = logging.getLogger("anywire.handlers")

#: Events of one session that may wait for their namespaces to be joined, and for how many seconds.
MAX_EARLY = 100
EARLY_PATIENCE = 10.0
#: How often one session may be refused; more is an attack (facts of socket.io: no limit).
MAX_REFUSALS = 64
#: What a refused client hears when the handler gives no message (python-socketio's words).
REJECTED = "Connection rejected by server"


class Clients(dict[str, Socket]):
    """A session's clients by namespace."""

    __slots__ = ("decided", "early", "ended", "forget_early", "refusals")

    def __init__(self, decided: Callable[[str | None], None] | None = None) -> None:
        super().__init__()
        self.refusals = 0
        #: Namespaces that the server has ended or refused: what the client has said before it heard so is not its fault.
        self.ended: set[str] | None = None
        #: Waits to hear whether "/" was joined: None, or why not.
        self.decided = decided
        #: Events that came before their namespace was joined, and the alarm that ends their patience.
        self.early: dict[str, deque[Event]] | None = None
        self.forget_early: Alarm | None = None

    def end(self, namespace: str) -> None:
        """The server ends or refuses a namespace."""
        self.pop(namespace, None)
        if self.ended is None:
            self.ended = set()
        if len(self.ended) < MAX_REFUSALS:
            self.ended.add(namespace)

    def has_ended(self, namespace: str) -> bool:
        """Whether what still comes for it may be ignored."""
        return self.ended is not None and namespace in self.ended


class Joining:
    """Lets clients into namespaces, or refuses them. ``proceed(socket)`` goes on with what has come for a client meanwhile."""

    def __init__(
        self, config: Config, hub: Hub, handlers: Handlers, runner: Runner, proceed: Callable[[Socket], None]
    ) -> None:
        self._config = config
        self._hub = hub
        self._handlers = handlers
        self._runner = runner
        self._proceed = proceed

    def on_connect(self, session: Session, packet: Connect) -> None:
        """A client asks for a namespace. Raises ProtocolError for one that asks twice, or for too many."""
        clients: Clients = session.sockets
        lenient = session.protocol.lenient
        if packet.namespace in clients:
            if lenient:
                return
            raise ProtocolError("namespace joined twice")
        if clients.refusals >= MAX_REFUSALS or len(clients) >= self._config.max_namespaces:
            raise ProtocolError("too many namespaces")
        if not self._handlers.accepts(packet.namespace):
            if lenient:
                log.debug("< %r is no namespace here", packet.namespace)
                return
            self.refuse(session, packet.namespace, "Invalid namespace")
            return
        self.join(session, packet.namespace, packet.data, packet.query)

    def expect_connect(self, session: Session) -> None:
        """A client that has not been let into a namespace within ``connect_timeout`` is closed, however often it was refused; while a
        connect handler runs it has as long again."""

        def late() -> None:
            session.connect_alarm = None
            if session.sockets:
                self.expect_connect(session)
            else:
                session.close(CloseReason.CONNECT_TIMEOUT)

        session.connect_alarm = session.env.wheel.after(self._config.connect_timeout, late)

    def join(self, session: Session, namespace: str, auth: Any, query: str = "") -> None:
        """Let a client into a namespace, if its middlewares and connect handler agree. ``query`` is added to the handshake's."""
        clients: Clients = session.sockets
        socket = Socket(session.protocol.public_sid(session.id, namespace, self._hub.new_id()), session, namespace)
        clients[namespace] = socket
        if clients.ended is not None:
            clients.ended.discard(namespace)
        socket.queue = self._take_early(session, clients, namespace)
        self._hub.add(socket)
        if self._config.always_connect:
            socket.connected(self._welcome(socket))
        steps: list[Handler] = list(self._handlers.middleware(namespace, events=False))
        found = self._handlers.find(namespace, "connect")
        if query:
            socket.environ = session.handshake.with_query(query).environ()
        if found is None and not steps:
            self._joined(socket)
            return
        if socket.environ is None:
            socket.environ = session.handshake.environ()
        if found is not None:
            handler, prefix = found
            with_auth = takes(handler, len(prefix) + 3)
            steps.append(lambda sid, env, data: handler(*prefix, sid, env, *((data,) if with_auth else ())))
        socket.busy = True
        self._ask(socket, steps, socket.environ, auth)

    def _ask(self, socket: Socket, steps: list[Handler], environ: dict[str, Any], auth: Any) -> None:
        """Run the steps; the first that says no ends it."""

        async def ask() -> bool:
            for step in steps:
                result = step(socket.sid, environ, auth)
                if inspect.isawaitable(result):
                    result = await result
                if result is False:
                    return False
            return True

        def done(result: Any, error: BaseException | None) -> None:
            socket.busy = False
            if error is None and result is not False:
                if environ == socket.session.handshake.environ():
                    # Thousands of idle clients need not keep what can be built again.
                    socket.environ = None
                self._joined(socket)
            else:
                self._turned_away(socket, error)

        session = socket.session
        if not self._runner.run(ask(), done) and session.protocol.own_client(session.handshake.query):
            # It would take the silence for a proxy that swallows what it says, and try another transport.
            session.send(Outgoing(Noop()))

    def _joined(self, socket: Socket) -> None:
        session = socket.session
        if session.connect_alarm is not None:
            session.env.wheel.discard(session.connect_alarm)
            session.connect_alarm = None
        if socket.state == Socket.CONNECTING:
            socket.connected(self._welcome(socket))
        self.decided(socket, None)
        self._proceed(socket)

    def decided(self, socket: Socket, refusal: str | None) -> bool:
        """Tell who waits for it whether "/" was joined; whether anyone did."""
        clients: Clients | None = socket.session.sockets
        if socket.namespace != "/" or clients is None or clients.decided is None:
            return False
        decided, clients.decided = clients.decided, None
        decided(refusal)
        return True

    def _welcome(self, socket: Socket) -> Outgoing:
        return Outgoing(socket.session.protocol.connected(socket.namespace, socket.sid))

    def _turned_away(self, socket: Socket, error: BaseException | None) -> None:
        message, data = _refusal(error)
        if error is not None and message is None:
            log.error("! connect handler of %s failed", socket.namespace, exc_info=error)
        welcomed = socket.state == Socket.CONNECTED
        alive = socket.state != Socket.GONE
        socket.queue = None
        socket.end()
        self._hub.remove(socket)
        if not alive:
            return
        clients: Clients = socket.session.sockets
        clients.end(socket.namespace)
        # Nothing waits for it any more, and what waits for others decides whether more is read.
        self._proceed(socket)
        if self.decided(socket, message or REJECTED):
            return
        if welcomed:
            clients.refusals += 1
            socket.session.send(Outgoing(Disconnect(socket.namespace)))
        else:
            self.refuse(socket.session, socket.namespace, message or REJECTED, data)

    def refuse(self, session: Session, namespace: str, message: str, data: Any = None) -> None:
        """Say that a namespace is refused, without the data if that cannot be sent."""
        if session.sockets is not None:
            session.sockets.refusals += 1
        try:
            session.send(Outgoing(session.protocol.refused(ConnectError(namespace, message, data))))
        except PayloadError:
            log.exception("! the data of a refusal in %s cannot be sent", namespace)
            session.send(Outgoing(session.protocol.refused(ConnectError(namespace, message, None))))

    # -- events that come too early ---------------------------------------------------------------------------------

    def keep_early(self, session: Session, event: Event) -> None:
        """Hold an event whose namespace is not joined yet: on reconnecting, socket.io-client 0.9.16 sends what it had buffered first.

        Raises ProtocolError in dialects whose clients know better.
        """
        clients: Clients = session.sockets
        if clients.has_ended(event.namespace):
            return
        if not session.protocol.lenient:
            raise ProtocolError("event for a namespace that is not joined")
        if not self._handlers.accepts(event.namespace):
            return
        if clients.early is None:
            clients.early = {}
            clients.forget_early = session.env.wheel.after(EARLY_PATIENCE, lambda: self._forget_early(clients))
        clients.early.setdefault(event.namespace, deque()).append(event)
        if sum(map(len, clients.early.values())) > MAX_EARLY:
            raise ProtocolError("too many events for namespaces that are not joined")

    def _forget_early(self, clients: Clients) -> None:
        clients.early = clients.forget_early = None

    def _take_early(self, session: Session, clients: Clients, namespace: str) -> deque[Event] | None:
        """What came for a namespace before it was joined."""
        if clients.early is None:
            return None
        events = clients.early.pop(namespace, None)
        if not clients.early and clients.forget_early is not None:
            session.env.wheel.discard(clients.forget_early)
            self._forget_early(clients)
        return events


def _refusal(error: BaseException | None) -> tuple[str | None, Any]:
    """Message and data of a refused connection; (None, None) for an error that is not a refusal."""
    if error is None:
        return REJECTED, None
    if isinstance(error, builtins.ConnectionRefusedError):
        # Raised by the handler, or by a database that is down: its arguments, an address, are not for clients (python-socketio's rule).
        return "Connection refused by server", None
    if isinstance(error, ConnectionRefusedError):
        return error.message, error.data
    return None, None
