"""Many clients on one epoll."""

from __future__ import annotations

import atexit
import gc
import os
import platform
import resource
import select
import sys
import time
from collections import deque
from pathlib import Path

from .clients import CLIENTS, Client, Polling, WebSocket, frame
from .peers import load_processor

__all__ = ["Load", "prepare"]

#: Clients that join at once.
_BATCH = 50
#: Which processors receive what loopback brings, as a mask; 0: the one that sends.
_STEERING = Path("/sys/class/net/lo/queues/rx-0/rps_cpus")


def prepare(steer: bool = False) -> None:
    """As many open files as the system allows, and no pauses of our own for garbage. Says which Python this is: one that was
    built without profile-guided optimisation is a tenth slower or more.

    ``steer``: what loopback brings is received on the load's processor, until the end of this program. Without it a send also does what
    the receiver's kernel has to do, up to waking its process, on the sender's processor and account; of receivers that are other machines
    it does not. See "Receive Packet Steering" in the kernel's documentation (networking/scaling.rst).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()
    print(f"Python {platform.python_version()} ({os.path.realpath(sys.executable)})")
    if steer:
        before = _STEERING.read_text()
        try:
            _STEERING.write_text(f"{1 << load_processor():x}")
        except OSError as error:
            raise SystemExit(f"--steer must be able to write {_STEERING}: {error.strerror}; run it as root, or without") from None
        atexit.register(_STEERING.write_text, before)


class Load:
    """``count`` clients of one transport that have joined "/"."""

    def __init__(self, port: int, count: int, transport: str = "websocket") -> None:
        self.clients: dict[int, Client] = {}
        self.epoll = select.epoll()
        kind = CLIENTS[transport]
        for start in range(0, count, _BATCH):
            batch = [kind(port, number) for number in range(start, min(start + _BATCH, count))]
            steps = [client.joining() for client in batch]
            # Each yields None after each step but the last.
            while None in [next(step, "done") for step in steps]:
                pass
            for client in batch:
                self.clients[client.sock.fileno()] = client
                self.epoll.register(client.sock.fileno(), select.EPOLLIN)

    @property
    def first(self) -> Client:
        """The client that asks for things."""
        return next(iter(self.clients.values()))

    # -- echo -------------------------------------------------------------------------------------------------------

    def echo(self, message: str, seconds: float, in_flight: int = 1, answers: int = 1, attachment: bytes | None = None) -> int:
        """Keep ``in_flight`` messages a WebSocket on their way for ``seconds``; how many were echoed, until all are back.

        ``answers``: messages that come for each that is sent.
        """
        one = frame(message) if attachment is None else frame(message) + frame(attachment)
        for client in self.clients.values():
            assert isinstance(client, WebSocket)
            client.sock.sendall(one * in_flight)
        waiting, done = len(self.clients) * in_flight * answers, 0
        owed = dict.fromkeys(self.clients, 0)
        end = time.perf_counter() + seconds
        while waiting:
            for number, _ in self._poll(waiting):
                client = self.clients[number]
                count = client.read()
                done += count
                waiting -= count
                again, owed[number] = divmod(owed[number] + count, answers)
                if again and time.perf_counter() < end:
                    client.sock.sendall(one * again)
                    waiting += again * answers
        return done // answers

    def cycles(self, message: str, seconds: float) -> int:
        """Long-polling: each client posts, and posts again when the post is answered and its poll has brought the echo. How many
        echoes came, until all are back."""
        clients = [client for client in self.clients.values() if isinstance(client, Polling)]
        posts = {client.posts.fileno(): client for client in clients}
        requests = {id(client): client.post(message) for client in clients}
        for number, client in posts.items():
            client.posts.setblocking(False)
            self.epoll.register(number, select.EPOLLIN)
            client.send_request(requests[id(client)])
        half: set[int] = set()
        waiting, done, end = len(clients), 0, time.perf_counter() + seconds
        while waiting:
            for number, _ in self._poll(waiting):
                poster = posts.get(number)
                client = poster or self.clients[number]
                assert isinstance(client, Polling)
                if poster is not None:
                    client.read_post()
                elif not client.read():
                    continue
                if id(client) not in half:
                    half.add(id(client))
                    continue
                half.discard(id(client))
                done += 1
                if time.perf_counter() < end:
                    client.send_request(requests[id(client)])
                else:
                    waiting -= 1
        for number in posts:
            self.epoll.unregister(number)
        return done

    def paced(self, message: str, rate: int, seconds: float) -> list[float]:
        """Send ``rate`` messages a second, the WebSockets in turn, whatever comes back; how many seconds each echo took."""
        one, clients, times = frame(message), list(self.clients.items()), []
        under_way: dict[int, deque[float]] = {number: deque() for number, _ in clients}
        count, sent, waiting, began = int(rate * seconds), 0, 0, time.perf_counter()
        while sent < count or waiting:
            now = time.perf_counter()
            while sent < count and began + sent / rate <= now:
                number, client = clients[sent % len(clients)]
                # From when it was due: a load that was held up must not hide it.
                under_way[number].append(began + sent / rate)
                client.sock.sendall(one)
                sent += 1
                waiting += 1
            due = began + sent / rate - time.perf_counter() if sent < count else 30
            for number, _ in self.epoll.poll(max(0.0, due)):
                answers = self.clients[number].read()
                waiting -= answers
                came = time.perf_counter()
                for _ in range(answers):
                    times.append(came - under_way[number].popleft())
            if sent == count and time.perf_counter() > began + seconds + 30:
                raise TimeoutError(f"{waiting} echoes did not come")
        return times

    # -- waiting ----------------------------------------------------------------------------------------------------

    def _poll(self, missing: int, timeout: float = 30) -> list[tuple[int, int]]:
        ready = self.epoll.poll(timeout)
        if not ready:
            raise TimeoutError(f"{missing} messages did not come within {timeout} seconds")
        return ready

    def receive(self, messages: int) -> float:
        """Wait until that many messages have come to all clients together; the seconds it took."""
        began = time.perf_counter()
        while messages > 0:
            for number, _ in self._poll(messages):
                messages -= self.clients[number].read()
        return time.perf_counter() - began

    def close(self) -> None:
        """Drop all connections."""
        for client in self.clients.values():
            client.close()
        self.epoll.close()
