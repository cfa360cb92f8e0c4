"""python-socketio's own example for Tornado in short: a background task, page handlers beside, and a namespace for pushing alone."""

import socketio
import tornado.web

sio = socketio.AsyncServer(async_mode="tornado", namespaces=["/", "/news"], max_http_buffer_size=1e5, transports=["polling", "websocket"])
started = None


async def ticker(word, times=1):
    """Server-generated events, in a namespace that has no handler."""
    for count in range(times):
        await sio.sleep(0.01)
        await sio.emit("tick", {"word": word, "count": count}, namespace="/news")
    await sio.emit("my_response", {"data": "done"})


class Page(tornado.web.RequestHandler):
    def get(self):
        self.write("page")


@sio.event
async def connect(sid, environ):
    await sio.emit("my_response", {"data": "Connected", "count": 0}, room=sid)


@sio.event
async def start(sid, word):
    global started
    started = sio.start_background_task(ticker, word, times=3)
    return started.done()


@sio.event
async def wait(sid):
    await started
    return started.done()


@sio.event
async def my_event(sid, message):
    await sio.emit("my_response", {"data": message["data"]}, room=sid)


@sio.event
async def where(sid):
    environ = sio.get_environ(sid)
    return [sio.transport(sid), environ["REQUEST_METHOD"], environ["PATH_INFO"], "EIO=4" in environ["QUERY_STRING"]]


def make_app():
    return tornado.web.Application([(r"/", Page), (r"/socket.io/", socketio.get_tornado_handler(sio))], debug=False)


async def conversation(connect):
    """What one client does; returns what came of it."""
    one = await connect(None, ["/", "/news"], ["polling", "websocket"])
    answers = [await one.call("start", "tick"), await one.call("where")]
    answers.append(await one.call("wait"))
    await one.call("my_event", {"data": [1.5, None, True, {"deep": b"\x01"}]})
    return {"answers": answers, "heard": one.heard}
