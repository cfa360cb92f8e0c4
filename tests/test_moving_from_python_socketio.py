"""Applications of python-socketio run on it, and with nothing but their import changed on anywire: the same conversation, word for word."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import socketio
from api_tools import Client

APPS = sorted((Path(__file__).parent / "socketio_apps").glob("*.py"))


def load(path: Path, source: str, name: str) -> Any:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


async def talk(app: Any) -> Any:
    """Serve ``app`` as its own main() would, and hold its conversation with clients of python-socketio."""
    http = app.make_app().listen(0, "127.0.0.1")
    (listening,) = http._sockets.values()
    port = listening.getsockname()[1]
    clients: list[Client] = []

    async def connect(auth: Any, namespaces: list[str] | None = None, transports: list[str] | None = None) -> Any:
        client = Client(namespaces or ["/"])
        clients.append(client)
        refusals: list[Any] = []
        for namespace in namespaces or ["/"]:
            client.on("connect_error", refusals.append, namespace=namespace)
        try:
            await client.connect(
                f"http://127.0.0.1:{port}", {"X-Agent": "test"}, auth, transports or ["websocket"], namespaces, wait_timeout=10
            )
        except socketio.exceptions.ConnectionError:
            return refusals
        return client

    try:
        return await app.conversation(connect)
    finally:
        for client in clients:
            await client.disconnect()
        await app.sio.shutdown()
        http.stop()
        await http.close_all_connections()


@pytest.mark.parametrize("path", APPS, ids=lambda path: path.stem)
def test_an_application_moves_by_changing_its_import_alone(path: Path, run: Callable[..., Any]) -> None:
    source = path.read_text()
    assert source.count("import socketio\n") == 1
    moved = source.replace("import socketio\n", "import anywire as socketio\n")
    theirs = run(talk(load(path, source, "theirs_" + path.stem)))
    ours = run(talk(load(path, moved, "ours_" + path.stem)))
    assert ours == theirs
    assert theirs["answers"]
