"""One non-blocking socket, plain or TLS: read when readable, write at once, keep only what the kernel did not take."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Protocol

from .base import Loss
from .poller import poller_of

__all__ = ["Wire", "WireOwner"]

#: Bytes read at a time; a TLS record is at most 16 KiB, a small frame fits thousands of times.
READ_SIZE = 65_536
#: Reads in one turn of the loop, so that one fast sender does not starve the others.
READS_A_TURN = 8
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class WireOwner(Protocol):
    """Who hears what the socket says."""

    def on_bytes(self, data: bytes) -> None:
        """Bytes have arrived."""

    def on_lost(self, loss: Loss) -> None:
        """The socket is gone; nothing more is said."""

    def on_backlog(self) -> None:
        """What was written is kept, or a part of it: the kernel does not take more. Said from inside :meth:`Wire.write`."""

    def on_drained(self) -> None:
        """The kernel has taken everything, after it had not."""


class Wire:
    """A connected socket of which we are the only owner.

    ``initial``: bytes that the HTTP engine had already read. ``backlog``: bytes that wait for the kernel. ``moved``: whether the kernel
    has taken some of them since the owner last set it to False.
    """

    __slots__ = (
        "_closing", "_corked", "_fd", "_initial", "_limit", "_lingers", "_loop", "_paused", "_pending", "_poller", "_sock", "_tls",
        "_want_write", "backlog", "moved", "owner", "peer",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket, initial: bytes = b"", peer: tuple[str, int] = ("", 0)) -> None:
        self._loop = loop
        self._poller = poller_of(loop)
        self._sock: socket.socket | None = sock
        self._fd = sock.fileno()
        self._tls = isinstance(sock, ssl.SSLSocket)
        self._initial = initial
        self._pending: list[bytes] | None = None
        self._corked: list[bytes] | None = None
        self._closing = False
        self._lingers = False
        self._limit: asyncio.TimerHandle | None = None
        self._paused = False
        self._want_write = False
        self.backlog = 0
        self.moved = False
        self.peer = peer
        self.owner: WireOwner | None = None

    @property
    def alive(self) -> bool:
        """Whether the socket is still ours."""
        return self._sock is not None

    def cork(self) -> None:
        """Gather what is written in this turn of the loop: the end of a handshake, and what is said first, are one system call."""
        if self._corked is None:
            self._corked = []
            self._loop.call_soon(self.on_batch_end)

    def start(self) -> None:
        """Begin to read; ``owner`` must be set."""
        if self._sock is not None:
            self._watch()
            self._read_ahead()

    def _watch(self) -> None:
        self._poller.set(self._fd, self, self._lingers or not (self._paused or self._closing), self._want_write)

    def _read_ahead(self) -> None:
        """What no readiness of the socket will announce: bytes that the HTTP engine had read, and those that TLS holds decrypted."""
        if self._initial or self._tls:
            self._loop.call_soon(self._read_held)

    def _read_held(self) -> None:
        if self._paused or self._sock is None or self.owner is None:
            return
        initial, self._initial = self._initial, b""
        if initial and not self._closing:
            self._corked = []
            try:
                self.owner.on_bytes(initial)
            finally:
                self._uncork()
        if self._tls:
            self.on_readable()

    # -- reading ----------------------------------------------------------------------------------------------------

    def on_readable(self) -> None:
        """The poller says that there is something to read."""
        reads = READS_A_TURN
        while True:
            sock, owner = self._sock, self.owner
            if sock is None or owner is None or self._paused or self._closing:
                self._on_unwanted()
                return
            try:
                data = sock.recv(READ_SIZE)
            except ssl.SSLWantWriteError:
                self._want_write = True
                self._watch()
                return
            except _WOULD_BLOCK:
                return
            except OSError as error:
                self._lost(Loss.PEER if isinstance(error, (ConnectionError, ssl.SSLEOFError)) else Loss.ERROR)
                return
            if not data:
                self._lost(Loss.PEER)
                return
            # As in _read_held(), without the call.
            if self._corked is None:
                self._corked = []
            try:
                owner.on_bytes(data)
            finally:
                if self._corked is not None:
                    self._uncork()
            if len(data) < READ_SIZE and not self._tls:
                return
            reads -= 1
            if reads == 0:
                break
        if self._tls:
            self._loop.call_soon(self._read_held)

    def _on_unwanted(self) -> None:
        """There is something to read while nothing is read: a reset, which is told without being asked for, or what lingering drops."""
        sock = self._sock
        if sock is None:
            return
        if not self._lingers:
            if not self._want_write:
                # It would be told again and again. resume() watches again, and reads it.
                self._poller.forget(self._fd)
            return
        try:
            ended = not sock.recv(READ_SIZE)
        except _WOULD_BLOCK:
            return
        except OSError:
            ended = True
        if ended and self._pending is None:
            self._shut()
        elif ended:
            self._lingers = False
            self._watch()

    def pause(self) -> None:
        """Stop reading."""
        if not self._paused and self._sock is not None:
            self._paused = True
            self._watch()

    def resume(self) -> None:
        """Read again."""
        if self._paused and self._sock is not None:
            self._paused = False
            self._watch()
            self._read_ahead()

    # -- writing ----------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send now what the kernel takes, and keep the rest. While the owner is told what came, all is gathered: see :meth:`_uncork`."""
        if self._corked is not None:
            self._corked.append(data)
            return
        sock = self._sock
        if sock is None or self._closing:
            return
        if self._pending is None:
            try:
                sent = sock.send(data)
            except _WOULD_BLOCK:
                sent = 0
            except OSError:
                # Telling it from here would call the owner back inside its own write.
                self._loop.call_soon(self._lost, Loss.PEER)
                return
            if sent != len(data):
                self._pending = [data[sent:]]
                self._want_write = True
                self._watch()
                self._keeps(len(data) - sent)
        else:
            self._pending.append(data)
            self._keeps(len(data))

    def _keeps(self, size: int) -> None:
        self.backlog += size
        if self.owner is not None:
            self.owner.on_backlog()

    def _uncork(self) -> None:
        """Write what was gathered while the owner was told what one read brought: one system call. While the poller hands out a batch of
        sockets, that is after the last of them has been read.

        Writes that follow each other closely cost the kernel less than writes with work between them, and what others in the batch say to
        this peer goes along.
        """
        late = self._poller.late
        if not self._corked:
            self._corked = None
        elif late is not None:
            late.append(self)
        else:
            self.on_batch_end()

    def on_batch_end(self) -> None:
        """Write what was gathered. The poller says so when all sockets of its batch have been read."""
        corked, self._corked = self._corked, None
        if corked:
            self.write(corked[0] if len(corked) == 1 else b"".join(corked))

    def on_writable(self) -> None:
        """The poller says that the kernel has room."""
        sock = self._sock
        if sock is None:
            return
        if self._pending:
            # TLS wants the same bytes again after a refusal: they stay joined as they are.
            data = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
            self._pending = [data]
            try:
                sent = sock.send(data)
            except _WOULD_BLOCK:
                return
            except OSError:
                self._lost(Loss.PEER)
                return
            self.backlog -= sent
            self.moved = True
            self._pending = [data[sent:]] if sent < len(data) else None
        if not self._pending:
            self._drained()

    def _drained(self) -> None:
        self._pending = None
        self._want_write = False
        if self._closing:
            self._finish()
            return
        self._watch()
        if self._tls and not self._paused:
            # The write readiness may have been what a read was waiting for.
            self._loop.call_soon(self._read_held)
        if self.owner is not None:
            self.owner.on_drained()

    # -- the end ----------------------------------------------------------------------------------------------------

    def close(self, linger: bool = False, timeout: float | None = None) -> None:
        """Hand out what is kept, then close. ``on_lost`` is not called for this side's own end.

        ``linger``: then read on, and drop it, until the peer closes too or the owner aborts. A close with bytes unread resets the
        connection, and a peer that still sends would never see what was handed out last (RFC 6455, section 7.1.1). ``timeout``:
        seconds that the peer has for all of it; the timer goes with the socket, so that nothing keeps what has ended.
        """
        if self._sock is None or self._closing:
            return
        self.on_batch_end()
        self._closing = True
        self._lingers = linger
        if self._pending is None:
            self._finish()
        else:
            self._watch()
        if self._sock is not None and timeout is not None:
            self._limit = self._loop.call_later(timeout, self.abort)

    def _finish(self) -> None:
        """Everything was handed out."""
        if self._sock is None or not self._lingers:
            self._shut()
            return
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._watch()

    def abort(self) -> None:
        """Close now; what is kept is lost."""
        self._shut()

    def _shut(self) -> None:
        sock, self._sock = self._sock, None
        # The owner refers to us: neither shall wait for the garbage collection.
        self.owner = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self._pending = self._corked = None
        self.backlog = 0
        if sock is None:
            return
        self._poller.forget(self._fd)
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        sock.close()

    def _lost(self, loss: Loss) -> None:
        if self._sock is None:
            return
        owner, self.owner = self.owner, None
        closing = self._closing
        self._shut()
        if owner is not None and not closing:
            owner.on_lost(loss)
