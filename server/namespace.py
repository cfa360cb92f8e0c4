"""Which handler an event goes to: by decorator, by class, by catch-all, by pattern."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .config import takes
from .errors import ConfigError
from .events import UNSENT

if TYPE_CHECKING:
    from .app import Server

__all__ = ["RESERVED", "Handler", "Handlers", "Namespace"]

Handler = Callable[..., Any]
#: Events that the server itself raises; a client cannot send them, and catch-alls do not see them.
RESERVED = frozenset({"connect", "disconnect"})
#: What a namespace may be given as: its name, "*" for all others, a pattern, or a test.
NamespaceSpec = str | re.Pattern[str] | Callable[[str], bool]


@dataclass(slots=True)
class _Group:
    """The handlers of one namespace, or of the namespaces that a pattern or test admits."""

    events: dict[str, Handler] = field(default_factory=dict)
    connection_middleware: list[Handler] = field(default_factory=list)
    event_middleware: list[Handler] = field(default_factory=list)


class Namespace:
    """A namespace as a class: each method ``on_<event>`` is a handler.

    ``self.server`` is the server once :meth:`Server.register_namespace` has taken it; the methods below are the server's
    with the namespace filled in. Handlers take what decorated ones take. For namespace ``"*"`` they get the real namespace first.
    """

    def __init__(self, namespace: str | None = None) -> None:
        self.namespace = namespace or "/"
        self._server: Server | None = None

    @property
    def server(self) -> Server:
        """The server; raises ConfigError before the namespace is registered."""
        if self._server is None:
            raise ConfigError(f"namespace {self.namespace!r} is not registered; call server.register_namespace(it) first")
        return self._server

    def is_asyncio_based(self) -> bool:
        """True, as for python-socketio's AsyncNamespace."""
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Call the handler of ``event``; override it to see every event of the namespace. Handlers may do without auth and reason."""
        handler = self.handler(event)
        if handler is None:
            return None
        if event in RESERVED and not takes(handler, len(args)):
            args = args[:-1]
        result = handler(*args)
        return await result if inspect.isawaitable(result) else result

    def handler(self, event: str) -> Handler | None:
        """The method for ``event``, or None."""
        found = getattr(self, "on_" + event, None)
        return found if callable(found) else None

    def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Handler | None = None,
        ignore_queue: bool = False,
        **options: Any,
    ) -> Any:
        """:meth:`Server.emit` in this namespace."""
        return self.server.emit(event, data, to, room, skip_sid, namespace or self.namespace, callback, ignore_queue, **options)

    def send(self, data: Any, *args: Any, **options: Any) -> Any:
        """:meth:`Server.send` in this namespace; the options are those of :meth:`emit`."""
        return self.emit("message", data, *args, **options)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,
        ignore_queue: bool = False,
    ) -> Any:
        """:meth:`Server.call` in this namespace."""
        return await self.server.call(event, data, to, sid, namespace or self.namespace, timeout, ignore_queue)

    def enter_room(self, sid: str, room: str, namespace: str | None = None) -> Any:
        """:meth:`Server.enter_room` in this namespace."""
        return self.server.enter_room(sid, room, namespace=namespace or self.namespace)

    def leave_room(self, sid: str, room: str, namespace: str | None = None) -> Any:
        """:meth:`Server.leave_room` in this namespace."""
        return self.server.leave_room(sid, room, namespace=namespace or self.namespace)

    def close_room(self, room: str, namespace: str | None = None) -> Any:
        """:meth:`Server.close_room` in this namespace."""
        return self.server.close_room(room, namespace=namespace or self.namespace)

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """:meth:`Server.rooms` in this namespace."""
        return self.server.rooms(sid, namespace=namespace or self.namespace)

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """:meth:`Server.get_session` in this namespace."""
        return await self.server.get_session(sid, namespace=namespace or self.namespace)

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """:meth:`Server.save_session` in this namespace."""
        await self.server.save_session(sid, session, namespace=namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> AbstractAsyncContextManager[dict[str, Any]]:
        """:meth:`Server.session` in this namespace."""
        return self.server.session(sid, namespace=namespace or self.namespace)

    def disconnect(self, sid: str, namespace: str | None = None) -> Any:
        """:meth:`Server.disconnect` in this namespace."""
        return self.server.disconnect(sid, namespace=namespace or self.namespace)


class Handlers:
    """All handlers of a server."""

    def __init__(self, open_to: Sequence[str] = ()) -> None:
        #: Namespaces that are there without a handler, too.
        self._open = frozenset(open_to)
        self._named: dict[str, _Group] = {}
        self._matched: list[tuple[re.Pattern[str] | Callable[[str], bool], _Group]] = []
        self._classes: dict[str, Namespace] = {}
        #: The server's own: no handler, catch-all or middleware of the application has anything to do with them.
        self._own: dict[str, Namespace] = {}
        #: Whether any event middleware exists at all; the hot path asks this first.
        self.has_event_middleware = False
        #: Found handlers by (namespace, event). Only hits are kept, so a client cannot fill it with invented names.
        self._found: dict[tuple[str, str], tuple[Handler, tuple[str, ...]]] = {}
        #: Of those, the handlers that need nothing before the sid, and no middleware: what the hot path asks. With whether calling one runs
        #: code of the application's at once, as a plain function does; an async one only makes its coroutine.
        self.direct: dict[tuple[str, str | int | float], tuple[Handler, bool]] = {}

    # -- registering ------------------------------------------------------------------------------------------------

    def add(self, event: str, handler: Handler, namespace: NamespaceSpec = "/") -> None:
        """Register ``handler``. Raises ConfigError for what cannot be a handler."""
        if not callable(handler):
            raise ConfigError(f"the handler of {event!r} must be callable, not {type(handler).__name__}")
        if event in UNSENT - RESERVED:
            raise ConfigError(f"no client can send {event!r}; the server's own events are connect and disconnect")
        self._group(namespace).events[event] = handler
        self._forget_found()

    def add_class(self, instance: Namespace) -> None:
        """Register a class-based namespace. Raises ConfigError for a class given instead of an instance."""
        if not isinstance(instance, Namespace):
            raise ConfigError("register_namespace takes an instance of anywire.Namespace, such as Chat('/chat')")
        name = instance.namespace
        if not isinstance(name, str):
            raise ConfigError(f"a class serves one namespace by its name, or '*'; for {name!r} use on(event, handler, namespace)")
        if name != "*" and not name.startswith("/"):
            raise ConfigError(f'a namespace begins with "/"; did you mean "/{name}"?')
        self._refuse_own(instance.namespace)
        self._classes[instance.namespace] = instance
        self._forget_found()

    def add_own(self, instance: Namespace) -> None:
        """Register a namespace of the server itself, out of the application's sight."""
        self._own[instance.namespace] = instance

    def add_middleware(self, function: Handler, namespace: NamespaceSpec, events: bool) -> None:
        """Register a middleware for connections, or for events. Raises ConfigError for what is no function."""
        if not callable(function):
            raise ConfigError(f"a middleware must be callable, not {type(function).__name__}")
        group = self._group(namespace)
        (group.event_middleware if events else group.connection_middleware).append(function)
        self.has_event_middleware = self.has_event_middleware or events
        self._forget_found()

    def _refuse_own(self, namespace: str) -> None:
        if namespace in self._own:
            raise ConfigError(f"namespace {namespace!r} is the server's own; choose another name")

    def _forget_found(self) -> None:
        self._found.clear()
        self.direct.clear()

    def _group(self, namespace: NamespaceSpec) -> _Group:
        if isinstance(namespace, str):
            if namespace != "*" and not namespace.startswith("/"):
                raise ConfigError(f'a namespace begins with "/"; did you mean "/{namespace}"?')
            self._refuse_own(namespace)
            return self._named.setdefault(namespace, _Group())
        if not isinstance(namespace, re.Pattern) and not callable(namespace):
            raise ConfigError(f"a namespace is a name, a compiled pattern or a test, not {type(namespace).__name__}")
        for spec, group in self._matched:
            if spec == namespace:
                return group
        self._matched.append((namespace, _Group()))
        return self._matched[-1][1]

    # -- finding ----------------------------------------------------------------------------------------------------

    def accepts(self, namespace: str) -> bool:
        """Whether clients may join ``namespace``. "/" is always there."""
        if namespace == "/" or namespace in self._own or namespace in self._open or "*" in self._open:
            return True
        if namespace in self._named or namespace in self._classes:
            return True
        return "*" in self._named or "*" in self._classes or any(_matches(spec, namespace) for spec, _ in self._matched)

    def find(self, namespace: str, event: str) -> tuple[Handler, tuple[str, ...]] | None:
        """The handler and what it wants before the sid: catch-alls get the event, and shared ones the namespace."""
        key = (namespace, event)
        found = self._found.get(key)
        if found is None:
            found = self._search(namespace, event)
            if found is not None and not found[1]:
                self._found[key] = found
                if not self.has_event_middleware and event not in RESERVED:
                    self.direct[key] = found[0], not _is_async(found[0])
        return found

    def _search(self, namespace: str, event: str) -> tuple[Handler, tuple[str, ...]] | None:
        if namespace in self._own:
            handler = self._own[namespace].handler(event)
            return (handler, ()) if handler is not None else None
        group = self._named.get(namespace)
        if group is not None:
            if event in group.events:
                return group.events[event], ()
            if event not in RESERVED and "*" in group.events:
                return group.events["*"], (event,)
        for shared in self._shared(namespace):
            if event in shared.events:
                return shared.events[event], (namespace,)
            if event not in RESERVED and "*" in shared.events:
                return shared.events["*"], (event, namespace)
        return self._search_classes(namespace, event)

    def _shared(self, namespace: str) -> list[_Group]:
        groups = [group for spec, group in self._matched if _matches(spec, namespace)]
        if "*" in self._named:
            groups.append(self._named["*"])
        return groups

    def _search_classes(self, namespace: str, event: str) -> tuple[Handler, tuple[str, ...]] | None:
        prefix: tuple[str, ...] = ()
        instance = self._classes.get(namespace)
        if instance is None:
            instance, prefix = self._classes.get("*"), (namespace,)
        if instance is None:
            return None
        if type(instance).trigger_event is not Namespace.trigger_event:
            return instance.trigger_event, (event, *prefix)
        handler = instance.handler(event)
        return (handler, prefix) if handler is not None else None

    def middleware(self, namespace: str, events: bool) -> list[Handler]:
        """The middlewares of ``namespace``, the shared ones first."""
        if namespace in self._own:
            return []
        groups = self._shared(namespace)
        if namespace in self._named:
            groups.append(self._named[namespace])
        return [function for group in groups for function in (group.event_middleware if events else group.connection_middleware)]


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004


def _matches(spec: re.Pattern[str] | Callable[[str], bool], namespace: str) -> bool:
    if isinstance(spec, re.Pattern):
        return spec.fullmatch(namespace) is not None
    return bool(spec(namespace))
