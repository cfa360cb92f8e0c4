"""The browser builds of socket.io-client 1.x to 4.x, unmodified, in Chromium: their transports, on the server's origin and from another."""

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
from node_tools import NODE

PAGES = Path(__file__).parent / "pages"
HEARD = {
    "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
    "spelled": [[0xE9, 0x20AC, 0x1F600, 0xC3, 0xA9], "h€😀"],
    "odd": True,
    "binary": [{"hex": "0102"}, {"deep": [{"hex": "03"}, {"er": {"hex": ""}}]}],
    "ask": ["how!", {"hex": "07"}],
    "counted": True,
    "seen": True,
    "large": [True, True],
    "rooms": ["a,room,both", "a,room,only a", "b,others,only b", "b,room,both", "b,single,for b"],
    "namespace": "chat",
    "unknown": ["Invalid namespace", None],
    "refused": ["wrong key", {"tried": "bad"}],
    "admitted": True,
    "kickedFromChat": ["io server disconnect", True, "here"],
    "kicked": "io server disconnect",
    "left": "io client disconnect",
}
#: How clients of 1.x and 2.x are refused.
IN_2 = {"unknown": "Invalid namespace", "refused": {"tried": "bad"}}
CLIENTS = {"1.7.4": "sio1", "2.5.0": "sio2", "3.1.3": "sio3", "4.0.0": "sio40", "4.8.3": "sio4"}
WAYS: dict[str, dict[str, Any]] = {
    "websocket": {"transports": ["websocket"]},
    "polling": {"transports": ["polling"]},
    "base64": {"transports": ["polling"], "forceBase64": True},
    "jsonp": {"transports": ["polling"], "forceJSONP": True},
    "upgrade": {"transports": ["polling", "websocket"]},
    "jsonp and upgrade": {"transports": ["polling", "websocket"], "forceJSONP": True},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


class Page(tornado.web.RequestHandler):
    """A page with a client that holds the conversation with ``url``."""

    def get(self) -> None:
        client, old, options, url, sizes = (self.get_argument(name) for name in ("client", "old", "options", "url", "sizes"))
        self.finish(
            "<!doctype html><html><head><meta charset=utf-8><title>Conversation</title><link rel=icon href=data:,>"
            f"<script src={client}></script><script src=/pages/conversation.js></script></head>"
            f"<body><script>talk({json.dumps(url)}, {options}, {old}, {sizes});</script></body></html>"
        )


ROUTES: list[Any] = [
    (r"/page", Page),
    (r"/client/(.*)", tornado.web.StaticFileHandler, {"path": str(NODE / "node_modules")}),
    (r"/pages/(.*)", tornado.web.StaticFileHandler, {"path": str(PAGES)}),
]


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[int]:
    """The conversation's server in an application that serves the pages too; its port."""
    sio = anywire.Server(**settings)
    build(sio, anywire.ConnectionRefusedError)
    await sio.start()
    sio.listen(0, "127.0.0.1", tornado.web.Application([*ROUTES, (r"/socket\.io/.*", sio.router)]))
    try:
        yield sio.port
    finally:
        await sio.shutdown(0)


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


def visit(browser: Any, page: int, server: int, version: str, way: str, client: str = "") -> dict[str, Any]:
    """Open the page of port ``page`` and wait for the end of its conversation with port ``server``.

    ``client``: the address of its script, if it is not that of the version.
    """
    # Old clients spread bytes as a call's arguments, of which there can be some 100,000: 1.x all that comes over polling, 2.x what it
    # encodes as base64.
    letters = 18_000 if version[0] == "1" and way != "websocket" else 150_000
    size = 100_000 if version[0] < "3" and way != "websocket" else 150_000
    arguments = {
        "client": client or f"/client/{CLIENTS[version]}/dist/socket.io.js",
        "old": json.dumps(version[0] < "3"),
        "options": json.dumps(WAYS[way]),
        "url": f"http://127.0.0.1:{server}",
        "sizes": json.dumps([letters, size]),
    }
    browser.get(f"http://127.0.0.1:{page}/page?{urlencode(arguments)}")
    try:
        wait_until(lambda: browser.execute_script("return window.done === true"), 40)
    finally:
        said: dict[str, Any] = browser.execute_script("return window.said")
        print("<", said)
        # A page that still polls may take its time to go; until it has, another is not loaded.
        browser.get("about:blank")
        wait_until(lambda: browser.execute_script("return location.href") == "about:blank")
    return said


def expected(version: str, way: str) -> dict[str, Any]:
    carrier = "websocket" if "websocket" in WAYS[way]["transports"] else "polling"
    return {"transport": carrier, "scripts": "jsonp" in way, **HEARD, **(IN_2 if version[0] < "3" else {})}


CASES = [
    *((version, way) for version in ("1.7.4", "2.5.0", "3.1.3", "4.0.0", "4.8.3") for way in ("websocket", "polling", "upgrade")),
    *((version, "jsonp") for version in ("1.7.4", "2.5.0", "3.1.3", "4.0.0")),
    *((version, "base64") for version in ("1.7.4", "2.5.0")),
    ("2.5.0", "jsonp and upgrade"),
]


@pytest.mark.parametrize(("version", "way"), CASES, ids=str)
def test_the_conversation_in_a_page_of_the_same_origin(version: str, way: str, browser: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as port:
            said = await asyncio.to_thread(visit, browser, port, port, version, way)
        assert said == expected(version, way)

    run(main())


@pytest.mark.parametrize("name", ["socket.io.js", "socket.io.min.js"])
@pytest.mark.parametrize("way", ["websocket", "polling", "upgrade"])
def test_a_page_of_4_x_runs_on_the_file_that_the_server_has(name: str, way: str, browser: Any, run: Callable[..., Any]) -> None:
    """Nothing of the page is changed but the script's address."""

    async def main() -> None:
        async with serving() as port:
            said = await asyncio.to_thread(visit, browser, port, port, "4.8.3", way, f"/socket.io/{name}")
        assert said == expected("4.8.3", way)

    run(main())


ELSEWHERE = [
    *((version, way) for version in ("1.7.4", "2.5.0") for way in ("websocket", "polling", "jsonp")),
    ("3.1.3", "jsonp"),
    ("4.8.3", "upgrade"),
]


@pytest.mark.parametrize(("version", "way"), ELSEWHERE, ids=str)
@pytest.mark.parametrize("anyone", [False, True], ids=["named origin", "any origin"])
def test_the_conversation_in_a_page_of_another_origin(version: str, way: str, anyone: bool, browser: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with page_server() as page, serving(origins="*" if anyone else [f"http://127.0.0.1:{page}"]) as port:
            said = await asyncio.to_thread(visit, browser, page, port, version, way)
        assert said == expected(version, way)

    run(main())
