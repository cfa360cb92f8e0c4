"""The end of a socket: what was said last arrives, and what nobody reads costs nothing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anywire.transports.base import Loss, TransportOptions
from anywire.transports.wire import Wire
from echo_websocket import echo_server
from http_tools import RawClient


class Owner:
    """Remembers what a wire says."""

    def __init__(self) -> None:
        self.data = b""
        self.losses: list[Loss] = []

    def on_bytes(self, data: bytes) -> None:
        self.data += data

    def on_lost(self, loss: Loss) -> None:
        self.losses.append(loss)

    def on_drained(self) -> None:
        pass

    def on_backlog(self) -> None:
        pass


class Answering(Owner):
    """Answers what it reads."""

    def __init__(self, wire: Wire, *answers: tuple[Wire, bytes]) -> None:
        super().__init__()
        self.wire, self.answers, self.backlogs = wire, answers, 0
        wire.owner = self

    def on_bytes(self, data: bytes) -> None:
        super().on_bytes(data)
        for wire, answer in self.answers:
            wire.write(answer)

    def on_backlog(self) -> None:
        self.backlogs += 1


class Sending:
    """A socket that remembers what each send() was given."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.sent = sock, list[bytes]()

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return self.sock.send(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)


class Counting(Wire):
    """Counts how often the poller calls."""

    calls = 0

    def on_readable(self) -> None:
        self.calls += 1
        super().on_readable()


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets, the first non-blocking."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    return ours, peer


def reset(peer: socket.socket) -> None:
    """Close with RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


def test_a_reset_while_reading_is_paused_is_told_at_the_next_read_and_makes_no_busy_loop(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ours, peer = pair()
        wire, owner = Counting(asyncio.get_running_loop(), ours), Owner()
        wire.owner = owner
        wire.start()
        wire.pause()
        reset(peer)
        await turns(100)
        assert wire.calls <= 1
        assert owner.losses == []
        wire.resume()
        await turns()
        assert owner.losses == [Loss.PEER]
        assert not wire.alive

    run(main())


def test_a_lingering_close_says_its_end_at_once_and_drops_what_still_comes_until_the_peers_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ours, peer = pair()
        wire, owner = Wire(asyncio.get_running_loop(), ours), Owner()
        wire.owner = owner
        wire.start()
        wire.write(b"last words")
        wire.close(linger=True)
        for _ in range(50):
            peer.sendall(b"x" * 10_000)
            await asyncio.sleep(0)
        assert wire.alive
        assert peer.recv(100) == b"last words"
        assert peer.recv(100) == b""
        peer.close()
        await turns()
        assert not wire.alive
        assert (owner.data, owner.losses) == (b"", [])

    run(main())


def test_a_lingering_close_hands_out_what_is_kept_to_a_peer_that_has_ended_its_own_half(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ours, peer = pair()
        wire = Wire(asyncio.get_running_loop(), ours)
        wire.owner = Owner()
        wire.start()
        wire.write(b"*" * 20_000_000)
        assert wire.backlog
        wire.close(linger=True)
        peer.shutdown(socket.SHUT_WR)
        await turns()
        received = 0
        peer.setblocking(False)
        while data := await asyncio.get_running_loop().sock_recv(peer, 1_000_000):
            received += len(data)
        assert received == 20_000_000
        peer.close()
        await turns()
        assert not wire.alive

    run(main())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*command.split(), "-out", cert, "-keyout", key], check=True, capture_output=True)
    return cert, key


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_too_big_is_told_to_a_peer_that_sends_all_of_it_before_it_reads(
    tls: bool, certificate: tuple[Path, Path], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=certificate[0])
        server.load_cert_chain(*certificate)
        options = TransportOptions(max_message=100_000)
        async with echo_server(options, tls=server if tls else None) as (echo, port):
            async with RawClient(port, client if tls else None) as peer:
                await peer.upgrade("/")
                peer.send(b"\x82\xff" + (4_000_000).to_bytes(8, "big") + b"mask")
                for _ in range(40):
                    peer.send(b"x" * 100_000)
                    await peer.writer.drain()
                assert await peer.frame() == (0x88, b"\x03\xf1message too big")
                assert await peer.frame() == (-1, b"")
            assert echo.losses == [Loss.TOO_BIG]

    run(main())


def test_sockets_that_are_read_together_are_answered_after_the_last_each_with_one_send(run: Callable[..., Any]) -> None:
    async def main() -> None:
        pairs = [pair() for _ in range(3)]
        sending = [Sending(ours) for ours, _ in pairs]
        first, second, silent = (Wire(asyncio.get_running_loop(), sock) for sock in sending)  # type: ignore[arg-type]
        owners = [Answering(first, (first, b"1")), Answering(second, (second, b"2"), (first, b"+"), (silent, b"!"))]
        for wire in (first, second):
            wire.start()
        for _, peer in pairs[:2]:
            peer.sendall(b"hello")
        await turns()
        assert [owner.data for owner in owners] == [b"hello", b"hello"]
        assert [sock.sent for sock in sending] == [[b"1+"], [b"2"], [b"!"]]
        for wire in (first, second, silent):
            wire.abort()
        for _, peer in pairs:
            peer.close()

    run(main())


def test_what_a_corked_wire_is_given_within_a_turn_is_one_send_at_its_end(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ours, peer = pair()
        sending = Sending(ours)
        wire = Wire(asyncio.get_running_loop(), sending)  # type: ignore[arg-type]
        wire.owner = Owner()
        wire.cork()
        wire.write(b"101")
        wire.start()
        wire.write(b" and the first packet")
        assert sending.sent == []
        await turns()
        wire.write(b"alone")
        assert sending.sent == [b"101 and the first packet", b"alone"]
        wire.abort()
        peer.close()

    run(main())


def test_an_owner_that_fails_keeps_nobody_elses_answer_back(run: Callable[..., Any]) -> None:
    class Failing(Answering):
        def on_bytes(self, data: bytes) -> None:
            super().on_bytes(data)
            raise RuntimeError("a bug")

    async def main() -> None:
        (ours, peer), (other, other_peer) = pair(), pair()
        wires = [Wire(asyncio.get_running_loop(), sock) for sock in (ours, other)]
        Failing(wires[0], (wires[0], b"said before"))
        Answering(wires[1], (wires[1], b"well"))
        for wire, sender in zip(wires, (peer, other_peer), strict=True):
            wire.start()
            sender.sendall(b"hello")
        await turns()
        assert (peer.recv(100), other_peer.recv(100)) == (b"said before", b"well")
        for wire in wires:
            wire.abort()
        peer.close()
        other_peer.close()

    run(main())


def test_answers_that_the_kernel_does_not_take_are_told_to_the_owner_and_go_out_when_there_is_room(run: Callable[..., Any]) -> None:
    async def main() -> None:
        ours, peer = pair()
        wire = Wire(asyncio.get_running_loop(), ours)
        owner = Answering(wire, (wire, b"x" * 10_000_000), (wire, b"end"))
        wire.start()
        peer.sendall(b"hello")
        await turns()
        assert owner.backlogs == 1 and wire.backlog > 0
        got = 0
        peer.setblocking(False)
        while got < 10_000_003:
            await asyncio.sleep(0)
            try:
                got += len(peer.recv(1_000_000))
            except BlockingIOError:
                continue
        assert wire.backlog == 0
        wire.abort()
        peer.close()

    run(main())
