"""What a client's packets do: join and leave namespaces, run handlers in that client's order, complete acknowledgements."""

from __future__ import annotations

import builtins
import inspect
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any

from .config import Config, takes
from .errors import CloseReason, ConnectionRefusedError, PayloadError, ProtocolError
from .events import Ack, Connect, ConnectError, Disconnect, Event, Packet
from .hub import Hub, Socket
from .metrics import Counters
from .namespace import Handler, Handlers
from .outgoing import Outgoing
from .session import Session
from .tasks import FAILURES, WAITING, Runner
from .timers import Alarm

__all__ = ["Clients", "Dispatcher"]

log = logging.getLogger("anywire.handlers")

#: Events of one session that may wait for their namespaces to be joined, and for how many seconds.
MAX_EARLY = 100
EARLY_PATIENCE = 10.0
#: Joins that one session may try, refused ones included; more is an attack (facts of socket.io: no limit).
MAX_ATTEMPTS = 64
#: What a refused client hears when the handler gives no message (python-socketio's words).
REJECTED = "Connection rejected by server"


class Clients(dict[str, Socket]):
    """A session's clients by namespace."""

    __slots__ = ("attempts", "decided", "early", "forget_early")

    def __init__(self, decided: Callable[[str | None], None] | None = None) -> None:
        super().__init__()
        self.attempts = 0
        #: Waits to hear whether "/" was joined: None, or why not.
        self.decided = decided
        #: Events that came before their namespace was joined, and the alarm that ends their patience.
        self.early: dict[str, deque[Event]] | None = None
        self.forget_early: Alarm | None = None


class Dispatcher:
    """Turns packets into handler calls. A handler runs in the caller's frame up to its first wait."""

    def __init__(self, config: Config, hub: Hub, handlers: Handlers, runner: Callable[[], Runner], counters: Counters) -> None:
        self.config = config
        self.hub = hub
        self.handlers = handlers
        self._direct = handlers.direct
        self._runner = runner
        self._counters = counters
        self._ordered = not config.async_handlers

    # -- packets ----------------------------------------------------------------------------------------------------

    def on_packet(self, session: Session, packet: Packet) -> None:
        """Take one packet of a session. Raises ProtocolError when it has no business here."""
        clients: Clients = session.sockets
        if type(packet) is Event:
            socket = clients.get(packet.namespace)
            if socket is None:
                self._keep_early(session, clients, packet)
                return
            if socket.busy:
                self._queue(socket, packet)
            else:
                self._run(socket, packet)
                if socket.queue is not None and not socket.busy:
                    self._next(socket)
        elif type(packet) is Connect:
            self._on_connect(session, clients, packet)
        elif type(packet) is Ack:
            self._on_ack(session, clients, packet)
        elif type(packet) is Disconnect:
            socket = clients.pop(packet.namespace, None)
            if socket is not None:
                self.gone(socket, CloseReason.CLIENT)
        else:
            raise ProtocolError("a packet that only servers send")

    def _keep_early(self, session: Session, clients: Clients, event: Event) -> None:
        """Hold an event whose namespace is not joined yet: on reconnecting, socket.io-client 0.9.16 sends what it had buffered first.

        Raises ProtocolError in dialects whose clients know better.
        """
        if not session.protocol.lenient:
            raise ProtocolError("event for a namespace that is not joined")
        if not self.handlers.accepts(event.namespace):
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

    def _on_ack(self, session: Session, clients: Clients, packet: Ack) -> None:
        socket = clients.get(packet.namespace)
        if socket is None:
            if session.protocol.lenient:
                return
            raise ProtocolError("acknowledgement for a namespace that is not joined")
        callback = socket.acks.pop(packet.id, None) if socket.acks else None
        if callback is None:
            self._counters.acks_ignored += 1
        else:
            callback(packet.args)

    # -- joining ----------------------------------------------------------------------------------------------------

    def _on_connect(self, session: Session, clients: Clients, packet: Connect) -> None:
        lenient = session.protocol.lenient
        if packet.namespace in clients:
            if lenient:
                return
            raise ProtocolError("namespace joined twice")
        clients.attempts += 1
        if clients.attempts > MAX_ATTEMPTS or len(clients) >= self.config.max_namespaces:
            raise ProtocolError("too many namespaces")
        if not self.handlers.accepts(packet.namespace):
            if lenient:
                log.debug("< %r is no namespace here", packet.namespace)
                return
            self._refuse(session, packet.namespace, "Invalid namespace", None)
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

        session.connect_alarm = session.env.wheel.after(self.config.connect_timeout, late)

    def join(self, session: Session, namespace: str, auth: Any, query: str = "") -> None:
        """Let a client into a namespace, if its middlewares and connect handler agree. ``query`` is added to the handshake's."""
        clients: Clients = session.sockets
        socket = Socket(session.protocol.public_sid(session.id, namespace, self.hub.new_id()), session, namespace)
        clients[namespace] = socket
        socket.queue = self._take_early(session, clients, namespace)
        self.hub.add(socket)
        if self.config.always_connect:
            socket.connected(self._welcome(socket))
        steps: list[Handler] = list(self.handlers.middleware(namespace, events=False))
        found = self.handlers.find(namespace, "connect")
        handshake = session.handshake.with_query(query) if query else session.handshake
        if query:
            socket.environ = handshake.environ()
        if found is None and not steps:
            self._joined(socket, None)
            return
        environ = handshake.environ()
        if found is not None:
            handler, prefix = found
            with_auth = takes(handler, len(prefix) + 3)
            steps.append(lambda sid, env, data: handler(*prefix, sid, env, *((data,) if with_auth else ())))
        socket.busy = True
        self._ask(socket, steps, environ, auth)

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
                self._joined(socket, environ)
            else:
                self._turned_away(socket, error)

        self._runner().run(ask(), done)

    def _joined(self, socket: Socket, environ: dict[str, Any] | None) -> None:
        session = socket.session
        if session.connect_alarm is not None:
            session.env.wheel.discard(session.connect_alarm)
            session.connect_alarm = None
        if environ is not None and environ != socket.session.handshake.environ():
            socket.environ = environ
        if socket.state == Socket.CONNECTING:
            socket.connected(self._welcome(socket))
        self._decided(socket, None)
        self._next(socket)

    def _decided(self, socket: Socket, refusal: str | None) -> bool:
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
        socket.state = Socket.GONE
        socket.queue = socket.held = None
        self.hub.remove(socket)
        if not alive:
            return
        socket.session.sockets.pop(socket.namespace, None)
        if self._decided(socket, message or REJECTED):
            return
        if welcomed:
            socket.session.send(Outgoing(Disconnect(socket.namespace)))
        else:
            self._refuse(socket.session, socket.namespace, message or REJECTED, data)

    def _refuse(self, session: Session, namespace: str, message: str, data: Any) -> None:
        try:
            session.send(Outgoing(session.protocol.refused(ConnectError(namespace, message, data))))
        except PayloadError:
            log.exception("! the data of a refusal in %s cannot be sent", namespace)
            session.send(Outgoing(session.protocol.refused(ConnectError(namespace, message, None))))

    # -- leaving ----------------------------------------------------------------------------------------------------

    def gone(self, socket: Socket, reason: CloseReason) -> None:
        """The client has left its namespace: what waits for it hears so, and its disconnect handler runs after its events."""
        if socket.state == Socket.GONE:
            return
        connecting = socket.state == Socket.CONNECTING
        socket.state = Socket.GONE
        socket.held = None
        if connecting and reason is CloseReason.SERVER and not self._decided(socket, REJECTED):
            # Disconnected by its own connect handler: it still waits for an answer.
            self._refuse(socket.session, socket.namespace, REJECTED, None)
        acks, socket.acks = socket.acks, None
        for callback in (acks or {}).values():
            callback(None)
        if not socket.busy:
            self._farewell(socket, reason)
            return
        self._push(socket, reason)
        if not connecting:
            socket.session.env.wheel.after(self.config.ping_timeout, lambda: self._wait_no_longer(socket, reason))

    def _wait_no_longer(self, socket: Socket, reason: CloseReason) -> None:
        """A handler still runs long after its client has left, and may never end: the disconnect handler runs beside it."""
        if socket.queue is not None and reason in socket.queue:
            socket.queue.remove(reason)
            log.warning("! a handler in %s has not ended, though its client has left; its disconnect handler runs now", socket.namespace)
            self._farewell(socket, reason)

    def _farewell(self, socket: Socket, reason: CloseReason) -> None:
        found = self.handlers.find(socket.namespace, "disconnect")
        if found is None:
            self.hub.remove(socket)
            return
        handler, prefix = found
        args = (*prefix, socket.sid, *((reason.text,) if takes(handler, len(prefix) + 2) else ()))

        def done(result: Any, error: BaseException | None) -> None:
            if error is not None:
                log.error("! disconnect handler of %s failed", socket.namespace, exc_info=error)
            self.hub.remove(socket)

        self._start(handler, args, done)

    # -- events -----------------------------------------------------------------------------------------------------

    def _queue(self, socket: Socket, event: Event) -> None:
        """The client's handler is still running: its events wait, and so does the client's socket once they are many."""
        limit = self.config.max_handler_backlog
        waiting = self._push(socket, event)
        if waiting > limit:
            socket.session.close(CloseReason.OVERLOAD, 1008)
        elif waiting == max(1, limit // 2) and socket.session.transport is not None:
            socket.session.transport.pause()

    def _push(self, socket: Socket, item: Event | CloseReason) -> int:
        if socket.queue is None:
            socket.queue = deque()
        socket.queue.append(item)
        return len(socket.queue)

    def _next(self, socket: Socket) -> None:
        """Run what waited, until something waits again."""
        queue = socket.queue
        while queue and not socket.busy:
            item = queue.popleft()
            if isinstance(item, CloseReason):
                self._farewell(socket, item)
                return
            self._run(socket, item)
        if queue is not None and not queue:
            socket.queue = None
            if socket.session.transport is not None:
                socket.session.transport.resume()

    def _run(self, socket: Socket, event: Event) -> None:
        handler = self._direct.get((event.namespace, event.name))
        if handler is None:
            self._run_found(socket, event)
            return
        try:
            result = handler(socket.sid, *event.args)
        except FAILURES:
            log.exception("! handler of an event in %s failed", socket.namespace)
            return
        if type(result) is CoroutineType:
            self._run_async(socket, event, result)
        elif result is not None or event.ack is not None:
            self._follow(socket, event, result)

    def _run_found(self, socket: Socket, event: Event) -> None:
        """As :meth:`_run`, for handlers that are shared by several events or namespaces, and events that middlewares see."""
        name = event.name if type(event.name) is str else str(event.name)
        found = self.handlers.find(socket.namespace, name)
        if self.handlers.has_event_middleware:
            steps = self.handlers.middleware(socket.namespace, events=True)
            self._run_async(socket, event, self._filtered(socket, name, event, steps, found))
            return
        if found is None:
            log.debug("< %s: no handler", socket.namespace)
            return
        handler, prefix = found
        try:
            result = handler(*prefix, socket.sid, *event.args)
        except FAILURES:
            log.exception("! handler of an event in %s failed", socket.namespace)
            return
        self._follow(socket, event, result)

    def _follow(self, socket: Socket, event: Event, result: Any) -> None:
        """Go on with what a handler returned."""
        if type(result) is CoroutineType:
            self._run_async(socket, event, result)
        elif result is not None and inspect.isawaitable(result):
            self._run_async(socket, event, _as_coroutine(result))
        elif event.ack is not None:
            self._reply(socket, event.ack, result)

    async def _filtered(
        self, socket: Socket, name: str, event: Event, steps: list[Handler], found: tuple[Handler, tuple[str, ...]] | None
    ) -> Any:
        args: Any = event.args
        for step in steps:
            changed = step(socket.sid, name, args)
            if inspect.isawaitable(changed):
                changed = await changed
            if changed is not None:
                args = tuple(changed)
        if found is None:
            return None
        result = found[0](*found[1], socket.sid, *args)
        return await result if inspect.isawaitable(result) else result

    def _run_async(self, socket: Socket, event: Event, coroutine: Coroutine[Any, Any, Any]) -> None:
        socket.busy = ordered = self._ordered
        runner = self._runner()
        try:
            result = runner.begin(coroutine)
        except FAILURES as error:
            self._ended(socket, event, None, error)
        else:
            if result is WAITING:
                runner.go_on(lambda result, error: self._ended_late(socket, event, result, error))
                return
            if event.ack is not None:
                self._reply(socket, event.ack, result)
        # Whoever called us goes on with the client's queue.
        if ordered:
            socket.busy = False

    def _ended(self, socket: Socket, event: Event, result: Any, error: BaseException | None) -> None:
        if error is not None:
            if isinstance(error, Exception):
                log.error("! handler of an event in %s failed", socket.namespace, exc_info=error)
        elif event.ack is not None:
            self._reply(socket, event.ack, result)

    def _ended_late(self, socket: Socket, event: Event, result: Any, error: BaseException | None) -> None:
        self._ended(socket, event, result, error)
        if self._ordered:
            socket.busy = False
            self._next(socket)

    def _start(self, handler: Handler, args: tuple[Any, ...], done: Callable[[Any, BaseException | None], None]) -> None:
        try:
            result = handler(*args)
        except FAILURES as error:
            done(None, error)
            return
        if inspect.isawaitable(result):
            self._runner().run(_as_coroutine(result), done)
        else:
            done(result, None)

    def _reply(self, socket: Socket, id_: int, result: Any) -> None:
        """Acknowledge: None is no argument, a tuple several (python-socketio's rule)."""
        args = () if result is None else result if type(result) is tuple else (result,)
        packet = Ack(socket.namespace, id_, args)
        try:
            if socket.state != Socket.CONNECTED or not socket.session.send_now(packet):
                socket.send(Outgoing(packet))
        except Exception:
            log.exception("! the value that a handler in %s returned cannot be sent", socket.namespace)


def _as_coroutine(awaitable: Any) -> Coroutine[Any, Any, Any]:
    if inspect.iscoroutine(awaitable):
        return awaitable

    async def wait() -> Any:
        return await awaitable

    return wait()


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
