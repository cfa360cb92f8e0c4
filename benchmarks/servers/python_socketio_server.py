"""The benchmark's server on python-socketio over Tornado. Prints its port."""

import asyncio

import socketio
import tornado.httpserver
import tornado.netutil
import tornado.web

sio = socketio.AsyncServer(async_mode="tornado")


@sio.event
async def echo(sid: str, text: str) -> None:
    await sio.emit("echo", text, to=sid)


@sio.event
async def blast(sid: str, count: int) -> None:
    for number in range(count):
        await sio.emit("news", {"number": number, "text": "x" * 60})


async def main() -> None:
    app = tornado.web.Application([(r"/socket.io/", socketio.get_tornado_handler(sio))])
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1", backlog=4096)
    tornado.httpserver.HTTPServer(app).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
