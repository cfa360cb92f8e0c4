"""The client's files as the server serves them: types, tags, packed and whole, as scripts and as modules, with a source map."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import aiohttp
import pytest
from browser_tools import chromium, wait_until
from http_tools import RawClient
from server_tools import serving
from stage import DIST
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

#: Each file of the package by each of its names.
NAMES = {
    "anywire.js": "anywire.js",
    "anywire.min.js": "anywire.min.js",
    "anywire.min.js.map": "anywire.min.js.map",
    "anywire.esm.js": "anywire.esm.js",
    "anywire.esm.min.js": "anywire.esm.min.js",
    "socket.io.js": "anywire.js",
    "socket.io.min.js": "anywire.min.js",
    "socket.io.esm.min.js": "anywire.esm.min.js",
    "socket.io+websocket.min.js": "anywire.min.js",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_served_packed_or_whole_asked_for_again_and_open_to_other_sites(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        whole = (DIST / NAMES[name]).read_bytes()
        async with serving() as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/" + name)
            assert (answer.status, answer.body) == (200, whole)
            assert answer.headers["content-type"] == (
                "application/json" if name.endswith(".map") else "application/javascript; charset=utf-8"
            )
            assert answer.headers["cache-control"] == "public, max-age=0, must-revalidate"
            assert answer.headers["vary"] == "Accept-Encoding"
            assert answer.headers["access-control-allow-origin"] == "*"
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
            assert answer.headers.get("sourcemap") == ("anywire.min.js.map" if NAMES[name] == "anywire.min.js" else None)
            packed = await client.request("GET", "/socket.io/" + name, headers="Accept-Encoding: gzip\r\n")
            assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(packed.body) == whole
            assert packed.headers["etag"] == answer.headers["etag"]
            again = await client.request("GET", "/socket.io/" + name, headers=f"If-None-Match: {answer.headers['etag']}\r\n")
            assert (again.status, again.body) == (304, b"")

    run(main())


def test_where_the_client_is_not_served_the_check_page_has_its_own_copy_without_a_map(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(serve_client=False, check_page=True) as sio, RawClient(sio.port) as client:
            answer = await client.request("GET", "/socket.io/anywire.min.js")
            assert answer.status == 200 and "sourcemap" not in answer.headers
            for name in set(NAMES) - {"anywire.min.js"}:
                assert (await client.request("GET", "/socket.io/" + name)).status != 200, name

    run(main())


PAGE = """<!DOCTYPE html><title>waiting</title><script type="module">
import io, { connect, Manager, protocol } from "%s";
const socket = io("%s", { transports: ["websocket"] }), answer = await socket.emitWithAck("echo", "hello");
document.title = [answer, connect === io.connect, typeof Manager, protocol, typeof window.io, socket.io.engine.transport.name].join();
</script>"""


class Page(RequestHandler):
    """A page that imports the module named in its query from the server named there."""

    def get(self) -> None:
        server = self.get_query_argument("server")
        self.finish(PAGE % (f"{server}/socket.io/{self.get_query_argument('name')}", server))


@pytest.fixture(scope="module")
def browser() -> Any:
    with chromium() as driver:
        yield driver


@pytest.mark.parametrize("name", ["anywire.esm.js", "anywire.esm.min.js", "socket.io.esm.min.js"])
def test_a_page_of_another_site_imports_the_module_and_talks(name: str, browser: Any, run: Callable[..., Any]) -> None:
    def visit(site: int, server: int) -> None:
        browser.get(f"http://127.0.0.1:{site}/?name={name}&server=http://127.0.0.1:{server}")
        # Nothing is left in the page's own names.
        wait_until(lambda: browser.title == "hello,true,function,5,undefined,websocket")
        browser.get("about:blank")

    async def main() -> None:
        http = HTTPServer(Application([("/", Page)], log_function=lambda handler: None))
        (listening,) = bind_sockets(0, "127.0.0.1")
        http.add_sockets([listening])
        async with serving(origins="*") as sio:
            await asyncio.to_thread(visit, listening.getsockname()[1], sio.port)
        http.stop()
        await http.close_all_connections()

    run(main())


async def heard_by_the_debugger(url: str, what: str) -> dict[str, Any]:
    """The first event of Chromium's debugger with that in its ``url``, of a page that is open."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as tools:
        await tools.send_json({"id": 1, "method": "Debugger.enable"})
        async for message in tools:
            event = json.loads(message.data)
            if event.get("method") == "Debugger.scriptParsed" and what in event["params"]["url"]:
                found: dict[str, Any] = event["params"]
                return found
    raise AssertionError("the debugger left")


def test_the_tools_of_a_browser_find_the_source_map_by_its_header(browser: Any, run: Callable[..., Any]) -> None:
    def load(port: int) -> str:
        browser.get(f"http://127.0.0.1:{port}/socket.io/anywire.js")
        wait_until(lambda: browser.execute_script("return location.port + document.readyState") == f"{port}complete")
        browser.execute_script(
            "var tag = document.createElement('script'); tag.src = '/socket.io/socket.io.min.js'; document.body.appendChild(tag)"
        )
        wait_until(lambda: browser.execute_script("return typeof io") == "function")
        return str(browser.capabilities["goog:chromeOptions"]["debuggerAddress"])

    async def main() -> None:
        async with serving() as sio, aiohttp.ClientSession() as http:
            address = await asyncio.to_thread(load, sio.port)
            async with http.get(f"http://{address}/json") as answer:
                (page,) = [target for target in await answer.json(content_type=None) if target["type"] == "page"]
            script = await asyncio.wait_for(heard_by_the_debugger(page["webSocketDebuggerUrl"], "/socket.io/socket.io.min.js"), 10)
            # Relative to the script's address.
            assert script["sourceMapURL"] == "anywire.min.js.map"
            async with http.get(urljoin(script["url"], script["sourceMapURL"])) as answer:
                assert (await answer.json())["sourcesContent"] == [(DIST / "anywire.js").read_text()]
            await asyncio.to_thread(browser.get, "about:blank")

    run(main())
