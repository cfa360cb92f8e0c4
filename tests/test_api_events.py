"""Handlers: how they are registered and found, in which order they run, what they answer, and what their errors do."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import re
import weakref
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import anywire
import pytest
import socketio
from anywire.transports import polling
from api_tools import client, marks, serving, until
from http_tools import RawClient, text
from server_tools import Peer, listening

BASE = "/socket.io/?EIO=4&transport="


class Place(NamedTuple):
    """Answered as a plain tuple would be."""

    x: Any
    y: Any


def test_every_way_to_register_a_handler_works(run: Callable[..., Any]) -> None:
    def setup(sio: anywire.Server) -> None:
        @sio.event
        def plain(sid: str, value: int) -> Any:
            return ("plain", sid, value)

        @sio.event
        async def awaiting(sid: str, value: int) -> Any:
            await asyncio.sleep(0)
            return ("awaiting", sid, value)

        @sio.event(namespace="/chat")
        async def there(sid: str) -> str:
            return "there"

        @sio.on("two words")
        def words(sid: str) -> str:
            return "two words"

        sio.on("direct", lambda sid: "direct")
        sio.on("direct", handler=lambda sid: "direct in chat", namespace="/chat")

        class Callable_:
            async def __call__(self, sid: str, value: int) -> int:
                return value + 1

        sio.on("object", Callable_())
        sio.on("partial", functools.partial(lambda base, sid, value: base + value, 40))
        assert words.__name__ == "words" and plain is not None

    async def main() -> None:
        async with serving(setup) as sio, client(sio, namespaces=["/", "/chat"]) as c:
            assert await c.call("plain", 1) == ("plain", c.id, 1)
            assert await c.call("awaiting", 2) == ("awaiting", c.id, 2)
            assert await c.call("there", namespace="/chat") == "there"
            assert await c.call("two words") == "two words"
            assert await c.call("direct") == "direct"
            assert await c.call("direct", namespace="/chat") == "direct in chat"
            assert await c.call("object", 1) == 2
            assert await c.call("partial", 2) == 42
            assert c.get_sid() != c.get_sid("/chat")

    run(main())


def test_the_last_handler_of_an_event_replaces_the_one_before_also_while_clients_are_here(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(lambda sio: sio.on("x", lambda sid: 1)) as sio, client(sio) as c:
            assert await c.call("x") == 1
            sio.on("x", lambda sid: 2)
            assert await c.call("x") == 2

    run(main())


def test_catch_alls_get_what_nobody_else_takes_with_the_event_and_the_namespace_first(run: Callable[..., Any]) -> None:
    def setup(sio: anywire.Server) -> None:
        sio.on("known", lambda sid, *args: ["known", *args])
        sio.on("*", lambda event, sid, *args: ["any event", event, *args])
        sio.on("known", lambda namespace, sid, *args: ["known", namespace, *args], namespace="*")
        sio.on("*", lambda event, namespace, sid, *args: ["any event", event, namespace, *args], namespace="*")
        sio.on("own", lambda sid: ["own"], namespace="/chat")

    async def main() -> None:
        async with serving(setup) as sio, client(sio, namespaces=["/", "/chat", "/other"]) as c:
            assert await c.call("known", (1, 2)) == ["known", 1, 2]
            assert await c.call("strange", (1, 2)) == ["any event", "strange", 1, 2]
            assert await c.call("own", namespace="/chat") == ["own"]
            assert await c.call("known", 1, namespace="/chat") == ["known", "/chat", 1]
            assert await c.call("strange", 1, namespace="/other") == ["any event", "strange", "/other", 1]

    run(main())


def test_catch_alls_of_events_do_not_see_connect_and_disconnect_and_those_of_namespaces_do(run: Callable[..., Any]) -> None:
    said: list[Any] = []

    def setup(sio: anywire.Server) -> None:
        sio.on("*", lambda event, *args: said.append(event))
        sio.on("*", lambda event, *args: said.append(event), namespace="*")
        sio.on("connect", lambda namespace, sid, environ, auth: said.append(("connect", namespace, auth)), namespace="*")
        sio.on("disconnect", lambda namespace, sid, reason: said.append(("disconnect", namespace, reason)), namespace="*")

    async def main() -> None:
        async with serving(setup) as sio, client(sio, namespaces=["/", "/chat"], auth={"a": 1}) as c:
            await c.leave("/")
            await c.leave("/chat")
            await until(lambda: len(said) == 4)
        assert said[:2] == [("connect", "/", {"a": 1}), ("connect", "/chat", {"a": 1})]
        assert sorted(said[2:]) == [("disconnect", "/", "client disconnect"), ("disconnect", "/chat", "client disconnect")]

    run(main())


@pytest.mark.parametrize("spec", [re.compile(r"/room-\d+"), lambda name: name.startswith("/room-")], ids=["pattern", "test"])
def test_namespaces_by_pattern_take_what_matches_wholly_and_tell_the_handler_which(spec: Any, run: Callable[..., Any]) -> None:
    gone: list[Any] = []

    def setup(sio: anywire.Server) -> None:
        @sio.on("connect", namespace=spec)
        def connect(namespace: str, sid: str, environ: Any) -> None:
            pass

        @sio.on("where", namespace=spec)
        async def where(namespace: str, sid: str, *args: Any) -> Any:
            await sio.emit("here", namespace, to=sid, namespace=namespace)
            return [namespace, *args]

        sio.on("disconnect", lambda namespace, sid: gone.append(namespace), namespace=spec)

    async def main() -> None:
        async with serving(setup) as sio:
            async with client(sio, namespaces=["/room-1", "/room-22"]) as c:
                assert await c.call("where", 5, namespace="/room-1") == ["/room-1", 5]
                assert await c.call("where", namespace="/room-22") == ["/room-22"]
                assert c.heard == [("/room-1", "here", "/room-1"), ("/room-22", "here", "/room-22")]
            await until(lambda: sorted(gone) == ["/room-1", "/room-22"])
            with pytest.raises(socketio.exceptions.ConnectionError):
                async with client(sio, namespaces=["/chat"]):
                    pass

    run(main())


class Chat(anywire.Namespace):
    """Everything that a class-based namespace offers."""

    def __init__(self, namespace: str) -> None:
        super().__init__(namespace)
        self.log: list[Any] = []

    def on_connect(self, sid: str, environ: Any, auth: Any) -> None:
        self.log.append(("connect", auth))

    async def on_disconnect(self, sid: str, reason: str) -> None:
        self.log.append(("disconnect", reason, self.rooms(sid)[0] == sid))

    async def on_enter(self, sid: str, room: str) -> list[str]:
        await self.enter_room(sid, room)
        return self.rooms(sid)[1:]

    async def on_leave(self, sid: str, room: str) -> list[str]:
        await self.leave_room(sid, room)
        return self.rooms(sid)[1:]

    async def on_close(self, sid: str, room: str) -> list[str]:
        await self.close_room(room)
        return self.rooms(sid)[1:]

    async def on_shout(self, sid: str, text: str) -> None:
        await self.emit("heard", (text, 1), room="red")
        await self.emit("not for you", text, skip_sid=sid)
        await self.send(text, to=sid)

    async def on_ask(self, sid: str) -> Any:
        return await self.call("question", "how", to=sid, timeout=5)

    async def on_count(self, sid: str) -> Any:
        async with self.session(sid) as session:
            session["count"] = session.get("count", 0) + 1
        await self.save_session(sid, dict(await self.get_session(sid), saved=True))
        return await self.get_session(sid)

    async def on_kick(self, sid: str) -> None:
        await self.disconnect(sid)

    def helper(self) -> None:
        raise AssertionError("not an event")


@pytest.mark.parametrize("namespace", ["/", "/chat"])
def test_a_class_is_a_namespace_and_its_methods_work_in_it(namespace: str, run: Callable[..., Any]) -> None:
    chat = Chat(namespace)

    async def main() -> None:
        async with serving(lambda sio: sio.register_namespace(chat)) as sio, client(sio, namespaces=[namespace], auth={"a": 1}) as c:
            c.on("question", lambda text: text + "?", namespace=namespace)
            call = functools.partial(c.call, namespace=namespace)
            assert chat.server is sio
            assert await call("enter", "red") == ["red"]
            assert await call("enter", "blue") == ["blue", "red"]
            assert await call("leave", "blue") == ["red"]
            await call("shout", "hey")
            prefix = () if namespace == "/" else (namespace,)
            assert c.heard == [(*prefix, "heard", "hey", 1), (*prefix, "message", "hey")]
            assert await call("close", "red") == []
            assert await call("ask") == "how?"
            assert await call("count") == {"count": 1, "saved": True}
            assert await call("count") == {"count": 2, "saved": True}
            await c.emit("helper", namespace=namespace)
            await c.emit("kick", namespace=namespace)
            await until(lambda: len(chat.log) == 2)
            assert chat.log == [("connect", {"a": 1}), ("disconnect", "server disconnect", True)]

    run(main())


def test_a_class_that_overrides_trigger_event_sees_every_event(run: Callable[..., Any]) -> None:
    seen: list[Any] = []

    class All(anywire.Namespace):
        async def trigger_event(self, event: str, *args: Any) -> Any:
            seen.append((event, *args[1:][-1:]))
            return await super().trigger_event(event, *args)

        async def on_known(self, sid: str, value: int) -> int:
            return value + 1

    async def main() -> None:
        async with serving(lambda sio: sio.register_namespace(All("/all"))) as sio, client(sio, namespaces=["/all"]) as c:
            assert await c.call("known", 1, namespace="/all") == 2
            assert await c.call("strange", 5, namespace="/all") is None
            await c.leave("/all")
            await until(lambda: len(seen) == 4)
        assert [event for event, *_ in seen] == ["connect", "known", "strange", "disconnect"]
        assert seen[1:3] == [("known", 1), ("strange", 5)] and seen[3] == ("disconnect", "client disconnect")

    run(main())


@pytest.mark.parametrize("name", ["/all", "*"])
def test_below_an_overridden_trigger_event_handlers_may_do_without_auth_and_reason(run: Callable[..., Any], name: str) -> None:
    """As in python-socketio, whose own trigger_event tries them without."""
    seen: list[Any] = []

    class All(anywire.Namespace):
        async def trigger_event(self, event: str, *args: Any) -> Any:
            return await super().trigger_event(event, *args)

    class Named(All):
        async def on_connect(self, sid: str, environ: dict[str, Any]) -> None:
            seen.append(environ["REQUEST_METHOD"])

        def on_disconnect(self, sid: str) -> None:
            seen.append(sid)

    class Shared(All):
        def on_connect(self, namespace: str, sid: str, environ: dict[str, Any]) -> None:
            seen.append(environ["REQUEST_METHOD"])

        async def on_disconnect(self, namespace: str, sid: str) -> None:
            seen.append(sid)

    instance = Shared("*") if name == "*" else Named(name)

    async def main() -> None:
        async with serving(lambda sio: sio.register_namespace(instance)) as sio, client(sio, namespaces=["/all"]) as c:
            sid = c.get_sid("/all")
            await c.leave("/all")
            await until(lambda: seen == ["GET", sid])

    run(main())


def test_names_that_a_client_invents_are_not_kept_where_trigger_event_is_overridden(run: Callable[..., Any]) -> None:
    class All(anywire.Namespace):
        async def trigger_event(self, event: str, *args: Any) -> Any:
            return event

    async def main() -> None:
        async with serving(lambda sio: sio.register_namespace(All("/"))) as sio, client(sio) as c:
            for number in range(20):
                assert await c.call(f"invented {number}") == f"invented {number}"
            assert not sio.handlers._found and not sio.handlers.direct

    run(main())


def test_a_class_for_all_namespaces_gets_the_namespace_first(run: Callable[..., Any]) -> None:
    class Any_(anywire.Namespace):
        def on_where(self, namespace: str, sid: str) -> str:
            return namespace

    async def main() -> None:
        async with serving(lambda sio: sio.register_namespace(Any_("*"))) as sio, client(sio, namespaces=["/a", "/b"]) as c:
            assert await c.call("where", namespace="/a") == "/a"
            assert await c.call("where", namespace="/b") == "/b"

    run(main())


def test_a_decorated_handler_goes_before_the_one_of_a_class(run: Callable[..., Any]) -> None:
    class Chat_(anywire.Namespace):
        def on_x(self, sid: str) -> str:
            return "class"

        def on_y(self, sid: str) -> str:
            return "class"

    def setup(sio: anywire.Server) -> None:
        sio.register_namespace(Chat_("/chat"))
        sio.on("x", lambda sid: "decorated", namespace="/chat")

    async def main() -> None:
        async with serving(setup) as sio, client(sio, namespaces=["/chat"]) as c:
            assert await c.call("x", namespace="/chat") == "decorated"
            assert await c.call("y", namespace="/chat") == "class"

    run(main())


# -- what a handler answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "arguments"),
    [
        (None, ()),
        ("x", ("x",)),
        (("x", 2), ("x", 2)),
        ((), ()),
        (([1, 2],), ([1, 2],)),
        ([1, 2], ([1, 2],)),
        (False, (False,)),
        (0, (0,)),
        ({"b": b"\x00\xff"}, ({"b": b"\x00\xff"},)),
        ((b"\x01", [b"\x02"]), (b"\x01", [b"\x02"])),
        (Place(1, b"\x02"), (1, b"\x02")),
        ([Place(1, 2)], ([[1, 2]],)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("waits", [False, True])
def test_what_a_handler_returns_are_the_acknowledgements_arguments(
    value: Any, arguments: Any, waits: bool, run: Callable[..., Any]
) -> None:
    def setup(sio: anywire.Server) -> None:
        if waits:

            @sio.on("x")
            async def later(sid: str) -> Any:
                await asyncio.sleep(0.001)
                return value

        else:
            sio.on("x", lambda sid: value)

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as c:
            told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            await c.emit("x", callback=lambda *args: told.set_result(args))
            assert await asyncio.wait_for(told, 5) == arguments

    run(main())


def test_an_event_without_a_handler_is_not_answered_and_harms_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            told: list[Any] = []
            await c.emit("strange", 1, callback=lambda *args: told.append(args))
            await c.settled()
            assert told == []

    run(main())


# -- order --------------------------------------------------------------------------------------------------------------


def test_events_of_one_client_are_handled_in_their_order_however_long_one_takes(run: Callable[..., Any]) -> None:
    done: list[Any] = []

    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def slow(sid: str, number: int) -> None:
            await asyncio.sleep(0.02 if number % 2 == 0 else 0)
            done.append(number)

        @sio.event
        def quick(sid: str, number: int) -> int:
            done.append(number)
            return number

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as c:
            for number in range(6):
                await c.emit("slow" if number % 3 == 0 else "quick", number)
            assert await c.call("quick", 6) == 6
            assert done == [0, 1, 2, 3, 4, 5, 6]

    run(main())


def test_one_clients_slow_handler_holds_up_no_other_client_nor_its_own_other_namespaces(run: Callable[..., Any]) -> None:
    release = None

    def setup(sio: anywire.Server) -> None:
        marks(sio)
        sio.on("quick", lambda sid: "chat", namespace="/chat")

        @sio.event
        async def slow(sid: str) -> str:
            assert release is not None
            await release.wait()
            return "slow"

    async def main() -> None:
        nonlocal release
        release = asyncio.Event()
        async with serving(setup) as sio, client(sio, namespaces=["/", "/chat"]) as one, client(sio) as other:
            waiting = asyncio.ensure_future(one.call("slow"))
            await other.settled()
            assert await one.call("quick", namespace="/chat") == "chat"
            assert not waiting.done()
            release.set()
            assert await waiting == "slow"

    run(main())


def test_with_async_handlers_events_of_one_client_run_side_by_side(run: Callable[..., Any]) -> None:
    def setup(sio: anywire.Server) -> None:
        meeting = asyncio.Barrier(3)

        @sio.event
        async def meet(sid: str) -> str:
            await asyncio.wait_for(meeting.wait(), 5)
            return "met"

    async def main() -> None:
        async with serving(setup, async_handlers=True) as sio, client(sio) as c:
            assert await asyncio.gather(*(c.call("meet") for _ in range(3))) == ["met"] * 3

    run(main())


def test_a_handler_may_ask_its_own_client_and_wait_for_the_answer(run: Callable[..., Any]) -> None:
    """The acknowledgement does not wait behind the handler that waits for it."""

    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def ask(sid: str) -> Any:
            return await sio.call("question", "a", to=sid, timeout=5)

        @sio.event
        async def connect(sid: str, environ: Any) -> None:
            await sio.emit("welcome", to=sid)

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as c:
            c.on("question", lambda text: (text, "b"))
            assert await c.call("ask") == ("a", "b")
            assert c.heard == [("welcome",)]

    run(main())


def test_a_handler_may_ask_its_own_client_also_when_so_much_waits_behind_it_that_nothing_would_be_read(run: Callable[..., Any]) -> None:
    async def main() -> None:
        begun, ask = asyncio.Event(), asyncio.Event()

        def setup(sio: anywire.Server) -> None:
            @sio.event
            async def first(sid: str) -> Any:
                begun.set()
                await ask.wait()
                return await sio.call("question", to=sid, timeout=5)

            sio.on("other", lambda sid: None)

        for before in (True, False):
            begun.clear()
            ask.clear()
            async with serving(setup, max_handler_backlog=100) as sio, Peer(sio.port, "websocket") as peer:
                await peer.connect()
                await peer.send('427["first"]')
                await begun.wait()
                if before:
                    ask.set()
                    assert await peer.receive() == '421["question"]'
                (session,) = sio._hub.sessions.values()
                for _ in range(60):
                    await peer.send('42["other"]')
                if not before:
                    await until(lambda here=session: here.paused)
                    ask.set()
                    assert await peer.receive() == '421["question"]'
                await peer.send('431["yes"]')
                assert await peer.receive() == '437["yes"]'

    run(main())


def test_a_namespace_in_which_nothing_waits_does_not_let_in_more_for_one_that_is_full(run: Callable[..., Any]) -> None:
    async def main() -> None:
        full, idle = asyncio.Event(), asyncio.Event()

        def setup(sio: anywire.Server) -> None:
            sio.on("slow", lambda sid: full.wait())
            sio.on("quick", lambda sid: idle.wait(), namespace="/b")
            marks(sio)

        async with serving(setup, max_handler_backlog=20) as sio, Peer(sio.port, "websocket") as peer:
            await peer.connect()
            await peer.send("40/b,")
            await peer.receive()
            (session,) = sio._hub.sessions.values()
            for _ in range(2):
                await peer.send('42/b,["quick"]')
            for _ in range(11):
                await peer.send('42["slow"]')
            await until(lambda: session.paused)
            idle.set()
            await until(lambda: session.sockets["/b"].queue is None)
            assert session.paused
            # What comes now waits in the kernel.
            await peer.send('421["mark"]')
            full.set()
            assert await peer.receive() == "431[]"
            assert not session.paused

    run(main())


def test_a_client_that_waits_is_read_on_when_the_namespace_that_was_full_is_left_or_refused(run: Callable[..., Any]) -> None:
    async def main() -> None:
        refuse = asyncio.Event()

        def setup(sio: anywire.Server) -> None:
            marks(sio)
            never = asyncio.Event()
            sio.on("slow", lambda sid: never.wait(), namespace="/left")

            async def connect(sid: str, environ: Any) -> bool:
                await refuse.wait()
                return False

            sio.on("connect", connect, namespace="/refused")

        async with serving(setup, max_handler_backlog=20) as sio, Peer(sio.port, "websocket") as peer:
            await peer.connect()
            (session,) = sio._hub.sessions.values()
            await peer.send("40/left,")
            await peer.receive()
            for namespace, count in (("left", 11), ("refused", 10)):
                if namespace == "refused":
                    await peer.send("40/refused,")
                for _ in range(count):
                    await peer.send(f'42/{namespace},["slow"]')
                await until(lambda: session.paused)
                if namespace == "left":
                    sio.disconnect(session.sockets["/left"].sid, namespace="/left")
                else:
                    refuse.set()
                await peer.receive()
                assert not session.paused
                await peer.send('421["mark"]')
                assert await peer.receive() == "431[]"

    run(main())


def test_what_a_handler_sets_in_its_context_no_other_sees(run: Callable[..., Any]) -> None:
    who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    def look(name: str) -> str:
        seen.append(who.get())
        who.set(name)
        return name

    async def also_later(name: str) -> str:
        found = who.get()
        await asyncio.sleep(0)
        return f"{found} {who.get()} {name}"

    class Shared(anywire.Namespace):
        def on_look(self, sid: str) -> None:
            look("a method")

    def setup(sio: anywire.Server) -> None:
        @sio.event
        def connect(sid: str, environ: Any) -> None:
            look("connect")

        @sio.event
        async def later(sid: str) -> str:
            look("later")
            await asyncio.sleep(0)
            return look("later")

        def making(sid: str) -> Any:
            look("making")
            return also_later("making")

        sio.on("plain", lambda sid: look("plain"))
        sio.on("making", making)
        sio.on("*", lambda event, sid: look("catch-all"))
        sio.on("ask", lambda sid: sio.emit("asked", to=sid, callback=lambda: look("callback")) and None)
        sio.on("disconnect", lambda sid, reason: look("disconnect"))
        sio.register_namespace(Shared("/class"))

    async def main() -> None:
        async with serving(setup) as sio:
            async with client(sio, namespaces=["/", "/class"]) as c:
                c.on("asked", lambda: None)
                for _ in range(2):
                    assert await c.call("plain") == "plain"
                    assert await c.call("making") == "making making making"
                    assert await c.call("anything") == "catch-all"
                    assert await c.call("later") == "later"
                    await c.call("look", namespace="/class")
                    await c.call("ask")
                await c.call("plain")
            await until(lambda: not sio._hub.namespaces)
            async with client(sio) as c:
                assert await c.call("plain") == "plain"

    run(main())
    assert seen.count("later") == 2
    assert {name for name in seen if name != "later"} == {"nobody"} and len(seen) > 15


@pytest.mark.parametrize("transport", ["websocket", "polling", "jsonp", "htmlfile"])
def test_what_a_client_says_at_once_is_handled_whole_however_much_that_is(transport: str, run: Callable[..., Any]) -> None:
    handled: list[int] = []

    async def main() -> None:
        def setup(sio: anywire.Server) -> None:
            marks(sio)

            @sio.event
            async def save(sid: str, number: int) -> None:
                await asyncio.sleep(0)
                handled.append(number)

        async with serving(setup, max_handler_backlog=20) as sio, Peer(sio.port, transport) as peer:
            await peer.connect()
            packets = [f'42["save",{number}]' for number in range(2000)]
            if transport == "websocket":
                peer.listening.send(b"".join(map(text, packets)))
            else:
                await peer.send("\x1e".join(packets))
            await peer.send('421["mark"]')
            assert await peer.receive() == "431[]"
            assert handled == list(range(2000))

    run(main())


def test_a_post_is_answered_when_its_events_do_not_wait_in_great_number_any_more(run: Callable[..., Any]) -> None:
    async def main() -> None:
        release = asyncio.Event()

        def setup(sio: anywire.Server) -> None:
            sio.on("slow", lambda sid: release.wait())

        async with serving(setup, max_handler_backlog=10) as sio, Peer(sio.port, "polling") as peer, RawClient(sio.port) as other:
            await peer.connect()
            posting = asyncio.create_task(peer.send("\x1e".join(['42["slow"]'] * 20)))
            (session,) = sio._hub.sessions.values()
            await until(lambda: session.paused)
            # Its connection may break meanwhile, and a POST beside it is taken, and waits like it.
            broken = RawClient(sio.port)
            async with broken:
                broken.send(f"POST {peer.target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n42[\"slow\"]".encode())
                await until(lambda: session.pressed == 1)
            beside = asyncio.create_task(other.request("POST", peer.target, b'42["slow"]'))
            await until(lambda: session.pressed == 2)
            assert not posting.done() and not beside.done()
            release.set()
            await posting
            assert (await beside).status == 200

    run(main())


def test_a_post_is_answered_before_its_client_gives_it_up(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "HOLD", 0.05)

    async def main() -> None:
        never = asyncio.Event()

        def setup(sio: anywire.Server) -> None:
            sio.on("slow", lambda sid: never.wait())

        async with serving(setup, max_handler_backlog=10) as sio, Peer(sio.port, "polling") as peer:
            await peer.connect()
            await peer.send("\x1e".join(['42["slow"]'] * 20))
            (session,) = sio._hub.sessions.values()
            assert session.paused

    run(main())


def test_who_posts_on_while_more_waits_than_may_is_disconnected_and_no_other(run: Callable[..., Any]) -> None:
    gone: list[str] = []

    async def main() -> None:
        release = asyncio.Event()

        def setup(sio: anywire.Server) -> None:
            marks(sio)
            sio.on("slow", lambda sid: release.wait())
            sio.on("disconnect", lambda sid, reason: gone.append(reason))

        async with serving(setup, max_handler_backlog=10) as sio, client(sio) as other, Peer(sio.port, "polling") as peer:
            await peer.connect()
            body = "\x1e".join(['42["slow"]'] * 20).encode()
            session = sio._hub.sessions[peer.sid]
            async with AsyncExitStack() as stack:
                posts = []
                for count in range(6):
                    raw = await stack.enter_async_context(RawClient(sio.port))
                    posts.append(asyncio.create_task(raw.request("POST", peer.target, body)))
                    await until(lambda count=count: session.paused and session.pressed == count)
                # What was taken is said to be taken, and what was not is not.
                assert (await peer.speaking.request("POST", peer.target, body)).status == 400
                assert [(await post).status for post in posts] == [200] * 6
            assert (await peer.speaking.request("GET", peer.target)).status == 400
            assert gone == []
            release.set()
            await until(lambda: gone == ["too many waiting events"])
            await other.settled()

    run(main())


def test_the_disconnect_handler_runs_behind_the_events_before_it(run: Callable[..., Any]) -> None:
    said: list[str] = []

    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def slow(sid: str, text: str) -> None:
            await asyncio.sleep(0.02)
            said.append(text)
            # Sending to who has left is no error.
            await sio.emit("late", to=sid)

        @sio.event
        async def disconnect(sid: str, reason: str) -> None:
            said.append(reason)
            said.append(str((await sio.get_session(sid)).get("name")))

        @sio.event
        async def connect(sid: str, environ: Any) -> None:
            await sio.save_session(sid, {"name": "bee"})

    async def main() -> None:
        async with serving(setup) as sio:
            async with client(sio) as c:
                await c.emit("slow", "1")
                await c.emit("slow", "2")
                await c.leave()
                await until(lambda: said == ["1"])
            await until(lambda: len(said) == 4)
            assert said == ["1", "2", "client disconnect", "bee"]
            assert sio._hub.namespaces == {}

    run(main())


@pytest.mark.parametrize("bare", [False, True])
def test_no_event_that_waits_is_handled_any_more_when_the_server_has_shut_down_but_who_left_is_said_farewell(
    bare: bool, run: Callable[..., Any]
) -> None:
    said: list[str] = []

    async def slow(sid: str, data: str = "slow") -> None:
        said.append(data)
        await asyncio.sleep(60)

    def quick(sid: str) -> None:
        said.append("quick")

    def disconnect(sid: str, reason: str) -> None:
        said.append(reason)

    async def main() -> None:
        sio: Any = anywire.EngineServer(path="/socket.io/") if bare else anywire.Server()
        for _ in range(2):
            async with listening(sio), Peer(sio.port, "websocket") as peer:
                sio.on("message" if bare else "slow", slow)
                sio.on("disconnect", disconnect)
                if bare:
                    await peer.send("4slow")
                    await peer.send("4slow")
                else:
                    sio.on("quick", quick)
                    await peer.connect()
                    for event in ("slow", "quick", "slow"):
                        await peer.send(f'42["{event}"]')
                await until(lambda: said[-1:] == ["slow"])
                await sio.shutdown(0.05)
                assert said == ["slow", "server shutting down"]
                await asyncio.sleep(0.05)
                assert said == ["slow", "server shutting down"]
            said.clear()

    run(main())


# -- errors of handlers -------------------------------------------------------------------------------------------------


def test_a_handler_that_fails_is_logged_not_answered_and_the_session_lives(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def setup(sio: anywire.Server) -> None:
        marks(sio)

        @sio.event
        def plain(sid: str) -> None:
            raise ValueError("plain broke")

        @sio.event
        async def early(sid: str) -> None:
            raise ValueError("early broke")

        @sio.event
        async def late(sid: str) -> None:
            await asyncio.sleep(0.001)
            raise ValueError("late broke")

        @sio.event
        async def cancelled(sid: str) -> None:
            raise asyncio.CancelledError

        sio.on("unsayable", lambda sid: object())
        sio.on("one argument", lambda sid, value: value)

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as c:
            told: list[Any] = []
            for event in ("plain", "early", "late", "cancelled", "unsayable", "one argument"):
                await c.emit(event, callback=lambda *args: told.append(args))
            await c.settled()
            assert told == []
            assert await c.call("one argument", 5) == 5

    with caplog.at_level(logging.ERROR, "anywire.handlers"):
        run(main())
    errors = [record for record in caplog.records if record.name == "anywire.handlers"]
    causes = [str(record.exc_info[1]) for record in errors if record.exc_info]
    assert causes[:3] == ["plain broke", "early broke", "late broke"]
    assert len(errors) == 5 and "object" in causes[3] and "positional argument" in causes[4]


def test_a_failing_disconnect_handler_is_logged_and_the_client_is_forgotten(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def disconnect(sid: str, reason: str) -> None:
            raise ValueError("farewell broke")

    async def main() -> None:
        async with serving(setup) as sio:
            async with client(sio):
                pass
            await until(lambda: sio._hub.namespaces == {})

    run(main())
    assert "farewell broke" in caplog.text


# -- middleware of events -----------------------------------------------------------------------------------------------


def test_middleware_sees_each_event_first_and_may_change_or_drop_it(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    seen: list[Any] = []

    def setup(sio: anywire.Server) -> None:
        marks(sio)
        sio.on("echo", lambda sid, *args: args)
        sio.on("echo", lambda sid, *args: args, namespace="/chat")

        @sio.use_event
        def log(sid: str, event: str, args: Any) -> None:
            seen.append((event, args))

        @sio.use_event()
        async def double(sid: str, event: str, args: Any) -> Any:
            await asyncio.sleep(0)
            return [value * 2 for value in args] if event == "echo" else None

        @sio.use_event
        def guard(sid: str, event: str, args: Any) -> None:
            if args == ("secretsecret",):
                raise PermissionError("not for you")

    async def main() -> None:
        async with serving(setup) as sio, client(sio, namespaces=["/", "/chat"]) as c:
            assert await c.call("echo", (1, "a")) == (2, "aa")
            told: list[Any] = []
            await c.emit("echo", "secret", callback=lambda *args: told.append(args))
            await c.settled()
            assert told == []
            # Another namespace has its own.
            assert await c.call("echo", 1, namespace="/chat") == 1

    run(main())
    assert seen == [("echo", (1, "a")), ("echo", ("secret",)), ("mark", ())]
    assert "not for you" in caplog.text


@pytest.mark.parametrize("namespace", ["/", "/chat"])
def test_an_event_without_a_handler_is_not_acknowledged_with_a_middleware_either(namespace: str, run: Callable[..., Any]) -> None:
    seen: list[str] = []

    def setup(sio: anywire.Server) -> None:
        marks(sio)
        sio.use_event(lambda sid, event, args: seen.append(event))

    async def main() -> None:
        async with serving(setup, namespaces=["/chat"]) as sio, Peer(sio.port, "websocket") as peer:
            await peer.connect()
            before = ""
            if namespace != "/":
                before = namespace + ","
                await peer.send("40" + before)
                await peer.receive()
            await peer.send(f'42{before}7["nobody"]')
            await peer.send('428["mark"]')
            assert await peer.receive() == "438[]"

    run(main())
    assert seen == (["nobody", "mark"] if namespace == "/" else ["mark"])


def test_middleware_keeps_the_order_of_events(run: Callable[..., Any]) -> None:
    done: list[int] = []

    def setup(sio: anywire.Server) -> None:
        marks(sio)
        sio.on("x", lambda sid, number: done.append(number))

        @sio.use_event
        async def wait(sid: str, event: str, args: Any) -> None:
            await asyncio.sleep(0.01 if args and args[0] == 0 else 0)

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as c:
            for number in range(5):
                await c.emit("x", number)
            await c.settled()
            assert done == [0, 1, 2, 3, 4]

    run(main())


# -- mistakes -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_a_handler_or_a_namespace_is_refused_with_what_can() -> None:
    sio = anywire.Server()
    with pytest.raises(anywire.ConfigError, match="handler of 'x' must be callable, not int"):
        sio.on("x", 5)
    for register in (sio.use, sio.use_event, sio.on_outgoing):
        with pytest.raises(anywire.ConfigError, match="must be callable, not int"):
            register(5)
    with pytest.raises(anywire.ConfigError, match=r'write @sio.on\("name"\), or @sio.event'):

        @sio.on
        def chat(sid: str) -> None: ...

    with pytest.raises(anywire.ConfigError, match='did you mean "/chat"'):
        sio.on("x", print, namespace="chat")
    with pytest.raises(anywire.ConfigError, match="a namespace is a name, a compiled pattern or a test, not int"):
        sio.on("x", print, namespace=5)  # type: ignore[arg-type]
    for name in ("connect_error", "disconnecting", "newListener", "removeListener"):
        with pytest.raises(anywire.ConfigError, match=f"no client can send '{name}'"):
            sio.on(name, print)

    async def hook(*args: Any) -> None: ...

    with pytest.raises(anywire.ConfigError, match="a hook must be a plain function"):
        sio.on_outgoing(hook)
    with pytest.raises(anywire.ConfigError, match="takes an instance of"):
        sio.register_namespace(Chat)  # type: ignore[arg-type]
    with pytest.raises(anywire.ConfigError, match='did you mean "/chat"'):
        sio.register_namespace(anywire.Namespace("chat"))
    with pytest.raises(anywire.ConfigError, match="a class serves one namespace by its name"):
        sio.register_namespace(anywire.Namespace(re.compile("/x.*")))  # type: ignore[arg-type]
    assert anywire.Namespace().namespace == anywire.Namespace(None).namespace == "/"
    with pytest.raises(anywire.ConfigError, match="register_namespace"):
        _ = Chat("/chat").server


def test_a_handler_that_is_cancelled_or_raises_so_by_itself_harms_nobody(run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    """As the result() of a future that was cancelled does."""

    def setup(sio: anywire.Server) -> None:
        marks(sio)

        @sio.event
        def plain(sid: str) -> None:
            raise asyncio.CancelledError

        @sio.event
        async def at_once(sid: str) -> None:
            raise asyncio.CancelledError

        @sio.event
        async def later(sid: str) -> None:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

        @sio.on("*")
        def any_other(name: str, sid: str) -> None:
            raise asyncio.CancelledError

    async def main() -> None:
        caplog.set_level("ERROR")
        async with serving(setup) as sio:
            for transport in ("websocket", "polling"):
                async with client(sio, transport) as c:
                    for name in ("plain", "at_once", "later", "other"):
                        await c.emit(name)
                    await c.settled()

    run(main())
    assert {record.name for record in caplog.records} <= {"anywire.handlers"} and "_turn" not in caplog.text


# -- handlers that never end --------------------------------------------------------------------------------------------


def test_a_handler_that_never_ends_holds_up_its_clients_disconnect_no_longer_than_a_heartbeat(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        for busy, waits in ((0.1, False), (3600, True)):
            told: list[Any] = []

            def setup(sio: anywire.Server) -> None:
                @sio.event
                async def work(sid: str) -> None:
                    try:
                        await asyncio.sleep(busy)  # noqa: B023
                    finally:
                        told.append("ended")  # noqa: B023

                @sio.event
                def disconnect(sid: str, reason: str) -> None:
                    told.extend(["left", sio.rooms(sid)[1:]])  # noqa: B023

            async with serving(setup, ping_timeout=0.5 if waits else 20) as sio:
                async with client(sio) as c:
                    await sio.enter_room(c.id, "red")
                    await c.emit("work")
                    await c.emit("work")
                    await until(lambda: sio._hub.find(c.id, "/").busy)  # type: ignore[union-attr]
                await until(lambda: "left" in told)  # noqa: B023
                assert told[:1] == (["left"] if waits else ["ended"])
                assert ["red"] in told
                await until(lambda: not sio._hub.namespaces)
            assert told.count("ended") == (1 if waits else 2) and told.count("left") == 1
        assert caplog.text.count("has not ended, though its client has left") == 1

    run(main())


def test_who_has_left_is_fetched_no_more_though_its_handler_still_runs(run: Callable[..., Any]) -> None:
    def setup(sio: anywire.Server) -> None:
        @sio.event
        async def work(sid: str) -> None:
            await asyncio.sleep(3600)

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as stays:
            async with client(sio) as leaves:
                await leaves.emit("work")
                assert {socket.sid for socket in await sio.fetch_sockets()} == {stays.id, leaves.id}
                await until(lambda: sio._hub.find(leaves.id, "/").busy)  # type: ignore[union-attr]
            await until(lambda: len(sio._hub.sessions) == 1)
            assert [socket.sid for socket in await sio.fetch_sockets()] == [stays.id]

    run(main())


# -- tasks --------------------------------------------------------------------------------------------------------------


def test_a_background_task_gets_its_arguments_and_lives_though_nobody_holds_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving() as sio:
            seen: list[Any] = []

            async def work(first: int, *, second: int) -> None:
                # A future that only this task knows, as in a cycle of garbage.
                waiting = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_later(0.05, lambda future: future() and future().set_result(None), weakref.ref(waiting))
                await waiting
                seen.append((first, second))

            sio.start_background_task(work, 1, second=2)
            await sio.sleep(0)
            gc.collect()
            await until(lambda: seen)
            assert seen == [(1, 2)]

            async def value() -> int:
                await sio.sleep(0.001)
                return 7

            assert await sio.start_background_task(value) == 7

            def plain() -> None: ...

            with pytest.raises(TypeError, match="a background task needs an async function; 'plain' is a plain one"):
                sio.start_background_task(plain)

    run(main())
