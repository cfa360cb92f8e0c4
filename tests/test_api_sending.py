"""Sending: who gets an emit, what travels, acknowledgements from one and from many, and clients as a group."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anywire
import pytest
from api_tools import Client, client, marks, serving, until
from http_tools import RawClient, text
from server_tools import Peer


class Place(NamedTuple):
    """Sent as a plain tuple would be."""

    x: Any
    y: Any


async def silence() -> None:
    """A handler of a client that does not answer."""
    await asyncio.sleep(30)


@asynccontextmanager
async def three(sio: anywire.Server, namespace: str = "/") -> AsyncIterator[tuple[Client, Client, Client]]:
    """Clients a (rooms red and blue), b (red) and c (none)."""
    options = {"namespaces": ["/"] if namespace == "/" else ["/", namespace]}
    async with client(sio, **options) as a, client(sio, "polling", **options) as b, client(sio, **options) as c:
        for one, rooms in ((a, ("red", "blue")), (b, ("red",))):
            for room in rooms:
                await sio.enter_room(one.get_sid(namespace), room, namespace=namespace)
        yield a, b, c


def chat(sio: anywire.Server) -> None:
    marks(sio)
    sio.on("connect", lambda sid, environ: None, namespace="/chat")


#: Keyword arguments of emit, with A, B and C for the clients' ids, and who of them hears it.
TARGETS: list[tuple[dict[str, Any], str]] = [
    ({}, "abc"),
    ({"to": "A"}, "a"),
    ({"room": "B"}, "b"),
    ({"to": "red"}, "ab"),
    ({"room": "red"}, "ab"),
    ({"to": ["blue", "C"]}, "ac"),
    ({"to": ("red", "blue")}, "ab"),
    ({"to": {"red", "A"}}, "ab"),
    ({"to": "green"}, ""),
    ({"to": []}, ""),
    ({"skip_sid": "A"}, "bc"),
    ({"skip_sid": ["A", "B"]}, "c"),
    ({"to": "red", "skip_sid": "A"}, "b"),
    ({"to": "A", "skip_sid": "A"}, ""),
    ({"to": "A", "room": "B"}, "a"),
    ({"skip_room": "red"}, "c"),
    ({"skip_room": ["blue"]}, "bc"),
    ({"to": "red", "skip_room": "blue"}, "b"),
    ({"skip_room": "blue", "skip_sid": "C"}, "b"),
    ({"ignore_queue": True}, "abc"),
    ({"volatile": True, "to": ["A", "C"]}, "ac"),
]


@pytest.mark.parametrize("namespace", ["/", "/chat"])
def test_an_emit_reaches_whom_it_names_and_nobody_else(namespace: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio, namespace) as clients:
            ids = {name: one.get_sid(namespace) for name, one in zip("ABC", clients, strict=True)}

            def named(value: Any) -> Any:
                if isinstance(value, str):
                    return ids.get(value, value)
                return type(value)(map(named, value)) if isinstance(value, (list, tuple, set)) else value

            for number, (options, _) in enumerate(TARGETS):
                await sio.emit("x", number, namespace=namespace, **{key: named(value) for key, value in options.items()})
            for letter, one in zip("abc", clients, strict=True):
                wanted = [number for number, (_, who) in enumerate(TARGETS) if letter in who]
                heard = await one.settled()
                assert [event[-1] for event in heard] == wanted, letter

    run(main())


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_data_arrives_as_it_was_given(transport: str, run: Callable[..., Any]) -> None:
    values: list[tuple[Any, tuple[Any, ...]]] = [
        (None, ()),
        ((), ()),
        ("text é€😀\u2028\x00", ("text é€😀\u2028\x00",)),
        (5, (5,)),
        (False, (False,)),
        ([], ([],)),
        ((1, "two", None), (1, "two", None)),
        (([1, 2],), ([1, 2],)),
        ({"a": {"b": [1.5, True, None]}}, ({"a": {"b": [1.5, True, None]}},)),
        (b"", (b"",)),
        (b"\x00\xff", (b"\x00\xff",)),
        (bytearray(b"\x01"), (b"\x01",)),
        (({"deep": [b"\x01", {"er": b"\x02"}]}, b"\x03"), ({"deep": [b"\x01", {"er": b"\x02"}]}, b"\x03")),
        ([b"x"] * 10, ([b"x"] * 10,)),
        ({1: "x", None: 2}, ({"1": "x", "null": 2},)),
        (float("nan"), (None,)),
        (Place(1, "two"), (1, "two")),
        ([Place(1, Place(b"\x01", None))], ([[1, [b"\x01", None]]],)),
        (({2: Place(1, 2)},), ({"2": [1, 2]},)),
    ]

    async def main() -> None:
        async with serving(marks) as sio, client(sio, transport) as c:
            for data, _ in values:
                sio.emit("x", data)
            assert await c.settled() == [("x", *args) for _, args in values]

    run(main())


def test_send_is_the_event_message(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as a, client(sio) as b:
            await sio.send("all")
            await sio.send(("two", b"x"), to=a.id)
            await sio.send("not a", skip_sid=a.id)
            assert await a.settled() == [("message", "all"), ("message", "two", b"x")]
            assert await b.settled() == [("message", "all"), ("message", "not a")]

    run(main())


def test_an_emit_does_its_work_when_called_and_awaiting_it_is_not_needed(run: Callable[..., Any]) -> None:
    def setup(sio: anywire.Server) -> None:
        marks(sio)

        @sio.event
        def plain(sid: str) -> None:
            sio.emit("1", to=sid)
            sio.enter_room(sid, "red")
            sio.emit("2", room="red")
            sio.leave_room(sid, "red")
            sio.emit("3", room="red")
            sio.send("4")

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as c:
            await c.emit("plain")
            assert await c.settled() == [("1",), ("2",), ("message", "4")]

    run(main())


@pytest.mark.parametrize("receivers", [2, 1], ids=["in one go", "in slices"])
def test_what_sending_returns_may_be_a_task_or_waited_for_or_left(
    receivers: int, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anywire.server.hub.SLICE", receivers)

    async def main() -> None:
        async with serving(marks) as sio, client(sio) as a, client(sio) as b:
            sio.emit("n", 1)
            await sio.emit("n", 2)
            await asyncio.create_task(sio.emit("n", 3))
            await asyncio.gather(sio.emit("n", 4), sio.emit("n", 5))
            await asyncio.wait_for(sio.emit("n", 6), 5)
            async with asyncio.TaskGroup() as group:
                group.create_task(sio.emit("n", 7))
            for one in (a, b):
                assert await one.settled() == [("n", number) for number in range(1, 8)]

    run(main())


def test_from_another_thread_all_is_done_in_the_servers_own(run: Callable[..., Any]) -> None:
    threads: set[int] = set()

    def setup(sio: anywire.Server) -> None:
        marks(sio)
        sio.on_outgoing(lambda *what: threads.add(threading.get_ident()))

        @sio.event
        async def disconnect(sid: str, reason: str) -> None:
            await asyncio.sleep(0)
            threads.add(threading.get_ident())
            gone.append(sid)

    gone: list[str] = []

    async def main() -> None:
        async with serving(setup) as sio, client(sio) as a, client(sio) as b:
            loop = asyncio.get_running_loop()

            def work() -> Any:
                def do(coroutine: Any) -> Any:
                    return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

                do(sio.enter_room(a.id, "red"))
                do(sio.emit("n", 1, to="red"))
                do(sio.send("all", skip_room="red"))
                do(sio.sockets_join("blue", to="red"))
                do(sio.leave_room(a.id, "red"))
                rooms = do(sio.fetch_sockets("blue"))[0].rooms
                with pytest.raises(anywire.BadNamespaceError, match="has no handler"):
                    do(sio.emit("n", namespace="/nowhere"))
                do(sio.disconnect(b.id))
                return rooms

            ids = a.id, b.id
            assert set(await asyncio.to_thread(work)) == {ids[0], "blue"}
            assert await a.settled() == [("n", 1)]
            assert b.heard == [("message", "all")]
            await until(lambda: gone == [ids[1]])
            assert threads == {threading.get_ident()}

    run(main())


def test_a_volatile_emit_is_dropped_for_a_client_that_does_not_poll_and_heard_by_the_others(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as stream, RawClient(sio.port) as raw:
            target = "/socket.io/?EIO=4&transport=polling"
            target += "&sid=" + json.loads((await raw.request("GET", target)).text[1:])["sid"]
            await raw.request("POST", target, b"40")
            await raw.request("GET", target)
            await sio.emit("volatile", volatile=True)
            await sio.emit("kept")
            assert (await raw.request("GET", target)).text == '42["kept"]'
            assert await stream.settled() == [("volatile",), ("kept",)]

    run(main())


# -- acknowledgements ---------------------------------------------------------------------------------------------------


def test_call_returns_what_the_client_answers(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, client(sio, namespaces=["/", "/chat"]) as c:
            for value, returned in [(None, None), ("x", "x"), ((1, 2), (1, 2)), ([1, 2], [1, 2]), (b"\x00\xff", b"\x00\xff"), (0, 0)]:
                c.on("question", lambda *args, value=value: value)
                assert await sio.call("question", to=c.id, timeout=5) == returned
            c.on("question", lambda *args: [*args])
            assert await sio.call("question", (1, b"x"), sid=c.id, timeout=5) == [1, b"x"]
            c.on("question", lambda *args: ["chat", *args], namespace="/chat")
            assert await sio.call("question", "a", to=c.get_sid("/chat"), namespace="/chat", timeout=5) == ["chat", "a"]

    run(main())


def test_a_call_without_an_answer_ends_in_a_timeout_error_and_a_late_answer_is_ignored(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            release = asyncio.Event()

            async def late() -> str:
                await release.wait()
                return "late"

            c.on("question", late)
            with pytest.raises(anywire.TimeoutError, match=r"no acknowledgement of 'question' within 0\.05 seconds"):
                await sio.call("question", to=c.id, timeout=0.05)
            release.set()
            await c.settled()
            assert not sio._hub.find(c.id, "/").acks  # type: ignore[union-attr]

    run(main())


def test_a_call_to_who_leaves_ends_at_once_and_says_so(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            async def question() -> None:
                asked.set_result(None)
                await asyncio.sleep(30)

            c.on("question", question)
            call = asyncio.ensure_future(sio.call("question", to=c.id, timeout=30))
            await asked
            await c.leave()
            with pytest.raises(anywire.DisconnectedError, match="before it acknowledged 'question'"):
                await asyncio.wait_for(call, 5)

    run(main())


@pytest.mark.parametrize("timeout", [None, float("inf"), 1e12])
def test_a_call_may_wait_for_as_long_as_it_takes(run: Callable[..., Any], timeout: float | None) -> None:
    """As python-socketio's with ``timeout=None``; here for a day at most, or until the client leaves."""

    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            c.on("question", lambda: "answer")
            assert await sio.call("question", to=c.id, timeout=timeout) == "answer"
            await sio.enter_room(c.id, "red")
            assert await sio.call("question", to="red", timeout=timeout) == {c.id: "answer"}
            c.on("question", silence)
            call = asyncio.ensure_future(sio.call("question", to=c.id, timeout=timeout))
            await c.settled()
            await c.leave()
            with pytest.raises(anywire.DisconnectedError):
                await asyncio.wait_for(call, 5)

    run(main())


@pytest.mark.parametrize("always_connect", [False, True])
def test_a_call_to_who_is_refused_ends_at_once_and_says_so(run: Callable[..., Any], always_connect: bool) -> None:
    async def main() -> None:
        calls: list[asyncio.Task[Any]] = []
        async with serving(always_connect=always_connect) as sio:

            @sio.event
            async def connect(sid: str, environ: Any) -> bool:
                calls.append(sio.start_background_task(sio.call, "question", to=sid, timeout=30))
                await asyncio.sleep(0.01)
                return False

            async with Peer(sio.port, "websocket") as peer:
                await peer.connect()
                with pytest.raises(anywire.DisconnectedError, match="before it acknowledged 'question'"):
                    await asyncio.wait_for(calls[0], 5)

    run(main())


def test_a_call_to_nobody_is_refused_at_once(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            gone = sio._hub.new_id()
            with pytest.raises(anywire.BadNamespaceError, match="is not connected to namespace '/'"):
                await sio.call("question", to=gone, timeout=5)
            with pytest.raises(anywire.BadNamespaceError):
                await sio.call("question", sid=c.id, namespace="/nowhere", timeout=5)
            with pytest.raises(ValueError, match="to= or sid="):
                await sio.call("question")

    run(main())


def test_a_call_to_a_room_gathers_the_answers_of_all_its_clients(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, c):
            for one, answer in ((a, 1), (b, (2, b"two")), (c, 3)):
                one.on("question", lambda *args, answer=answer: answer)
            assert await sio.call("question", "x", to="red", timeout=5) == {a.id: 1, b.id: (2, b"two")}
            assert await sio.call("question", "x", to=["blue", c.id], timeout=5) == {a.id: 1, c.id: 3}
            assert await sio.call("question", to="empty", timeout=5) == {}

    run(main())


def test_a_gathering_call_that_runs_out_of_time_holds_the_answers_that_came(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, _):
            a.on("question", lambda: "here")
            b.on("question", silence)
            with pytest.raises(anywire.TimeoutError, match="1 clients acknowledged") as raised:
                await sio.call("question", to="red", timeout=0.3)
            assert raised.value.responses == {a.id: "here"}

    run(main())


def test_a_gathering_call_leaves_out_who_leaves_meanwhile(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, _):
            a.on("question", lambda: "here")

            async def leave() -> None:
                await b.leave()
                await asyncio.sleep(30)

            b.on("question", leave)
            assert await sio.call("question", to="red", timeout=10) == {a.id: "here"}

    run(main())


def test_a_callback_is_called_for_each_client_that_answers_with_its_arguments(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, c):
            for one, name in ((a, "a"), (b, "b"), (c, "c")):
                one.on("question", lambda value, name=name: (name, value))
            said: list[Any] = []

            async def later(*args: Any) -> None:
                await asyncio.sleep(0)
                said.append(("async", *args))

            await sio.emit("question", 1, to=c.id, callback=lambda *args: said.append(args))
            await sio.emit("question", 2, room="red", callback=later)
            await sio.emit("question", 3, skip_sid=[a.id, b.id], callback=lambda *args: said.append(args))
            await sio.emit("question", 4, skip_room="red", callback=lambda *args: said.append(args))
            await sio.emit("question", 5, room="red", skip_sid=b.id, callback=lambda *args: said.append(args), ignore_queue=True)
            await sio.send(6, to=c.id, callback=lambda *args: said.append(args))
            await until(lambda: len(said) >= 7)
            for one in (a, b, c):
                await one.settled()
            assert sorted(map(repr, said)) == sorted(
                map(repr, [("c", 1), ("async", "a", 2), ("async", "b", 2), ("c", 3), ("c", 4), ("a", 5), ()])
            )
            assert c.heard == [("message", 6)]

    run(main())


def test_a_callback_that_fails_is_logged_and_harms_neither_session_nor_others(
    run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            c.on("question", lambda: 1)

            def broken(value: int) -> None:
                raise ValueError("plain callback broke")

            async def broken_later(value: int) -> None:
                raise ValueError("async callback broke")

            await sio.emit("question", to=c.id, callback=broken)
            await sio.emit("question", to=c.id, callback=broken_later)
            await c.settled()
            assert c.connected and await sio.call("question", to=c.id, timeout=5) == 1

    with caplog.at_level(logging.ERROR):
        run(main())
    assert "plain callback broke" in caplog.text and "async callback broke" in caplog.text


def test_acknowledgements_that_were_not_asked_for_or_come_twice_or_from_another_client_are_ignored(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, RawClient(sio.port) as raw, RawClient(sio.port) as other:
            for one in (raw, other):
                await one.upgrade("/socket.io/?EIO=4&transport=websocket")
                await one.frame()
                one.send(text("40"))
                await one.frame()
            sid = next(iter(sio._hub.namespaces["/"].sockets))
            call = asyncio.ensure_future(sio.call("question", to=sid, timeout=5))
            assert await raw.frame() == (0x81, b'421["question"]')
            other.send(text('431["not mine"]') + text('439999999999999999["never"]'))
            other.send(text('420["mark"]'))
            assert await other.frame() == (0x81, b"430[]")
            assert not call.done()
            raw.send(text('432["not yet"]') + text('431["first"]') + text('431["second"]') + text('420["mark"]'))
            assert await raw.frame() == (0x81, b"430[]")
            assert await call == "first"

    run(main())


# -- rooms and clients as a group -----------------------------------------------------------------------------------------


def test_rooms_are_entered_left_listed_and_closed(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, c):
            assert sio.rooms(a.id) == [a.id, "blue", "red"] and sio.rooms(c.id) == [c.id]
            await sio.enter_room(a.id, "red")
            assert sio.rooms(a.id) == [a.id, "blue", "red"]
            await sio.leave_room(a.id, "red")
            await sio.leave_room(a.id, "never entered")
            assert sio.rooms(a.id) == [a.id, "blue"]
            await sio.close_room("red")
            assert sio.rooms(b.id) == [b.id]
            for room in ("", None, 5):
                with pytest.raises(ValueError, match="a room's name is a non-empty str"):
                    sio.enter_room(a.id, room)  # type: ignore[arg-type]
            with pytest.raises(anywire.BadNamespaceError, match="not connected to namespace '/chat'"):
                sio.enter_room(a.id, "red", namespace="/chat")
            with pytest.raises(anywire.BadNamespaceError):
                sio.rooms("stranger")

    run(main())


def test_all_clients_of_a_group_move_or_leave_together(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, c):
            await sio.sockets_join("all")
            await sio.sockets_join(["x", "y"], to="red")
            await sio.sockets_join("z", skip_sid=a.id)
            assert sio.rooms(a.id)[1:] == ["all", "blue", "red", "x", "y"]
            assert sio.rooms(b.id)[1:] == ["all", "red", "x", "y", "z"]
            assert sio.rooms(c.id)[1:] == ["all", "z"]
            await sio.sockets_leave(["x", "all"], to="red", skip_sid=b.id)
            assert sio.rooms(a.id)[1:] == ["blue", "red", "y"] and "all" in sio.rooms(b.id)
            gone: list[str] = []
            for one, name in ((a, "a"), (b, "b"), (c, "c")):
                one.on("disconnect", lambda *reason, name=name: gone.append(name))
            await sio.disconnect_sockets(to="red", skip_sid=a.id)
            await until(lambda: gone == ["b"])
            await sio.disconnect_sockets()
            await until(lambda: sorted(gone) == ["a", "b", "c"])

    run(main())


def test_fetch_sockets_tells_what_is_known_of_clients_but_never_their_engines_id(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, three(sio) as (a, b, c):
            await sio.save_session(b.id, {"name": "bee", "secret object": object()})
            found = {socket.sid: socket for socket in await sio.fetch_sockets()}
            assert set(found) == {a.id, b.id, c.id}
            assert found[b.id].rooms == tuple(sorted((b.id, "red"))) and found[b.id].data == {"name": "bee"}
            assert {found[one.id].transport for one in (a, c)} == {"websocket"} and found[b.id].transport == "polling"
            assert {socket.node for socket in found.values()} == {sio._hub.node}
            assert [socket.sid for socket in await sio.fetch_sockets(to="blue")] == [a.id]
            assert [socket.sid for socket in await sio.fetch_sockets(to="red", skip_sid=a.id)] == [b.id]
            assert await sio.fetch_sockets(namespace="/chat") == []
            assert not any(one.eio.sid in repr(found) for one in (a, b, c))

    run(main())


def test_disconnect_ends_a_namespace_or_with_close_the_whole_session(run: Callable[..., Any]) -> None:
    async def main() -> None:
        gone: list[Any] = []

        def setup(sio: anywire.Server) -> None:
            chat(sio)
            sio.on("disconnect", lambda sid, reason: gone.append(("/", reason)))
            sio.on("disconnect", lambda sid, reason: gone.append(("/chat", reason)), namespace="/chat")

        async with serving(setup) as sio, client(sio, namespaces=["/", "/chat"]) as c:
            await sio.disconnect(c.get_sid("/chat"), namespace="/chat")
            assert gone == [("/chat", "server disconnect")]
            await c.settled()
            assert await sio.fetch_sockets(namespace="/chat") == []
            async with client(sio, namespaces=["/", "/chat"]) as d:
                gone_id = d.id
                await sio.disconnect(gone_id, close=True)
                await until(lambda: not d.connected)
                assert gone[1:] == [("/", "server disconnect"), ("/chat", "server disconnect")]
            # Who has gone in the meantime is no mistake of the application's.
            await sio.disconnect(gone_id)
            await sio.leave_room(gone_id, "red")
            with pytest.raises(anywire.BadNamespaceError, match="has no handler"):
                sio.disconnect(gone_id, namespace="/nowhere")

    run(main())


# -- hooks --------------------------------------------------------------------------------------------------------------


def test_outgoing_hooks_see_every_event_that_is_sent_before_it_goes(run: Callable[..., Any]) -> None:
    async def main() -> None:
        seen: list[Any] = []

        def setup(sio: anywire.Server) -> None:
            chat(sio)

            @sio.on_outgoing
            def hook(event: str, args: Any, to: Any, namespace: str) -> None:
                seen.append((event, args, to, namespace))
                if event == "forbidden":
                    raise PermissionError("not out of here")

        async with serving(setup) as sio, client(sio) as c:
            c.on("question", lambda: 1)
            await sio.emit("a", (1, 2))
            await sio.emit("b", 1, room="red", namespace="/chat")
            await sio.send("c", to=c.id)
            await sio.call("question", to=c.id, timeout=5)
            await sio.emit("d", callback=print)
            with pytest.raises(PermissionError):
                sio.emit("forbidden")
            assert await c.settled() == [("a", 1, 2), ("message", "c"), ("d",)]
            assert seen == [
                ("a", (1, 2), None, "/"),
                ("b", (1,), "red", "/chat"),
                ("message", ("c",), c.id, "/"),
                ("question", (), c.id, "/"),
                ("d", (), None, "/"),
                ("forbidden", (), None, "/"),
            ]

    run(main())


# -- mistakes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["one", "room", "all", "nobody", "callback", "call"])
@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, {"x": object()}, {(1, 2): "x"}, 2**70, "\ud800"],
    ids=["object", "set", "object within", "tuple as a key", "2**70", "half a character"],
)
def test_an_emit_that_cannot_be_encoded_raises_at_once_and_sends_nothing(target: str, value: Any, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            await sio.enter_room(c.id, "red")
            to = {"one": c.id, "room": "red", "call": c.id}.get(target)
            with pytest.raises(anywire.PayloadError) as raised:
                if target == "nobody":
                    sio.emit("x", value, to="nobody here")
                elif target == "callback":
                    sio.emit("x", value, callback=print)
                elif target == "call":
                    await sio.call("x", value, to=to, timeout=1)
                else:
                    sio.emit("x", value, to=to)
            assert isinstance(raised.value, TypeError) and len(str(raised.value)) > 20
            assert await c.settled() == []

    run(main())


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"event": "connect"}, anywire.PayloadError, "'connect' is reserved"),
        ({"event": "disconnecting"}, anywire.PayloadError, "'disconnecting' is reserved"),
        ({"event": 5}, anywire.PayloadError, "an event's name is a str, not int"),
        ({"event": None}, anywire.PayloadError, "an event's name is a str, not NoneType"),
        ({"namespace": "/nowhere"}, anywire.BadNamespaceError, "namespace '/nowhere' has no handler"),
        ({"namespace": "chat"}, anywire.BadNamespaceError, "did you mean '/chat'"),
        ({"to": 5}, ValueError, "take a str or several"),
        ({"to": [5]}, ValueError, "take a str or several"),
        ({"skip_sid": [None]}, ValueError, "take a str or several"),
        ({"callback": 5}, TypeError, "callback must be callable, not int"),
        ({"namespace": 5}, anywire.BadNamespaceError, "a namespace's name is a str, not int"),
        ({"data": [b"x"] * 11}, anywire.PayloadError, "11 attachments; socket.io-client takes 10 of them in one message"),
    ],
    ids=repr,
)
def test_a_mistake_in_an_emit_raises_at_once_and_says_what_is_right(
    options: dict[str, Any], error: type[Exception], says: str, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving(chat) as sio:
            with pytest.raises(error, match=says):
                sio.emit(**{"event": "x", "data": 1, **options})

    run(main())


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, ValueError, "needs to= or sid="),
        ({"to": "a", "timeout": "1"}, TypeError, "timeout= is a number of seconds, not str"),
    ],
    ids=repr,
)
def test_a_mistake_in_a_call_raises_at_once_and_says_what_is_right(
    options: dict[str, Any], error: type[Exception], says: str, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with serving(chat) as sio:
            with pytest.raises(error, match=says):
                await sio.call("x", **options)
            if "timeout" in options:
                with pytest.raises(error, match=says):
                    await sio.fetch_sockets(**options)

    run(main())


def test_ten_attachments_are_taken_by_a_client_and_eleven_are_not_sent(run: Callable[..., Any]) -> None:
    """socket.io-parser 4.2.6 and later end the connection at the eleventh."""

    async def main() -> None:
        async with serving(marks) as sio, client(sio) as c:
            await sio.emit("ten", [b"x"] * 10)
            for target in (None, c.id):
                with pytest.raises(anywire.PayloadError, match="put them into one"):
                    sio.emit("eleven", [b"x"] * 11, to=target)
            assert await c.settled() == [("ten", [b"x"] * 10)]

    run(main())


def test_a_mistake_with_rooms_or_state_raises_at_once_and_changes_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(chat) as sio, client(sio) as c:
            for room in (5, "", None):
                for call in (sio.enter_room, sio.leave_room):
                    with pytest.raises(ValueError, match="a room's name is a non-empty str"):
                        call(c.id, room)  # type: ignore[arg-type]
                with pytest.raises(ValueError, match="a room's name is a non-empty str"):
                    sio.close_room(room)  # type: ignore[arg-type]
                for call_many in (sio.sockets_join, sio.sockets_leave):
                    with pytest.raises(ValueError, match=r"a str or several|a non-empty str"):
                        call_many(["good", room])  # type: ignore[list-item]
            for one in (sio.enter_room, sio.leave_room):
                with pytest.raises(TypeError, match="a client's sid is a str, not NoneType"):
                    one(None, "red")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="a client's sid is a str, not int"):
                sio.disconnect(5)  # type: ignore[arg-type]
            for many in (
                lambda: sio.close_room("red", namespace="/nowhere"), lambda: sio.sockets_join("red", namespace="/nowhere"),
                lambda: sio.sockets_leave("red", namespace="/nowhere"), lambda: sio.disconnect_sockets(namespace="/nowhere"),
            ):  # fmt: skip
                with pytest.raises(anywire.BadNamespaceError, match="namespace '/nowhere' has no handler"):
                    many()
            with pytest.raises(anywire.BadNamespaceError, match="did you mean '/chat'"):
                await sio.fetch_sockets(namespace="chat")
            with pytest.raises(ValueError, match="need a room, or several"):
                sio.sockets_join([])
            with pytest.raises(TypeError, match="a client's state is a dictionary, not str"):
                await sio.save_session(c.id, "ann")  # type: ignore[arg-type]
            with pytest.raises(anywire.BadNamespaceError, match="'nobody' is not connected to namespace '/'"):
                sio.enter_room("nobody", "red")
            for ask in (sio.rooms, sio.transport, sio.get_environ):
                with pytest.raises(anywire.BadNamespaceError, match="'nobody' is not connected"):
                    ask("nobody")
            assert sio.rooms(c.id) == [c.id] and await sio.get_session(c.id) == {}
            # Who has just gone is no mistake.
            sio.leave_room(c.id, "never entered")
            sio.disconnect("nobody")

    run(main())
