"""Namespaces as classes, as python-socketio's users write them: plain and async methods, instance state, two namespaces on one wire."""

from collections import namedtuple

import socketio
import tornado.web
from api_tools import until

Place = namedtuple("Place", "x y")


class Lobby(socketio.AsyncNamespace):
    def __init__(self, namespace):
        super().__init__(namespace)
        self.here = set()

    def on_connect(self, sid, environ, auth):
        self.here.add(sid)

    async def on_count(self, sid):
        return len(self.here)

    async def on_move(self, sid, room):
        await self.save_session(sid, {"room": room})
        await self.enter_room(sid, room)
        await self.emit("moved", {"rooms": len(self.rooms(sid))}, to=sid)

    async def on_shout(self, sid, *words):
        async with self.session(sid) as session:
            session["words"] = session.get("words", 0) + len(words)
        await self.emit("shouted", words, room=session["room"], callback=self.on_heard)
        return session

    async def on_heard(self, *answer):
        await self.send(["heard", *answer])

    def on_disconnect(self, sid, reason):
        self.here.discard(sid)


class Game(socketio.AsyncNamespace):
    async def on_connect(self, sid, environ, auth):
        if auth != {"ticket": 7}:
            raise ConnectionRefusedError("no ticket")

    async def trigger_event(self, event, *args):
        if event == "fast":
            return "overridden"
        return await super().trigger_event(event, *args)

    async def on_play(self, sid, move):
        return await self.call("check", move, to=sid, timeout=5), self.server.transport(sid, self.namespace)

    async def on_where(self, sid):
        return Place(await self.call("check", Place(40, 2), to=sid, timeout=5), [Place(1, 2)])

    async def on_leave(self, sid):
        await self.disconnect(sid)


sio = socketio.AsyncServer(async_mode="tornado")
sio.register_namespace(Lobby("/lobby"))
sio.register_namespace(Game("/game"))


@sio.on("ping_me", namespace="/lobby")
async def decorated(sid):
    return "decorators come first"


def make_app():
    return tornado.web.Application([(r"/socket.io/", socketio.get_tornado_handler(sio))])


async def conversation(connect):
    """What two clients do; returns what came of it."""
    one = await connect({"ticket": 7}, ["/lobby", "/game"])
    two = await connect(None, ["/lobby"])
    one.on("check", lambda move, more=1: move + more, namespace="/game")
    two.on("shouted", lambda *words: len(words), namespace="/lobby")
    answers = [await one.call("count", namespace="/lobby"), await two.call("count", namespace="/lobby")]
    await two.call("move", "tower", namespace="/lobby")
    answers.append(await two.call("shout", ("a", "b", {"c": b"d"}), namespace="/lobby"))
    answers.append(await one.call("play", 41, namespace="/game"))
    answers.append(await one.call("where", namespace="/game"))
    answers.append(await one.call("fast", namespace="/game"))
    answers.append(await two.call("ping_me", namespace="/lobby"))
    answers.append(await connect({"ticket": 8}, ["/game"]))
    await until(lambda: ("/lobby", "message", ["heard", 3]) in two.heard)
    await one.emit("leave", namespace="/game")
    await until(lambda: "/game" not in one.namespaces)
    await two.disconnect()
    while await one.call("count", namespace="/lobby") > 1:
        await sio.sleep(0.01)
    return {"answers": answers, "two": two.heard}
