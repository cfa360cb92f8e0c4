"""How the client behaves in a page's life, in Chromium: offline, frozen, in the background, left, come back to, and for hours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from browser_tools import chromium, wait_until
from fault_proxy import FaultProxy, Link, Message
from faults import Fault
from tornado.web import Application, RequestHandler

TRANSPORTS = ["websocket", "polling", "htmlfile", "jsonp"]
#: Not "localhost" or 127.0.0.1: what is on this machine needs no network. Chromium finds it there all the same.
HOST = "page.localhost"
#: What each page notes, from its very beginning.
NOTES = """
var happened = [], trace = [], socket;
function note(text) { happened.push(text); }
window.onerror = function (message) { note('error ' + message); };
function start(options) {
  options.debug = function (mark, transport, data) { trace.push([mark, transport, String(data).slice(0, 80)].join(' ')); };
  socket = io(options);
  socket.on('connect', function () { note('connect'); });
  socket.on('disconnect', function (reason) { note('disconnect ' + reason); });
  socket.io.on('reconnect_attempt', function () { note('attempt'); });
}
window.addEventListener('pageshow', function (event) { if (event.persisted) { note('from the cache'); } });
"""


class Page(RequestHandler):
    def get(self, name: str) -> None:
        client = "<script src=/socket.io/anywire.min.js></script>" if name == "page" else ""
        self.finish(f"<!DOCTYPE html><title>{name}</title><link rel=icon href=data:,>{client}<script>{NOTES}</script><body>{name}")


class HeldAnswers(Fault):
    """What is said by a POST arrives, and its answer does not: the client has one under way for ever."""

    async def handle(self, link: Link, request: Message) -> None:
        await link.forward(request, heard=b"say" not in request.body)


class Site:
    """A server with pages, and what it heard; ``proxy`` is another way there."""

    proxy: FaultProxy

    def __init__(self, **settings: Any) -> None:
        self.sio = anywire.Server(**settings)
        #: Of its pages: the server's, unless the proxy's is set.
        self.port = 0
        #: sid -> the reason of its end, once it has one.
        self.ends: dict[str, str | None] = {}
        self.said: list[Any] = []
        self.sio.on("connect", lambda sid, environ: self.ends.setdefault(sid, None))
        self.sio.on("disconnect", self.ends.__setitem__)
        self.sio.on("say", lambda sid, text: self.said.append(text))
        self.sio.on("echo", lambda sid, *args: args)
        self.sio.on("tick", self._tick)
        self.sio.on("back", self._back)

    async def _back(self, sid: str) -> bool:
        await self.sio.emit("echoed", to=sid)
        return True

    def _tick(self, sid: str, times: int) -> None:
        self.sio.start_background_task(self._ticks, sid, times)

    async def _ticks(self, sid: str, times: int) -> None:
        """So many events, each in a poll of its own: the next comes when the client has asked again."""
        for number in range(times):
            while self.sio.transport(sid) != "websocket" and not self._asks(sid):
                await asyncio.sleep(0.001)
            await self.sio.emit("tick", number, to=sid)

    def _asks(self, sid: str) -> bool:
        (session,) = self.sio._hub.sessions.values()
        return session.transport is not None and session.transport.ready

    def url(self, name: str = "page") -> str:
        return f"http://{HOST}:{self.port}/{name}"


@asynccontextmanager
async def site(**settings: Any) -> AsyncIterator[Site]:
    made = Site(**settings)
    await made.sio.start()
    made.sio.listen(0, "127.0.0.1", Application([("/(page|other)", Page), (r"/socket\.io/.*", made.sio.router)]))
    made.port = made.sio.port
    try:
        async with FaultProxy(made.port, Fault()) as made.proxy:
            yield made
    finally:
        await made.sio.shutdown(0)


class Visitor:
    """A browser on a page; all of it waits, so it runs in a thread."""

    def __init__(self, driver: Any, site: Site) -> None:
        self.driver, self.site = driver, site

    def run(self, script: str) -> Any:
        return self.driver.execute_script(script)

    def open(self, name: str = "page") -> None:
        self.driver.get(self.site.url(name))
        wait_until(lambda: self.run("return document.readyState + document.title") == "complete" + name)

    def connect(self, transport: str, **options: Any) -> None:
        self.open()
        self.driver.execute_script("start(arguments[0])", {"transports": [transport], "upgrade": False, "remember": False, **options})
        wait_until(lambda: self.run("return socket.connected"))

    def happened(self) -> list[str]:
        found: list[str] = self.run("return happened")
        return found

    def tool(self, name: str, **parameters: Any) -> Any:
        return self.driver.execute_cdp_cmd(name, parameters)

    def network(self, there: bool) -> None:
        self.tool("Network.emulateNetworkConditions", offline=not there, latency=0, downloadThroughput=-1, uploadThroughput=-1)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as made:
        made.execute_cdp_cmd("Network.enable", {})
        yield made


@pytest.fixture
def visit(driver: Any, run: Callable[..., Any]) -> Callable[..., None]:
    """Run ``act(visitor)`` in a thread beside a site."""

    def go(act: Callable[[Visitor], None], **settings: Any) -> None:
        async def main() -> None:
            async with site(**settings) as made:
                try:
                    await asyncio.to_thread(act, Visitor(driver, made))
                finally:
                    await asyncio.to_thread(driver.get, "about:blank")

        run(main())

    return go


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_offline_it_waits_without_trying_and_online_it_is_back_at_once(transport: str, visit: Callable[..., None]) -> None:
    def act(visitor: Visitor) -> None:
        visitor.connect(transport, reconnectionDelay=20_000, reconnectionDelayMax=20_000)
        visitor.network(False)
        try:
            wait_until(lambda: visitor.happened() == ["connect", "disconnect transport close"])
            time.sleep(1)
            assert visitor.happened() == ["connect", "disconnect transport close"]
        finally:
            visitor.network(True)
        wait_until(lambda: visitor.happened()[2:] == ["attempt", "connect"], 5)

    visit(act)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_page_that_is_left_says_its_last_words_and_goodbye(transport: str, visit: Callable[..., None]) -> None:
    def act(visitor: Visitor) -> None:
        visitor.site.port = visitor.site.proxy.port
        visitor.connect(transport)
        # A request that is under way goes with the page, if the browser has not written it yet; what waits behind it does not.
        visitor.site.proxy.fault = HeldAnswers()
        visitor.run("socket.emit('say', 0)")
        wait_until(lambda: visitor.site.said == [0])
        visitor.run("for (var i = 1; i < 5; i++) { socket.emit('say', i); } location.href = 'other'")
        # At once, not when a heartbeat is missed.
        wait_until(lambda: list(visitor.site.ends.values()) != [None], 5)
        if transport == "htmlfile":
            # The end of the stream, by which the server knows the page is gone, may overtake the goodbye.
            return
        assert next(iter(visitor.site.ends.values())) in ("client disconnect", "transport close")
        wait_until(lambda: visitor.site.said == [0, 1, 2, 3, 4], 2)

    visit(act)


# A page in which a frame still loads, as htmlfile's does, is no page for Chromium's cache: it is loaded again.
@pytest.mark.parametrize("transport", ["websocket", "polling", "jsonp"])
def test_a_page_that_comes_back_from_the_cache_of_the_back_button_connects_again(transport: str, visit: Callable[..., None]) -> None:
    def act(visitor: Visitor) -> None:
        visitor.connect(transport, reconnectionDelay=20_000, reconnectionDelayMax=20_000)
        visitor.run("location.href = 'other'")
        wait_until(lambda: visitor.run("return document.title") == "other")
        wait_until(lambda: list(visitor.site.ends.values()) != [None], 5)
        visitor.run("history.back()")
        wait_until(lambda: visitor.run("return document.title") == "page")
        wait_until(lambda: visitor.run("return !!(window.socket && socket.connected)"), 5)
        # It may hear of the cache before or after the client has.
        assert sorted(visitor.happened()) == sorted(["connect", "disconnect transport close", "from the cache", "attempt", "connect"])

    visit(act)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_page_that_slept_longer_than_the_server_waits_is_back_at_once(transport: str, visit: Callable[..., None]) -> None:
    def act(visitor: Visitor) -> None:
        visitor.connect(transport)
        visitor.tool("Page.setWebLifecycleState", state="frozen")
        wait_until(lambda: list(visitor.site.ends.values()) != [None], 10)
        visitor.tool("Page.setWebLifecycleState", state="active")
        wait_until(lambda: visitor.happened()[2:] == ["attempt", "connect"], 5)

    visit(act, ping_interval=0.5, ping_timeout=0.7)


def test_a_tab_in_the_background_keeps_its_sessions(visit: Callable[..., None]) -> None:
    def act(visitor: Visitor) -> None:
        visitor.open()
        for transport in TRANSPORTS:
            options = {"transports": [transport], "upgrade": False, "remember": False, "forceNew": True}
            visitor.driver.execute_script("start(arguments[0])", options)
        wait_until(lambda: visitor.happened() == ["connect"] * 4)
        page = visitor.driver.current_window_handle
        visitor.driver.switch_to.new_window("tab")
        try:
            time.sleep(4)
            visitor.driver.close()
        finally:
            visitor.driver.switch_to.window(page)
        assert visitor.happened() == ["connect"] * 4 and list(visitor.site.ends.values()) == [None] * 4
        trace = visitor.run("return trace")
        for transport in TRANSPORTS:
            assert trace.count(f"> {transport} 3") >= 2, trace

    # A hidden tab's timers come once a second.
    visit(act, ping_interval=1, ping_timeout=1.5)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_page_that_connects_while_it_loads_is_loaded_all_the_same(transport: str, visit: Callable[..., None]) -> None:
    """An iframe or a script that is started before the load event holds it back, and the browser shows itself loading."""

    def act(visitor: Visitor) -> None:
        begin = f"start({{transports: ['{transport}'], upgrade: false, remember: false}});"
        begin += "window.addEventListener('load', function () { note('load'); });"
        loader = visitor.tool(
            "Page.addScriptToEvaluateOnNewDocument",
            source="var stop = setInterval(function () { if (window.io && window.start) { clearInterval(stop); " + begin + " } }, 0)",
        )
        try:
            visitor.driver.get(visitor.site.url())
            wait_until(lambda: visitor.run("return window.happened && happened.length > 0 && !!(window.socket && socket.connected)"))
        finally:
            visitor.tool("Page.removeScriptToEvaluateOnNewDocument", **loader)
        assert visitor.run("return document.readyState") == "complete"

    visit(act)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_a_page_throws_goes_to_its_own_handler_of_errors_and_stops_nothing(transport: str, visit: Callable[..., None]) -> None:
    def act(visitor: Visitor) -> None:
        visitor.connect(transport)
        visitor.run("""
            window.thrower = function (what) { return function () { throw new Error(what); }; };
            socket.on('echoed', thrower('a listener'));
            socket.on('echoed', function () { note('the next listener'); });
            socket.emit('back', thrower('an answer'));
            socket.emit('back', function () { note('the next answer'); });
        """)
        wait_until(lambda: len(visitor.happened()) >= 7)
        visitor.run("""
            socket.io.opts.debug = thrower('debug');
            socket.emit('back', function () { socket.io.opts.debug = null; note('over'); });
        """)
        wait_until(lambda: "over" in visitor.happened())
        thrown = ["error Uncaught Error: a listener", "error Uncaught Error: an answer", "error Uncaught Error: debug"]
        wait_until(lambda: set(thrown) <= set(visitor.happened()))
        assert set(visitor.happened()) == {*thrown, "connect", "the next listener", "the next answer", "over"}
        assert visitor.happened().count("the next listener") == 3

    visit(act)


def measure(visitor: Visitor) -> dict[str, float]:
    """What the page holds, after everything that can go has gone: what a timer of a millisecond takes away, too."""
    visitor.driver.execute_async_script("setTimeout(arguments[0], 200);")
    for _ in range(2):
        visitor.tool("HeapProfiler.collectGarbage")
    return {metric["name"]: metric["value"] for metric in visitor.tool("Performance.getMetrics")["metrics"]}


#: So many events and their answers, one after the other.
ROUNDS = """
var rounds = arguments[0], done = arguments[1];
(function again() {
  if (!rounds--) { return done(); }
  socket.emit('echo', rounds, new Array(200).join('x'), again);
})();
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_thousands_of_polls_and_messages_leave_no_memory_behind(transport: str, visit: Callable[..., None]) -> None:
    """A poll an event: at one in five seconds, a thousand are more than an hour."""

    def act(visitor: Visitor) -> None:
        visitor.tool("Performance.enable")
        visitor.tool("HeapProfiler.enable")
        visitor.connect(transport)
        visitor.run("delete socket.io.opts.debug; trace = null; window.ticks = 0; socket.on('tick', function () { ticks++; })")
        visitor.driver.set_script_timeout(40)

        def live(answers: int, ticks: int) -> dict[str, float]:
            visitor.driver.execute_async_script(ROUNDS, answers)
            total = visitor.run("return ticks") + ticks
            visitor.run(f"socket.emit('tick', {ticks})")
            wait_until(lambda: visitor.run("return ticks") == total, 40)
            return measure(visitor)

        before = live(40, 200)
        after = live(200, 1500)
        grown = {name: after[name] - before[name] for name in ("JSHeapUsedSize", "Nodes", "Documents", "Frames", "JSEventListeners")}
        # A form or a script of the last round may be on its way out.
        assert grown["Nodes"] < 60 and grown["Documents"] <= 3 and grown["Frames"] <= 3 and grown["JSEventListeners"] <= 10, grown
        assert grown["JSHeapUsedSize"] < 300_000, grown
        assert visitor.run("return document.querySelectorAll('*').length") < 30
        assert visitor.happened() == ["connect"]

    visit(act)
