"""The scripted conversation: the server's side for any AsyncServer-shaped server, and the same script for python-socketio's client.

The server's side runs unchanged on ``anywire.Server`` and on ``socketio.AsyncServer``: that it does is part of what is tested.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anywire
import socketio
import tornado.httpserver
import tornado.netutil
import tornado.web
from server_tools import listening

__all__ = ["build", "our_server", "python_socketio_server", "talk"]


def build(sio: Any, refused: type[Exception]) -> None:
    """Register the handlers that ``node/conversation_server.mjs`` has, through python-socketio's API."""

    @sio.event
    async def echo(sid: str, *args: Any) -> Any:
        return args

    @sio.event
    async def spell(sid: str, text: str) -> Any:
        return [ord(letter) for letter in text], "h€😀"

    @sio.event
    async def back(sid: str, *args: Any) -> None:
        await sio.emit("back", args, to=sid)

    @sio.event
    async def ask(sid: str, question: str) -> Any:
        answer = await sio.call("question", question, to=sid, timeout=10)
        return list(answer) if isinstance(answer, tuple) else [answer]

    @sio.event
    async def count(sid: str, total: int) -> None:
        for number in range(total):
            await sio.emit("number", number, to=sid)

    @sio.event
    async def collected(sid: str, value: Any) -> None:
        async with sio.session(sid) as session:
            session.setdefault("seen", []).append(value)

    @sio.event
    async def seen(sid: str) -> Any:
        return (await sio.get_session(sid)).get("seen")

    @sio.event
    async def join(sid: str, room: str) -> None:
        await sio.enter_room(sid, room)

    @sio.event
    async def leave(sid: str, room: str) -> None:
        await sio.leave_room(sid, room)

    @sio.on("to room")
    async def to_room(sid: str, room: str, text: str) -> None:
        await sio.emit("room", text, to=room)

    @sio.event
    async def others(sid: str, text: str) -> None:
        await sio.emit("others", text, skip_sid=sid)

    @sio.event
    async def single(sid: str, other: str, text: str) -> None:
        await sio.emit("single", text, to=other)

    @sio.event
    async def kick(sid: str) -> None:
        await sio.disconnect(sid)

    @sio.on("where", namespace="/chat")
    async def where(sid: str) -> str:
        return "chat"

    @sio.on("kick", namespace="/chat")
    async def kick_from_chat(sid: str) -> None:
        await sio.disconnect(sid, namespace="/chat")

    @sio.on("connect", namespace="/guarded")
    async def guard(sid: str, environ: dict[str, Any], auth: Any) -> None:
        if (auth or {}).get("key") != "right":
            raise refused("wrong key", {"tried": (auth or {}).get("key")})


@asynccontextmanager
async def our_server(**settings: Any) -> AsyncIterator[int]:
    """The conversation on ``anywire.Server``; yields its port."""
    sio = anywire.Server(**settings)
    build(sio, anywire.ConnectionRefusedError)
    async with listening(sio):
        yield sio.port


@asynccontextmanager
async def python_socketio_server() -> AsyncIterator[int]:
    """The conversation on python-socketio over Tornado; yields its port."""
    sio = socketio.AsyncServer(async_mode="tornado")
    build(sio, socketio.exceptions.ConnectionRefusedError)
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    http = tornado.httpserver.HTTPServer(tornado.web.Application([(r"/socket.io/", socketio.get_tornado_handler(sio))]))
    http.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        await sio.shutdown()
        http.stop()
        await http.close_all_connections()


def client(said_by: str = "", heard: list[str] | None = None) -> socketio.AsyncClient:
    """A client that notes which of the shared events it hears."""
    made = socketio.AsyncClient(reconnection=False)
    for event in ("room", "others", "single"):
        made.on(event, lambda text, event=event: heard is None or heard.append(f"{said_by},{event},{text}"))
    return made


async def refusal(url: str, namespace: str, auth: Any, transports: list[str]) -> Any:
    """What a client is told when ``namespace`` does not take it."""
    told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    one = client()
    one.on("connect_error", told.set_result, namespace=namespace)
    try:
        await one.connect(url, auth=auth, namespaces=[namespace], transports=transports, wait_timeout=10)
    except socketio.exceptions.ConnectionError:
        return await asyncio.wait_for(told, 5)
    finally:
        await one.disconnect()
    return "admitted"


async def exchange_data(a: socketio.AsyncClient, said: dict[str, Any]) -> None:
    """Echo, binary, acknowledgements both ways, order and size."""
    numbers: list[int] = []
    counted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    back: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def number(value: int) -> None:
        numbers.append(value)
        if len(numbers) == 500:
            counted.set_result(None)

    a.on("number", number)
    a.on("back", lambda *args: back.set_result(args))
    a.on("question", lambda question: (question + "!", b"\x07"))
    said["echo"] = await a.call("echo", (1, "two", None, {"three": [True, 1.5, "é€😀"]}))
    said["spelled"] = await a.call("spell", "é€😀Ã©")
    said["binary"] = await a.call("echo", (b"\x01\x02", {"deep": [b"\x03", {"er": b""}]}))
    await a.emit("back", ({"file": b"\x00\xff"}, "name"))
    said["binary event"] = await asyncio.wait_for(back, 10)
    said["ack from client"] = await a.call("ask", "how")
    await a.emit("count", 500)
    await asyncio.wait_for(counted, 20)
    said["500 in order"] = numbers == list(range(500))
    for value in range(500):
        await a.emit("collected", value)
    said["500 to the server in order"] = await a.call("seen") == list(range(500))
    text, raw = "é" * 150_000, b"\x07" * 300_000
    said["large"] = [await a.call("echo", text) == text, await a.call("echo", raw) == raw]


async def exchange_targets(a: socketio.AsyncClient, b: socketio.AsyncClient) -> None:
    """Rooms, leaving them, everyone but oneself, a single target; what was heard is in the clients' list."""
    await a.call("join", "red")
    await b.call("join", "red")
    await a.call("to room", ("red", "both"))
    await b.call("leave", "red")
    await a.call("to room", ("red", "only a"))
    await a.call("others", "only b")
    await a.call("single", (b.get_sid(), "for b"))
    # An answer comes after all that was sent before it.
    await b.call("echo")
    await a.call("echo")


async def talk(url: str, mode: str) -> dict[str, Any]:
    """What python-socketio's client sees over ``mode``: polling, websocket or upgrade."""
    transports = ["polling", "websocket"] if mode == "upgrade" else [mode]
    said: dict[str, Any] = {}
    heard: list[str] = []
    a, b = client("a", heard), client("b", heard)
    gone: dict[str, asyncio.Future[Any]] = {name: asyncio.get_running_loop().create_future() for name in ("/", "/chat")}
    b.on("disconnect", lambda *reason: gone["/"].done() or gone["/"].set_result(True))
    b.on("disconnect", lambda *reason: gone["/chat"].done() or gone["/chat"].set_result(True), namespace="/chat")
    await a.connect(url, transports=transports, wait_timeout=10)
    await b.connect(url, transports=transports, wait_timeout=10, namespaces=["/", "/chat"])
    said["transport"] = a.transport()
    await exchange_data(a, said)
    await exchange_targets(a, b)
    said["rooms"] = sorted(heard)
    said["namespace"] = await b.call("where", namespace="/chat")
    said["unknown"] = await refusal(url, "/nowhere", None, transports)
    said["refused"] = await refusal(url, "/guarded", {"key": "bad"}, transports)
    said["admitted"] = await refusal(url, "/guarded", {"key": "right"}, transports)
    await b.emit("kick", namespace="/chat")
    said["kicked from /chat"] = await asyncio.wait_for(gone["/chat"], 10)
    said["still in /"] = await b.call("echo", "here")
    await b.emit("kick")
    said["kicked"] = await asyncio.wait_for(gone["/"], 10)
    await a.disconnect()
    await b.disconnect()
    return said
