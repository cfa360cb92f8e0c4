"""The command: what it prints, how it ends, and what it says of each mistake."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from anywire.server.cli import main
from anywire.server.config import settings_table
from api_tools import client, until
from server_tools import Peer, certificate

APP = """
import asyncio
import anywire
import tornado.web

sio = anywire.Server()
engine = anywire.EngineServer()
not_a_server = 5


class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write("hello")


app = tornado.web.Application([(r"/hello", Hello), (r"/socket\\\\.io/.*", sio.router)])
lonely = tornado.web.Application([(r"/hello", Hello)])


@sio.event
async def settings(sid):
    return [sio.config.ping_interval, list(sio.config.transports), sio.config.cookie]


@sio.event
async def slow(sid, seconds):
    await asyncio.sleep(seconds)
    await sio.emit("done", to=sid)


@sio.event
async def disconnect(sid, reason):
    print("left:", reason, flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with app.py in it, as the current one; what the command changes in this process is put back."""
    (tmp_path / "app.py").write_text(APP.replace("\\\\\\\\", "\\\\"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setitem(sys.modules, "app", None)
    monkeypatch.delitem(sys.modules, "app")
    return tmp_path


class Command:
    """A running ``anywire``; ``lines`` are what it has printed, ``said`` the errors and log once it has ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.said = ""

    async def line(self) -> str:
        assert self.process.stdout is not None
        self.lines.append((await asyncio.wait_for(self.process.stdout.readline(), 20)).decode().rstrip("\n"))
        return self.lines[-1]

    @property
    def port(self) -> int:
        return int(re.search(r":(\d+)/", self.lines[0])[1])  # type: ignore[index]

    async def end(self, seconds: float = 10) -> int:
        """Wait for its end; the exit code."""
        out, err = await asyncio.wait_for(self.process.communicate(), seconds)
        self.lines += out.decode().splitlines()
        self.said = err.decode()
        return int(self.process.returncode or 0)


@asynccontextmanager
async def command(folder: Path, *arguments: str, lines: int = 3, **environ: str) -> AsyncIterator[Command]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "anywire", *arguments,
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environ},
    )  # fmt: skip
    running = Command(process)
    try:
        for _ in range(lines):
            await running.line()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def test_the_start_says_what_is_served_and_where_and_ctrl_c_tells_the_clients_and_ends_with_0(
    folder: Path, run: Callable[..., Any]
) -> None:
    async def talk() -> None:
        async with command(folder, "serve", "app:sio", "--port", "0", "--transports", "websocket,xhr-polling") as serve:
            assert serve.lines == [
                f"anywire {metadata.version('anywire')} serves Socket.IO at http://127.0.0.1:{serve.port}/socket.io/",
                "  over     websocket, polling",
                "  Ctrl-C tells the clients, then ends; twice ends at once",
            ]
            async with client(serve.port) as near, client(serve.port, "polling") as far:
                assert (await near.call("settings"))[1] == ["websocket", "polling"]
                await far.emit("slow", 0.3)
                await asyncio.sleep(0.1)
                serve.process.send_signal(signal.SIGINT)
                assert await serve.line() == "anywire: telling the clients and closing"
                await until(lambda: not near.connected and not far.connected)
            assert await serve.end() == 0
            assert serve.lines[4:] == ["left: server shutting down"] * 2
            assert "Traceback" not in serve.said

    run(talk())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once(number: signal.Signals, folder: Path, run: Callable[..., Any]) -> None:
    async def talk() -> None:
        async with command(folder, "serve", "app:sio", "--port", "0") as serve, Peer(serve.port, "polling") as peer:
            await peer.connect()
            # A client that neither polls nor leaves, and a handler that runs on: the first signal waits for them.
            await peer.send('42["slow",60]')
            serve.process.send_signal(number)
            assert await serve.line() == "anywire: telling the clients and closing"
            serve.process.send_signal(number)
            assert await serve.end(2) == 128 + number
            assert serve.lines[-1] == "anywire: ended at once" and "Traceback" not in serve.said

    run(talk())


def test_a_client_that_stays_away_is_waited_for_no_longer_than_the_grace(folder: Path, run: Callable[..., Any]) -> None:
    async def talk() -> None:
        async with command(folder, "serve", "app:sio", "--port", "0", "--grace", "0.3") as serve, Peer(serve.port, "polling") as peer:
            await peer.connect()
            await peer.send('42["slow",60]')
            serve.process.send_signal(signal.SIGTERM)
            assert await serve.end(4) == 0

    run(talk())


def test_an_application_is_served_with_it_over_tls(folder: Path, run: Callable[..., Any]) -> None:
    async def talk() -> None:
        cert, key = certificate(folder)
        options = ["--app", "app:app", "--certfile", str(cert), "--keyfile", str(key), "--host", "localhost"]
        async with command(folder, "serve", "app:sio", "--port", "0", *options) as serve:
            assert serve.lines[0].endswith(f"serves Socket.IO at https://localhost:{serve.port}/socket.io/")
            context = ssl.create_default_context(cafile=str(cert))
            reader, writer = await asyncio.open_connection("127.0.0.1", serve.port, ssl=context)
            writer.write(b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"hello")
            writer.close()
            serve.process.send_signal(signal.SIGINT)
            assert await serve.end() == 0

    run(talk())


def test_the_files_of_a_folder_are_served_beside_it_and_no_others(folder: Path, run: Callable[..., Any]) -> None:
    (folder / "public/sub").mkdir(parents=True)
    (folder / "public/index.html").write_text("<p>start")
    (folder / "public/sub/x.js").write_text("x()")

    async def get(port: int, target: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.split(b"\r\n")[0].split()[1] + b" " + answer.split(b"\r\n\r\n", 1)[1]

    async def talk() -> None:
        async with command(folder, "serve", "app:sio", "--port", "0", "--static", "public") as serve:
            assert await get(serve.port, "/") == b"200 <p>start"
            assert await get(serve.port, "/sub/x.js") == b"200 x()"
            assert (await get(serve.port, "/socket.io/anywire.js")).startswith(b"200 ")
            for wrong in ("/app.py", "/../app.py", "/%2e%2e/app.py", "/sub/../../app.py", "//etc/passwd", "/sub/"):
                assert (await get(serve.port, wrong))[:3] in (b"403", b"404"), wrong
            async with client(serve.port) as near:
                assert await near.call("settings")
            serve.process.send_signal(signal.SIGINT)
            assert await serve.end() == 0

    run(talk())


def test_a_bare_engine_is_served_too_and_addresses_of_version_6_are_in_brackets(folder: Path, run: Callable[..., Any]) -> None:
    async def talk() -> None:
        async with command(folder, "serve", "app:engine", "--port", "0", "--host", "::1") as serve:
            assert serve.lines[0].endswith(f"serves Engine.IO at http://[::1]:{serve.port}/engine.io/")
            serve.process.send_signal(signal.SIGINT)
            assert await serve.end() == 0

    run(talk())


def test_a_flag_wins_over_the_environment_and_one_without_effect_is_said(folder: Path, run: Callable[..., Any]) -> None:
    (folder / "fixed.py").write_text(APP.replace("anywire.Server()", "anywire.Server(cookie='fixed')").replace("\\\\\\\\", "\\\\"))

    async def talk() -> None:
        arguments = ["--port", "0", "--ping-interval", "7.5", "--cookie", "flag"]
        async with command(folder, "serve", "app:sio", *arguments, ANYWIRE_PING_INTERVAL="9", ANYWIRE_COOKIE="variable") as serve:
            async with client(serve.port) as near:
                interval, _, cookie = await near.call("settings")
                assert (interval, cookie) == (7.5, "flag")
            serve.process.send_signal(signal.SIGINT)
            assert await serve.end() == 0 and "has no effect" not in serve.said
        async with command(folder, "serve", "fixed:sio", *arguments) as serve:
            serve.process.send_signal(signal.SIGINT)
            assert await serve.end() == 0
            assert "--cookie has no effect: fixed:sio sets cookie itself" in serve.said
            assert "--ping-interval" not in serve.said

    run(talk())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "app"], "'app' must look like MODULE:ATTRIBUTE, such as app:sio"),
        (["serve", "nowhere:sio"], "there is no module 'nowhere' in "),
        (["serve", "app.deeper:sio"], "there is no module 'app.deeper'"),
        (["serve", "app:soi"], "module 'app' has no 'soi'; did you mean sio?"),
        (["serve", "app:not_a_server"], "app:not_a_server is a int; it must be an anywire.Server or EngineServer"),
        (["serve", "app:anywire.Server"], "app:anywire.Server is a class; name an object, such as sio = anywire.Server()"),
        (["serve", "app:sio", "--app", "app:lonely"], "app has no route to this server"),
        (["serve", "app:sio", "--app", "app:not_a_server"], "app must be a tornado.web.Application, not int"),
        (["serve", "app:sio", "--static", "nowhere"], "there is no folder 'nowhere' in "),
        (["serve", "app:sio", "--certfile", "missing.pem"], "cannot read 'missing.pem'"),
        (["serve", "app:sio", "--certfile", "app.py"], "'app.py' is no PEM certificate with its key"),
        (["serve", "app:sio", "--keyfile", "key.pem"], "--keyfile needs --certfile"),
        (["serve", "app:sio", "--port", "70000"], "port 70000 is none; ports are from 1 to 65535"),
        (["serve", "app:sio", "--host", "nowhere.invalid"], "cannot listen on nowhere.invalid port 8000"),
        (["serve", "app:sio", "--ping-interval", "soon"], "ping_interval must be a number, not 'soon'"),
        (["serve", "app:sio", "--ping-interval", "0"], "ping_interval is 0.0; it must be from 0.05 to 3600"),
        (["serve", "app:sio", "--transports", "carrier-pigeon"], "unknown transport 'carrier-pigeon'"),
        (["serve", "app:sio", "--store", "redis://:pa55word@h:port/"], "store: its port is no number"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_on_stderr_and_exit_code_2(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("anywire: ") and said in err and err.count("\n") == 1 and "pa55word" not in err


@pytest.mark.parametrize("arguments", [["serve", "app:sio"], ["demo"]], ids=lambda arguments: arguments[0])
def test_a_busy_port_is_named(arguments: list[str], folder: Path, run: Callable[..., Any]) -> None:
    async def talk() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            async with command(folder, *arguments, "--port", str(port), lines=0) as refused:
                assert await refused.end() == 2 and refused.lines == []
        # Tornado leaves the socket to the garbage collector; that is all the same to a process that ends.
        assert refused.said == f"anywire: cannot listen on 127.0.0.1 port {port}: [Errno 98] Address already in use\n"

    run(talk())


@pytest.mark.parametrize(("fault", "shown"), [("import nothing_of_the_kind", "ModuleNotFoundError"), ("sio = 1 / 0", "ZeroDivisionError")])
def test_a_fault_of_the_module_itself_is_shown_with_its_line(fault: str, shown: str, folder: Path) -> None:
    (folder / "broken.py").write_text("import os\n" + fault)
    with pytest.raises(Exception) as error:
        main(["serve", "broken:sio"])
    assert type(error.value).__name__ == shown and error.traceback[-1].path.name == "broken.py"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["serve"],
        ["serve", "a:b", "--app", "a:c", "--static", "."],
        ["serve", "app:sio", "--no-such-flag"],
        ["demo", "--port", "x"],
    ],
    ids=" ".join,
)
def test_what_is_no_command_gets_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2 and "usage: anywire" in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == metadata.version("anywire") + "\n"


def test_the_help_of_serve_has_a_flag_for_each_setting_that_can_be_text(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    said = capsys.readouterr().out
    for row in settings_table():
        assert (row.flag + " " in said) is row.text, row.name


def test_the_demo_says_where_viewers_and_the_speaker_go(folder: Path, run: Callable[..., Any]) -> None:
    async def talk() -> None:
        async with command(folder, "demo", "--port", "0", "--token", "a b&c", lines=6) as demo:
            assert demo.lines[2] == f"  check    http://127.0.0.1:{demo.port}/socket.io/check"
            assert demo.lines[4:] == [
                f"  viewers  http://127.0.0.1:{demo.port}/",
                f"  speaker  http://127.0.0.1:{demo.port}/speaker?token=a%20b%26c",
            ]
            demo.process.send_signal(signal.SIGINT)
            assert await demo.end() == 0

    run(talk())
