"""The codec of Engine.IO 4 and Socket.IO 5, literally, and under any input."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from anywire.server.errors import HandshakeRefused, PayloadError, ProtocolError
from anywire.server.events import Ack, Close, Connect, ConnectError, Disconnect, Event, Message, Noop, Open, Packet, Ping, Pong, Upgrade
from anywire.server.protocols.base import Limits
from anywire.server.protocols.engineio4 import BareEngineIO4, EngineIO4
from anywire.server.protocols.registry import PROTOCOLS, locate
from anywire.transports.base import Refused
from hypothesis import given
from hypothesis import strategies as st

EIO4 = EngineIO4()
VECTORS = json.loads((Path(__file__).parent / "vectors" / "socketio5.json").read_text())


def from_json(value: Any) -> Any:
    """A vector's value: ``{"$hex": "00ff"}`` stands for bytes."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        return bytes.fromhex(value["$hex"]) if set(value) == {"$hex"} else {key: from_json(item) for key, item in value.items()}
    return value


def packet_of(vector: dict[str, Any]) -> Packet:
    fields = from_json(vector["packet"])
    kinds = {kind.__name__: kind for kind in (Ack, Connect, ConnectError, Disconnect, Event)}
    if "args" in fields:
        fields["args"] = tuple(fields["args"])
    return kinds[fields.pop("type")](**fields)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_golden_vectors_encode_and_decode(vector: dict[str, Any]) -> None:
    packet, messages = packet_of(vector), [from_json(message) for message in vector["messages"]]
    assert list(EIO4.encode(packet, True)) == messages
    assert EIO4.payload(EIO4.encode(packet, False)) == vector["payload"]
    if vector.get("from_client", True):
        decoder = EIO4.decoder(Limits())
        assert [decoder.message(message) for message in messages] == [None] * (len(messages) - 1) + [packet]
        assert EIO4.decoder(Limits()).payload(vector["payload"]) == [packet]


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (
            Open("id", ("websocket",), 25, 0.3, 10),
            '0{"sid":"id","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":300,"maxPayload":10}',
        ),
        (Close(), "1"),
        (Ping(), "2"),
        (Ping("probe"), "2probe"),
        (Pong("probe"), "3probe"),
        (Upgrade(), "5"),
        (Noop(), "6"),
    ],
)
def test_the_engines_own_packets(packet: Packet, message: str) -> None:
    assert EIO4.encode(packet, True) == (message,)
    if not isinstance(packet, Open):
        assert EIO4.decoder(Limits()).message(message) == packet


def test_a_bare_session_carries_text_and_bytes() -> None:
    bare = BareEngineIO4()
    assert bare.encode(Message("hé"), True) == ("4hé",)
    assert bare.encode(Message(b"\x00\xff"), True) == (b"\x00\xff",)
    assert bare.payload([*bare.encode(Message("a"), False), *bare.encode(Message(b"\x00\xff"), False)]) == "4a\x1ebAP8="
    assert bare.decoder(Limits()).payload("4a\x1ebAP8=") == [Message("a"), Message(b"\x00\xff")]
    assert bare.decoder(Limits()).message(b"\x01") == Message(b"\x01")


def test_a_query_behind_a_namespace_is_not_part_of_its_name() -> None:
    assert EIO4.decoder(Limits()).message('40/chat?token=x,{"a":1}') == Connect("/chat", {"a": 1}, "token=x")


def test_the_same_attachment_may_stand_in_two_places() -> None:
    decoder = EIO4.decoder(Limits())
    place = '{"_placeholder":true,"num":0}'
    assert decoder.message(f'451-["x",{place},{place}]') is None and decoder.pending
    assert decoder.message(b"\x01") == Event("/", "x", (b"\x01", b"\x01")) and not decoder.pending


def test_integers_beyond_64_bits_become_floats_and_ids_beyond_32_bits_stay_whole() -> None:
    assert EIO4.decoder(Limits()).message('42["x",123456789012345678901234567890]') == Event("/", "x", (1.2345678901234568e29,))
    assert EIO4.decoder(Limits()).message('429007199254740991["x"]') == Event("/", "x", (), 9007199254740991)


def test_half_of_a_character_that_a_page_has_cut_is_read_as_the_replacement_character() -> None:
    for head in ("42", "42/a,", "421"):
        packet = EIO4.decoder(Limits()).message(head + '["x","\\ud83d","\\\\ud83d","\\ud83d\\ude00\\ude00"]')
        assert isinstance(packet, Event) and packet.args == ("\ufffd", "\\ud83d", "😀\ufffd")
    with pytest.raises(ProtocolError):
        EIO4.decoder(Limits()).message('42["x",\\ud83d]')


def test_attachments_are_bounded_in_bytes() -> None:
    decoder = EIO4.decoder(Limits(max_bytes=100))
    decoder.message('452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]')
    with pytest.raises(ProtocolError, match="too big"):
        decoder.message(bytes(60)) or decoder.message(bytes(60))


def test_depth_is_counted_outside_strings_only() -> None:
    assert EIO4.decoder(Limits(max_depth=5)).message('42["x","' + "[" * 50 + '\\"{{{"]') == Event("/", "x", ("[" * 50 + '"{{{',))
    with pytest.raises(ProtocolError, match="deeper than 5"):
        EIO4.decoder(Limits(max_depth=5)).message('42["x",' + "[" * 5 + "]" * 5 + "]")


MEGABYTE = 1_000_000
LONG: dict[str, str] = {
    "depth before a string of quotes that never ends": '42["' + "[" * 101 + '\\"' * (MEGABYTE // 2),
    "depth before quotes": "42[" + "[" * 101 + '"' * MEGABYTE,
    "depth before backslashes": '42["' + "[" * 101 + "\\" * MEGABYTE,
    "depth in a CONNECT": '40{"' + "{" * 101 + '\\"' * (MEGABYTE // 2),
    "brackets that close at once": "42[" + "[]," * (MEGABYTE // 3) + "0]",
    "digits of an acknowledgement": "42" + "1" * MEGABYTE + '["x"]',
    "digits of a count": "45" + "1" * MEGABYTE + '-["x"]',
    "a namespace": "40/" + "/" * MEGABYTE,
    "separators": "\x1e" * MEGABYTE,
    "base64": "b" + "A" * MEGABYTE,
    "placeholders": '451-["x"' + ',{"_placeholder":true,"num":0}' * (MEGABYTE // 31) + "]\x1ebAAAA",
    "frames of 0.9": "\ufffd1\ufffd8" * (MEGABYTE // 4),
    "a frame of 0.9 with a long head": "\ufffd" + "1" * MEGABYTE,
    "colons of 0.9": "5:" + ":" * MEGABYTE,
    "lengths of Engine.IO 3": "1:6" * (MEGABYTE // 3),
    "a long length of Engine.IO 3": "1" * MEGABYTE + ":4",
    "newlines of a form": "\\n" * (MEGABYTE // 2),
    "backslashes of a form": "\\" * MEGABYTE,
}


@pytest.mark.parametrize("name", LONG)
def test_a_megabyte_of_anything_is_decoded_or_refused_within_a_second(name: str) -> None:
    """CVE-2020-36048, CVE-2020-36049: what costs the square of its length takes minutes."""
    began = time.process_time()
    for protocol in (*PROTOCOLS, BareEngineIO4()):
        with suppress(ProtocolError):
            protocol.decoder(Limits()).payload(protocol.script_body(LONG[name]))
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "object cannot be sent"),
        ({1, 2}, "a set has no order"),
        ("\ud800", "surrogates"),
        (2**70, "64-bit"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(value: Any, text: str) -> None:
    with pytest.raises(PayloadError, match=text):
        EIO4.encode(Event("/", "x", (value,)), True)


def test_keys_that_are_not_text_become_text_as_in_pythons_json() -> None:
    assert EIO4.encode(Event("/", "x", ({1: b"\x01", None: True},)), True) == (
        '451-["x",{"1":{"_placeholder":true,"num":0},"null":true}]',
        b"\x01",
    )


def test_a_tuple_of_newlines_travels_through_a_jsonp_form() -> None:
    assert EIO4.script_body('42["x","a\\nb"]') == '42["x","a\nb"]'
    assert EIO4.script_body('42["x","a\\\\nb"]') == '42["x","a\\nb"]'


def test_urls_name_transport_session_and_whether_binary_goes() -> None:
    def located(query: str) -> tuple[str, str | None, bool]:
        found = locate(PROTOCOLS, "/socket.io/", query, "/socket.io/")
        assert found is not None
        return found[1].transport, found[1].sid, found[1].binary

    assert located("EIO=4&transport=polling") == ("polling", None, True)
    assert located("EIO=4&transport=polling&b64=1&sid=a%2Db") == ("polling", "a-b", False)
    assert located("EIO=4&transport=polling&j=12&t=x") == ("jsonp", None, False)
    assert located("transport=websocket&EIO=4&user=x") == ("websocket", None, True)
    assert located("EIO=4&transport=htmlfile&i=3") == ("htmlfile", None, False)
    assert locate(PROTOCOLS, "/other/", "EIO=4&transport=polling", "/socket.io/") is None
    for query in ("EIO=4&EIO=4&transport=polling", "EIO=4&transport=polling&transport=websocket"):
        with pytest.raises(HandshakeRefused):
            located(query)


# -- any input ----------------------------------------------------------------------------------------------------------

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(max_size=20),
)
trees = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)), max_leaves=8
)
names = st.text(min_size=1).filter(
    lambda name: name not in {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
namespaces = st.sampled_from(["/", "/a", "/chat room", "/é"])
ids = st.one_of(st.none(), st.integers(0, 10**16 - 1))


def placeholder_free(value: Any) -> bool:
    if isinstance(value, dict):
        return "_placeholder" not in value and all(map(placeholder_free, value.values()))
    return not isinstance(value, (list, tuple)) or all(map(placeholder_free, value))


def attachments(value: Any) -> int:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return isinstance(value, bytes) + sum(map(attachments, items))


@given(namespaces, names, st.lists(trees, max_size=3).filter(placeholder_free), ids)
def test_every_event_comes_back_as_it_was_by_frames_and_by_payload(namespace: str, name: str, args: list[Any], id_: int | None) -> None:
    packet = Event(namespace, name, tuple(args), id_)
    if attachments(args) > 10:
        return
    decoder = EIO4.decoder(Limits())
    assert [decoder.message(message) for message in EIO4.encode(packet, True)][-1] == packet
    body = EIO4.payload(EIO4.encode(packet, False))
    assert "\x1e" in json.dumps(args, default=str) or EIO4.decoder(Limits()).payload(body) == [packet]


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (Event("/", "echo", ("hé",)), '42["echo","hé"]'.encode()),
        (Event("/", "echo", (), 7), b'427["echo"]'),
        (Event("/chat", "echo", (1,)), b'42/chat,["echo",1]'),
        (Event("/chat", "echo", (1,), 7), b'42/chat,7["echo",1]'),
        (Ack("/", 7, ("a",)), b'437["a"]'),
        (Ack("/chat", 0), b"43/chat,0[]"),
        (Event("/", "echo", (b"bytes",)), None),
        (Ack("/", 7, ({1},)), None),
        (Connect("/chat"), None),
    ],
)
def test_the_short_way_says_what_the_long_one_says_or_leaves_it_to_that(packet: Packet, text: bytes | None) -> None:
    assert EIO4.encode_text(packet) == text
    if text is not None:
        assert EIO4.encode(packet, True) == (text.decode(),)


@given(namespaces, names, st.lists(trees, max_size=3), ids)
def test_the_short_way_agrees_with_the_long_one_on_every_event(namespace: str, name: str, args: list[Any], id_: int | None) -> None:
    packet = Event(namespace, name, tuple(args), id_)
    text = EIO4.encode_text(packet)
    assert text is None if attachments(args) else text is not None and EIO4.encode(packet, True) == (text.decode(),)


likely = st.text(alphabet='0123456789b-/,[]{}"\\x\x1e_ placeholdernumtrue:é', max_size=60)
pieces = st.lists(
    st.one_of(
        likely,
        st.text(max_size=30),
        st.binary(max_size=10),
        st.sampled_from(
            [
                '451-["x",{"_placeholder":true,"num":0}]',
                '42["x"]',
                "40",
                "41",
                '430["a"]',
                "2probe",
                "bAAAA",
                '452-["x",{"_placeholder":true,"num":1}]',
            ]
        ),
    ),
    max_size=6,
)


@given(pieces)
def test_any_messages_give_packets_or_a_protocol_error_and_nothing_else(messages: list[Any]) -> None:
    for protocol in (EIO4, BareEngineIO4()):
        decoder = protocol.decoder(Limits())
        try:
            for message in messages:
                packet = decoder.message(message)
                assert packet is None or isinstance(packet, tuple)
        except ProtocolError as error:
            assert len(str(error)) < 100


@given(pieces)
def test_a_payload_means_what_its_packets_mean_one_by_one(messages: list[Any]) -> None:
    texts = [message for message in messages if isinstance(message, str)]
    body = "\x1e".join(texts)

    def outcome(steps: Any) -> Any:
        try:
            return steps()
        except ProtocolError:
            return "error"

    one = EIO4.decoder(Limits())
    single = outcome(lambda: [packet for part in body.split("\x1e") if (packet := one.message(part)) is not None])
    assert outcome(lambda: EIO4.decoder(Limits()).payload(body)) == single


@given(st.text(max_size=80), st.text(max_size=40))
def test_any_url_is_located_refused_or_nobodys(query: str, path: str) -> None:
    for target in ("/socket.io/", path):
        try:
            locate(PROTOCOLS, target, query, "/socket.io/")
        except Refused as refused:
            # 200: the welcome at the bare path.
            assert refused.status == (200 if target == "/socket.io/" and not query else 400)
