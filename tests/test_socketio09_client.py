"""socket.io-client 0.9.16, unmodified, under Node and in Chromium, against our server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import anywire
import pytest
import tornado.httpserver
import tornado.netutil
import tornado.web
from browser_tools import chromium, wait_until
from conversation import build
from fault_proxy import FaultProxy
from faults import fault
from node_tools import NODE, run_node
from server_tools import listening

CLIENT = NODE / "node_modules/sio09/dist/socket.io.js"
PAGES = Path(__file__).parent / "pages"
#: What a browser of 0.9's client must have heard.
HEARD = {
    "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
    "ask": ["how!", 7],
    "odd": True,
    "counted": True,
    "seen": True,
    "large": True,
    "messages": ['two\nlines "q" \\ & = +%', {"json": ["é"]}, "acknowledged"],
    "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
    "namespace": "chat",
    "kickedFromChat": True,
    "stillThere": "here",
    "refused": "unauthorized",
    "kicked": ["booted", False],
    "left": "booted",
}


@asynccontextmanager
async def server(**settings: Any) -> AsyncIterator[anywire.Server]:
    """The conversation's server; messages are echoed, and a client can ask who it is."""
    sio = anywire.Server(**settings)
    build(sio, anywire.ConnectionRefusedError)

    @sio.event
    async def message(sid: str, data: Any) -> None:
        sio.send(data, to=sid)

    @sio.event
    async def whoami(sid: str) -> str:
        return sid

    async with listening(sio):
        yield sio


@pytest.mark.parametrize("transport", ["websocket", "xhr-polling"])
def test_the_conversation_by_the_client_under_node(transport: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with server() as sio:
            said = await run_node("conversation_client09.cjs", f"http://127.0.0.1:{sio.port}", transport)
        assert dict(json.loads(line) for line in said.strip().split("\n")) == {
            "transport": transport,
            "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
            "ack from client": [["how!", 7]],
            "separators": ["\u2028\u2029\n\ufffd5\ufffd\\/</script>", "a\\/b"],
            "500 in order": True,
            "500 to the server in order": True,
            "large": True,
            "messages": ["plain", {"json": ["é", 1]}, "acknowledged"],
            "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
            "namespace": ["chat"],
            "refused": "unauthorized",
            "kicked from /chat": [True, ["here"]],
            "kicked": ["booted", False],
            "left": ["booted"],
        }

    run(main())


# -- in Chromium ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


class Page(tornado.web.RequestHandler):
    """A page with the client of the time, or the one at ``client``, which runs ``script``."""

    def get(self) -> None:
        client = self.get_argument("client", "/client/socket.io.js")
        self.finish(
            "<!doctype html><html><head><meta charset=utf-8><title>0.9</title><link rel=icon href=data:,>"
            f"<script src={client}></script><script src=/pages/conversation09.js></script></head>"
            f"<body><script>{self.get_argument('script')}</script></body></html>"
        )


ROUTES: list[Any] = [
    (r"/page", Page),
    (r"/client/(.*)", tornado.web.StaticFileHandler, {"path": str(CLIENT.parent)}),
    (r"/pages/(.*)", tornado.web.StaticFileHandler, {"path": str(PAGES)}),
]


@asynccontextmanager
async def page_server() -> AsyncIterator[int]:
    """The pages alone, on a port of their own: another origin."""
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    http = tornado.httpserver.HTTPServer(tornado.web.Application(ROUTES))
    http.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        http.stop()
        await http.close_all_connections()


@asynccontextmanager
async def server_with_pages(**settings: Any) -> AsyncIterator[anywire.Server]:
    """The conversation's server in an application that serves the pages too."""
    async with server(**settings) as sio:
        sio.listen(0, "127.0.0.1", tornado.web.Application([*ROUTES, (r"/socket\.io/.*", sio.router)]))
        yield sio


def show(browser: Any, page: int, script: str, **options: str) -> None:
    """Open the page on port ``page``."""
    browser.get(f"http://127.0.0.1:{page}/page?{urlencode({'script': script, **options})}")


def visit(browser: Any, page: int, setup: str, url: str, **options: str) -> dict[str, Any]:
    """Open the page on port ``page`` and wait for the end of its conversation."""
    show(browser, page, f"{setup};talk({json.dumps(url)})", **options)
    try:
        wait_until(lambda: browser.execute_script("return window.done === true"), 25)
    finally:
        said: dict[str, Any] = browser.execute_script("return window.said")
        print("<", said)
    browser.get("about:blank")
    return said


@pytest.mark.parametrize("transport", ["websocket", "xhr-polling", "jsonp-polling", "htmlfile"])
def test_the_conversation_in_a_page_of_the_same_origin(transport: str, browser: Any, run: Callable[..., Any]) -> None:
    setup = f"io.transports = ['{transport}']" + (";pretendActiveX()" if transport == "htmlfile" else "")

    async def main() -> None:
        async with server_with_pages() as sio:
            port = sio._ports[1]
            said = await asyncio.to_thread(visit, browser, port, setup, f"http://127.0.0.1:{port}")
        assert said == {"transport": transport, **HEARD}

    run(main())


@pytest.mark.parametrize(
    ("transport", "setup"),
    [
        ("websocket", "io.transports = ['websocket']"),
        ("xhr-polling", "io.transports = ['xhr-polling']"),
        ("jsonp-polling", "io.transports = ['jsonp-polling']"),
        # A browser without CORS: even the handshake is a script.
        ("jsonp-polling", "io.util.ua.hasCORS = false; io.transports = ['xhr-polling', 'jsonp-polling']"),
    ],
    ids=["websocket", "xhr-polling", "jsonp-polling", "no CORS"],
)
@pytest.mark.parametrize("anyone", [False, True], ids=["named origin", "any origin"])
def test_the_conversation_in_a_page_of_another_origin(
    transport: str, setup: str, anyone: bool, browser: Any, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with page_server() as page, server(origins="*" if anyone else [f"http://127.0.0.1:{page}"]) as sio:
            said = await asyncio.to_thread(visit, browser, page, setup, f"http://127.0.0.1:{sio.port}")
        assert said == {"transport": transport, **HEARD}

    run(main())


@pytest.mark.parametrize("name", ["socket.io.js", "socket.io.v0.9.16.min.js", "socket.io+websocket+xhr-polling.v0.9.16.js"])
def test_the_page_of_the_time_runs_on_the_file_that_the_server_has(name: str, browser: Any, run: Callable[..., Any]) -> None:
    """Our own client knows 0.9's calls; what it says of ends and refusals is today's."""

    async def main() -> None:
        async with server_with_pages() as sio:
            port = sio._ports[1]
            said = await asyncio.to_thread(visit, browser, port, "", f"http://127.0.0.1:{port}", client="/socket.io/" + name)
        assert said.pop("refused")["data"] == {"tried": None}
        ends = {"kicked": ["io server disconnect", None], "left": "io client disconnect"}
        assert said == {"transport": "websocket", **{name: value for name, value in HEARD.items() if name != "refused"}, **ends}

    run(main())


def test_quiet_pages_stay_on_every_transport(browser: Any, run: Callable[..., Any]) -> None:
    """Scaled down from 25, 20 and 60 seconds: more than twice as long as anything that could end them."""
    names = ["websocket", "xhr-polling", "jsonp-polling", "htmlfile"]

    def look(port: int, sio: anywire.Server) -> Any:
        show(browser, port, "pretendActiveX();" + "".join(f"watch('{name}', location.origin);" for name in names))
        wait_until(lambda: browser.execute_script("return Object.keys(window.heard || {}).length === 4"))
        wait_until(lambda: browser.execute_script("return Object.values(heard).every(function (said) { return said.length > 0; })"), 30)
        time.sleep(8)
        sio._loop.call_soon_threadsafe(sio.send, "still here")
        wait_until(lambda: browser.execute_script("return Object.values(heard).every(function (said) { return said.length > 1; })"))
        return browser.execute_script("return heard")

    async def main() -> None:
        timers = {"ping_interval": 0.5, "ping_timeout": 2, "polling_duration": 0.4, "close_timeout": 3}
        async with server_with_pages(**timers) as sio:
            gone: list[str] = []
            sio.on("disconnect", lambda sid, reason: gone.append(reason))
            heard = await asyncio.to_thread(look, sio._ports[1], sio)
            assert heard == {name: ["connect", "message: still here"] for name in names}
            assert gone == []
            await asyncio.to_thread(browser.get, "about:blank")

    run(main())


@pytest.mark.parametrize("asynchronous", [False, True], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("verdict", "said"), [(False, "handshake unauthorized"), ('the "key" is old', 'the "key" is old'), (None, "handshake error")]
)
def test_a_page_without_cors_hears_why_it_is_refused_and_may_try_again(
    verdict: Any, said: str, asynchronous: bool, browser: Any, run: Callable[..., Any]
) -> None:
    verdicts = [verdict, True]

    async def decide() -> Any:
        await asyncio.sleep(0.01)
        return authorize()

    def authorize() -> Any:
        now = verdicts.pop(0)
        if now is None:
            raise RuntimeError
        return now

    def look(page: int, url: str) -> Any:
        show(browser, page, f"io.util.ua.hasCORS = false; var socket = watch('jsonp-polling', '{url}')")
        wait_until(lambda: browser.execute_script("return ((window.heard || {})['jsonp-polling'] || []).length === 1"))
        browser.execute_script("socket.socket.connect()")
        wait_until(lambda: browser.execute_script("return heard['jsonp-polling'].length === 2"))
        heard = browser.execute_script("return heard['jsonp-polling']")
        browser.get("about:blank")
        return heard

    async def main() -> None:
        authorization = (lambda environ: decide()) if asynchronous else (lambda environ: authorize())
        async with page_server() as page, server(origins=[f"http://127.0.0.1:{page}"], authorization=authorization) as sio:
            assert await asyncio.to_thread(look, page, f"http://127.0.0.1:{sio.port}") == ["error: " + said, "connect"]

    run(main())


def test_a_page_behind_a_proxy_that_swallows_frames_falls_back_to_polling(browser: Any, run: Callable[..., Any]) -> None:
    def look(page: int, url: str) -> Any:
        options = "{'connect timeout': 2000, 'force new connection': true}"
        script = f"io.transports = ['websocket', 'xhr-polling']; var socket = io.connect('{url}', {options}), names = [];"
        show(browser, page, script + "socket.on('connecting', function (name) { names.push(name); })")
        wait_until(lambda: browser.execute_script("return window.socket && socket.socket.connected"))
        browser.execute_script("socket.emit('echo', 'é😀', function (text) { names.push(text); })")
        wait_until(lambda: browser.execute_script("return names.indexOf('é😀') >= 0"))
        names = browser.execute_script("return [names, socket.socket.transport.name]")
        browser.get("about:blank")
        return names

    async def main() -> None:
        async with page_server() as page, server(origins=[f"http://127.0.0.1:{page}"]) as sio:
            async with FaultProxy(sio.port, fault("silent-upgrade", "both")) as proxy:
                names, name = await asyncio.to_thread(look, page, f"http://127.0.0.1:{proxy.port}")
            assert names == ["websocket", "xhr-polling", "é😀"] and name == "xhr-polling"

    run(main())
