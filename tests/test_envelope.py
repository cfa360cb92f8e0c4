"""What nodes say to each other: every kind goes round, and what is not exactly of the table is refused by one error."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from anywire.server.envelope import MAX_BYTES, MAX_DEPTH, VERSION, Envelope, EnvelopeError, pack, unpack
from anywire.server.errors import PayloadError
from hypothesis import given, settings
from hypothesis import strategies as st

#: One good body of every kind that there is.
BODIES: dict[str, dict[str, Any]] = {
    "emit": {
        "namespace": "/", "event": "news", "args": [1, "é", b"\x00\xff", {"deep": [None, True, 1.5]}], "rooms": ["red"], "skip_sids": [],
        "skip_rooms": ["blue"], "volatile": False, "ack": None, "timeout": None,
    },
    "ack": {"id": "1f", "sid": "abcdefgh-x", "args": [b"x", None]},
    "ack_count": {"id": "1f", "count": 3},
    "join": {"namespace": "/chat", "room": "red", "sids": ["s"], "rooms": None, "skip_sids": []},
    "leave": {"namespace": "/chat", "room": "red", "sids": None, "rooms": ["blue"], "skip_sids": ["s"]},
    "close_room": {"namespace": "/", "room": "red"},
    "disconnect": {"namespace": "/", "sids": ["s"], "rooms": None, "skip_sids": [], "close": True},
    "fetch": {"id": "1f", "namespace": "/", "rooms": None, "skip_sids": []},
    "sockets": {"id": "1f", "sockets": [{"sid": "s", "rooms": ["s"], "data": {}, "transport": "websocket", "node": "n"}]},
}  # fmt: skip


def raw(value: Any, version: int = VERSION) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return bytes((version,)) + packed


@pytest.mark.parametrize("kind", BODIES)
def test_what_is_packed_comes_out_equal(kind: str) -> None:
    assert unpack(pack(kind, "nodeaaaa", 7, BODIES[kind])) == Envelope(kind, "nodeaaaa", 7, BODIES[kind])


def test_the_bytes_are_a_version_and_msgpack_of_kind_origin_number_and_body() -> None:
    assert pack("close_room", "n", 1, {"namespace": "/", "room": "r"}) == (
        b"\x01\x94\xaaclose_room\xa1n\x01\x82\xa9namespace\xa1/\xa4room\xa1r"
    )


@pytest.mark.parametrize("kind", BODIES)
def test_a_field_too_many_or_too_few_is_refused_on_both_sides(kind: str) -> None:
    body = BODIES[kind]
    for name in body:
        less = {key: value for key, value in body.items() if key != name}
        with pytest.raises(KeyError):
            pack(kind, "n", 1, less)
        with pytest.raises(EnvelopeError, match="missing or unknown"):
            unpack(raw([kind, "n", 1, less]))
    with pytest.raises(KeyError):
        pack(kind, "n", 1, {**body, "code": "x"})
    with pytest.raises(EnvelopeError, match="missing or unknown"):
        unpack(raw([kind, "n", 1, {**body, "code": "x"}]))


@pytest.mark.parametrize("kind", BODIES)
def test_a_field_of_another_type_is_refused_by_its_name(kind: str) -> None:
    for name, value in BODIES[kind].items():
        wrongs: list[Any] = [{}, [1], b"x"] if isinstance(value, str) else [{}, b"x", "x"]
        if name in ("args", "sockets"):
            wrongs.remove("x")
        for wrong in wrongs:
            if name == "ack" and wrong == "x":
                continue
            with pytest.raises(EnvelopeError, match=f"{kind}: {name} is a "):
                unpack(raw([kind, "n", 1, {**BODIES[kind], name: wrong}]))


def test_true_is_not_a_number_and_1_is_not_true() -> None:
    with pytest.raises(EnvelopeError, match="count is a bool"):
        unpack(raw(["ack_count", "n", 1, {"id": "x", "count": True}]))
    with pytest.raises(EnvelopeError, match="close is a int"):
        unpack(raw(["disconnect", "n", 1, {**BODIES["disconnect"], "close": 1}]))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\x01", "not msgpack"),
        (b"\x00" + msgpack.packb(["ack_count", "n", 1, {"id": "x", "count": 1}]), "version 0, this node speaks 1"),
        (b"\x02" + msgpack.packb(["ack_count", "n", 1, {"id": "x", "count": 1}]), "version 2, this node speaks 1"),
        (b"\x01\xc1", "not msgpack"),
        (raw({}), "not kind, origin"),
        (raw(["ack_count", "n", 1]), "not kind, origin"),
        (raw(["ack_count", "n", 1, {}, 0]), "not kind, origin"),
        (raw(["eval", "n", 1, {}]), "unknown kind"),
        (raw([["emit"], "n", 1, {}]), "unknown kind"),
        (raw(["ack_count", 5, 1, {"id": "x", "count": 1}]), "wrong types"),
        (raw(["ack_count", "n", True, {"id": "x", "count": 1}]), "wrong types"),
        (raw(["ack_count", "n", 1, [1]]), "wrong types"),
        (raw(["ack_count", "n", 1, {"id": "x", "count": 1}]) + b"\x00", "not msgpack"),
        (b"\x01\x94\xaback_count2", "not msgpack"),
        (raw(["ack_count", "n", 1, {1: "x"}]), "fields missing or unknown"),
        (raw(["emit", "n", 1, {}])[:-1] + b"\x81\x90\x01", "not msgpack"),
        (b"\x01\x81\xa1\xff\x01", "not msgpack"),
    ],
)
def test_what_is_no_envelope_is_refused_and_said_why(data: bytes, why: str) -> None:
    with pytest.raises(EnvelopeError, match=why):
        unpack(data)


def test_a_message_over_the_limit_is_refused_before_it_is_read_or_sent() -> None:
    with pytest.raises(EnvelopeError, match="too big"):
        unpack(bytes((VERSION,)) + bytes(MAX_BYTES))
    body = {**BODIES["emit"], "args": [bytes(MAX_BYTES)]}
    with pytest.raises(PayloadError, match=str(MAX_BYTES)):
        pack("emit", "n", 1, body)


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"x": inner}])
def test_nesting_beyond_the_limit_is_refused(wrap: Any) -> None:
    inner: Any = 1
    for _ in range(MAX_DEPTH - 5):
        inner = wrap(inner)
    good = {**BODIES["emit"], "args": [inner]}
    assert unpack(raw(["emit", "n", 1, good])).body == good
    for _ in range(200):
        inner = wrap(inner)
    with pytest.raises(EnvelopeError, match="nested too deep"):
        unpack(raw(["emit", "n", 1, {**good, "args": [inner]}]))


def test_an_extension_type_is_data_that_nobody_takes_for_an_object() -> None:
    """msgpack's own timestamp and foreign types arrive as plain values; nothing of ours is ever built from bytes."""
    body = {**BODIES["emit"], "args": [msgpack.ExtType(42, b"os.system")]}
    try:
        args = unpack(raw(["emit", "n", 1, body])).body["args"]
    except EnvelopeError:
        return
    assert args == [msgpack.ExtType(42, b"os.system")]


@pytest.mark.parametrize("value", [object(), {1, 2}, 2**64, "\ud800"], ids=["object", "set", "65 bits", "surrogate"])
def test_what_cannot_travel_is_refused_with_what_can(value: Any) -> None:
    with pytest.raises(PayloadError, match="JSON types and bytes can"):
        pack("ack", "n", 1, {"id": "x", "sid": "s", "args": [value]})


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_envelope_or_an_envelope_error(data: bytes) -> None:
    for message in (data, bytes((VERSION,)) + data):
        try:
            assert isinstance(unpack(message), Envelope)
        except EnvelopeError:
            pass


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(BODIES)), st.data())
@settings(max_examples=300, deadline=None)
def test_any_value_in_any_field_is_taken_as_it_is_or_refused(kind: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(BODIES[kind])))
    body = {**BODIES[kind], name: data.draw(_VALUES)}
    try:
        assert unpack(raw([kind, "n", 1, body])).body == body
    except EnvelopeError:
        pass


@given(st.sampled_from(sorted(BODIES)), st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_byte_or_a_cut_end_gives_nothing_but_an_envelope_error(kind: str, place: int, byte: int) -> None:
    data = bytearray(pack(kind, "nodeaaaa", 7, BODIES[kind]))
    place %= len(data)
    with pytest.raises(EnvelopeError):
        unpack(bytes(data[:place]))
    data[place] = byte
    try:
        assert isinstance(unpack(bytes(data)), Envelope)
    except EnvelopeError:
        pass
