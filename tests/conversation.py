"""The scripted conversation: the server's side for any AsyncServer-shaped server, and the same script for python-socketio's client."""

from __future__ import annotations

import asyncio
from typing import Any


def build(sio: Any, refused: type[Exception]) -> None:
    """Register the handlers that ``node/conversation_server.mjs`` has, through python-socketio's API."""

    @sio.event
    async def echo(sid: str, *args: Any) -> Any:
        return args

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

    @sio.on("connect", namespace="/guarded")
    async def guard(sid: str, environ: dict[str, Any], auth: Any) -> None:
        if (auth or {}).get("key") != "right":
            raise refused("wrong key", {"tried": (auth or {}).get("key")})


async def talk(url: str, mode: str) -> dict[str, Any]:
    """What python-socketio's client sees; the part of the script that its API can say."""
    import socketio

    transports = ["polling", "websocket"] if mode == "upgrade" else [mode]
    said: dict[str, Any] = {}
    a, b = socketio.AsyncClient(reconnection=False), socketio.AsyncClient(reconnection=False)
    heard: list[str] = []
    numbers: list[int] = []
    gone: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    for name, client in (("a", a), ("b", b)):
        for event in ("room", "others", "single"):
            client.on(event, lambda text, name=name, event=event: heard.append(f"{name},{event},{text}"))
    a.on("number", numbers.append)
    a.on("question", lambda question: (question + "!", b"\x07"))
    b.on("disconnect", lambda *reason: gone.done() or gone.set_result(True))
    await a.connect(url, transports=transports, wait_timeout=10)
    await b.connect(url, transports=transports, wait_timeout=10)
    said["transport"] = a.transport()
    said["echo"] = await a.call("echo", (1, "two", None, {"three": [True, 1.5, "é€😀"]}))
    said["binary"] = await a.call("echo", (b"\x01\x02", {"deep": [b"\x03", {"er": b""}]}))
    said["ack from client"] = await a.call("ask", "how")
    await a.emit("count", 500)
    while len(numbers) < 500:
        await asyncio.sleep(0.01)
    said["500 in order"] = numbers == list(range(500))
    for number in range(500):
        await a.emit("collected", number)
    said["500 to the server in order"] = await a.call("seen") == list(range(500))
    big = "é" * 150_000
    said["large"] = await a.call("echo", big) == big
    await a.call("join", "red")
    await b.call("join", "red")
    await a.call("to room", ("red", "both"))
    await b.call("leave", "red")
    await a.call("to room", ("red", "only a"))
    await a.call("others", "only b")
    await a.call("single", (b.get_sid(), "for b"))
    await a.call("echo")
    await b.call("echo")
    await asyncio.sleep(0.05)
    said["rooms"] = sorted(heard)
    await b.emit("kick")
    said["kicked"] = await asyncio.wait_for(gone, 10)
    await a.disconnect()
    await b.disconnect()
    return said
