"""Every example in README.md and docs/ is run, and does what the text says of it."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anywire
import pytest
import socketio
from anywire.server.backplane.redis import BACKOFF_LAST, MAX_QUEUE
from anywire.server.cli import _parser
from anywire.server.cluster import ANSWER_TIMEOUT
from anywire.server.config import settings_table
from anywire.server.errors import CloseReason
from browser_tools import chromium, wait_until
from redis_tools import RedisServer, free_port
from server_tools import serving

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def load(name: str, **replaced: str) -> dict[str, Any]:
    """Run a page's Python from top to bottom, as one module; its names. ``replaced``: what stands here for the page's example."""
    page = ROOT / name
    module = types.ModuleType("page_" + page.stem.replace("-", "_"))
    code = "import re\n" + "\n".join(blocks(page, "python"))
    for there, here in replaced.items():
        assert there in code
        code = code.replace(there, here)
    sys.modules[module.__name__] = module
    exec(compile(code, str(page), "exec"), module.__dict__)
    return module.__dict__


class Session:
    """A page's server with a client of python-socketio on it."""

    def __init__(self, sio: anywire.Server, namespaces: list[str] | None = None, **options: Any) -> None:
        self.sio = sio
        self.options = {"transports": ["websocket"], **options}
        if namespaces is not None:
            self.options["namespaces"] = namespaces
        self.heard: list[tuple[Any, ...]] = []

    async def __aenter__(self) -> Session:
        await self.sio.start()
        self.sio.listen(0, "127.0.0.1")
        # python-socketio leaves its HTTP session open when it is refused; ours is closed.
        self.http = aiohttp.ClientSession()
        self.clients: list[Any] = []
        try:
            self.client = await self.connect()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def connect(self) -> Any:
        client = socketio.AsyncClient(reconnection=False, http_session=self.http)
        self.clients.append(client)
        client.on("*", lambda event, *args: self.heard.append((event, *args)))
        client.on("question", lambda text: f"{text} fine")
        for namespace in self.options.get("namespaces", []):
            client.on("*", lambda event, *args: self.heard.append((event, *args)), namespace=namespace)
        options = dict(self.options)
        await client.connect(f"http://127.0.0.1:{self.sio.port}{options.pop('query', '')}", **options)
        return client

    async def __aexit__(self, *error: object) -> None:
        for client in self.clients:
            await client.disconnect()
        await self.http.close()
        await self.sio.shutdown(0)

    async def hears(self, expected: list[tuple[Any, ...]]) -> None:
        async with asyncio.timeout(5):
            while len(self.heard) < len(expected):
                await asyncio.sleep(0.01)
        assert self.heard == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_finds_it(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page.read_text()):
        if "://" not in target:
            headings = re.findall(r"^#+ (.+)$", ((page.parent / target) if target else page).read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_every_page_is_linked_from_the_readme() -> None:
    linked = re.findall(r"\]\((docs/[^)#]+\.md)", (ROOT / "README.md").read_text())
    assert set(linked) == {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md"}


def test_the_table_of_networks_is_what_its_benchmark_prints() -> None:
    spec = importlib.util.spec_from_file_location("networks", ROOT / "benchmarks/networks.py")
    assert spec is not None and spec.loader is not None
    networks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(networks)
    text = (ROOT / "docs/clients-and-networks.md").read_text().partition("### How soon")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    assert rows[0][1:] == networks.COLUMNS
    assert [row[0] for row in rows[2:]] == list(networks.FAULTS)
    assert all(re.fullmatch(r"never|\d+\.\d\d|", cell) for row in rows[2:] for cell in row[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one(page: Path) -> None:
    parser = _parser()
    for line in "".join(blocks(page, "console")).splitlines():
        command, *arguments = line.split("#")[0].split()
        if command == "anywire":
            parser.parse_args(arguments)
        else:
            # What an own test shows (test_packaging), and nothing else.
            assert line == "pip install ."


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_with_python_has_a_test_here(page: Path) -> None:
    languages = set(re.findall(r"^```(\S*)", page.read_text(), re.MULTILINE)) - {""}
    assert languages <= {"python", "html", "console", "javascript"}, "nothing runs the others"
    if languages - {"console"}:
        tests = "".join(file.read_text() for file in (ROOT / "tests").glob("test_*.py"))
        assert f'"{page.relative_to(ROOT)}"' in tests, "load() it in a test of its own"


def test_the_protocol_notes_show_what_a_first_post_says_and_hears(run: Callable[..., Any]) -> None:
    (example,) = blocks(ROOT / "docs/protocol.md", "")
    (method, url, body), (status, answer) = (line.split(maxsplit=count) for line, count in zip(example.splitlines(), (2, 1), strict=True))

    async def main() -> None:
        async with serving() as sio, aiohttp.request(method, f"http://127.0.0.1:{sio.port}{url}", data=body) as response:
            said = re.escape(answer).replace(r"\\x1e", "\x1e").replace(r'"\.\.\."', '"[^"]+"').replace(r"\.\.\.", ".+")
            assert response.status == int(status) and re.fullmatch(said, await response.text())

    run(main())


def test_the_ten_lines_of_the_readme_chat(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Session(load("README.md")["sio"]) as session:
            other = await session.connect()
            assert await other.call("chat", "hello") == "delivered"
            await session.hears([("chat", "hello")])

    run(main())


@contextmanager
def followed(name: str, folder: Path) -> Iterator[str]:
    """Do what a page says: its first listing is app.py, its HTML public/index.html and public/module.html, and its command is run.

    Yields the address to open.
    """
    page = ROOT / name
    (folder / "public").mkdir()
    (folder / "app.py").write_text(blocks(page, "python")[0])
    for file, text in zip(("index.html", "module.html"), blocks(page, "html"), strict=False):
        (folder / "public" / file).write_text(text)
    (line,) = [line for line in "".join(blocks(page, "console")).splitlines() if line.startswith("anywire serve")]
    command = [sys.executable, "-m", *line.split(), "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield re.search(r"http://\S+:\d+", process.stdout.readline())[0]  # type: ignore[index]
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0


def test_the_readme_followed_to_the_letter_is_a_chat_between_two_windows(tmp_path: Path) -> None:
    with followed("README.md", tmp_path) as url, chromium() as driver:
        for window in range(2):
            if window:
                driver.switch_to.new_window("window")
            driver.get(url)
            wait_until(lambda: driver.execute_script("return window.socket && socket.connected"))
        first, second = driver.window_handles
        driver.switch_to.window(first)
        driver.find_element("id", "text").send_keys("hello <b>\n")
        wait_until(lambda: driver.find_element("id", "log").text == "delivered;")
        driver.switch_to.window(second)
        wait_until(lambda: driver.find_element("id", "log").text == "hello <b>;")


def test_start_followed_to_the_letter_adds_in_the_page(tmp_path: Path) -> None:
    with followed("docs/start.md", tmp_path) as url, chromium() as driver:
        driver.get(url)
        wait_until(lambda: driver.title == "2 + 3 = 5")
        driver.get(url + "/module.html")
        wait_until(lambda: driver.title == "2 + 3 = 5 by a module")


def test_start(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        page = load("docs/start.md")
        async with Session(page["sio"]) as session:
            assert await session.client.call("add", (2, 3)) == 5
            assert await page["ask"](f"http://127.0.0.1:{page['sio'].port}") == 5
        page = load("docs/start.md")
        ended = asyncio.Event()
        page["anything_else_you_do"] = ended.wait
        serving = asyncio.ensure_future(page["main"](0))
        await asyncio.sleep(0.1)
        assert page["sio"].port > 0
        ended.set()
        await serving

    run(main())
    said = capsys.readouterr().out
    assert "in " in said and "127.0.0.1" in said and "out " in said


def test_events_and_rooms(run: Callable[..., Any]) -> None:
    async def main() -> None:
        page = load("docs/events-and-rooms.md")
        async with Session(page["sio"], ["/", "/chat", "/game"], auth={"name": "me"}) as session:
            client = session.client
            await client.call("order", "  tea ")
            await session.hears([("ordered", "tea"), ("thanks", "you", 2), ("ticker", b"\x00\x01")])
            assert page["sent"]["ordered"] == 1
            assert await client.call("move", "kitchen") == [client.get_sid(), "kitchen"]
            await client.call("move", "lobby")
            sid = client.get_sid()
            assert await client.call("ask") == ("how are you? fine", {sid: "and you all? fine"})
            assert await client.call("hello", "ann", namespace="/chat") == "hello ann"
            await client.call("score", 3, namespace="/game")
            assert session.heard[-1] == ("score", 3)
            await client.call("start")
            await session.hears([*session.heard[:5], ("tick", 0), ("tick", 1), ("tick", 2)])
            await client.call("login", "bob")
            assert await client.call("whoami") == "bob"
        nameless = Session(load("docs/events-and-rooms.md")["sio"], auth={})
        with pytest.raises(socketio.exceptions.ConnectionError):
            await nameless.__aenter__()

    run(main())


def test_authentication(run: Callable[..., Any]) -> None:
    from tornado.web import create_signed_value

    async def main() -> None:
        page = load("docs/authentication.md")
        secret = "the secret of your tornado.web.Application"
        cookie = create_signed_value(secret, "user", "ann").decode()
        async with Session(page["sio"], headers={"Cookie": f'user="{cookie}"'}) as session:
            assert await session.client.call("whoami") == "ann"
            await page["sio"].enter_room(session.client.get_sid(), "user 7")
            await page["revoke"](7)
            await session.client.wait()
        for sio, good, bad in (
            (page["api"], {"auth": {"token": "a good token"}}, {"auth": {"token": "bad"}}),
            (page["api"], {"query": "?token=a+good+token"}, {"query": "?token=bad"}),
            (page["api"], {"headers": {"X-Token": "a good token"}}, {"headers": {"X-Token": "bad"}}),
            (page["guarded"], {}, {"headers": {"User-Agent": "a bad robot"}}),
        ):
            async with Session(sio, **good):
                pass
            refused = Session(sio, **bad)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await refused.__aenter__()
        async with Session(page["bound"], headers={"Cookie": f'user="{cookie}"'}) as session:
            await session.client.emit("anything")
            base = f"http://127.0.0.1:{session.sio.port}/socket.io/?EIO=4&transport=polling&sid="
            async with aiohttp.ClientSession() as thief, thief.get(base + next(iter(page["bound"]._hub.sessions))) as answer:
                assert answer.status == 403
            await session.client.wait()
        async with Session(page["shared"], headers={"Origin": "https://www.example.org"}):
            pass
        foreign = Session(page["shared"], headers={"Origin": "https://www.example.com"})
        with pytest.raises(socketio.exceptions.ConnectionError):
            await foreign.__aenter__()

    run(main())


def test_mounting_in_tornado(run: Callable[..., Any]) -> None:
    async def main() -> None:
        page = load("docs/tornado.md")
        port = free_port()
        server = await page["main"](port)
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/hello") as answer:
            assert await answer.text() == "hello"
        client = socketio.AsyncClient(reconnection=False)
        await client.connect(f"http://127.0.0.1:{port}", transports=["polling", "websocket"])
        assert await client.call("echo", "mounted") == "mounted"
        await client.disconnect()
        await page["sio"].shutdown(0)
        server.stop()
        await server.close_all_connections()

    run(main())


def test_the_connection_check(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Session(load("docs/check.md")["sio"]) as session:
            base = f"http://127.0.0.1:{session.sio.port}/socket.io/"
            async with session.http.get(base + "check?patience=30") as answer:
                text = await answer.text()
            assert "Connection check" in text
            for name in re.findall(r'(?:src|href)="([^":]+)"', text):
                async with session.http.get(base + name) as answer:
                    assert answer.status == 200, name

    run(main())


def test_settings(run: Callable[..., Any]) -> None:
    page = load("docs/settings.md")
    assert page["sio"].config.transports == ("websocket", "polling")
    text = (ROOT / "docs/settings.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    assert [(name, meaning) for name, _, meaning in rows] == [(row.name, row.help) for row in settings_table()]
    for (_, default, _), row in zip(rows, settings_table(), strict=True):
        said = ", ".join(row.default) if isinstance(row.default, tuple) else str(row.default)
        assert default == ("none" if row.default in ("", (), None) else f"`{said}`")


def test_a_default_that_a_page_says_is_the_tables() -> None:
    defaults = {row.name: row.default for row in settings_table()}
    text = "".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))
    said = {name: float(figure.replace(",", "")) for name, figure in re.findall(r"`(\w+)` \(([\d,.]+)\)", text)}
    assert said and said == {name: defaults[name] for name in said}


def test_moving_from_python_socketio(run: Callable[..., Any]) -> None:
    async def main() -> None:
        page = load("docs/moving-from-python-socketio.md")
        page["sio"].listen(0, "127.0.0.1", page["app"])
        client = socketio.AsyncClient(reconnection=False)
        other = socketio.AsyncClient(reconnection=False)
        heard: list[Any] = []
        client.on("joined", heard.append, namespace="/chat")
        for made, name in ((client, "ann"), (other, "bob")):
            url = f"http://127.0.0.1:{page['sio'].port}"
            await made.connect(url, auth={"name": name}, transports=["websocket"], namespaces=["/chat"])
            await made.call("join", "tea", namespace="/chat")
        async with asyncio.timeout(5):
            while heard != ["bob"]:
                await asyncio.sleep(0.01)
        await client.disconnect()
        await other.disconnect()
        await page["sio"].shutdown(0)

    run(main())


def test_many_processes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            one, two = (load("docs/many-processes.md", **{"redis://127.0.0.1:6379/0": redis.url})["sio"] for _ in range(2))
            async with Session(one) as near, Session(two) as far:
                await near.client.call("join", "red")
                await far.client.call("join", "red")
                sids = {near.client.get_sid(), far.client.get_sid()}
                assert set(await near.client.call("who", "red")) == sids
                await far.client.call("tell", ("red", "across"))
                await near.hears([("told", "across")])
                await far.hears([("told", "across")])
                worker = load("docs/many-processes.md", **{"redis://127.0.0.1:6379/0": redis.url})
                await worker["announce"]("to all")
                await near.hears([("told", "across"), ("told", "to all")])

    run(main())
    page = (ROOT / "docs/many-processes.md").read_text()
    assert f"Up to {MAX_QUEUE:,} messages" in page and BACKOFF_LAST == 2.0 and "up to two seconds" in page
    assert ANSWER_TIMEOUT == 5.0 and "after five seconds at the latest" in page


def test_operations() -> None:
    names = ("anywire", "anywire.handlers")
    before = [logging.getLogger(name).level for name in names]
    try:
        load("docs/operations.md")
        assert [logging.getLogger(name).level for name in names] == [logging.WARNING, logging.DEBUG]
    finally:
        for name, level in zip(names, before, strict=True):
            logging.getLogger(name).setLevel(level)


def test_the_reasons_in_the_docs_are_those_that_there_are() -> None:
    table = (ROOT / "docs/events-and-rooms.md").read_text().split("## When a client leaves")[1].split("\n## ")[0]
    said = [reason for row in re.findall(r"^\| (`.*?`) \| ", table, re.MULTILINE) for reason in re.findall(r"`([a-z ]+)`", row)]
    assert sorted(said) == sorted(reason.text for reason in CloseReason)
