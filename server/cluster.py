"""What one process asks of the others: emits, rooms, disconnects and questions, over the backplane."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from .backplane.base import Backplane
from .envelope import Envelope, EnvelopeError, pack, unpack
from .errors import PayloadError
from .events import UNSENT, Event
from .hub import Hub, Socket, node_of
from .outgoing import Outgoing

__all__ = ["Cluster", "Gathered"]

log = logging.getLogger("anywire.cluster")

#: Seconds that other processes have to answer a question, where the caller says nothing.
ANSWER_TIMEOUT = 5.0
#: The most that another process may have this one wait for its clients.
MAX_TIMEOUT = 86_400.0
_T = TypeVar("_T")


class Gathered:
    """Answers on their way: from this process's clients and from other nodes."""

    __slots__ = ("answers", "clients", "done", "nodes", "take")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answers: list[Any] = []
        #: Is given each answer as it comes.
        self.take: Callable[[Any], None] = self.answers.append
        #: Nodes that have still to say how much to expect, and clients that have still to answer.
        self.nodes = 0
        self.clients = 0
        self.done: asyncio.Future[None] = loop.create_future()

    def expect(self, nodes: int, clients: int) -> None:
        """Change what is still awaited."""
        self.nodes += nodes
        self.clients += clients
        self.check()

    def answer(self, value: Any) -> None:
        """One client has answered."""
        self.take(value)
        self.clients -= 1
        self.check()

    def check(self) -> None:
        """End when nothing is awaited any more. Another node's answers may overtake its count."""
        if self.nodes <= 0 and self.clients <= 0 and not self.done.done():
            self.done.set_result(None)


class Cluster:
    """This node among others. ``execute`` carries out what another node asks, by the server's own local operations."""

    def __init__(self, hub: Hub, backplane: Backplane, local: LocalOperations, join: Callable[[], None] = lambda: None) -> None:
        self.hub = hub
        self.backplane = backplane
        self._local = local
        #: Called before anything is said: joins the others, if that was not done.
        self._join = join
        self._seq = 0
        self._pending: dict[str, Gathered] = {}

    @property
    def alone(self) -> bool:
        """Whether there can be no other node at all."""
        return self.backplane.alone

    # -- out --------------------------------------------------------------------------------------------------------

    def publish(self, kind: str, **body: Any) -> None:
        """Tell every other node. Raises PayloadError for what cannot be carried."""
        if not self.alone:
            self.backplane.publish(self.pack(kind, body))

    async def send(self, node: str, kind: str, **body: Any) -> bool:
        """Tell one node; False when it is not there."""
        return not self.alone and await self.backplane.send(node, self.pack(kind, body))

    def tell_home(self, sid: str, kind: str, **body: Any) -> asyncio.Future[bool] | None:
        """Tell the node that ``sid`` lives on. None when that is this node, or cannot be told from the sid."""
        node = node_of(sid)
        if node is None or node == self.hub.node or self.alone:
            return None
        message = self.pack(kind, body)

        async def tell() -> bool:
            try:
                there = await self.within(ANSWER_TIMEOUT, self.backplane.send(node, message))
            except TimeoutError:
                log.warning("! %s for a client of node %s waits until the other processes can be reached", kind, node)
                return False
            if not there:
                log.warning("! %s for a client of node %s: that process is gone", kind, node)
            return there

        return asyncio.ensure_future(tell())

    def pack(self, kind: str, body: dict[str, Any]) -> bytes:
        """A message, ready for the backplane. Raises PayloadError for what cannot be carried."""
        self._join()
        self._seq += 1
        return pack(kind, self.hub.node, self._seq, body)

    # -- questions --------------------------------------------------------------------------------------------------

    @contextmanager
    def asking(self) -> Iterator[tuple[str, Gathered]]:
        """A fresh question: its id, and where its answers gather. It is forgotten at the end of the block.

        Once everyone was asked, :meth:`ask_others` or ``gathered.expect(-1, 0)`` must say so.
        """
        id_ = secrets.token_hex(8)
        gathered = self._pending[id_] = Gathered(asyncio.get_running_loop())
        # An answer may be here before we know how many there will be: the asking itself counts as one that is awaited.
        gathered.nodes = 1
        try:
            yield id_, gathered
        finally:
            del self._pending[id_]

    async def answers(self, gathered: Gathered, timeout: float) -> bool:
        """Wait for all answers; False when the time was up first."""
        try:
            await self.within(timeout, gathered.done)
        except TimeoutError:
            return False
        return True

    async def within(self, seconds: float, waiting: Awaitable[_T]) -> _T:
        """Wait for something that goes on in any case. Raises TimeoutError."""
        return await asyncio.wait_for(asyncio.shield(waiting), seconds)

    async def ask_others(self, kind: str, gathered: Gathered, timeout: float, body: dict[str, Any]) -> None:
        """Ask every other node. When nobody can say in time how many they are, the question stays incomplete."""
        message = self.pack(kind, body)
        try:
            gathered.nodes += await self.within(timeout, self.others())
        except TimeoutError:
            return
        self.backplane.publish(message)
        gathered.expect(-1, 0)

    async def ask_home(self, node: str, timeout: float, body: dict[str, Any]) -> bool:
        """Have one node ask its client; False when it is not there, True also when that cannot be said in time."""
        try:
            return await self.within(timeout, self.send(node, "emit", **body))
        except TimeoutError:
            return True

    async def others(self) -> int:
        """How many other nodes there are."""
        return 0 if self.alone else max(0, await self.backplane.nodes() - 1)

    # -- in ---------------------------------------------------------------------------------------------------------

    def on_message(self, node: str, data: bytes) -> None:
        """A message from another node; what is wrong with it is logged, and nothing else is lost by it."""
        try:
            envelope = unpack(data)
        except EnvelopeError as error:
            log.warning("! bad message from %s: %s", node[:8], error)
            return
        if envelope.origin == self.hub.node:
            return
        handler = getattr(self, "_on_" + envelope.kind, None)
        if handler is None:
            log.info("< %s from %s is not understood here", envelope.kind, envelope.origin)
            return
        try:
            handler(envelope)
        except Exception:
            log.exception("! %s from %s failed", envelope.kind, envelope.origin)

    def _on_emit(self, envelope: Envelope) -> None:
        body = envelope.body
        if body["event"] in UNSENT:
            log.warning("! %s would have %r sent, which is reserved", envelope.origin, body["event"])
            return
        sockets = self._local.select(body["namespace"], body["rooms"], body["skip_sids"], body["skip_rooms"])
        event = Event(body["namespace"], body["event"], tuple(body["args"]))
        if body["ack"] is None:
            self._local.deliver(sockets, event, body["volatile"])
            return
        id_, origin, timeout = body["ack"], envelope.origin, body["timeout"]
        if timeout is None or not 0 < timeout <= MAX_TIMEOUT:
            timeout = ANSWER_TIMEOUT
        self._post(origin, "ack_count", id=id_, count=len(sockets))
        for socket in sockets:
            self._local.ask(socket, event, timeout, self._relay(origin, id_, socket.sid), body["volatile"])

    def _relay(self, origin: str, id_: str, sid: str) -> Callable[[tuple[Any, ...] | None], None]:
        def answer(args: tuple[Any, ...] | None) -> None:
            self._post(origin, "ack", id=id_, sid=sid, args=list(args) if args is not None else None)

        return answer

    def _post(self, node: str, kind: str, **body: Any) -> None:
        task = asyncio.ensure_future(self.backplane.send(node, self.pack(kind, body)))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _on_ack_count(self, envelope: Envelope) -> None:
        gathered = self._pending.get(envelope.body["id"])
        if gathered is not None:
            gathered.expect(-1, envelope.body["count"])

    def _on_ack(self, envelope: Envelope) -> None:
        gathered = self._pending.get(envelope.body["id"])
        if gathered is not None:
            args = envelope.body["args"]
            gathered.answer((envelope.body["sid"], None if args is None else tuple(args)))

    def _on_join(self, envelope: Envelope) -> None:
        for socket in self._selected(envelope.body):
            self._local.join(socket, envelope.body["room"])

    def _on_leave(self, envelope: Envelope) -> None:
        for socket in self._selected(envelope.body):
            self.hub.leave(socket, envelope.body["room"])

    def _on_close_room(self, envelope: Envelope) -> None:
        for socket in self._local.select(envelope.body["namespace"], [envelope.body["room"]]):
            self.hub.leave(socket, envelope.body["room"])

    def _on_disconnect(self, envelope: Envelope) -> None:
        for socket in self._selected(envelope.body):
            self._local.kick(socket, envelope.body["close"])

    def _selected(self, body: dict[str, Any]) -> list[Socket]:
        chosen: Iterable[str] | None = body["sids"] if body["sids"] is not None else body["rooms"]
        return self._local.select(body["namespace"], chosen, body["skip_sids"])

    def _on_fetch(self, envelope: Envelope) -> None:
        body = envelope.body
        sockets = self._local.describe(body["namespace"], body["rooms"], body["skip_sids"])
        self._post(envelope.origin, "sockets", id=body["id"], sockets=sockets)

    def _on_sockets(self, envelope: Envelope) -> None:
        gathered = self._pending.get(envelope.body["id"])
        if gathered is not None:
            gathered.answers.extend(envelope.body["sockets"])
            gathered.expect(-1, 0)


class LocalOperations:
    """What the cluster needs of its own node; the server fills it in. Kept apart so that neither imports the other."""

    def __init__(
        self, hub: Hub, max_rooms: int, deflate_threshold: int, kick: Callable[[Socket, bool], None], refuses_binary: bool = False
    ) -> None:
        self._hub = hub
        self._max_rooms = max_rooms
        self._deflate_threshold = deflate_threshold
        #: ``kick(socket, close)`` disconnects a local client from its namespace, or with ``close`` ends its session.
        self.kick = kick
        #: Whether what some clients cannot be sent (bytes, in dialects that have none) is an error, to be found before anyone gets it.
        self.refuses_binary = refuses_binary

    def select(
        self, namespace: str, rooms: Iterable[str] | None, skip_sids: Iterable[str] = (), skip_rooms: Iterable[str] = ()
    ) -> list[Socket]:
        """As :meth:`Hub.select`."""
        return self._hub.select(namespace, rooms, skip_sids, skip_rooms)

    def deliver(self, sockets: list[Socket], event: Event, volatile: bool) -> asyncio.Future[None] | None:
        """Send one event to local clients; the future, if any, ends when a large fan-out is written."""
        if not sockets:
            return None
        outgoing = Outgoing(event, volatile, self._deflate_threshold)
        if self.refuses_binary:
            sockets = self._takers(sockets, outgoing)
        return self._hub.fan_out(sockets, outgoing)

    def check(self, sockets: list[Socket], outgoing: Outgoing) -> None:
        """Raise PayloadError if one of ``sockets`` cannot be sent this. Each dialect encodes once."""
        for session in {socket.session.protocol: socket.session for socket in sockets}.values():
            outgoing.messages(session.protocol, session.binary)

    def _takers(self, sockets: list[Socket], outgoing: Outgoing) -> list[Socket]:
        """Those that can be sent this; who asked for it on another node cannot be told of the others."""
        takers: list[Socket] = []
        for socket in sockets:
            try:
                outgoing.messages(socket.session.protocol, socket.session.binary)
            except PayloadError as error:
                log.warning("! %r for %s: %s", outgoing.packet.name, socket.sid, error)  # type: ignore[union-attr]
            else:
                takers.append(socket)
        return takers

    def ask(
        self, socket: Socket, event: Event, timeout: float, answer: Callable[[tuple[Any, ...] | None], None], volatile: bool = False
    ) -> None:
        """Send an event that wants an acknowledgement; after ``timeout`` seconds the answer is no longer awaited.

        ``answer`` gets None when the client was not sent it or leaves first.
        """
        wheel = socket.session.env.wheel
        late = wheel.after(timeout, lambda: socket.forget_ack(id_))

        def received(args: tuple[Any, ...] | None) -> None:
            wheel.discard(late)
            answer(args)

        id_ = socket.expect_ack(received)
        if not socket.send(Outgoing(event._replace(ack=id_), volatile, self._deflate_threshold)):
            socket.forget_ack(id_)
            received(None)

    def join(self, socket: Socket, room: str) -> None:
        """Put a local client into a room."""
        self._hub.join(socket, room, self._max_rooms)

    def describe(self, namespace: str, rooms: list[str] | None, skip_sids: list[str]) -> list[dict[str, Any]]:
        """What fetch_sockets says of the clients that are still there."""
        found = self._hub.select(namespace, rooms, skip_sids)
        return [self._describe(socket) for socket in found if socket.state != Socket.GONE]

    def _describe(self, socket: Socket) -> dict[str, Any]:
        return {
            "sid": socket.sid,
            "rooms": sorted({socket.sid, *(socket.rooms or ())}),
            "data": {key: value for key, value in (socket.data or {}).items() if _plain(value)},
            "transport": socket.session.transport_name,
            "node": self._hub.node,
        }


def _plain(value: Any) -> bool:
    """Whether a value of a client's data can travel between processes."""
    if isinstance(value, (list, tuple)):
        return all(_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(item) for key, item in value.items())
    return value is None or isinstance(value, (bool, int, float, str, bytes))
