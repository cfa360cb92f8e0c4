"""``Server``: the public API, in the shape of python-socketio's ``AsyncServer``.

What only sends (``emit``, ``enter_room``, ``disconnect``...) does its work when it is called and returns something that may be awaited:
plain handlers call it, async handlers await it. Awaiting tells that a large broadcast has been written.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any

from tornado.web import decode_signed_value

from .asking import Asker
from .backplane.base import Backplane
from .backplane.memory import MemoryBackplane
from .backplane.redis import RedisBackplane
from .check import Echo
from .cluster import MAX_TIMEOUT, Cluster, LocalOperations
from .config import Config
from .dispatch import Dispatcher
from .endpoint import Endpoint, Sent, from_any_thread
from .errors import BadNamespaceError, CloseReason, ConfigError, DisconnectedError, PayloadError, TimeoutError
from .events import UNSENT, Connect, Disconnect, Event, Packet
from .hub import Socket, node_of
from .joining import Clients
from .namespace import Handler, Handlers, Namespace, NamespaceSpec
from .outgoing import Outgoing
from .protocols.registry import PROTOCOLS
from .session import Session
from .tasks import SETTLED, Underway

__all__ = ["RemoteSocket", "Server", "get_tornado_handler"]

log = logging.getLogger("anywire.server")

Targets = str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class RemoteSocket:
    """A client as :meth:`Server.fetch_sockets` sees it, on whichever process it is."""

    sid: str
    rooms: tuple[str, ...]
    data: dict[str, Any]
    transport: str
    node: str


class Reason:
    """Reasons that ``disconnect`` handlers get, under python-socketio's names; ours has more, see :class:`CloseReason`."""

    CLIENT_DISCONNECT = CloseReason.CLIENT.text
    SERVER_DISCONNECT = CloseReason.SERVER.text
    PING_TIMEOUT = CloseReason.PING_TIMEOUT.text
    TRANSPORT_CLOSE = CloseReason.TRANSPORT_CLOSE.text
    TRANSPORT_ERROR = CloseReason.TRANSPORT_ERROR.text


class Server(Endpoint):
    """A real-time server. Settings are those of :class:`anywire.Config`, as keywords or as ``ANYWIRE_...`` variables.

    python-socketio's own keywords are understood, and ``theirs`` are those that it takes by position too. Raises ConfigError for an
    unknown or contradictory setting.
    """

    _protocols = PROTOCOLS
    reason = Reason

    def __init__(self, *theirs: Any, **settings: Any) -> None:
        settings |= zip(("client_manager", "logger", "json", "async_handlers", "namespaces"), theirs, strict=False)
        super().__init__(Config.build(os.environ, **settings))
        config = self.config
        self.handlers = Handlers(config.namespaces)
        if config.check_page:
            self.handlers.add_own(Echo())
        self._dispatcher = Dispatcher(config, self._hub, self.handlers, self._runner, self.counters)
        refuses = config.binary_fallback == "refuse"
        self._local = LocalOperations(self._hub, config.max_rooms, config.per_message_deflate_threshold, self._kick, refuses)
        self._cluster = Cluster(self._hub, _backplane(config), self._local, self._join)
        self._asker = Asker(self._hub, self._cluster, self._local, self._protocols[0], self._runner, self.start_background_task)
        self._outgoing_hooks: list[Callable[..., Any]] = []
        self._deflate_threshold = config.per_message_deflate_threshold
        #: Joins the other processes; there once it was asked for.
        self._joining: asyncio.Task[None] | None = None

    # -- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make ready in the running loop and join the other processes. A Redis that is away does not stop the start."""
        await super().start()
        assert self._joining is not None
        await asyncio.shield(self._joining)

    def _join(self) -> None:
        """Join the other processes, for one that only sends and was not started. Not again after the end."""
        if self._joining is None and not self._requests.admission.draining:
            self._bind_loop()

    def _bind_loop(self) -> None:
        bound = self._loop
        super()._bind_loop()
        if self._loop is not bound:
            # Also without start(), which python-socketio does not have: an application that moves must not be left alone.
            joining = self._cluster.backplane.start(self._hub.node, self._cluster.on_message)
            self._joining = asyncio.get_running_loop().create_task(joining, name="anywire-join")

    async def shutdown(self, grace: float = 5.0) -> None:
        """End: accept nothing new, tell every client to come back, give them and running handlers ``grace`` seconds."""
        await super().shutdown(grace)
        joining, self._joining = self._joining, None
        if joining is not None:
            await asyncio.wait([joining])
        await self._cluster.backplane.stop()

    def is_asyncio_based(self) -> bool:
        """True, as for python-socketio's AsyncServer."""
        return True

    def attach(self, app: Any, socketio_path: str | None = None) -> None:
        """Mount the server in a running Tornado application; the same as a route to :attr:`router`."""
        path = self.config.path if socketio_path is None else f"/{socketio_path.strip('/')}/"
        if path != self.config.path:
            raise ConfigError(f"the server answers on {self.config.path}; give Server(path={path!r}) to change it")
        app.add_handlers(r".*", [(path.replace(".", r"\.") + ".*", self.router)])

    # -- handlers ---------------------------------------------------------------------------------------------------

    def on(self, event: str, handler: Handler | None = None, namespace: NamespaceSpec | None = None) -> Any:
        """Register a handler, directly or as a decorator.

        ``event`` "*" takes all events without a handler, and gets the event's name first. ``namespace`` may be a name, "*" for all
        others, a compiled pattern or a test; handlers of the last three get the namespace's name before the sid.
        """

        if not isinstance(event, str):
            raise ConfigError(f'on() takes an event\'s name, not {event!r}; write @sio.on("name"), or @sio.event for its own name')

        def register(function: Handler) -> Handler:
            self.handlers.add(event, function, "/" if namespace is None else namespace)
            return function

        return register if handler is None else register(handler)

    def event(self, *args: Any, **kwargs: Any) -> Any:
        """Register a handler under its function's name: ``@sio.event`` or ``@sio.event(namespace="/chat")``."""
        if len(args) == 1 and callable(args[0]) and not kwargs:
            return self.on(args[0].__name__, args[0])
        return lambda function: self.on(function.__name__, function, *args, **kwargs)

    def register_namespace(self, namespace_handler: Namespace) -> None:
        """Register a class-based namespace."""
        self.handlers.add_class(namespace_handler)
        namespace_handler._server = self

    def use(self, function: Handler | None = None, *, namespace: NamespaceSpec = "/") -> Any:
        """Register middleware for connections: ``function(sid, environ, auth)`` runs before the connect handler.

        It refuses by returning False or raising :class:`ConnectionRefusedError`.
        """
        return self._middleware(function, namespace, events=False)

    def use_event(self, function: Handler | None = None, *, namespace: NamespaceSpec = "/") -> Any:
        """Register middleware for events: ``function(sid, event, args)`` runs before the handler.

        What it returns, unless None, replaces ``args``; raising anything drops the event and logs it.
        """
        return self._middleware(function, namespace, events=True)

    def _middleware(self, function: Handler | None, namespace: NamespaceSpec, events: bool) -> Any:
        def register(middleware: Handler) -> Handler:
            self.handlers.add_middleware(middleware, namespace, events)
            return middleware

        return register if function is None else register(function)

    def on_outgoing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a hook for every event sent from this process: ``function(event, args, to, namespace)``, a plain function."""
        if not callable(function):
            raise ConfigError(f"a hook must be callable, not {type(function).__name__}")
        if inspect.iscoroutinefunction(function):
            raise ConfigError("a hook must be a plain function: it is called before each emit goes on")
        self._outgoing_hooks.append(function)
        return function

    # -- sending ----------------------------------------------------------------------------------------------------

    def emit(
        self,
        event: str,
        data: Any = None,
        to: Targets = None,
        room: Targets = None,
        skip_sid: Targets = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
        *,
        skip_room: Targets = None,
        volatile: bool = False,
    ) -> Sent:
        """Send an event to a client, to one or more rooms, or to everyone in the namespace.

        ``data``: a tuple is several arguments, None is none; bytes anywhere inside travel as binary. ``skip_sid`` and
        ``skip_room`` leave clients out. ``callback`` is called with the arguments of each acknowledgement. ``ignore_queue`` keeps
        it to this process. ``volatile`` messages are dropped for a client that cannot take them now. Raises PayloadError and
        BadNamespaceError at once.
        """
        if get_ident() != self._thread and self._elsewhere():
            # As from_any_thread, which would cost every emit a call.
            options = {"skip_room": skip_room, "volatile": volatile}
            return self._later(self.emit, event, data, to, room, skip_sid, namespace, callback, ignore_queue, **options)
        namespace = namespace or "/"
        args = () if data is None else data if isinstance(data, tuple) else (data,)
        target = to if to is not None else room
        if namespace != "/" or self._outgoing_hooks or type(event) is not str or event in UNSENT:
            self._check_emit(event, args, target, namespace)
        members = self._hub.namespaces.get(namespace)
        if type(target) is str and members is not None and skip_sid is None and skip_room is None and callback is None:
            socket = members.sockets.get(target)
            if socket is not None and target not in members.rooms:
                session = socket.session
                text = session.protocol.encode_event(namespace, event, args)
                if socket.state == Socket.CONNECTED and session.send_text(text):
                    return SETTLED
                outgoing = Outgoing(Event(namespace, event, args), volatile, self._deflate_threshold)
                if self._local.refuses_binary:
                    self._local.check([socket], outgoing)
                if text is None:
                    # It has attachments, or cannot be sent, which is said here.
                    outgoing.messages(session.protocol, session.binary)
                socket.send(outgoing)
                return SETTLED
        rooms, skip_sids, skip_rooms = _names(target), _names(skip_sid) or [], _names(skip_room) or []
        packet = Event(namespace, event, args)
        outgoing = Outgoing(packet, volatile, self._deflate_threshold)
        outgoing.messages(self._protocols[0], True)  # what cannot be encoded is refused before anyone gets it
        sockets = self._hub.select(namespace, rooms, skip_sids, skip_rooms)
        if self._local.refuses_binary:
            self._local.check(sockets, outgoing)
        body: dict[str, Any] = {}
        if not ignore_queue and not self._cluster.alone:
            body = {
                "namespace": namespace, "event": event, "args": list(args), "rooms": rooms, "skip_sids": skip_sids,
                "skip_rooms": skip_rooms, "volatile": volatile, "ack": None, "timeout": None,
            }  # fmt: skip
        if callback is not None:
            if not callable(callback):
                raise TypeError(f"callback must be callable, not {type(callback).__name__}")
            self._asker.ask(packet, sockets, volatile, callback, body)
            return SETTLED
        message = self._cluster.pack("emit", body) if body else b""
        written = self._hub.fan_out(sockets, outgoing)
        if message:
            self._cluster.backplane.publish(message)
        return SETTLED if written is None else Underway(written)

    def send(self, data: Any, *args: Any, **options: Any) -> Sent:
        """Send the event ``message``; the options are those of :meth:`emit`, by position too."""
        return self.emit("message", data, *args, **options)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: Targets = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,
        ignore_queue: bool = False,
    ) -> Any:
        """Send an event and wait for its acknowledgement.

        To one client: returns its value (None, one value, or a tuple of several). To a room: returns a dictionary sid -> value
        of all its clients, on all processes. Raises TimeoutError after ``timeout`` seconds (None: a day, the longest; for a room its
        ``responses`` holds what came), DisconnectedError when the client leaves first, BadNamespaceError when it is not there.
        """
        target = to if to is not None else sid
        if target is None:
            raise ValueError("call() needs to= or sid=: a client, or a room")
        if timeout is None:
            timeout = MAX_TIMEOUT  # python-socketio: no limit
        _check_seconds(timeout)
        timeout = min(timeout, MAX_TIMEOUT)
        namespace = namespace or "/"
        args = () if data is None else data if isinstance(data, tuple) else (data,)
        self._check_emit(event, args, target, namespace)
        single = isinstance(target, str) and (sid is not None or node_of(target) is not None)
        packet = Event(namespace, event, args)
        answers, complete = await self._asker.gather(packet, _names(target), timeout, single, ignore_queue)
        if single:
            if not answers:
                raise TimeoutError(f"no acknowledgement of {event!r} within {timeout} seconds")
            if answers[0][1] is None:
                raise DisconnectedError(f"the client disconnected before it acknowledged {event!r}")
            return _value(answers[0][1])
        responses = {client: _value(values) for client, values in answers if values is not None}
        if not complete:
            error = TimeoutError(f"{len(responses)} clients acknowledged {event!r} within {timeout} seconds, others did not")
            error.responses = responses
            raise error
        return responses

    def _check_emit(self, event: Any, args: tuple[Any, ...], target: Any, namespace: str) -> None:
        if type(event) is not str or event in UNSENT:
            if not isinstance(event, str):
                raise PayloadError(f"an event's name is a str, not {type(event).__name__}")
            raise PayloadError(f"the event name {event!r} is reserved; choose another")
        self._check_namespace(namespace)
        for hook in self._outgoing_hooks:
            hook(event, args, target, namespace)

    def _check_namespace(self, namespace: str) -> None:
        """Raise BadNamespaceError for one that no client can be in."""
        if not isinstance(namespace, str):
            raise BadNamespaceError(f"a namespace's name is a str, not {type(namespace).__name__}")
        if namespace == "/" or (namespace.startswith("/") and self.handlers.accepts(namespace)):
            return
        if not namespace.startswith("/"):
            raise BadNamespaceError(f'a namespace begins with "/"; did you mean {"/" + namespace!r}?')
        raise BadNamespaceError(f"namespace {namespace!r} has no handler; register one, or did you mean another?")

    # -- rooms ------------------------------------------------------------------------------------------------------

    @from_any_thread
    def enter_room(self, sid: str, room: str, namespace: str | None = None) -> Sent:
        """Put a client into a room, on whichever process it is. Raises BadNamespaceError when it is not connected."""
        return self._move("join", sid, room, namespace or "/")

    @from_any_thread
    def leave_room(self, sid: str, room: str, namespace: str | None = None) -> Sent:
        """Take a client out of a room, on whichever process it is. No error when it has gone already."""
        return self._move("leave", sid, room, namespace or "/")

    def _move(self, kind: str, sid: str, room: str, namespace: str) -> Sent:
        _check_room(room)
        socket = self._hub.find(sid, namespace)
        if socket is None:
            body = {"namespace": namespace, "room": room, "sids": [sid], "rooms": None, "skip_sids": []}
            return self._at_home(sid, namespace, kind, body, must=kind == "join")
        if kind == "join":
            self._local.join(socket, room)
        else:
            self._hub.leave(socket, room)
        return SETTLED

    def _at_home(self, sid: str, namespace: str, kind: str, body: dict[str, Any], must: bool) -> Sent:
        """Have another node do it. When the sid is not another node's, ``must`` raises BadNamespaceError at once; else it has just gone."""
        if not isinstance(sid, str):
            raise TypeError(f"a client's sid is a str, not {type(sid).__name__}")
        telling = self._cluster.tell_home(sid, kind, **body)
        if telling is not None:
            return Underway(telling)
        self._check_namespace(namespace)
        if must:
            raise BadNamespaceError(f"{sid!r} is not connected to namespace {namespace!r}")
        return SETTLED

    @from_any_thread
    def close_room(self, room: str, namespace: str | None = None) -> Sent:
        """Empty a room, on all processes."""
        namespace = namespace or "/"
        _check_room(room)
        self._check_namespace(namespace)
        for socket in self._hub.select(namespace, [room]):
            self._hub.leave(socket, room)
        self._cluster.publish("close_room", namespace=namespace, room=room)
        return SETTLED

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms of a client of this process, its own (named by its sid) first."""
        socket = self._hub.get(sid, namespace or "/")
        return [sid, *sorted(socket.rooms or ())]

    @from_any_thread
    def sockets_join(self, rooms: Targets, to: Targets = None, namespace: str | None = None, skip_sid: Targets = None) -> Sent:
        """Put all clients of ``to`` (None: of the namespace) into ``rooms``, on all processes."""
        return self._move_many("join", rooms, to, namespace or "/", skip_sid)

    @from_any_thread
    def sockets_leave(self, rooms: Targets, to: Targets = None, namespace: str | None = None, skip_sid: Targets = None) -> Sent:
        """Take all clients of ``to`` out of ``rooms``, on all processes."""
        return self._move_many("leave", rooms, to, namespace or "/", skip_sid)

    def _move_many(self, kind: str, rooms: Targets, to: Targets, namespace: str, skip_sid: Targets) -> Sent:
        self._check_namespace(namespace)
        chosen, skipped = _names(to), _names(skip_sid) or []
        moved = _names(rooms)
        if not moved:
            raise ValueError("sockets_join() and sockets_leave() need a room, or several")
        for room in moved:
            _check_room(room)
        for room in moved:
            for socket in self._hub.select(namespace, chosen, skipped):
                if kind == "join":
                    self._local.join(socket, room)
                else:
                    self._hub.leave(socket, room)
            self._cluster.publish(kind, namespace=namespace, room=room, sids=None, rooms=chosen, skip_sids=skipped)
        return SETTLED

    # -- clients ----------------------------------------------------------------------------------------------------

    async def fetch_sockets(
        self, to: Targets = None, namespace: str | None = None, skip_sid: Targets = None, timeout: float = 5.0
    ) -> list[RemoteSocket]:
        """The clients of ``to`` (None: of the namespace) on all processes. Raises TimeoutError when one does not answer."""
        namespace, rooms, skipped = namespace or "/", _names(to), _names(skip_sid) or []
        _check_seconds(timeout)
        self._check_namespace(namespace)
        found = self._local.describe(namespace, rooms, skipped)
        if not self._cluster.alone:
            with self._cluster.asking() as (id_, gathered):
                body = {"id": id_, "namespace": namespace, "rooms": rooms, "skip_sids": skipped}
                await self._cluster.ask_others("fetch", gathered, timeout, body)
                if not await self._cluster.answers(gathered, timeout):
                    raise TimeoutError(f"{max(1, gathered.nodes)} processes did not answer within {timeout} seconds")
                found += gathered.answers
        return [RemoteSocket(s["sid"], tuple(s["rooms"]), s["data"], s["transport"], s["node"]) for s in found]

    @from_any_thread
    def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False, *, close: bool = False) -> Sent:
        """Disconnect a client from a namespace, or with ``close`` end its whole session, on whichever process it is.

        No error when it has gone already.
        """
        namespace = namespace or "/"
        socket = self._hub.find(sid, namespace)
        if socket is not None:
            self._kick(socket, close)
            return SETTLED
        body = {"namespace": namespace, "sids": [sid], "rooms": None, "skip_sids": [], "close": close}
        return self._at_home(sid, namespace, "disconnect", body, must=False)

    @from_any_thread
    def disconnect_sockets(
        self, to: Targets = None, namespace: str | None = None, skip_sid: Targets = None, *, close: bool = False
    ) -> Sent:
        """Disconnect all clients of ``to`` (None: of the namespace), on all processes."""
        namespace, rooms, skipped = namespace or "/", _names(to), _names(skip_sid) or []
        self._check_namespace(namespace)
        for socket in self._hub.select(namespace, rooms, skipped):
            self._kick(socket, close)
        self._cluster.publish("disconnect", namespace=namespace, sids=None, rooms=rooms, skip_sids=skipped, close=close)
        return SETTLED

    def _kick(self, socket: Socket, close: bool) -> None:
        session = socket.session
        clients: Clients | None = session.sockets
        if socket.state == Socket.GONE and clients is not None and socket.namespace in clients:
            # Its disconnect handler still runs, and it has come back as another.
            return
        close = close or (socket.namespace == "/" and session.protocol.root_ends)
        if socket.state == Socket.CONNECTED and not (close and session.protocol.root_ends):
            session.send(Outgoing(Disconnect(socket.namespace)))
        if clients is not None:
            clients.end(socket.namespace)
        self._dispatcher.gone(socket, CloseReason.SERVER)
        if close:
            session.close_when_drained(CloseReason.SERVER)

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The environ of the client's handshake in a namespace, with what handlers put into it."""
        socket = self._hub.get(sid, namespace or "/")
        if socket.environ is None:
            socket.environ = socket.session.handshake.environ()
        return socket.environ

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """The name of the transport that the client uses now: websocket, polling, jsonp or htmlfile."""
        return self._hub.get(sid, namespace or "/").session.transport_name

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """The client's own state in a namespace, a dictionary that lives as long as it is connected."""
        socket = self._hub.get(sid, namespace or "/")
        if socket.data is None:
            socket.data = {}
        return socket.data

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Replace the client's state. Raises TypeError for what is no dictionary."""
        if not isinstance(session, dict):
            raise TypeError(f"a client's state is a dictionary, not {type(session).__name__}")
        self._hub.get(sid, namespace or "/").data = session

    @asynccontextmanager
    async def session(self, sid: str, namespace: str | None = None) -> AsyncIterator[dict[str, Any]]:
        """The client's state, saved when the block ends: ``async with sio.session(sid) as session: ...``."""
        state = await self.get_session(sid, namespace)
        yield state
        await self.save_session(sid, state, namespace)

    def signed_cookie(self, environ: dict[str, Any], name: str, max_age_days: float = 31) -> str | None:
        """The value of a cookie that Tornado signed, or None when it is missing, forged or too old.

        Raises ConfigError without the setting ``cookie_secret``.
        """
        if not self.config.cookie_secret:
            raise ConfigError("signed_cookie() needs the setting cookie_secret, the same as the Tornado application's")
        value = environ["anywire.request"].cookies.get(name)
        decoded = decode_signed_value(self.config.cookie_secret, name, value, max_age_days=max_age_days) if value else None
        return decoded.decode() if decoded is not None else None

    # -- what sessions say ------------------------------------------------------------------------------------------

    def _on_opened(self, session: Session) -> None:
        session.sockets = Clients()
        self._dispatcher.joining.expect_connect(session)
        if session.protocol.auto_connect:
            self._dispatcher.on_packet(session, Connect("/"))

    def _on_greeted(self, session: Session, decided: Callable[[str | None], None]) -> None:
        session.sockets = Clients(decided)
        self._dispatcher.joining.join(session, "/", None)

    def _packet_sink(self) -> Callable[[Session, Packet], None]:
        return self._dispatcher.on_packet

    def _on_closed(self, session: Session, reason: CloseReason) -> None:
        super()._on_closed(session, reason)
        clients, session.sockets = session.sockets, None
        for socket in list((clients or {}).values()):
            self._dispatcher.gone(socket, reason)


def get_tornado_handler(server: Server) -> Any:
    """What to mount in a Tornado application, by python-socketio's name: ``server.router``."""
    return server.router


def _backplane(config: Config) -> Backplane:
    """The only place that knows which store is which class."""
    return MemoryBackplane() if config.store == "memory" else RedisBackplane(config.store)


def _check_room(room: Any) -> None:
    """Raise ValueError for what cannot be a room's name."""
    if not isinstance(room, str) or not room:
        raise ValueError(f"a room's name is a non-empty str, not {room!r}")


def _check_seconds(timeout: Any) -> None:
    """Raise TypeError for what is no time."""
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout= is a number of seconds, not {type(timeout).__name__}")


def _names(target: Targets) -> list[str] | None:
    """A client, a room or several, as a list. Raises ValueError for what is neither."""
    if target is None or isinstance(target, str):
        return None if target is None else [target]
    names = list(target) if isinstance(target, Iterable) else [target]
    if not all(isinstance(name, str) for name in names):
        raise ValueError("to=, room= and skip_sid= take a str or several, no other type")
    return names


def _value(values: tuple[Any, ...]) -> Any:
    """An acknowledgement's arguments as a handler's caller expects them (python-socketio's rule)."""
    return None if not values else values[0] if len(values) == 1 else values
