"""``EngineServer``: bare Engine.IO, text and binary messages without Socket.IO, in the shape of python-engineio's ``AsyncServer``."""

from __future__ import annotations

import inspect
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import Any

from .backpressure import ease, press
from .config import Config, takes
from .endpoint import Endpoint, Sent, from_any_thread
from .errors import BadNamespaceError, CloseReason, ConfigError, PayloadError, ProtocolError
from .events import Message, Packet
from .outgoing import Outgoing
from .protocols.registry import BARE_PROTOCOLS
from .session import Session
from .tasks import FAILURES, SETTLED

__all__ = ["EngineServer"]

log = logging.getLogger("anywire.engine")
_EVENTS = ("connect", "message", "disconnect")


class _Peer:
    """What the server keeps for one session: its state, and events that wait for the running handler."""

    __slots__ = ("busy", "data", "environ", "queue")
    #: Acknowledgements are Socket.IO's.
    acks = None

    def __init__(self) -> None:
        self.busy = False
        self.data: dict[str, Any] | None = None
        self.environ: dict[str, Any] | None = None
        self.queue: deque[tuple[str, tuple[Any, ...]]] | None = None


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PayloadError("a message cannot hold half a character (a lone surrogate)") from None


class EngineServer(Endpoint):
    """Messages over any transport. Settings are those of :class:`anywire.Config`; the default path is ``/engine.io/``.

    Handlers: ``connect(sid, environ)``, which lets in by None or True: any other result, and an exception, ends the session, and no
    other handler hears of it; ``message(sid, data)`` with str or bytes; ``disconnect(sid, reason)``. They run in each client's order.
    """

    _protocols = BARE_PROTOCOLS

    def __init__(self, **settings: Any) -> None:
        for name in ("store", "namespaces", "always_connect"):
            if name in settings:
                raise ConfigError(f"{name} has no effect on an EngineServer: it knows sessions and messages alone; anywire.Server has it")
        super().__init__(Config.build(os.environ, {"path": "/engine.io/", "serve_client": False}, **settings))
        if settings.get("check_page"):
            raise ConfigError("check_page is for anywire.Server: the page speaks Socket.IO")
        self._on: dict[str, Callable[..., Any]] = {}
        #: Sessions that have ended and whose disconnect handler runs, or waits for the handler that does.
        self._leaving: dict[str, Session] = {}

    def on(self, event: str, handler: Callable[..., Any] | None = None) -> Any:
        """Register the handler of ``connect``, ``message`` or ``disconnect``, directly or as a decorator."""
        if handler is not None and not callable(handler):
            raise ConfigError(f"the handler of {event!r} must be callable, not {type(handler).__name__}")
        if event not in _EVENTS:
            raise ConfigError(f"there is no event {event!r}; there are {', '.join(_EVENTS)}")

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self._on[event] = function
            return function

        return register if handler is None else register(handler)

    @from_any_thread
    def send(self, sid: str, data: str | bytes) -> Sent:
        """Send one message. Raises PayloadError for other types and for text that has no UTF-8.

        A session that is gone is no error, as in python-engineio.
        """
        if isinstance(data, (bytearray, memoryview)):
            data = bytes(data)
        if not isinstance(data, (str, bytes)):
            raise PayloadError(f"a message is str or bytes, not {type(data).__name__}")
        if isinstance(data, str) and not data.isascii():
            _check_text(data)
        session = self._hub.sessions.get(sid)
        if session is not None:
            session.send(Outgoing(Message(data), False, self.config.per_message_deflate_threshold))
        return SETTLED

    @from_any_thread
    def disconnect(self, sid: str | None = None) -> Sent:
        """End one session, or all. One that is gone is no error, as in python-engineio."""
        for session in list(self._hub.sessions.values()) if sid is None else filter(None, [self._hub.sessions.get(sid)]):
            session.close_when_drained(CloseReason.SERVER)
        return SETTLED

    def transport(self, sid: str) -> str:
        """The name of the transport that the session uses now."""
        return self._session(sid).transport_name

    def get_environ(self, sid: str) -> dict[str, Any]:
        """The environ of the session's handshake."""
        return self._session(sid).handshake.environ()

    async def get_session(self, sid: str) -> dict[str, Any]:
        """The session's own state, a dictionary that lives as long as it."""
        peer: _Peer = self._session(sid).sockets
        if peer.data is None:
            peer.data = {}
        return peer.data

    async def save_session(self, sid: str, session: dict[str, Any]) -> None:
        """Replace the session's state."""
        if not isinstance(session, dict):
            raise TypeError(f"a session's state is a dictionary, not {type(session).__name__}")
        self._session(sid).sockets.data = session

    @asynccontextmanager
    async def session(self, sid: str) -> AsyncIterator[dict[str, Any]]:
        """The session's state, saved when the block ends."""
        state = await self.get_session(sid)
        yield state
        await self.save_session(sid, state)

    def _session(self, sid: str) -> Session:
        session = self._hub.sessions.get(sid) or self._leaving.get(sid)
        if session is None:
            raise BadNamespaceError(f"{sid!r} is not connected")
        return session

    # -- what sessions say ------------------------------------------------------------------------------------------

    def _on_opened(self, session: Session) -> None:
        session.sockets = _Peer()
        session.env.defer(lambda: self._trigger(session, session.sockets, "connect", session.id, session.handshake.environ()))

    def _packet_sink(self) -> Callable[[Session, Packet], None]:
        return self._on_packet

    def _on_packet(self, session: Session, packet: Packet) -> None:
        if type(packet) is not Message:
            raise ProtocolError("a packet that this server does not speak")
        peer: _Peer = session.sockets
        self._trigger(session, peer, "message", session.id, packet.data)
        if peer.queue:
            press(session, (peer,), len(peer.queue))

    def _on_closed(self, session: Session, reason: CloseReason) -> None:
        super()._on_closed(session, reason)
        peer: _Peer | None = session.sockets
        handler = self._on.get("disconnect")
        if peer is None or handler is None:
            return
        self._leaving[session.id] = session
        farewell = ("disconnect", (session.id, reason.text) if takes(handler, 2) else (session.id,))
        if peer.busy:
            session.env.wheel.after(self.config.ping_timeout, lambda: self._wait_no_longer(session, peer, farewell))
        self._trigger(session, peer, farewell[0], *farewell[1])

    def _wait_no_longer(self, session: Session, peer: _Peer, farewell: tuple[str, tuple[Any, ...]]) -> None:
        """A handler still runs long after its client has left, and may never end: the disconnect handler runs beside it."""
        if peer.queue is not None and farewell in peer.queue:
            peer.queue.remove(farewell)
            log.warning("! a handler has not ended, though its client has left; the disconnect handler runs now")
            self._run(session, peer, farewell[0], *farewell[1])

    def _trigger(self, session: Session, peer: _Peer | None, event: str, *args: Any) -> None:
        """Run a handler, or let it wait for the one that runs."""
        if peer is None:
            return
        if peer.busy:
            if peer.queue is None:
                peer.queue = deque()
            peer.queue.append((event, args))
            return
        self._run(session, peer, event, *args)

    def _run(self, session: Session, peer: _Peer, event: str, *args: Any) -> None:
        handler = self._on.get(event)
        if handler is None:
            return
        context = copy_context()
        try:
            result = context.run(handler, *args)
        except FAILURES:
            log.exception("! %s handler failed", event)
            result = False
        if inspect.isawaitable(result):
            context.run(self._wait, session, peer, event, result)
        else:
            self._ended(session, peer, event, result)

    def _ended(self, session: Session, peer: _Peer, event: str, result: Any) -> None:
        if event == "disconnect":
            self._leaving.pop(session.id, None)
        elif event == "connect" and result is not None and result is not True:
            # python-engineio's rule. What has come from the client meanwhile is nobody's, its farewell included.
            if result is not False:
                log.warning("! the connect handler returned %s: the client is refused; None and True let in", type(result).__name__)
            session.sockets = peer.queue = None
            self._leaving.pop(session.id, None)
            session.close(CloseReason.SERVER)

    def _wait(self, session: Session, peer: _Peer, event: str, result: Any) -> None:
        peer.busy = True

        async def wait() -> Any:
            return await result

        def done(value: Any, error: BaseException | None) -> None:
            peer.busy = False
            if error is not None:
                log.error("! %s handler failed", event, exc_info=error)
            self._ended(session, peer, event, value if error is None else False)
            while peer.queue and not peer.busy:
                waiting, args = peer.queue.popleft()
                if waiting == "message" and self._runner.stopping:
                    continue
                self._trigger(session, peer, waiting, *args)
            if session.paused:
                ease(session, (peer,))

        self._runner.run(wait(), done)
