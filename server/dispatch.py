"""What a client's packets do: run handlers in that client's order, complete acknowledgements, leave. Coming in is ``joining``'s affair."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Any

from .backpressure import ease, press
from .config import Config, takes
from .errors import CloseReason, ProtocolError
from .events import Ack, Connect, Disconnect, Event, Packet
from .hub import Hub, Socket
from .joining import REJECTED, Clients, Joining
from .metrics import Counters
from .namespace import Handler, Handlers
from .outgoing import Outgoing
from .session import Session
from .tasks import FAILURES, WAITING, Runner

__all__ = ["Dispatcher"]

log = logging.getLogger("anywire.handlers")


class Dispatcher:
    """Turns packets into handler calls. A handler runs in the caller's frame up to its first wait, and in a context of its own."""

    def __init__(self, config: Config, hub: Hub, handlers: Handlers, runner: Runner, counters: Counters) -> None:
        self.config = config
        self.hub = hub
        self.handlers = handlers
        self._direct = handlers.direct
        self._runner = runner
        self.joining = Joining(config, hub, handlers, runner, self._next)
        self._counters = counters
        self._ordered = not config.async_handlers

    # -- packets ----------------------------------------------------------------------------------------------------

    def on_packet(self, session: Session, packet: Packet) -> None:
        """Take one packet of a session. Raises ProtocolError when it has no business here."""
        clients: Clients = session.sockets
        if type(packet) is Event:
            socket = clients.get(packet.namespace)
            if socket is None:
                self.joining.keep_early(session, packet)
                return
            if socket.busy:
                self._queue(socket, packet)
            else:
                self._run(socket, packet)
                if socket.queue is not None and not socket.busy:
                    self._next(socket)
        elif type(packet) is Connect:
            self.joining.on_connect(session, packet)
        elif type(packet) is Ack:
            self._on_ack(session, clients, packet)
        elif type(packet) is Disconnect:
            socket = clients.pop(packet.namespace, None)
            if socket is not None:
                self.gone(socket, CloseReason.CLIENT)
        else:
            raise ProtocolError("a packet that only servers send")

    def _on_ack(self, session: Session, clients: Clients, packet: Ack) -> None:
        socket = clients.get(packet.namespace)
        if socket is None:
            if session.protocol.lenient or clients.has_ended(packet.namespace):
                return
            raise ProtocolError("acknowledgement for a namespace that is not joined")
        callback = socket.acks.pop(packet.id, None) if socket.acks else None
        if callback is None:
            self._counters.acks_ignored += 1
        else:
            callback(packet.args)

    # -- leaving ----------------------------------------------------------------------------------------------------

    def gone(self, socket: Socket, reason: CloseReason) -> None:
        """The client has left its namespace: what waits for it hears so, and its disconnect handler runs after its events."""
        if socket.state == Socket.GONE:
            return
        connecting = socket.state == Socket.CONNECTING
        socket.end()
        if socket.session.paused:
            # The others need not wait for what it has left behind.
            ease(socket.session, socket.session.sockets.values())
        if connecting and reason is CloseReason.SERVER and not self.joining.decided(socket, REJECTED):
            # Disconnected by its own connect handler: it still waits for an answer.
            self.joining.refuse(socket.session, socket.namespace, REJECTED)
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
        """The client's handler is still running: its events wait, and so does the client once they are many."""
        press(socket.session, socket.session.sockets.values(), self._push(socket, event))

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
            if not self._runner.stopping:
                self._run(socket, item)
        if queue is not None and not queue:
            socket.queue = None
        if socket.session.paused:
            ease(socket.session, socket.session.sockets.values())

    def _run(self, socket: Socket, event: Event) -> None:
        # Taken apart at once: an attribute of a named tuple costs as much as all of them.
        namespace, name, args, ack = event
        found = self._direct.get((namespace, name))
        if found is None:
            self._run_found(socket, event)
            return
        handler, plain = found
        try:
            if plain:
                context = copy_context()
                result = context.run(handler, socket.sid, *args)
            else:
                result = handler(socket.sid, args[0]) if len(args) == 1 else handler(socket.sid, *args)
        except FAILURES:
            log.exception("! handler of an event in %s failed", socket.namespace)
            return
        if type(result) is CoroutineType and not plain:
            self._run_async(socket, ack, result)
        elif result is not None or ack is not None:
            self._follow(socket, ack, result, context if plain else copy_context())

    def _run_found(self, socket: Socket, event: Event) -> None:
        """As :meth:`_run`, for handlers that are shared by several events or namespaces, and events that middlewares see."""
        name = event.name if type(event.name) is str else str(event.name)
        found = self.handlers.find(socket.namespace, name)
        if self.handlers.has_event_middleware:
            steps = self.handlers.middleware(socket.namespace, events=True)
            # What nobody handles is not acknowledged.
            self._run_async(socket, event.ack if found is not None else None, self._filtered(socket, name, event, steps, found))
            return
        if found is None:
            log.debug("< %s: no handler", socket.namespace)
            return
        handler, prefix = found
        context = copy_context()
        try:
            result = context.run(handler, *prefix, socket.sid, *event.args)
        except FAILURES:
            log.exception("! handler of an event in %s failed", socket.namespace)
            return
        self._follow(socket, event.ack, result, context)

    def _follow(self, socket: Socket, ack: int | None, result: Any, context: Context) -> None:
        """Go on, in the handler's context, with what it returned."""
        if result is not None and inspect.isawaitable(result):
            context.run(self._run_async, socket, ack, _as_coroutine(result))
        elif ack is not None:
            self._reply(socket, ack, result)

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

    def _run_async(self, socket: Socket, ack: int | None, coroutine: Coroutine[Any, Any, Any]) -> None:
        socket.busy = ordered = self._ordered
        runner = self._runner
        try:
            result = runner.begin(coroutine)
        except FAILURES as error:
            self._ended(socket, ack, None, error)
        else:
            if result is WAITING:
                runner.go_on(lambda result, error: self._ended_late(socket, ack, result, error))
                return
            if ack is not None:
                self._reply(socket, ack, result)
        # Whoever called us goes on with the client's queue.
        if ordered:
            socket.busy = False

    def _ended(self, socket: Socket, ack: int | None, result: Any, error: BaseException | None) -> None:
        if error is not None:
            if isinstance(error, Exception):
                log.error("! handler of an event in %s failed", socket.namespace, exc_info=error)
        elif ack is not None:
            self._reply(socket, ack, result)

    def _ended_late(self, socket: Socket, ack: int | None, result: Any, error: BaseException | None) -> None:
        self._ended(socket, ack, result, error)
        if self._ordered:
            socket.busy = False
            self._next(socket)

    def _start(self, handler: Handler, args: tuple[Any, ...], done: Callable[[Any, BaseException | None], None]) -> None:
        context = copy_context()
        try:
            result = context.run(handler, *args)
        except FAILURES as error:
            done(None, error)
            return
        if inspect.isawaitable(result):
            context.run(self._runner.run, _as_coroutine(result), done)
        else:
            done(result, None)

    def _reply(self, socket: Socket, id_: int, result: Any) -> None:
        """Acknowledge: None is no argument, a tuple several (python-socketio's rule)."""
        args = () if result is None else result if isinstance(result, tuple) else (result,)
        session, namespace = socket.session, socket.namespace
        try:
            if socket.state != Socket.CONNECTED or not session.send_text(session.protocol.encode_ack(namespace, id_, args)):
                socket.send(Outgoing(Ack(namespace, id_, args)))
        except Exception:
            log.exception("! the value that a handler in %s returned cannot be sent", socket.namespace)


def _as_coroutine(awaitable: Any) -> Coroutine[Any, Any, Any]:
    if inspect.iscoroutine(awaitable):
        return awaitable

    async def wait() -> Any:
        return await awaitable

    return wait()
