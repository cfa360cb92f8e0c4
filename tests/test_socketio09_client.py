"""socket.io-client 0.9.16, unmodified, under Node and in Chromium, against our server."""

from __future__ import annotations

import asyncio
import json
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
from node_tools import NODE, run_node

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

    await sio.start()
    sio.listen(0, "127.0.0.1")
    try:
        yield sio
    finally:
        await sio.shutdown(0)


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
    """A page with the client of the time; ``setup`` runs before it connects to ``url``."""

    def get(self) -> None:
        setup, url = self.get_argument("setup"), self.get_argument("url")
        self.finish(
            "<!doctype html><html><head><meta charset=utf-8><title>0.9</title><link rel=icon href=data:,>"
            "<script src=/client/socket.io.js></script><script src=/pages/conversation09.js></script></head>"
            f"<body><script>{setup};talk({json.dumps(url)});</script></body></html>"
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


def visit(browser: Any, page: int, setup: str, url: str) -> dict[str, Any]:
    """Open the page on port ``page`` and wait for the end of its conversation."""
    browser.get(f"http://127.0.0.1:{page}/page?{urlencode({'setup': setup, 'url': url})}")
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
