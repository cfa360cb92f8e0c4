"""Captured sessions of socket.io 0.9.19, its Node client and its browser client, replayed against our server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anywire
import pytest
from http_tools import RawClient, masked, text
from replay09 import CAPTURES, Replay, conversation, later, requests
from server_tools import listening

#: What the original said for want of better -> what we say.
DEPARTURES = {
    # A namespace that refuses with a text: the text was looked up in a table of codes.
    "7::/err:undefined": "7::/err:2",
    # An event with a plain id is never acknowledged by the client.
    "5:2::": "5:2+::",
}


@asynccontextmanager
async def server(back: bool = False, answers_first: bool = False, **settings: Any) -> AsyncIterator[anywire.Server]:
    """The application that was captured. ``back``: its event echoes too; ``answers_first``: its messages are acknowledged, then echoed."""

    def authorization(environ: Any) -> bool:
        if "err=1" in environ["QUERY_STRING"]:
            raise RuntimeError
        return "deny=1" not in environ["QUERY_STRING"]

    sio = anywire.Server(authorization=authorization, **settings)

    @sio.event
    def message(sid: str, data: Any) -> Any:
        def echo() -> None:
            sio.send(f"echo:{data}" if isinstance(data, str) else "echo:[object Object]", to=sid)

        if answers_first:
            asyncio.get_running_loop().call_soon(echo)
        else:
            echo()
        return "got", data

    @sio.event
    def ev(sid: str, one: Any, two: Any) -> Any:
        def echo() -> None:
            sio.emit("back", (one, two), to=sid)
            sio.emit("back2", "\u2028</script>/", to=sid)

        if back:
            later(echo)
        return "A", {"b": two}

    @sio.event
    def ask(sid: str) -> None:
        def more() -> None:
            sio.emit("q0", 2, to=sid, callback=lambda *args: None)
            sio.send("needack", to=sid, callback=lambda *args: None)
            sio.send({"j": "é\u2028x/y"}, to=sid)
            sio.emit("unicode", ("hé😀", "</script>"), to=sid)

        sio.emit("q", 1, to=sid, callback=lambda *args: None)
        later(more)

    @sio.on("connect", namespace="/chat")
    def chat(sid: str, environ: Any) -> None:
        def welcome() -> None:
            sio.emit("welcome", 20, to=sid, namespace="/chat")

        if sio.transport(sid, "/chat") == "websocket":
            welcome()
        else:
            later(welcome)

    @sio.on("connect", namespace="/err")
    def err(sid: str, environ: Any) -> None:
        raise anywire.ConnectionRefusedError("custom")

    async with listening(sio):
        yield sio


@pytest.mark.parametrize("capture", ["ws-basic", "xhr-basic", "reconnect-websocket", "reconnect-xhr-polling"])
def test_a_session_of_the_client_on_node(capture: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with server() as sio:
            await Replay(sio, DEPARTURES).play(conversation(capture + ".txt"))

    run(main())


@pytest.mark.parametrize("capture", ["ws", "xhr-same", "xhr-cross", "jsonp-cross", "jsonp-handshake", "htmlfile-shim"])
def test_a_session_of_the_client_in_chromium(capture: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with server(back=True, origins=["http://127.0.0.1:9101"]) as sio:
            await Replay(sio, DEPARTURES).play(conversation(f"chromium-{capture}.txt"))

    run(main())


#: Servers with short timers were captured, and told clients so. Ours tells the time after which a client may give up, which is never less
#: than its close timeout.
TIMES = {":60:3:": ":60:60:", ":3:3:": ":60:60:"}


@pytest.mark.parametrize("capture", ["hb-ws", "hb-xhr", "hole-ws", "hole-xhr", "nav-ws", "nav-sync", "nav-nosync"])
def test_a_session_that_is_quiet_falls_silent_or_whose_page_is_left(capture: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        # The page on a WebSocket is left before a heartbeat is due. In the holes the client heard nothing, nor was it heard.
        quiet = 30.0 if capture == "nav-ws" else 0.5
        async with server(ping_interval=quiet, ping_timeout=30, polling_duration=0.5) as sio:
            await Replay(sio, DEPARTURES | TIMES).play(conversation(f"{capture}.txt"))

    run(main())


#: Where the original hung up without a word, left a request for ever, or went down.
INSTEAD = {
    # The port has later protocols too.
    "EIO v2+ style url": (200, '0{"sid":"'),
    "websocket without Upgrade header": (400, ""),
    "unknown transport": (400, '{"code":0,"message":"Transport unknown"}'),
    "transport not enabled (flashsocket)": (400, "Transport unknown"),
    "xhr overlapping GET, the first": (200, "8::"),
    "jsonp POST unparsable d": (400, "the field d is not a JSON string"),
    "jsonp GET after the parse error": (200, 'io.j[1]("7:::1+0");'),
}


def test_single_requests(run: Callable[..., Any]) -> None:
    """Handshakes and their refusals, every form of poll, post and goodbye, and unknown sessions."""

    async def main() -> None:
        found = requests("raw-http.txt")
        assert {request.title for request in found} > set(INSTEAD)
        async with server(origins=["http://example.com"], polling_duration=0.3) as sio:
            await Replay(sio, DEPARTURES).ask(found, INSTEAD)

    run(main())


#: (section, number of the client's frame) -> what we answer.
FRAMES_INSTEAD = {
    # A namespace that is joined is not joined again: the client would run its "connect" handlers again.
    ("namespaces", 4): [],
    ("namespaces", 6): [],
    ("namespaces", 13): [],
    ("namespaces", 12): ["7::/err:2"],
    # What is not JSON was "false" to the application.
    ("malformed", 6): [],
    # A pong has the ping's data; theirs was no frame at all. A close frame is answered.
    ("client pings, binary, close", 0): ["1::", "hi"],
    ("client pings, binary, close", 2): ["3:::echo:still alive"],
    ("client pings, binary, close", 3): ["\x03\xe8"],
}


def sections() -> dict[str, list[tuple[bytes, list[str]]]]:
    """Title -> each frame of the client, and the texts of the frames that answered it."""
    found: dict[str, list[tuple[bytes, list[str]]]] = {}
    for line in (CAPTURES / "raw-ws.txt").read_text().split("\n"):
        if line.startswith("##### "):
            steps = found[line[6:]] = []
        elif line.startswith("--> op="):
            opcode, value = line[7:].split(" ", 1)
            said = json.loads(value)
            data = said.encode() if isinstance(said, str) else bytes(said["data"])
            steps.append((masked(0x80 | int(opcode), data), []))
        elif line.startswith("<-- op="):
            steps[-1][1].append(json.loads(line.split(" ", 3)[3]))
    return found


@pytest.mark.parametrize("title", list(sections()))
def test_single_frames(title: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with server(answers_first=True) as sio, RawClient(sio.port) as client:
            if title == "namespace refused":
                sio.on("connect", lambda sid, environ: False, namespace="/chat")
            sid = (await client.request("GET", "/socket.io/1/?t=1")).text.split(":")[0]
            assert (await client.upgrade(f"/socket.io/1/websocket/{sid}")).status == 101
            for index, (frame, answers) in enumerate(sections()[title]):
                client.send(frame)
                for answer in FRAMES_INSTEAD.get((title, index), answers):
                    assert (await client.frame())[1].decode("latin-1" if answer == "\x03\xe8" else "utf-8") == answer
            # And nothing more.
            client.send(masked(0x89, b"end"))
            assert await client.frame() == ((-1, b"") if title.endswith("close") else (0x8A, b"end"))

    run(main())


def test_what_an_application_sends(run: Callable[..., Any]) -> None:
    """Everything that a handler of the time could say, and who hears it; there a room of "/" and a namespace of one name were the same."""

    async def main() -> None:
        async with server() as sio, RawClient(sio.port) as a, RawClient(sio.port) as b:
            sids: list[str] = []
            sio.on("connect", lambda sid, environ: sids.append(sid))
            sio.on("connect", lambda sid, environ: sio.enter_room(sid, "r", "/chat") and None, namespace="/chat")
            for client in (a, b):
                session = (await client.request("GET", "/socket.io/1/?t=1")).text.split(":")[0]
                assert (await client.upgrade(f"/socket.io/1/websocket/{session}")).status == 101
                assert await client.frame() == (0x81, b"1::")
            b.send(text("1::/chat"))
            assert await b.frame() == (0x81, b"1::/chat")
            for sid in sids:
                sio.enter_room(sid, "x")
            sio.enter_room(sids[0], "chat")
            sio.emit("withack", to=sids[0], callback=lambda *args: None)
            sio.emit("all", 1)
            sio.emit("inx", room="x")
            sio.emit("notme", room="x", skip_sid=sids[0])
            sio.send({"a": 1})
            sio.emit("vol", 1, to=sids[0], volatile=True)
            sio.emit("collide", room="chat")
            sio.emit("nspRoom", room="r", namespace="/chat")
            sio.emit("nspAll", namespace="/chat")
            sio.emit("und", None, to=sids[0], callback=lambda *args: None)
            sio.send({"b": 1}, skip_sid=sids[0])
            sio.emit("bvol", skip_sid=sids[0], volatile=True)
            heard = {
                a: ['5:1+::{"name":"withack"}', '5:::{"name":"all","args":[1]}', '5:::{"name":"inx"}', '4:::{"a":1}',
                    '5:::{"name":"vol","args":[1]}', '5:::{"name":"collide"}', '5:2+::{"name":"und"}'],
                b: ['5:::{"name":"all","args":[1]}', '5:::{"name":"inx"}', '5:::{"name":"notme"}', '4:::{"a":1}',
                    '5::/chat:{"name":"nspRoom"}', '5::/chat:{"name":"nspAll"}', '4:::{"b":1}', '5:::{"name":"bvol"}'],
            }  # fmt: skip
            for client, expected in heard.items():
                assert [(await client.frame())[1].decode() for _ in expected] == expected
                client.send(masked(0x89, b"end"))
                assert await client.frame() == (0x8A, b"end")

    run(main())
