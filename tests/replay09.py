"""Replays captured sessions of socket.io 0.9.19 and its clients: sends what the client sent, and compares what our server says.

Files in ``captures/``: CR and LF are written ``\\r`` and ``\\n``, other bytes ``\\xNN``; what says nothing (dates, browser versions) was
left out. Two forms: conversations by connection (``--- conn 1 C->S``), and single requests under a title (``##### title``).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import anywire
from http_tools import Answer, RawClient

CAPTURES = Path(__file__).parent / "captures"
_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))")
_PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
_HANDSHAKE = re.compile(r"([\w-]{20,31}):\d+:\d+:")
#: What need not be the same: how long a connection lives, and how a body's end is told.
_FREE_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length"}


def unescape(lines: list[str]) -> bytes:
    """The bytes that some lines of a capture stand for."""
    raw = "".join(line for line in lines if not line.startswith("    [unmasked")).encode()
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)) if found[1] else _PLAIN[found[2]], raw)


class Step(NamedTuple):
    """What happened on a connection: ``C->S`` or ``S->C`` with bytes, or one side's ``FIN``."""

    connection: str
    what: str
    data: bytes = b""


def conversation(name: str) -> list[Step]:
    """The steps of a capture by connection, in their order."""
    steps: list[Step] = []
    for block in (CAPTURES / name).read_text().split("\n\n"):
        head, *lines = block.split("\n")
        _, _, connection, *what = head.split()
        steps.append(Step(connection, " ".join(what), unescape(lines)))
    return steps


class Request(NamedTuple):
    """A single request of a capture; ``answer`` is empty where the connection was just closed."""

    title: str
    sent: bytes
    answer: bytes


def requests(name: str) -> list[Request]:
    """The single requests of a capture, in their order."""
    found = []
    for block in re.split(r"^##### ", (CAPTURES / name).read_text(), flags=re.M)[1:]:
        title, rest = block.split("\n", 1)
        sent, _, answer = rest.removeprefix("-->").partition("\n<--")
        found.append(Request(title, unescape(sent.split("\n")), unescape(answer.replace("\n<--", "").split("\n"))))
    return found


def parsed(data: bytes) -> tuple[Answer, bytes]:
    """An answer's status, headers and body, and of an upgrade or stream what follows the head."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    status = int(lines[0].split()[1])
    if status == 101:
        return Answer(status, headers, b""), body
    if headers.get("transfer-encoding") == "chunked":
        return Answer(status, headers, b"".join(chunks(body))), body
    return Answer(status, headers, body), body


def chunks(data: bytes) -> list[bytes]:
    """Take the chunks of a body apart; the last is empty."""
    found: list[bytes] = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        data = rest[int(size, 16) + 2 :]
    return found


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The unmasked frames of less than 126 bytes in some bytes."""
    found = []
    while data:
        found.append((data[0], data[2 : 2 + data[1]]))
        data = data[2 + data[1] :]
    return found


def opcodes(data: bytes) -> list[int]:
    """The first bytes of the masked frames of less than 126 bytes in some bytes."""
    found = []
    while data:
        found.append(data[0])
        data = data[6 + (data[1] & 0x7F) :]
    return found


_CALL = re.compile(r"(io\.j\[\d+\])\((new Error\()?(\".*\")\)?\);")
_TAG = re.compile(r"<script>_\((\".*?\")\);</script>")


def meaning(body: bytes) -> Any:
    """What a body says: of scripts what is called and with which strings, however those are escaped."""
    text = body.decode()
    call = _CALL.fullmatch(text)
    if call:
        return call[1], bool(call[2]), json.loads(call[3])
    return _TAG.sub("", text), [json.loads(said) for said in _TAG.findall(text)]


def units(text: str) -> int:
    """Its length in JavaScript."""
    return len(text) + sum(character > "\uffff" for character in text)


def unframed(text: str) -> list[str]:
    """The packets of a payload."""
    if not text.startswith("\ufffd"):
        return [text]
    packets: list[str] = []
    while text:
        _, size, text = text.split("\ufffd", 2)
        end = next(end for end in range(len(text) + 1) if units(text[:end]) == int(size))
        packets.append(text[:end])
        text = text[end:]
    return packets


class Replay:
    """``departures``: what is said there -> what is said by us, where ours is right."""

    def __init__(self, sio: anywire.Server, departures: dict[str, str]) -> None:
        self._sio = sio
        self._departures = departures
        #: Their session ids -> ours.
        self._sids: dict[str, str] = {}

    def outgoing(self, data: bytes) -> bytes:
        """A request of theirs with our session's id."""
        for theirs, ours in self._sids.items():
            data = data.replace(theirs.encode(), ours.encode())
        return data

    def _incoming(self, data: bytes) -> bytes:
        for theirs, ours in self._sids.items():
            data = data.replace(ours.encode(), theirs.encode())
        return data

    def same(self, theirs: Answer, ours: Answer, title: str = "") -> None:
        """Compare two answers, and remember a new session's ids."""
        for answer, other in ((theirs, ours), (ours, theirs)):
            assert bool(_HANDSHAKE.search(answer.text)) == bool(_HANDSHAKE.search(other.text)), (title, answer, other)
        found = _HANDSHAKE.search(theirs.text), _HANDSHAKE.search(ours.text)
        if found[0] and found[1]:
            self._sids[found[0][1]] = found[1][1]
        assert ours.status == theirs.status, (title, theirs, ours)
        wanted = {name: value for name, value in theirs.headers.items() if name not in _FREE_HEADERS}
        assert {name: ours.headers.get(name) for name in wanted} == wanted, (title, ours)
        ours = ours._replace(body=self._incoming(ours.body))
        assert meaning(ours.body) == meaning(self.expected(theirs.body)), (title, ours.text, theirs.text)

    def expected(self, body: bytes) -> bytes:
        """What we say where they say ``body``."""
        packets = unframed(body.decode())
        for theirs, ours in self._departures.items():
            packets = [packet.replace(theirs, ours) for packet in packets]
        if len(packets) < 2:
            return "".join(packets).encode()
        return "".join(f"\ufffd{units(packet)}\ufffd{packet}" for packet in packets).encode()

    @property
    def parked(self) -> bool:
        """Whether a poll waits."""
        carriers = [session.transport for session in self._sio._hub.sessions.values()]
        return any(carrier is not None and not carrier.streaming and carrier.ready for carrier in carriers)

    # -- by connection ----------------------------------------------------------------------------------------------

    async def play(self, steps: list[Step]) -> None:
        """Take each step of theirs once ours before it is done: what was sent is with the server, what was said is with us."""
        connections: dict[str, _Connection] = {}
        try:
            for step in steps:
                connection = connections.get(step.connection)
                if connection is None or connection.ended:
                    connection = connections[step.connection] = await _Connection.open(self)
                if step.what == "C->S":
                    await connection.say(self.outgoing(step.data))
                elif step.what == "S->C":
                    await connection.hear(step.data)
                elif step.what == "client FIN" and connection.upgraded:
                    connection.client.writer.write_eof()
                elif step.what == "server FIN" and connection.closing:
                    await connection.hear_end()
                elif step.what.endswith("FIN"):
                    # The client left without waiting, or their server died.
                    await connection.end()
            assert not [connection for connection in connections.values() if connection.said.qsize()]
        finally:
            for connection in connections.values():
                await connection.end()


    # -- by request -------------------------------------------------------------------------------------------------

    async def ask(self, found: list[Request], instead: dict[str, tuple[int, str]]) -> None:
        """One connection each; one that is held meanwhile is answered before the next session or the second request after it.

        ``instead``: title -> status and body where theirs is wrong or said nothing.
        """
        held: list[tuple[Request, asyncio.Task[Answer]]] = []
        for index, request in enumerate(found):
            answer = asyncio.ensure_future(self._answer(request))
            if request.title.endswith(("stream", "the first")) or " held" in request.title:
                held.append((request, answer))
                while not (self.parked or self._streaming):
                    await asyncio.sleep(0.001)
                continue
            self._compare(request, await answer, instead)
            after = found[index + 1].title if index + 1 < len(found) else "handshake"
            if not (held and "stream" in held[0][0].title) or after.startswith("handshake"):
                for earlier, task in held:
                    self._compare(earlier, await task, instead)
                held = []

    @property
    def _streaming(self) -> bool:
        carriers = [session.transport for session in self._sio._hub.sessions.values()]
        return any(carrier is not None and carrier.streaming for carrier in carriers)

    async def _answer(self, request: Request) -> Answer:
        async with RawClient(self._sio.port) as client:
            client.send(self.outgoing(request.sent))
            try:
                answer = await client.answer("GET")
            except TimeoutError:
                raise AssertionError(f"no answer: {request.title}") from None
            if answer.status == 101:
                answer = answer._replace(body=(await client.frame())[1])
            return answer

    def _compare(self, request: Request, ours: Answer, instead: dict[str, tuple[int, str]]) -> None:
        if request.title in instead:
            status, text = instead[request.title]
            assert (ours.status, ours.text[: len(text)]) == (status, text), (request.title, ours)
        else:
            theirs, rest = parsed(request.answer)
            if theirs.status == 101:
                theirs = theirs._replace(body=frames(rest)[0][1])
            self.same(theirs, ours, request.title)


class _Connection:
    """One connection of a replay. ``said`` holds answers that have come and were not compared yet."""

    def __init__(self, replay: Replay, client: RawClient) -> None:
        self.replay = replay
        self.client = client
        self.said: asyncio.Queue[Answer] = asyncio.Queue()
        self.ended = False
        #: Whether it is a WebSocket, and whether the client has said that it ends.
        self.upgraded = self.closing = False
        self.streams = False
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, replay: Replay) -> _Connection:
        client = RawClient(replay._sio.port)
        await client.__aenter__()
        return cls(replay, client)

    async def say(self, data: bytes) -> None:
        self.client.send(data)
        if self.upgraded:
            self.closing = self.closing or 0x88 in opcodes(data)
            return
        self.streams = b"/htmlfile/" in data and data.startswith(b"GET")
        if b"Upgrade: websocket" in data or self.streams:
            return
        self._reading = asyncio.ensure_future(self._read())
        # A request has done all that it does at once: it is answered, or it is a poll that waits.
        while not self.said.qsize() and not self.replay.parked:
            await asyncio.sleep(0.001)

    async def _read(self) -> None:
        self.said.put_nowait(await self.client.answer())

    async def hear(self, data: bytes) -> None:
        if self.upgraded:
            await self._hear_frames(data)
            return
        if self.streams:
            await self._hear_chunks(data)
            return
        theirs, rest = parsed(data)
        if theirs.status == 101:
            self.replay.same(theirs, await self.client.answer())
            self.upgraded = True
            await self._hear_frames(rest)
        else:
            self.replay.same(theirs, await asyncio.wait_for(self.said.get(), 5))

    async def _hear_frames(self, data: bytes) -> None:
        for first, payload in frames(data):
            theirs, ours = (first, self.replay.expected(payload)), await asyncio.wait_for(self.client.frame(), 5)
            assert ours == theirs, (ours, theirs)

    async def _hear_chunks(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1"):
            theirs, data = parsed(data)
            status, headers = await self.client.head()
            self.replay.same(theirs._replace(body=b""), Answer(status, headers, b""))
        for chunk in chunks(data):
            ours = await asyncio.wait_for(self.client.chunk(), 5)
            assert meaning(ours) == meaning(self.replay.expected(chunk)), (ours, chunk)

    async def hear_end(self) -> None:
        """Theirs just closed the connection; RFC 6455, section 5.5.1, wants a close frame to be answered."""
        first, _ = await self.client.frame()
        assert first == 0x88
        assert await self.client.frame() == (-1, b"")
        await self.end()

    async def end(self) -> None:
        if not self.ended:
            self.ended = True
            if self._reading is not None:
                self._reading.cancel()
            self.said = asyncio.Queue()
            await self.client.__aexit__()


def later(callback: Callable[[], object]) -> None:
    """Run when what was said until now is with its poll: theirs ended a poll with the first packet, ours does with all of one turn."""
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, callback)
