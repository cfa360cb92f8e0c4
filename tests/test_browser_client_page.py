"""docs/browser-client.md: its page is opened, its examples run in Chromium and under Node, and its tables are those of the source."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anywire
import pytest
from browser_tools import chromium, wait_until
from test_docs import ROOT, blocks, followed
from tornado.web import Application, RequestHandler

NAME = "docs/browser-client.md"
PAGE = ROOT / NAME
CLIENT = ROOT / "js_client"
PEERS = ROOT / "tests/node/node_modules"
TYPES = re.sub(r"/\*\*.*?\*/", "", (CLIENT / "anywire.d.ts").read_text())
EXAMPLES = blocks(PAGE, "javascript")
IN_NODE = [code for code in EXAMPLES if "anywire-client" in code]

#: Runs an example, an async function's body, and notes what it prints; its connections end with it.
RUN = """
const made = window.made = [], lines = window.lines = [];
const note = (thing) => typeof thing == 'object' && !(thing instanceof Error) ? JSON.stringify(thing) : String(thing);
const opened = (...args) => made[made.push(io(...args)) - 1];
opened.connect = opened;
const Example = (async () => {}).constructor;
new Example('io', 'console', arguments[0])(opened, { log: (...things) => lines.push(things.map(note).join(' ')) })
  .catch((error) => lines.push('threw ' + error));
"""


class Stage:
    """Two servers of different origins with what the examples ask for, and a page on the first."""

    def __init__(self, wanted: str = "") -> None:
        #: The example.
        self.wanted = wanted
        self.heard: list[Any] = []
        self.servers: list[anywire.Server] = []

    def _server(self, **settings: Any) -> anywire.Server:
        sio = anywire.Server(**settings)

        @sio.event
        async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
            if auth == {"token": "an old token"}:
                raise anywire.ConnectionRefusedError("who are you?", {"code": 7})
            if '"news"' in self.wanted:
                sio.start_background_task(greet, sid)

        async def greet(sid: str) -> None:
            await sio.emit("news", ("hello", b"abc"), to=sid)
            self.heard.append(await sio.call("question", "how are you?", to=sid, timeout=5))

        sio.on("connect", lambda sid, environ: None, namespace="/chat")
        sio.on("message", lambda sid, said: self.heard.append(said), namespace="/chat")
        sio.on("message", lambda sid, said: self.heard.append(said))
        sio.on("mouse", lambda sid, x, y: self.heard.append([x, y]))
        sio.on("add", lambda sid, a, b: a + b)
        sio.on("never", lambda sid: asyncio.sleep(0.3))
        sio.on("save", lambda sid, thing: [len(part) for part in thing["parts"]])
        sio.on("load", lambda sid: {"bytes": b"\x07"})
        sio.on("header", lambda sid, name: sio.get_environ(sid)["anywire.request"].headers.get(name))
        return sio

    def url(self, number: int = 0) -> str:
        return f"http://127.0.0.1:{self.servers[number].port}"

    @asynccontextmanager
    async def playing(self, **settings: Any) -> AsyncIterator[Stage]:
        first = self._server(**settings)
        self.servers.append(first)
        await first.start()
        first.listen(0, "127.0.0.1", Application([("/(worker.js)?", Blank), (r"/socket\.io/.*", first.router)]))
        second = self._server(origins=[self.url()])
        self.servers.append(second)
        await second.start()
        second.listen(0, "127.0.0.1")
        try:
            yield self
        finally:
            for sio in (first, second):
                await sio.shutdown(0)


class Blank(RequestHandler):
    def get(self, worker: str | None) -> None:
        if worker:
            self.set_header("Content-Type", "application/javascript")
            script = 'importScripts("/socket.io/anywire.min.js"); var socket = io({ transports: ["TRANSPORT"] });'
            script += "socket.emit('add', 2, 3, function (sum) { postMessage(sum + ' by ' + socket.io.engine.transport.name); });"
            self.finish(script.replace("TRANSPORT", self.get_query_argument("transport")))
        else:
            self.finish("<!DOCTYPE html><link rel=icon href=data:,><script src=/socket.io/anywire.min.js></script><body>")


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture
def prints(driver: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    """Run code on the page of a new stage until it has printed what is expected, or as many lines; the lines and what the server heard."""

    def go(code: str, expected: list[str] | int, heard: int = 0, **settings: Any) -> tuple[list[str], list[Any]]:
        stage = Stage(code)

        def act() -> list[str]:
            driver.get(stage.url())
            wait_until(lambda: driver.execute_script("return location.port && window.io && document.readyState == 'complete'"))
            driver.execute_script(RUN, code.replace("https://api.example.org", stage.url(1)))
            lines: list[str] = []

            def done() -> bool:
                lines[:] = driver.execute_script("return lines")
                printed = len(lines) >= expected if isinstance(expected, int) else lines == expected
                return printed and len(stage.heard) >= heard

            try:
                wait_until(done)
            except AssertionError:
                raise AssertionError(f"{lines} {stage.heard}") from None
            finally:
                driver.execute_script("made.forEach((socket) => socket.io.close()); localStorage.clear()")
                driver.get("about:blank")
            return lines

        async def main() -> tuple[list[str], list[Any]]:
            async with stage.playing(**settings):
                return await asyncio.to_thread(act), stage.heard

        return run(main())  # type: ignore[no-any-return]

    return go


def example(*parts: str) -> str:
    """The one example that has all of these."""
    (found,) = [code for code in EXAMPLES if code not in IN_NODE and all(part in code for part in parts)]
    return found


def test_the_ten_lines_followed_to_the_letter_count_who_is_there(tmp_path: Path, driver: Any) -> None:
    with followed(NAME, tmp_path) as url:
        count = "return (document.getElementById('count') || {}).textContent"
        driver.get(url)
        wait_until(lambda: driver.execute_script(count) == "1")
        first = driver.current_window_handle
        driver.switch_to.new_window("window")
        driver.get(url + "/module.html")
        wait_until(lambda: driver.execute_script(count) == "2")
        driver.close()
        driver.switch_to.window(first)
        wait_until(lambda: driver.execute_script(count) == "1")
    wait_until(lambda: driver.execute_script(count) == "?")
    driver.get("about:blank")


#: A part of each example, what it prints, and what the server hears.
PRINTED: dict[str, tuple[list[str], list[Any]]] = {
    "withCredentials": (["5"], []),
    "forceNew": (["true false"], []),
    "an old token": (['who are you? {"code":7}', "in"], []),
    "volatile": (["5", "null 5", "5", "hello 3", "operation has timed out"], ["fine", [10, 20], "hello"]),
    "Uint8Array(bytes)": (["[2,3]", "7"], []),
    "upgrade": (["over polling", "now over websocket"], []),
    "io.connect": (["polling"], [{"text": "hello"}]),
    "localStorage": (["0"], []),
}


@pytest.mark.parametrize("part", PRINTED)
def test_an_example_does_what_it_says(part: str, prints: Callable[..., Any]) -> None:
    expected, heard = PRINTED[part]
    # So that a busy machine does not take the second transport for the first.
    code = example(part).replace('"websocket"] }', '"websocket"], fallbackDelay: 5000 }')
    lines, said = prints(code, len(expected), len(heard))
    # What a handler of "news" prints comes when the server says it.
    assert sorted(lines) == sorted(expected)
    assert sorted(map(str, said)) == sorted(map(str, heard))


def test_no_example_is_left_out() -> None:
    assert {example(part) for part in PRINTED} | set(IN_NODE) | {example("debug: console.log")} == set(EXAMPLES)


def test_debug_prints_what_is_shown_where_websockets_are_refused(prints: Callable[..., Any]) -> None:
    (shown,) = re.findall(r"refuses WebSockets:\n\n```\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code = example("debug: console.log").replace("debug", "fallbackDelay: 5000, debug")
    lines, _ = prints(code, shown.count("\n"), transports=["polling"])
    said = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8000", "\n".join(lines) + "\n")
    assert re.fullmatch(re.escape(shown).replace(r"\.\.\.", '[^&"]+'), said), said


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_worker_has_websocket_and_polling(transport: str, prints: Callable[..., Any]) -> None:
    prints(f"new Worker('/worker.js?transport={transport}').onmessage = (event) => console.log(event.data)", [f"5 by {transport}"])


def test_what_the_page_says_of_opening_again_of_waiting_events_and_of_shared_connections(prints: Callable[..., Any]) -> None:
    closed = """
        const socket = io();
        socket.on('disconnect', (reason) => { console.log(reason); socket.io.open(); });
        socket.on('connect', () => console.log('in'));
        socket.once('connect', () => socket.io.close());
    """
    prints(closed, ["in", "forced close", "in"])
    given_up = """
        const socket = io({ path: '/nothing', reconnectionAttempts: 1, reconnectionDelay: 1 });
        socket.io.on('reconnect_attempt', (number) => console.log('attempt', number));
        socket.io.once('reconnect_failed', () => {
          console.log('failed', socket.active);
          socket.io.once('error', () => console.log('tried'));
          socket.io.open();
        });
    """
    prints(given_up, ["attempt 1", "failed true", "tried", "attempt 1"])
    waiting = """
        const socket = io({ autoConnect: false, maxBuffer: 1 }), chat = io('/chat', { autoConnect: true }), none = io({ maxBuffer: 0 });
        const say = (name) => (error) => console.log(name, error && error.message);
        socket.timeout(9000).emit('add', 1, 1, say('oldest'));
        socket.timeout(9000).emit('add', 1, 1, say('kept'));
        none.timeout(9000).emit('add', 1, 1, say('none'));
        socket.connect().on('connect', () => setTimeout(() => console.log(chat.connected), 0));
        socket.volatile.emit('mouse', 1, 1);
        console.log(chat.io === socket.io, chat.active, none.io === socket.io);
    """
    lines, heard = prints(waiting, 5)
    assert lines[:3] == ["oldest buffer is full", "none buffer is full", "true false false"]
    # Its autoConnect is the connection's, which the first call decided.
    assert sorted(lines[3:]) == ["false", "kept null"] and heard == []


def test_what_is_remembered_lies_where_the_page_says(prints: Callable[..., Any]) -> None:
    code = """
        const began = Date.now(), socket = io({ transports: ['websocket'] });
        await socket.emitWithAck('add', 2, 3);
        const key = localStorage.key(0), [name, ms, until] = localStorage.getItem(key).split('/');
        const there = key == 'anywire' + location.origin.replace(/[^a-z0-9]+/g, '_') + '_socket_io_';
        console.log(there, name, ms < 9000, Math.round((until - began) / 36e5));
    """
    prints(code, ["true websocket true 24"])
    denied = """
        Object.defineProperty(window, 'localStorage', { configurable: true, get() { throw new Error('denied'); } });
        await io({ transports: ['websocket'] }).emitWithAck('add', 2, 3);
        Object.defineProperty(window, 'localStorage', { value: { clear() {} } });
        console.log(/anywirehttp_.*_socket_io_=websocket/.test(document.cookie));
    """
    prints(denied, ["true"])


def test_the_times_that_the_page_names_are_those_of_the_source() -> None:
    source = "".join((CLIENT / "src" / name).read_text() for name in ("connection.js", "manager.js", "memory.js"))
    assert "Math.min(30 + ms, 2000)" in source and "headStart(+works[1] || 0) + attempts * 125" in source
    text = " ".join(PAGE.read_text().split())
    assert "30 ms after the WebSocket" in text and "2 seconds at most. Each attempt in a row adds an eighth of a second" in text
    assert "SHORT_LIFE = 120000, MOST_DEATHS = 3" in source and "three times in a row within two minutes" in text
    assert "attempts / 4 - 2" in source and "a quarter of `reconnectionDelay`, and it takes four attempts to double" in text


def test_the_examples_for_node_run_there(tmp_path: Path, run: Callable[..., Any]) -> None:
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules/anywire-client").symlink_to(CLIENT)
    (tmp_path / "node_modules/ws").symlink_to(PEERS / "ws")

    async def node(code: str) -> str:
        kind = "module" if "import " in code else "commonjs"
        command = ["node", f"--input-type={kind}", "-e", code]
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE)
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 20)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        # It ends by itself, once the socket is disconnected.
        assert process.returncode == 0
        return said.decode()

    async def main() -> None:
        async with Stage().playing() as stage:
            first, second = (code.replace("http://127.0.0.1:8000", stage.url()) for code in IN_NODE)
            assert await node(first) == "5\n"
            assert await node(second) == "a good token\n"
        lines = re.findall(
            r"^\| .*`((?:const|import) .*? (?:from \"anywire-client\"|require\(\"anywire-client\"\)))`", PAGE.read_text(), re.MULTILINE
        )
        assert len(lines) == 2
        for line in (
            *lines,
            'const io = require("anywire-client")',
            'import { io, connect, Manager, Socket, protocol } from "anywire-client"',
        ):
            assert await node(f"{line}; console.log(io === io.connect, io.protocol)") == "true 5\n"

    run(main())


def rows(heading: str) -> list[list[str]]:
    """The rows of the tables below a heading, up to the next of any level: the cells of each."""
    text = re.split(r"^#+ ", PAGE.read_text().partition(f"{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")]
    assert cells, heading
    return cells


def code_of(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def members(interface: str) -> str:
    found = re.search(rf"^  export (?:interface|class) {interface}\b.*?^  }}", TYPES, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[0]


def test_the_options_and_their_defaults_are_those_of_the_source() -> None:
    source = (CLIENT / "src/manager.js").read_text()
    table = {name: (default, meaning) for names, default, meaning in rows("## Options")[1:] for name in code_of(names)}
    today = re.split(r"// Of Socket.IO 0\.9", members("ManagerOptions"))[0] + members("SocketOptions") + members("Options")
    assert set(table) == set(re.findall(r"^    (\w+)\?:", today, re.MULTILINE))
    defaults = dict(re.findall(r"^    (\w+): ([^,\n]+)", source.partition("DEFAULTS = {")[2].partition("}")[0], re.MULTILINE))
    assert len(defaults) == 10
    for name, default in defaults.items():
        assert table[name][0].strip("`") == default.strip("'"), name
    read = {name for path in (CLIENT / "src").rglob("*.js") for name in re.findall(r"opts\.(\w+)", path.read_text()) if name[0] != "_"}
    assert read <= set(table)
    (transports,) = re.findall(r"transports: \[(.*?)\]", (CLIENT / "src/client.js").read_text())
    assert re.findall(r"\w+", transports) == code_of(table["transports"][0])


def test_the_old_names_are_those_of_the_source() -> None:
    source = (CLIENT / "src/manager.js").read_text().partition("OLD_NAMES = {")[2].partition("}")[0]
    known = [(a or b, name) for a, b, name in re.findall(r"(?:'([^']+)'|(\w+)): '(\w+)'", source)]
    said = [(code_of(old)[0], code_of(new)[0]) for old, new in rows("## Names of Socket.IO 0.9")[1:-1]]
    assert said == known
    assert {old for old, _ in known} == {
        a or b
        for a, b in re.findall(r"^    (?:'([^']+)'|(\w+))\?:", TYPES.partition("// Of Socket.IO 0.9")[2].partition("}")[0], re.MULTILINE)
    }


def test_the_reasons_and_events_are_those_of_the_types() -> None:
    table = rows("## While it is not connected")
    reasons = [name for row in table if len(row) == 3 for name in code_of(row[0])]
    union = TYPES.partition("type DisconnectReason =")[2].partition(";")[0]
    assert reasons == re.findall(r"\| '([a-z ]+)'", union)
    typed = {
        name
        for kind in ("Socket", "Manager")
        for part in re.findall(r"on\(event: ('.*?), listener", members(kind))
        for name in re.findall(r"'(\w+)'", part)
    }
    assert {name for row in table if len(row) == 2 for name in code_of(row[0]) if name != "socket.io"} == typed


def test_what_is_left_out_is_in_the_other_client_and_not_in_ours() -> None:
    files = [
        *PEERS.glob("sio4/build/esm/*.d.ts"),
        *PEERS.glob("engine.io-client/build/esm/*.d.ts"),
        *PEERS.glob("@socket.io/component-emitter/lib/esm/*.d.ts"),
    ]
    theirs = "\n".join(path.read_text() for path in files)
    assert '"4.8.3"' in (PEERS / "sio4/package.json").read_text()
    names = [name for row in rows("## What it leaves out")[1:] for name in code_of(row[0])]
    assert len(names) > 40
    ours = set(re.findall(r"(?<!\[)\b(\w+)\??[:(<]|export (?:let|const) (\w+)", TYPES))
    for name in names:
        if re.fullmatch(r"\w+\(\)", name):
            assert re.search(rf"^    {name[:-2]}\(\): ", theirs, re.MULTILINE), name
            assert f"self.{name[:-2]} =" not in (CLIENT / "src/manager.js").read_text(), name
        elif name.isidentifier() and name not in ("packet", "upgrade", "transports"):
            assert re.search(rf"\b{name}\b", theirs), name
            assert (name, "") not in ours and ("", name) not in ours, name
