"""Clients by namespace and room, and fan-outs to them: in slices, in order, each client once, whoever leaves meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from anywire.server.config import Config
from anywire.server.errors import BadNamespaceError, CloseReason, PayloadError
from anywire.server.events import Connect, Event, Open
from anywire.server.hub import SLICE, Hub, Socket, new_node_id, node_of
from anywire.server.outgoing import Outgoing
from anywire.server.protocols.engineio4 import EngineIO4
from anywire.server.session import Session, SessionEnv
from anywire.server.states import SessionState
from anywire.server.timers import Wheel
from anywire.transports.base import Loss
from fakes import FakeClock, FakePoll, FakeStream
from hypothesis import given, settings
from hypothesis import strategies as st

PROTOCOL = EngineIO4()


class Browser:
    from_python = False


class House:
    """A hub and clients on recording streams."""

    def __init__(self, **config: Any) -> None:
        self.hub = Hub("nodeaaaa")
        self.clock = FakeClock()
        self.env = SessionEnv(
            Config.build({}, **config),
            Wheel(self.clock),
            lambda session, packet: None,
            lambda session, reason: self.hub.remove(session.sockets),
            self.clock.call_soon,
        )

    def client(self, sid: str | None = None, namespace: str = "/", carrier: type[FakeStream] = FakeStream) -> Socket:
        session = Session(self.hub.new_id(), PROTOCOL, self.env, Browser())  # type: ignore[arg-type]
        stream = carrier(session)
        session.open(stream, Open("x", (), 25, 20, 1000), lambda session: None)
        stream.sent.clear()
        socket = session.sockets = Socket(sid or self.hub.new_id(), session, namespace)
        self.hub.add(socket)
        socket.connected(Outgoing(Connect(namespace, {"sid": socket.sid})))
        stream.sent.clear()
        return socket

    def names(self, *args: Any) -> list[str]:
        return [socket.sid for socket in self.hub.select("/", *args)]


def heard(socket: Socket) -> list[bytes]:
    """The events that a client's carrier was given."""
    return [frame[2:] for frame in socket.session.transport.sent]  # type: ignore[union-attr]


def event(name: str, volatile: bool = False) -> Outgoing:
    return Outgoing(Event("/", name), volatile)


# -- ids ----------------------------------------------------------------------------------------------------------------


def test_an_id_names_its_node_and_has_128_random_bits() -> None:
    hub = Hub()
    ids = {hub.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    for id_ in ids:
        node, _, rest = id_.partition("-")
        assert node == hub.node == node_of(id_) and len(rest) == 22
    assert len({new_node_id() for _ in range(100)}) == 100


@pytest.mark.parametrize(
    "sid", ["", "red", "nodeaaaa-", "nodeaaaa-short", "nodeaaaa-" + "x" * 23, "node aaa-" + "x" * 22, "nodeaaaa-" + "x" * 21 + "\n"]
)
def test_what_is_not_shaped_like_an_id_names_no_node(sid: str) -> None:
    assert node_of(sid) is None


@pytest.mark.parametrize("prefix", ["/chat#", "/a#b/c#", "/\n#"])
def test_an_id_that_a_client_made_for_a_namespace_names_its_node_too(prefix: str) -> None:
    assert node_of(prefix + "nodeaaaa-" + "x" * 22) == "nodeaaaa"
    assert node_of(prefix[1:] + "nodeaaaa-" + "x" * 22) is None


# -- rooms --------------------------------------------------------------------------------------------------------------


def test_clients_are_chosen_by_rooms_each_once_and_without_the_skipped() -> None:
    house = House()
    a, b, c, d = (house.client(name) for name in "abcd")
    for socket, rooms in ((a, "red blue"), (b, "red"), (c, "blue")):
        for room in rooms.split():
            house.hub.join(socket, room, 10)
    assert house.names() == ["a", "b", "c", "d"]
    assert house.names(["red"]) == ["a", "b"]
    assert house.names(["red", "blue"]) == ["a", "b", "c"]
    assert house.names(["red", "a", "d"]) == ["a", "b", "d"]
    assert house.names(None, ["a"]) == ["b", "c", "d"]
    assert house.names(None, [], ["red"]) == ["c", "d"]
    assert house.names(["blue"], ["a"]) == ["c"]
    assert house.names(["blue"], [], ["c"]) == ["a"]
    assert house.names(["nowhere"]) == [] and house.names([]) == []
    assert house.hub.select("/other") == [] and d.rooms is None


def test_rooms_of_one_name_in_two_namespaces_are_two_rooms() -> None:
    house = House()
    here, there = house.client(), house.client(namespace="/chat")
    house.hub.join(here, "red", 10)
    house.hub.join(there, "red", 10)
    assert house.hub.select("/", ["red"]) == [here] and house.hub.select("/chat", ["red"]) == [there]


def test_an_empty_room_and_an_empty_namespace_are_kept_by_nothing() -> None:
    house = House()
    a, b = house.client("a"), house.client("b")
    house.hub.join(a, "red", 10)
    house.hub.join(b, "red", 10)
    house.hub.leave(a, "red")
    house.hub.leave(a, "red")
    house.hub.leave(a, "never")
    assert house.names(["red"]) == ["b"]
    house.hub.remove(b)
    assert house.hub.namespaces["/"].rooms == {}
    house.hub.remove(b)
    house.hub.remove(a)
    assert house.hub.namespaces == {}


def test_a_room_too_many_is_refused_with_the_setting_that_says_so() -> None:
    house = House()
    socket = house.client()
    house.hub.join(socket, "1", 2)
    house.hub.join(socket, "2", 2)
    house.hub.join(socket, "2", 2)
    with pytest.raises(ValueError, match="max_rooms"):
        house.hub.join(socket, "3", 2)
    assert house.names(["3"]) == []
    house.hub.leave(socket, "1")
    house.hub.join(socket, "3", 2)


def test_who_is_gone_joins_no_room() -> None:
    house = House()
    socket = house.client()
    socket.state = Socket.GONE
    house.hub.join(socket, "red", 10)
    assert house.names(["red"]) == []


def test_a_client_that_is_not_there_is_named_with_its_namespace() -> None:
    house = House()
    socket = house.client("a")
    assert house.hub.get("a", "/") is socket and house.hub.find("a", "/chat") is None
    with pytest.raises(BadNamespaceError, match="'a' is not connected to namespace '/chat' on this process"):
        house.hub.get("a", "/chat")


@given(st.lists(st.tuples(st.sampled_from(["join", "leave", "remove"]), st.integers(0, 4), st.sampled_from("xyz")), max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_history_of_joins_and_leaves_keeps_both_sides_of_the_map_the_same(history: list[tuple[str, int, str]]) -> None:
    house = House()
    sockets = [house.client(str(number)) for number in range(5)]
    model: dict[str, set[str]] = {str(number): set() for number in range(5)}
    for step, number, room in history:
        socket = sockets[number]
        if step == "join" and socket.sid in model:
            house.hub.join(socket, room, 10)
            model[socket.sid].add(room)
        elif step == "leave":
            house.hub.leave(socket, room)
            model.get(socket.sid, set()).discard(room)
        elif step == "remove":
            house.hub.remove(socket)
            model.pop(socket.sid, None)
        for name in "xyz":
            assert sorted(house.names([name])) == sorted(sid for sid, rooms in model.items() if name in rooms)
        for other in sockets:
            assert (other.rooms or set()) == model.get(other.sid, set())


# -- before and after being connected -----------------------------------------------------------------------------------


def test_what_is_sent_before_a_client_is_let_in_follows_its_welcome_in_order() -> None:
    house = House()
    socket = house.client()
    socket.state = Socket.CONNECTING
    socket.send(event("1"))
    socket.send(event("2"))
    assert heard(socket) == []
    socket.connected(Outgoing(Connect("/", {"sid": "s"})))
    socket.send(event("3"))
    assert heard(socket) == [b'40{"sid":"s"}', b'42["1"]', b'42["2"]', b'42["3"]']


def test_what_is_sent_before_a_client_is_let_in_is_as_it_was_when_it_was_sent() -> None:
    house = House()
    socket = house.client()
    socket.state = Socket.CONNECTING
    data: dict[str, Any] = {"n": 1}
    socket.send(Outgoing(Event("/", "state", (data,))))
    data["n"] = 2
    socket.send(Outgoing(Event("/", "state", (data,))))
    data["n"] = object()
    with pytest.raises(PayloadError, match="object"):
        socket.send(Outgoing(Event("/", "state", (data,))))
    socket.connected(Outgoing(Connect("/", {"sid": "s"})))
    assert heard(socket) == [b'40{"sid":"s"}', b'42["state",{"n":1}]', b'42["state",{"n":2}]']


def test_a_client_that_is_not_let_in_yet_is_kept_nothing_volatile_and_not_more_than_a_queue_holds(caplog: pytest.LogCaptureFixture) -> None:
    house = House(max_queue_messages=3)
    socket = house.client()
    socket.state = Socket.CONNECTING
    assert not socket.send(Outgoing(Event("/", "tick", ()), volatile=True))
    assert [socket.send(event(str(n))) for n in range(4)] == [True, True, True, False]
    assert socket.session.state is SessionState.CLOSED
    assert "queue full (3 messages for who is not let in yet)" in caplog.text

    house = House(max_queue_messages=3, slow_consumer="drop")
    socket = house.client()
    socket.state = Socket.CONNECTING
    assert [socket.send(event(str(n))) for n in range(4)] == [True, True, True, False]
    socket.connected(Outgoing(Connect("/", {"sid": "s"})))
    assert heard(socket) == [b'40{"sid":"s"}', b'42["0"]', b'42["1"]', b'42["2"]']


def test_who_comes_back_under_the_same_id_stays_when_the_one_before_is_forgotten() -> None:
    house = House()
    old = house.client("same")
    house.hub.join(old, "red", 9)
    new = house.client("same")
    house.hub.join(new, "red", 9)
    house.hub.remove(old)
    assert house.hub.select("/", ["red"]) == [new] == house.hub.select("/", ["same"])
    house.hub.remove(new)
    assert not house.hub.namespaces


def test_who_has_left_is_sent_nothing() -> None:
    house = House()
    socket = house.client()
    socket.state = Socket.GONE
    assert not socket.send(event("x")) and heard(socket) == []


def test_an_acknowledgement_that_nobody_waits_for_any_more_is_forgotten() -> None:
    house = House()
    socket = house.client()
    first, second = socket.expect_ack(print), socket.expect_ack(print)
    assert first != second
    socket.forget_ack(first)
    socket.forget_ack(first)
    assert list(socket.acks or {}) == [second]


# -- fan-out ------------------------------------------------------------------------------------------------------------


def test_a_small_fan_out_is_written_at_once() -> None:
    house = House()
    sockets = [house.client() for _ in range(SLICE)]
    assert house.hub.fan_out(sockets, event("x")) is None
    assert all(heard(socket) == [b'42["x"]'] for socket in sockets)


def test_a_fan_out_shares_one_frame_between_all_its_receivers() -> None:
    house = House()
    sockets = [house.client() for _ in range(10)]
    house.hub.fan_out(sockets, event("x"))
    frames = {id(socket.session.transport.sent[0]) for socket in sockets}  # type: ignore[union-attr]
    assert len(frames) == 1


def test_a_large_fan_out_lets_the_loop_breathe_between_slices(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House()
        sockets = [house.client() for _ in range(SLICE * 3 + 10)]
        written: list[int] = []

        def count() -> int:
            return sum(bool(heard(socket)) for socket in sockets)

        done = house.hub.fan_out(sockets, event("x"))
        assert done is not None and not done.done() and count() == SLICE
        while not done.done():
            await asyncio.sleep(0)
            written.append(count())
        assert written[:3] == [2 * SLICE, 3 * SLICE, 3 * SLICE + 10]
        assert all(heard(socket) == [b'42["x"]'] for socket in sockets)

    run(main())


def test_what_is_sent_between_slices_comes_behind_for_everyone(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House()
        sockets = [house.client() for _ in range(SLICE * 2 + 10)]
        first = house.hub.fan_out(sockets, event("1"))
        second = house.hub.fan_out(sockets, event("2"))
        sockets[-1].send(event("3"))
        assert first is not None and second is not None
        await asyncio.gather(first, second)
        assert all(heard(socket) == [b'42["1"]', b'42["2"]'] for socket in sockets[:-1])
        assert heard(sockets[-1]) == [b'42["1"]', b'42["2"]', b'42["3"]']

    run(main())


def test_who_leaves_during_a_fan_out_is_passed_over_and_the_rest_is_written(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House()
        sockets = [house.client() for _ in range(SLICE * 2 + 10)]
        leavers = sockets[SLICE + 5 : SLICE + 50]
        done = house.hub.fan_out(sockets, event("x"))
        carriers = [socket.session.transport for socket in leavers]
        for socket in leavers:
            socket.session.close(CloseReason.TRANSPORT_CLOSE)
        assert done is not None
        await done
        assert all(carrier.sent == [] for carrier in carriers)  # type: ignore[union-attr]
        assert all(heard(socket) == [b'42["x"]'] for socket in sockets if socket not in leavers)
        assert len(house.hub.select("/")) == len(sockets) - len(leavers)

    run(main())


def test_who_joins_a_room_during_a_fan_out_to_it_does_not_get_what_was_said_before(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House()
        sockets = [house.client() for _ in range(SLICE + 10)]
        for socket in sockets:
            house.hub.join(socket, "red", 10)
        done = house.hub.fan_out(house.hub.select("/", ["red"]), event("x"))
        late = house.client()
        house.hub.join(late, "red", 10)
        house.hub.leave(sockets[-1], "red")
        assert done is not None
        await done
        assert heard(late) == [] and heard(sockets[-1]) == [b'42["x"]']

    run(main())


def test_a_carrier_that_fails_while_it_is_written_to_costs_no_other_receiver_anything(run: Callable[..., Any]) -> None:
    class Failing(FakeStream):
        __slots__ = ()

        def send(self, data: bytes, binary: bool = False) -> None:
            super().send(data)
            if b"42" in data:
                self.is_ready = False
                self.delegate.on_detached(self, Loss.ERROR)

    async def main() -> None:
        house = House()
        sockets = [house.client(carrier=Failing if number % 100 == 0 else FakeStream) for number in range(SLICE * 2)]
        done = house.hub.fan_out(sockets, event("x"))
        assert done is not None
        await done
        assert all(heard(socket) == [b'42["x"]'] for number, socket in enumerate(sockets) if number % 100)
        assert len(house.hub.select("/")) == len(sockets) - len(sockets) // 100

    run(main())


def test_pollers_and_full_streams_keep_their_message_until_they_can_take_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House()
        sockets = [house.client() for _ in range(SLICE)]
        full, poller = house.client(), house.client(carrier=FakePoll)
        full.session.transport.is_ready = False  # type: ignore[union-attr]
        poll: Any = poller.session.transport
        poll.park()
        poll.sent.clear()
        done = house.hub.fan_out([*sockets, full, poller], event("x"))
        assert done is not None
        await done
        assert heard(full) == [] and poll.sent == []
        full.session.transport.is_ready = True  # type: ignore[union-attr]
        full.session.on_ready(full.session.transport)  # type: ignore[arg-type]
        poll.park()
        assert heard(full) == [b'42["x"]'] and poll.sent == [b'42["x"]']

    run(main())


def test_a_volatile_fan_out_passes_over_who_cannot_take_it_and_queues_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House()
        sockets = [house.client() for _ in range(SLICE * 2)]
        for socket in sockets[::2]:
            socket.session.transport.is_ready = False  # type: ignore[union-attr]
        done = house.hub.fan_out(sockets, event("x", volatile=True))
        assert done is not None
        await done
        assert all(heard(socket) == [] and len(socket.session.outbox) == 0 for socket in sockets[::2])
        assert all(heard(socket) == [b'42["x"]'] for socket in sockets[1::2])

    run(main())


def test_a_slow_consumer_that_a_fan_out_ends_is_the_only_one_that_it_costs(run: Callable[..., Any]) -> None:
    async def main() -> None:
        house = House(max_queue_messages=2)
        sockets = [house.client() for _ in range(SLICE + 10)]
        slow = sockets[SLICE + 5]
        slow.session.transport.is_ready = False  # type: ignore[union-attr]
        for number in range(3):
            done = house.hub.fan_out(list(house.hub.select("/")), event(str(number)))
            if done is not None:
                await done
        assert not slow.session.alive and slow not in house.hub.select("/")
        assert all(heard(socket) == [b'42["0"]', b'42["1"]', b'42["2"]'] for socket in sockets if socket is not slow)

    run(main())
