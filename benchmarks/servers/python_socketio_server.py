"""The benchmarks' server on python-socketio over Tornado. Prints its port. Its events are those of anywire_server.py."""

import asyncio
import gc
from typing import Any

import socketio
import tornado.httpserver
import tornado.netutil
import tornado.web

sio = socketio.AsyncServer(async_mode="tornado", ping_interval=300)


@sio.event
async def echo(sid: str, data: Any) -> None:
    await sio.emit("echo", data, to=sid)


@sio.event
async def ask(sid: str, data: Any) -> Any:
    return data


@sio.event
async def news(sid: str, number: int) -> None:
    await sio.emit("news", {"number": number, "text": "x" * 60})


@sio.event
async def collect(sid: str) -> None:
    gc.collect()
    await sio.emit("collected", to=sid)


async def main() -> None:
    app = tornado.web.Application([(r"/socket.io/", socketio.get_tornado_handler(sio))])
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1", backlog=4096)
    tornado.httpserver.HTTPServer(app).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
