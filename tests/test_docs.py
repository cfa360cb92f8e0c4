"""Every example in README.md and docs/ is run, and does what the text says of it."""

from __future__ import annotations

import asyncio
import re
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import anywire
import pytest
import socketio
from anywire.server.config import settings_table
from redis_tools import free_port

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def load(name: str) -> dict[str, Any]:
    """Run a page's Python from top to bottom, as one module; its names."""
    page = ROOT / name
    module = types.ModuleType("page_" + page.stem.replace("-", "_"))
    code = "import re\n" + "\n".join(blocks(page, "python"))
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
        await client.connect(f"http://127.0.0.1:{self.sio.port}", **self.options)
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
def test_every_page_with_python_has_a_test_here(page: Path) -> None:
    if blocks(page, "python"):
        assert f'"{page.relative_to(ROOT)}"' in Path(__file__).read_text(), "load() it in a test of its own"


def test_the_ten_lines_of_the_readme_chat(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Session(load("README.md")["sio"]) as session:
            other = await session.connect()
            assert await other.call("chat", "hello") == "delivered"
            await session.hears([("chat", "hello")])

    run(main())


def test_start(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        page = load("docs/start.md")
        async with Session(page["sio"]) as session:
            assert await session.client.call("add", (2, 3)) == 5
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
        for sio, good, bad in (
            (page["api"], {"auth": {"token": "a good token"}}, {"auth": {"token": "bad"}}),
            (page["guarded"], {}, {"headers": {"User-Agent": "a bad robot"}}),
        ):
            async with Session(sio, **good):
                pass
            refused = Session(sio, **bad)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await refused.__aenter__()
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
