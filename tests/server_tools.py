"""A server with an echo on real sockets, certificates made on the spot, and a Socket.IO 5 client of literal bytes over each transport."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import anywire
from http_tools import UPGRADE, Answer, RawClient, text

BASE = "/socket.io/?EIO=4&transport="
Made = TypeVar("Made", anywire.Server, anywire.EngineServer)
#: How each transport asks for a session.
TARGETS = {"websocket": BASE + "websocket", "polling": BASE + "polling", "jsonp": BASE + "polling&j=0", "htmlfile": BASE + "htmlfile"}
TRANSPORTS = list(TARGETS)


@asynccontextmanager
async def listening(sio: Made, tls: ssl.SSLContext | None = None) -> AsyncIterator[Made]:
    """The server, started on a free port; at the end it is shut down."""
    await sio.start()
    sio.listen(0, "127.0.0.1", ssl_options=tls)
    try:
        yield sio
    finally:
        await sio.shutdown(0)


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[anywire.Server]:
    """A started server whose ``echo`` answers by ``echoed`` and by its acknowledgement."""
    sio = anywire.Server(**settings)

    @sio.event
    def echo(sid: str, *args: Any) -> Any:
        sio.emit("echoed", args, to=sid)
        return args

    async with listening(sio, tls):
        yield sio


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new certificate for 127.0.0.1, signed by itself, and its key."""
    folder.mkdir(exist_ok=True)
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side of TLS, and a client's that trusts it and nobody else."""
    cert, key = certificate(folder)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(cert))


async def knock(port: int, transport: str, headers: str = "", query: str = "", tls: ssl.SSLContext | None = None) -> Answer:
    """Ask for a session over a transport and say what was answered; of an endless answer only the head."""
    async with RawClient(port, tls) as client:
        upgrade = UPGRADE if transport == "websocket" else ""
        if transport != "htmlfile":
            return await client.request("GET", TARGETS[transport] + query, headers=upgrade + headers)
        client.send(f"GET {TARGETS[transport]}{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode())
        status, answered = await client.head()
        if "content-length" in answered:
            return Answer(status, answered, await client.reader.readexactly(int(answered["content-length"])))
        return Answer(status, answered, b"")


class Peer:
    """A session over one transport: ``async with Peer(port, "jsonp") as peer``. ``send`` and ``receive`` one packet as text each."""

    def __init__(self, port: int, transport: str, tls: ssl.SSLContext | None = None, query: str = "", headers: str = "") -> None:
        self.transport = transport
        self._query, self._headers = query, headers
        #: One connection for what the server says, one for what the client says.
        self.listening, self.speaking = RawClient(port, tls), RawClient(port, tls)
        self._stack = AsyncExitStack()
        self._heard: list[str] = []
        self.sid = ""

    async def __aenter__(self) -> Peer:
        await self._stack.enter_async_context(self.listening)
        if self.transport != "websocket":
            await self._stack.enter_async_context(self.speaking)
        target = TARGETS[self.transport] + self._query
        if self.transport == "websocket":
            answer = await self.listening.upgrade(target, self._headers)
            assert answer.status == 101, answer
        elif self.transport == "htmlfile":
            port = self.listening.port
            self.listening.send(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{self._headers}\r\n".encode())
            status, _ = await self.listening.head()
            assert status == 200
            await self.listening.chunk()
        opened = await self.receive()
        assert opened[0] == "0", opened
        self.sid = json.loads(opened[1:])["sid"]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()

    async def connect(self, auth: str = "") -> str:
        """Join "/" and return what the server says to it."""
        await self.send("40" + auth)
        return await self.receive()

    @property
    def target(self) -> str:
        return TARGETS[self.transport] + self._query + (f"&sid={self.sid}" if self.sid else "")

    async def send(self, packet: str) -> None:
        if self.transport == "websocket":
            self.listening.send(text(packet))
            await self.listening.writer.drain()
            return
        body = packet.encode()
        if self.transport == "jsonp":
            body = b"d=" + quote(packet.replace("\\n", "\\\\n").replace("\n", "\\n"), safe="").encode()
        answer = await self.speaking.request("POST", self.target, body, self._headers)
        assert (answer.status, answer.body) == (200, b"ok"), answer

    async def receive(self) -> str:
        while not self._heard:
            self._heard = (await self._payload()).split("\x1e")
        return self._heard.pop(0)

    async def _payload(self) -> str:
        if self.transport == "websocket":
            first, payload = await self.listening.frame()
            assert first == 0x81, (first, payload)
            return payload.decode()
        if self.transport == "htmlfile":
            return str(json.loads((await self.listening.chunk()).decode().removeprefix("<script>_(").removesuffix(");</script>")))
        answer = await self.listening.request("GET", self.target, headers=self._headers)
        assert answer.status == 200, answer
        if self.transport == "polling":
            return answer.text
        return str(json.loads(answer.text.removeprefix("___eio[0](").removesuffix(");")))
