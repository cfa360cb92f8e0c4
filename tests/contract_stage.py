"""The stage on which each transport of the browser client is held to its contract (browser/contract.js): bare Engine.IO, from our
server or from Node's, and a way for the page to ask what arrived there and to have the network do this or that.

Both servers answer "echo:TEXT" by TEXT, "count:N" by the numbers below N, and bytes by the same bytes; all else they write down.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from typing import Any

import anywire
from faults import fault
from node_tools import node_server
from stage import DIST, HERE, Handler, Stage
from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

__all__ = ["MAX_PAYLOAD", "PROMISES", "REGISTRY", "ContractStage"]

#: Bytes; small, so that the tests reach it.
MAX_PAYLOAD = 20_000
#: The names in the client's registry, in its order.
REGISTRY = re.findall(r"^  (\w+): \w+", (HERE.parent / "js_client/src/transports/registry.js").read_text(), re.MULTILINE)
#: What each of them promises, in the suite's order.
PROMISES = re.findall(r"^  promise\('(.+?)',", (HERE / "browser/contract.js").read_text(), re.MULTILINE)
#: The whole client, with what the suite needs of its inside.
_END = "})(typeof self == 'object' ? self : global);"
_INSIDE = "global.INSIDE = { TRANSPORTS: TRANSPORTS, connect: connect, parseTarget: parseTarget, withDefaults: withDefaults };\n"


def inside() -> str:
    """The client as a script that also leaves INSIDE in the page."""
    whole = (DIST / "anywire.js").read_text()
    assert whole.count(_END) == 1
    return whole.replace(_END, _INSIDE + _END)


class Ours:
    """Our server, and what it heard in each session."""

    def __init__(self, **settings: Any) -> None:
        self.server = anywire.EngineServer(path="/engine.io/", max_payload=MAX_PAYLOAD, ping_interval=1.5, ping_timeout=15, **settings)
        self._sessions: dict[str, dict[str, Any]] = {}
        self.server.on("connect", self._connect)
        self.server.on("message", self._message)
        self.server.on("disconnect", self._disconnect)

    def _connect(self, sid: str, environ: dict[str, Any]) -> None:
        self._sessions[sid] = {"open": True, "reason": None, "heard": [], "at": []}

    def _disconnect(self, sid: str, reason: str) -> None:
        self._sessions[sid] |= {"open": False, "reason": reason}

    def _message(self, sid: str, data: str | bytes) -> None:
        if isinstance(data, str) and data.startswith("echo:"):
            self.server.send(sid, data[5:])
        elif isinstance(data, str) and data.startswith("count:"):
            for number in range(int(data[6:])):
                self.server.send(sid, str(number))
        else:
            self._sessions[sid]["heard"].append(data if isinstance(data, str) else {"hex": data.hex()})
            self._sessions[sid]["at"].append(time.monotonic())
            if isinstance(data, bytes):
                self.server.send(sid, data)

    async def session(self, sid: str) -> Any:
        return self._sessions.get(sid)

    async def say(self, sid: str, *messages: str) -> None:
        for message in messages:
            self.server.send(sid, message)

    async def end(self, sid: str) -> None:
        self.server.disconnect(sid)


class Nodes:
    """The same of Node's server, asked by HTTP."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/"

    async def _ask(self, *args: Any) -> Any:
        answer = await AsyncHTTPClient().fetch(self._url + "ask", method="POST", body=json.dumps(args))
        return json.loads(answer.body)

    async def session(self, sid: str) -> Any:
        return await self._ask("session", sid)

    async def say(self, sid: str, *messages: str) -> None:
        await self._ask("say", sid, *messages)

    async def end(self, sid: str) -> None:
        await self._ask("end", sid)


class ContractStage(Stage):
    """``nodes``: whether the server is Node's."""

    path = "/engine.io/"
    scripts = ("before.js", "inside.js", "contract.js")

    def __init__(self, nodes: bool = False) -> None:
        super().__init__()
        self._nodes = nodes
        self._upgrades: dict[str, WebSocketClientConnection] = {}

    def server(self, **settings: Any) -> Any:
        self._subject: Ours | Nodes = Ours(**settings)
        return self._subject.server

    async def prepare(self) -> None:
        if self._nodes:
            self.target = await self._stack.enter_async_context(node_server("contract_server.mjs", str(MAX_PAYLOAD)))
            self._subject = Nodes(self.target)

    def routes(self) -> list[Any]:
        page = {"stage": self}
        return [("/ask", Ask, page), ("/file/inside.js", Inside), *super().routes()]

    # -- what a page may ask for: ask(case, what, *args) ------------------------------------------------------------

    async def ask(self, case: str, what: str, *args: Any) -> Any:
        return await getattr(self, "_ask_" + what)(case, *args)

    async def _ask_session(self, case: str, sid: str) -> Any:
        """What the server knows of a session: {open, reason, heard, at}, or None."""
        return await self._subject.session(sid)

    async def _ask_say(self, case: str, sid: str, *messages: str) -> None:
        await self._subject.say(sid, *messages)

    async def _ask_end(self, case: str, sid: str) -> None:
        await self._subject.end(sid)

    async def _ask_fault(self, case: str, *names: Any) -> None:
        self.proxies[case].fault = fault(*names)

    async def _ask_kill(self, case: str) -> None:
        """Reset all connections, a moment later: this request came by one of them."""
        self.loop.call_later(0.05, lambda: self.loop.create_task(self.proxies[case].kill()))

    async def _ask_requests(self, case: str) -> int:
        """How many requests the client has made."""
        return len(self.proxies[case].seen)

    async def _ask_probe(self, case: str, sid: str) -> str:
        """Somebody opens a WebSocket to the session and asks whether it works, as a client that is about to move."""
        url = f"ws://127.0.0.1:{self.target}{self.path}?EIO=4&transport=websocket&sid={sid}"
        self._upgrades[sid] = await websocket_connect(url)
        await self._upgrades[sid].write_message("2probe")
        return str(await self._upgrades[sid].read_message())

    async def _ask_upgrade(self, case: str, sid: str, number: int) -> list[Any]:
        """The session moves to that WebSocket; the first messages there."""
        await self._upgrades[sid].write_message("5")
        heard: list[Any] = []
        while len(heard) < number:
            packet = await asyncio.wait_for(self._upgrades[sid].read_message(), 5)
            heard += [packet] if packet not in ("2", "6") else []
        return heard

    async def _ask_leave(self, case: str, sid: str) -> None:
        """That WebSocket ends."""
        self._upgrades.pop(sid).close()


class Ask(Handler):
    async def post(self) -> None:
        args = json.loads(self.request.body)
        with contextlib.suppress(asyncio.CancelledError):
            self.finish(json.dumps(await self.stage.ask(self.get_argument("name"), *args)))  # type: ignore[attr-defined]


class Inside(Handler):
    def initialize(self) -> None:  # type: ignore[override]
        self.set_header("Content-Type", "application/javascript; charset=utf-8")

    def get(self) -> None:
        self.finish(inside())
