"""Who is here: sessions by id, clients by namespace and room, and the fan-out to them."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .backpressure import ease
from .errors import BadNamespaceError
from .outgoing import Outgoing
from .session import Session

__all__ = ["Hub", "Room", "Socket", "new_node_id", "node_of"]

#: Receivers that one broadcast writes to before it lets the loop breathe; some 8 ms of work, most of it the kernel's.
SLICE = 1000
#: Length of a node's id: 8 letters and digits, 47 bits, so that two processes never share one.
NODE_LENGTH = 8
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#: node id, "-", 128 random bits in URL-safe base64; where clients make their ids, behind the namespace's name and "#".
_SID = re.compile(r"(?:/.*#)?([A-Za-z0-9]{8})-[A-Za-z0-9_-]{22}", re.DOTALL)
Room = dict["Socket", None]


def new_node_id() -> str:
    """A fresh id for a server process; new at every start."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(NODE_LENGTH))


def node_of(sid: str) -> str | None:
    """The node that a session or client id was made on, or None for what is not shaped like one."""
    match = _SID.fullmatch(sid)
    return match.group(1) if match else None


class Socket:
    """One client in one namespace. ``sid`` is public; the session's own id is not."""

    __slots__ = (
        "acks", "busy", "data", "environ", "held", "namespace", "next_ack", "queue", "rooms", "session", "sid", "state",
    )  # fmt: skip

    #: ``state``: being asked (its connect handler runs), in, or gone.
    CONNECTING, CONNECTED, GONE = 0, 1, 2

    def __init__(self, sid: str, session: Session, namespace: str) -> None:
        self.sid = sid
        self.session = session
        self.namespace = namespace
        self.state = Socket.CONNECTING
        self.rooms: set[str] | None = None
        #: What get_session/save_session keep, and the ``data`` that fetch_sockets shows; made when asked for.
        self.data: dict[str, Any] | None = None
        #: The environ while the connect handler runs, and after it if the handler changed it or somebody asked for it since.
        self.environ: dict[str, Any] | None = None
        self.acks: dict[int, Callable[[tuple[Any, ...] | None], None]] | None = None
        self.next_ack = 0
        #: Events that wait for the running handler, in order.
        self.queue: deque[Any] | None = None
        self.busy = False
        #: What was sent before CONNECT was answered, and follows it.
        self.held: list[Outgoing] | None = None

    def send(self, outgoing: Outgoing) -> bool:
        """Send to this client, in order; what comes before it is connected is held until then."""
        if self.state == Socket.CONNECTED:
            return self.session.send(outgoing)
        if self.state == Socket.CONNECTING and not outgoing.volatile:
            return self._hold(outgoing)
        return False

    def _hold(self, outgoing: Outgoing) -> bool:
        """Keep it for :meth:`connected`, as it is now: what a handler does to its data later is not meant."""
        session = self.session
        outgoing.messages(session.protocol, session.binary)
        outgoing.units(session.protocol, session.binary)
        if self.held is None:
            self.held = []
        if len(self.held) >= session.env.config.max_queue_messages:
            session.overflow(f"{len(self.held)} messages for who is not let in yet")
            return False
        self.held.append(outgoing)
        return True

    def connected(self, answer: Outgoing) -> None:
        """Say that the namespace is joined, then what was held."""
        self.state = Socket.CONNECTED
        self.session.send(answer)
        held, self.held = self.held, None
        for outgoing in held or ():
            self.session.send(outgoing)

    def end(self) -> None:
        """It has left, or was refused: it is sent nothing more, and who waits for an acknowledgement hears that none will come."""
        self.state = Socket.GONE
        self.held = None
        acks, self.acks = self.acks, None
        for callback in (acks or {}).values():
            callback(None)

    def expect_ack(self, callback: Callable[[tuple[Any, ...] | None], None]) -> int:
        """A fresh acknowledgement id; ``callback`` gets the arguments, or None when the client leaves first."""
        if self.acks is None:
            self.acks = {}
        self.next_ack += 1
        self.acks[self.next_ack] = callback
        if self.session.paused:
            ease(self.session, self.session.sockets.values())
        return self.next_ack

    def forget_ack(self, id_: int) -> None:
        """Nobody waits for that acknowledgement any more."""
        if self.acks is not None:
            self.acks.pop(id_, None)


class Members:
    """The clients of one namespace, by sid and by room."""

    __slots__ = ("rooms", "sockets")

    def __init__(self) -> None:
        self.sockets: dict[str, Socket] = {}
        self.rooms: dict[str, Room] = {}


class Hub:
    """All sessions and clients of this process."""

    def __init__(self, node: str | None = None) -> None:
        self.node = node or new_node_id()
        self.sessions: dict[str, Session] = {}
        self.namespaces: dict[str, Members] = {}

    def new_id(self) -> str:
        """An id for a session or a client: the node's id, and 128 random bits."""
        return f"{self.node}-{secrets.token_urlsafe(16)}"

    # -- clients and rooms ------------------------------------------------------------------------------------------

    def add(self, socket: Socket) -> None:
        """Let a client be found by its sid."""
        members = self.namespaces.get(socket.namespace)
        if members is None:
            members = self.namespaces[socket.namespace] = Members()
        members.sockets[socket.sid] = socket

    def remove(self, socket: Socket) -> None:
        """Forget a client and its rooms; an empty namespace goes too."""
        members = self.namespaces.get(socket.namespace)
        if members is None:
            return
        for room in list(socket.rooms or ()):
            self.leave(socket, room)
        # In some dialects who comes back has the same id, and may be here already.
        if members.sockets.get(socket.sid) is socket:
            del members.sockets[socket.sid]
        if not members.sockets:
            self.namespaces.pop(socket.namespace, None)

    def find(self, sid: str, namespace: str) -> Socket | None:
        """The client of that id on this node."""
        members = self.namespaces.get(namespace)
        return members.sockets.get(sid) if members is not None else None

    def get(self, sid: str, namespace: str) -> Socket:
        """As :meth:`find`; raises BadNamespaceError when it is not there."""
        socket = self.find(sid, namespace)
        if socket is None:
            raise BadNamespaceError(f"{sid!r} is not connected to namespace {namespace!r} on this process")
        return socket

    def join(self, socket: Socket, room: str, max_rooms: int) -> None:
        """Put a client into a room. Raises ValueError over ``max_rooms``."""
        if socket.rooms is None:
            socket.rooms = set()
        if room in socket.rooms or socket.state == Socket.GONE:
            return
        if len(socket.rooms) >= max_rooms:
            raise ValueError(f"{socket.sid!r} is in {max_rooms} rooms already; raise max_rooms if that is meant")
        socket.rooms.add(room)
        self.namespaces[socket.namespace].rooms.setdefault(room, {})[socket] = None

    def leave(self, socket: Socket, room: str) -> None:
        """Take a client out of a room; an empty room goes too."""
        if socket.rooms is not None:
            socket.rooms.discard(room)
        members = self.namespaces.get(socket.namespace)
        inhabitants = members.rooms.get(room) if members is not None else None
        if members is not None and inhabitants is not None:
            inhabitants.pop(socket, None)
            if not inhabitants:
                del members.rooms[room]

    def select(
        self,
        namespace: str,
        rooms: Iterable[str] | None = None,
        skip_sids: Iterable[str] = (),
        skip_rooms: Iterable[str] = (),
    ) -> list[Socket]:
        """The clients of all ``rooms`` together (None: of the namespace), each once, without the skipped ones.

        Every client is in a room of its own, named by its sid.
        """
        members = self.namespaces.get(namespace)
        if members is None:
            return []
        if rooms is None:
            chosen: Iterable[Socket] = members.sockets.values()
        else:
            chosen = dict.fromkeys(self._inhabitants(members, rooms))
        skipped = {*self._inhabitants(members, skip_rooms), *self._inhabitants(members, skip_sids)}
        return [socket for socket in chosen if socket not in skipped] if skipped else list(chosen)

    def _inhabitants(self, members: Members, rooms: Iterable[str]) -> Iterator[Socket]:
        for room in rooms:
            socket = members.sockets.get(room)
            if socket is not None:
                yield socket
            yield from members.rooms.get(room, ())

    # -- fan-out ----------------------------------------------------------------------------------------------------

    def fan_out(self, sockets: list[Socket], outgoing: Outgoing) -> asyncio.Future[None] | None:
        """Send one message to many. Over SLICE receivers it is queued to all at once, which fixes its place in each
        client's order, and written in slices; then the future ends when all is written."""
        if len(sockets) <= SLICE:
            for socket in sockets:
                socket.send(outgoing)
            return None
        direct, queued, connected = sockets[:SLICE], sockets[SLICE:], Socket.CONNECTED
        for socket in direct:
            if socket.state == connected:
                socket.session.send(outgoing)
            else:
                socket.send(outgoing)
        for socket in queued:
            if socket.state == connected and not outgoing.volatile:
                socket.session.hold(outgoing)
            else:
                socket.send(outgoing)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        loop.call_soon(_flush_slice, loop, queued, 0, done)
        return done


def _flush_slice(loop: asyncio.AbstractEventLoop, sockets: list[Socket], start: int, done: asyncio.Future[None]) -> None:
    for socket in sockets[start : start + SLICE]:
        socket.session.flush()
    if start + SLICE < len(sockets):
        loop.call_soon(_flush_slice, loop, sockets, start + SLICE, done)
    elif not done.done():
        done.set_result(None)
