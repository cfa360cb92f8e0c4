"""A chat with rooms and sessions, as python-socketio's users write it: decorators, refused logins, skip_sid, acknowledgements."""

import socketio
import tornado.web

sio = socketio.AsyncServer(async_mode="tornado", cors_allowed_origins="*", ping_interval=(20, 5), logger=False)
left: list[str] = []


@sio.event
async def connect(sid, environ, auth):
    name = (auth or {}).get("name")
    if not name:
        raise socketio.exceptions.ConnectionRefusedError("authentication failed", {"need": "name"})
    if name == "robot":
        return False
    await sio.save_session(sid, {"name": name})
    await sio.emit("welcome", {"agent": environ["HTTP_X_AGENT"], "name": name}, to=sid)


@sio.event
async def join(sid, data):
    async with sio.session(sid) as session:
        session["room"] = data["room"]
    await sio.enter_room(sid, data["room"])
    await sio.emit("joined", (await sio.get_session(sid))["name"], room=data["room"], skip_sid=sid)
    return "ok", len(sio.rooms(sid))


@sio.on("say")
async def on_say(sid, text):
    session = await sio.get_session(sid)
    await sio.emit("said", (session["name"], text), room=session["room"])


@sio.event
async def ask(sid, question):
    try:
        return await sio.call("question", question, to=sid, timeout=5)
    except socketio.exceptions.TimeoutError:
        return "no answer"


@sio.event
async def leave(sid):
    async with sio.session(sid) as session:
        room = session.pop("room")
    await sio.leave_room(sid, room)
    await sio.emit("left", to=room)


@sio.event
async def close(sid, room):
    await sio.emit("closing", {"room": room}, room=room)
    await sio.close_room(room)


@sio.on("*")
async def anything(event, sid, *args):
    await sio.send([event, len(args)], to=sid)


@sio.event
async def quit(sid):
    await sio.disconnect(sid)


@sio.event
def disconnect(sid, reason):
    left.append("server" if reason == sio.reason.SERVER_DISCONNECT else reason)


def make_app():
    return tornado.web.Application([(r"/socket.io/", socketio.get_tornado_handler(sio))])


async def conversation(connect):
    """What two clients do, made by ``connect(auth)``; returns what came of it."""
    refused = [await connect({}), await connect({"name": "robot"})]
    ann, bob = await connect({"name": "ann"}), await connect({"name": "bob"})
    ann.on("question", lambda text: text.upper())
    answers = [await ann.call("join", {"room": "tea"}), await bob.call("join", {"room": "tea"})]
    await bob.call("say", "hello \u00fc")
    answers += [await ann.call("ask", "how are you"), await bob.call("unheard", (1, 2, b"\x00"))]
    await bob.call("leave")
    await ann.call("say", "alone")
    await ann.call("close", "tea")
    await ann.call("say", "to nobody")
    await bob.emit("quit")
    await bob.wait()
    await ann.call("unheard")
    return {"refused": refused, "answers": answers, "ann": ann.heard, "bob": bob.heard, "left": left}
