"""A server for pages in real browsers: each case is a page in a frame, behind a fault proxy of its own, and says itself how it fared.

    with Stage() as stage, engine("chromium") as browser:
        reports = stage.play(browser, [Case("plain"), Case("cut", fault("cut-seconds", 1))])
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import threading
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import anywire
from conversation import build
from engines import Browser
from fault_proxy import FaultProxy
from faults import Fault
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

__all__ = ["DIST", "HERE", "PATIENT", "Case", "Report", "Stage"]

HERE = Path(__file__).parent
DIST = HERE.parent / "js_client/dist"
Report = dict[str, Any]
#: Options of a client that gives each way the time it needs: on a busy machine what comes first in its order may be slower than what
#: comes after it.
PATIENT = {"fallbackDelay": 20_000}


@dataclasses.dataclass(slots=True, frozen=True)
class Case:
    """What one frame does. ``steps`` are names of conversation.js."""

    name: str
    fault: Fault = dataclasses.field(default_factory=Fault)
    #: Further faults between that one and the server.
    behind: tuple[Fault, ...] = ()
    #: Options of the client.
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    steps: tuple[str, ...] = ("echo",)
    #: Whether the page comes from another origin than what it talks to.
    cross: bool = False
    #: Globals that the page takes away before the client loads, as in older browsers.
    without: tuple[str, ...] = ()
    #: Globals of Internet Explorer that the page pretends to have; see browser/before.js.
    pretends: tuple[str, ...] = ()
    #: Whether the first connect_error is the end.
    fails: bool = False
    seconds: float = 15
    rest: float = 0
    #: Seconds from the page's coming until the network is well.
    heals: float = 0


class Stage:
    """Runs in a thread with a loop of its own; ``settings`` are the server's."""

    #: Below which the server answers, and the scripts of each case's page, which find CASE there.
    path = "/socket.io/"
    scripts: tuple[str, ...] = ("before.js", "anywire.min.js", "conversation.js")

    def __init__(self, **settings: Any) -> None:
        # The cases' frames are of many origins, and so are an endless frame's ancestors.
        self._settings = {"origins": "*", **settings}
        self._ready = threading.Event()
        self._cases: dict[str, Case] = {}
        self._reports: dict[str, Report] = {}
        self._news = threading.Condition()
        #: case -> the last proxy before the browser.
        self.proxies: dict[str, FaultProxy] = {}
        #: case -> the numbers that its page sent.
        self.streamed: defaultdict[str, list[int]] = defaultdict(list)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self.loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.sio = self.server(**self._settings)
        await self.sio.start()
        http = HTTPServer(Application(self.routes(), log_function=lambda handler: None))
        (listening,) = bind_sockets(0, "127.0.0.1")
        http.add_sockets([listening])
        #: Where pages come from, and where the server is that they talk to.
        self.port = self.target = listening.getsockname()[1]
        async with AsyncExitStack() as self._stack:
            await self.prepare()
            self._ready.set()
            await self._end.wait()
        await self.sio.shutdown(0)
        http.stop()
        await http.close_all_connections()

    def server(self, **settings: Any) -> Any:
        """The server, with its handlers."""
        self.sio = anywire.Server(**settings)
        self._register()
        return self.sio

    def routes(self) -> list[Any]:
        page: dict[str, Any] = {"stage": self}
        handlers = [("/case", CasePage, page), ("/run", RunPage, page), ("/report", TakeReport, page)]
        handlers += [("/capable", CapablePage, {}), ("/plain", PlainWebSocket, {})]
        return [*handlers, ("/file/([a-z.]+)", File), ("/sleep", Sleep), (re.escape(self.path) + ".*", self.sio.router)]

    async def prepare(self) -> None:
        """Called once the stage listens."""

    def _register(self) -> None:
        build(self.sio, anywire.ConnectionRefusedError)

        @self.sio.event
        def kill(sid: str, case: str) -> None:
            # Not from within the handler: it belongs to a connection that is killed.
            self.loop.create_task(self.proxies[case].kill())

        @self.sio.event
        def streamed(sid: str, case: str, number: int) -> bool:
            self.streamed[case].append(number)
            return True

        @self.sio.on("streamed so far")
        def streamed_so_far(sid: str, case: str) -> list[list[int]]:
            return [self.streamed[case]]

        @self.sio.event
        def stream(sid: str, case: str) -> None:
            self.sio.start_background_task(self._stream, sid)

    async def _stream(self, sid: str) -> None:
        """Forty numbers, five at a time."""
        for first in range(0, 40, 5):
            for number in range(first, first + 5):
                await self.sio.emit("number", number, to=sid)
            await asyncio.sleep(0.06)

    async def _open(self, cases: list[Case]) -> None:
        for case in cases:
            port = self.target
            for fault in reversed(case.behind):
                port = (await self._stack.enter_async_context(FaultProxy(port, fault, self.path))).port
            # Each on an address of its own: Firefox opens one WebSocket at a time towards an address, whatever the port (RFC 6455, 4.1).
            host = f"127.0.0.{len(self._cases) % 200 + 2}"
            proxy = await self._stack.enter_async_context(FaultProxy(port, case.fault, self.path, host))
            if self.target != self.port:
                proxy.pages = self.port
            self.proxies[case.name] = proxy
            self._cases[case.name] = case

    def play(self, browser: Browser, cases: list[Case]) -> dict[str, Report]:
        """Run cases side by side in one page; their reports by name. One whose page never came or never spoke has an error that says so."""
        asyncio.run_coroutine_threadsafe(self._open(cases), self.loop).result(10)
        names = [case.name for case in cases]
        browser.open(f"http://127.0.0.1:{self.port}/run?" + urlencode([("name", name) for name in names]))
        with self._news:
            self._news.wait_for(lambda: all(name in self._reports for name in names), max(case.seconds for case in cases) + 10)
        silent: Report = {"errors": [f"no report; the browser said: {browser.said()}"], "said": {}}
        return {name: self._reports.get(name, silent) for name in names}

    def speaks_websocket(self, browser: Browser) -> bool:
        """Whether the engine's own WebSocket opens, towards a server of RFC 6455 that is not ours.

        That of PhantomJS 1.9.8 does not: it speaks a draft of 2010, draft-hixie-thewebsocketprotocol-76, as no server does any more.
        """
        browser.open(f"http://127.0.0.1:{self.port}/capable")
        with self._news:
            assert self._news.wait_for(lambda: "capable" in self._reports, 20), browser.said()
            return bool(self._reports.pop("capable")["opens"])

    def page_of(self, name: str) -> str:
        """The address of a case's page."""
        case = self._cases[name]
        if case.heals:
            self.loop.call_later(case.heals, setattr, self.proxies[name], "fault", Fault())
        origin = f"http://127.0.0.1:{self.port}" if case.cross else self.proxies[name].url
        return f"{origin}/case?{urlencode({'name': name})}"

    def script_of(self, name: str) -> str:
        """What a case's page is told, as JavaScript."""
        case = self._cases[name]
        told = {key: getattr(case, key) for key in ("name", "steps", "without", "pretends", "fails", "seconds", "rest")}
        told["url"] = self.proxies[name].url + "/"
        told["options"] = {"remember": False, "forceNew": True, **case.options}
        return f"var CASE = {json.dumps(told)};"

    def take(self, name: str, report: Report) -> None:
        with self._news:
            self._reports[name] = report
            self._news.notify_all()


class Handler(RequestHandler):
    def initialize(self, stage: Stage) -> None:
        self.stage = stage
        self.set_header("Cache-Control", "no-store")


class RunPage(Handler):
    """All cases of a run, each in a frame that is seen, or browsers would slow its timers."""

    def get(self) -> None:
        frames = (f'<iframe src="{self.stage.page_of(name)}" width=180 height=40></iframe>' for name in self.get_arguments("name"))
        self.finish("<!DOCTYPE html><html><body>" + "".join(frames))


class CasePage(Handler):
    def get(self) -> None:
        script = self.stage.script_of(self.get_argument("name"))
        files = "".join(f'<script src="/file/{name}"></script>' for name in self.stage.scripts)
        self.finish(f'<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><script>{script}</script>{files}</body></html>')


class CapablePage(RequestHandler):
    def get(self) -> None:
        self.finish("""<!DOCTYPE html><script>
            function tell(opens) {
              var xhr = new XMLHttpRequest();
              if (socket && socket.told) { return; }
              if (socket) { socket.told = true; }
              xhr.open('POST', '/report?name=capable', true);
              xhr.send('{"opens": ' + opens + '}');
            }
            var socket = window.WebSocket && new WebSocket('ws://' + location.host + '/plain');
            if (socket) {
              socket.onopen = function () { tell(true); };
              socket.onclose = function () { tell(false); };
            } else {
              tell(false);
            }
            </script>""")


class PlainWebSocket(WebSocketHandler):
    """Tornado's own."""


class TakeReport(Handler):
    def post(self) -> None:
        self.stage.take(self.get_argument("name"), json.loads(self.request.body))


class File(RequestHandler):
    def get(self, name: str) -> None:
        folder = DIST if name.startswith("anywire") else HERE / "browser"
        self.set_header("Content-Type", "application/javascript; charset=utf-8")
        self.finish((folder / name).read_bytes())


class Sleep(RequestHandler):
    """For who can wait only for an answer."""

    async def get(self) -> None:
        await asyncio.sleep(0.01)
        self.finish("slept")
