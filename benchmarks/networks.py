"""Through which networks does which client get, and how soon?

Headless Chromium loads a page through a proxy with one fault (tests/faults.py) and a round trip of 50 ms. The figures are seconds from the
client's call in that page until its first message is answered: some clients say that they are connected when nothing gets through.
Each figure is the best of some visits; on each the browser has never seen the server before, except in the column "again".

"best" is the fastest of our transports when it alone is tried, which is what the choice among them is held against.

Misreading it: half a second of difference is felt, ten milliseconds are the machine's.

    python benchmarks/networks.py [--short] [--only FAULT...] [--visits N] [--markdown]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser_tools import chromium
from conversation import our_server
from fault_proxy import FaultProxy
from faults import Fault, fault
from node_tools import node_server
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

#: Seconds each way.
WAY = 0.025
#: Seconds after which a client has not got through, and one transport alone.
PATIENCE, PATIENCE_ALONE = 30.0, 4.0
FAULTS: dict[str, Callable[[], Fault]] = {
    "none": lambda: fault("none"),
    "a long way: 400 ms there and back": lambda: fault("delay", 0.2),
    "upgrade refused: 403": lambda: fault("refuse-upgrade", 403),
    "upgrade refused: 502": lambda: fault("refuse-upgrade", 502),
    "upgrade refused: connection reset": lambda: fault("refuse-upgrade", "reset"),
    "upgrade's headers stripped": lambda: fault("strip-upgrade"),
    "101, then silence": lambda: fault("silent-upgrade", "both"),
    "101, then nothing goes up": lambda: fault("silent-upgrade", "up"),
    "101, then nothing comes down": lambda: fault("silent-upgrade", "down"),
    "101 after a second": lambda: fault("slow-upgrade", 1),
    "upgrades into a black hole": lambda: fault("black-hole", "upgrade"),
    "answers held until they end": lambda: fault("buffer"),
    "POSTs never answered": lambda: fault("drop-posts"),
    "POSTs answered, never passed on": lambda: fault("drop-posts", ""),
    "POSTs sent twice": lambda: fault("duplicate-posts"),
    "foreign HTML, but for upgrades": lambda: fault("inject-html", "http"),
    "all into a black hole, but upgrades": lambda: fault("black-hole", "http"),
    "foreign HTML for 2 s": lambda: fault("inject-html"),
    "all into a black hole for 2 s": lambda: fault("black-hole"),
}
#: Seconds after which the network is well.
HEALS = {"foreign HTML for 2 s": 2.0, "all into a black hole for 2 s": 2.0}
SHORT = ["none", "upgrade refused: 403", "101, then silence", "upgrades into a black hole"]
#: column -> script, what connect.js calls, options.
FRESH = {"forceNew": True, "remember": False}
ANYWIRE = ROOT / "js_client/dist/anywire.min.js"
MODULES = ROOT / "tests/node/node_modules"
CLIENTS: dict[str, tuple[Path, str, dict[str, Any]]] = {
    **{name: (ANYWIRE, "socket.io", FRESH | {"transports": [name]}) for name in ("websocket", "polling", "htmlfile", "jsonp")},
    "anywire": (ANYWIRE, "socket.io", {"forceNew": True}),
    "again": (ANYWIRE, "socket.io", {"forceNew": True}),
    "socket.io-client 4.8.3": (MODULES / "sio4/dist/socket.io.min.js", "socket.io", {"forceNew": True}),
    "sockjs-client 1.6.1": (MODULES / "sockjs-client/dist/sockjs.min.js", "sockjs", {}),
    "socket.io-client 0.9.16": (MODULES / "sio09/dist/socket.io.min.js", "socket.io", {"force new connection": True}),
}
TRANSPORTS = list(CLIENTS)[:4]
OTHERS = list(CLIENTS)[6:]
COLUMNS = ["best", *list(CLIENTS)[4:]]


class Page(RequestHandler):
    case: dict[str, Any]
    script = ANYWIRE
    answer: asyncio.Future[float]

    def get(self) -> None:
        text = f"var CASE = {json.dumps(Page.case)};{Page.script.read_text()}\n;{(ROOT / 'tests/browser/connect.js').read_text()}"
        self.finish('<!DOCTYPE html><meta charset="utf-8"><body><script>' + text.replace("</script>", "<\\/script>") + "</script>")

    def post(self) -> None:
        if not Page.answer.done():
            Page.answer.set_result(float(self.request.body))


class Visits:
    """The browser and the servers."""

    def __init__(self, driver: Any, ours: int, theirs: int, pages: int) -> None:
        self._driver, self._ours, self._theirs, self._pages = driver, ours, theirs, pages

    async def visit(self, name: str, column: str) -> float | None:
        """Seconds, or None if they were not enough."""
        Page.script, client, options = CLIENTS[column]
        path = "/sockjs/" if client == "sockjs" else "/socket.io/"
        made = FAULTS[name]()
        if made.delay == (0.0, 0.0):
            made.far(WAY)
        target = self._theirs if column in OTHERS[:2] else self._ours
        async with FaultProxy(target, made, path) as proxy:
            proxy.pages = self._pages
            if column == "again":
                await self._once(proxy, client, options, PATIENCE, HEALS.get(name, 0))
                proxy.fault = made
            patience = PATIENCE_ALONE if column in TRANSPORTS else PATIENCE
            return await self._once(proxy, client, options, patience, HEALS.get(name, 0))

    async def _once(self, proxy: FaultProxy, client: str, options: dict[str, Any], patience: float, heals: float) -> float | None:
        Page.case = {"client": client, "url": proxy.url + "/", "options": options, "report": proxy.url + "/page"}
        Page.answer = asyncio.get_running_loop().create_future()
        await asyncio.to_thread(self._driver.get, proxy.url + "/page")
        if heals:
            asyncio.get_running_loop().call_later(heals, setattr, proxy, "fault", Fault().far(WAY))
        try:
            return await asyncio.wait_for(Page.answer, patience)
        except TimeoutError:
            return None
        finally:
            await asyncio.to_thread(self._driver.get, "about:blank")


async def row(visits: Visits, name: str, count: int) -> dict[str, float | None]:
    """column -> the best of some visits; one is enough for what is slow or never."""
    found: dict[str, float | None] = {}
    for column in CLIENTS:
        if column in TRANSPORTS and (name in HEALS or (column == "htmlfile" and found["polling"] is None)):
            continue
        seconds = await visits.visit(name, column)
        for _ in range(count - 1):
            if seconds is None or seconds > 3:
                break
            seconds = min(seconds, await visits.visit(name, column) or seconds)
        found[column] = seconds
    alone = [seconds for column in TRANSPORTS if (seconds := found.pop(column, None)) is not None]
    return {"best": min(alone, default=None), **found}


def cells(found: dict[str, float | None], name: str) -> list[str]:
    return ["" if column == "best" and name in HEALS else said(found[column]) for column in COLUMNS]


def said(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f}"


def verdicts(found: dict[str, float | None]) -> list[str]:
    """Where ours misses the goal: within 1.5 times the best transport's own time, and not slower than another client."""
    ours = found["anywire"] or PATIENCE
    missed = []
    if found["best"] is not None and ours > 1.5 * found["best"]:
        missed.append(f"{ours / found['best']:.1f} times the best transport's own time")
    others = [seconds for column in OTHERS if (seconds := found[column]) is not None]
    # What is within a tenth of a round trip is the same.
    if others and ours > min(others) + WAY / 5:
        missed.append(f"{ours - min(others):.2f} s behind the best of the others")
    return missed


async def measure(names: list[str], count: int, show: Callable[[str, list[str]], None]) -> dict[str, list[str]]:
    missed: dict[str, list[str]] = {}
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(our_server())
        theirs = await stack.enter_async_context(node_server("networks_server.mjs"))
        http = HTTPServer(Application([("/page", Page)], log_function=lambda handler: None))
        (listening,) = bind_sockets(0, "127.0.0.1")
        http.add_sockets([listening])
        visits = Visits(stack.enter_context(chromium()), ours, theirs, listening.getsockname()[1])
        for name in names:
            found = await row(visits, name, count)
            show(name, cells(found, name))
            missed[name] = verdicts(found)
        http.stop()
        await http.close_all_connections()
    return missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="four faults, one visit each")
    parser.add_argument("--only", nargs="+", choices=FAULTS, metavar="FAULT")
    parser.add_argument("--visits", type=int, default=3)
    parser.add_argument("--markdown", action="store_true", help="as the table in docs/clients-and-networks.md")
    options = parser.parse_args()
    columns = ["{:36}", *(f"{{:>{max(len(column), 5)}}}" for column in COLUMNS)]
    line = "| " + " | ".join(columns) + " |" if options.markdown else "  ".join(columns)
    print(line.format("seconds until an answer came", *COLUMNS))
    if options.markdown:
        print("| --- |" + " ---: |" * len(COLUMNS))

    def show(name: str, row: list[str]) -> None:
        print(line.format(name, *row), flush=True)

    names = options.only or (SHORT if options.short else list(FAULTS))
    missed = asyncio.run(measure(names, 1 if options.short else options.visits, show))
    for name, how in missed.items():
        for text in how:
            print(f"{name}: anywire is {text}")


if __name__ == "__main__":
    main()
