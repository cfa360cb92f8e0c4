"""The codec of Socket.IO 0.9: golden vectors, the real client's parser beside ours, and any input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from anywire.server.errors import HandshakeRefused, PayloadError, ProtocolError
from anywire.server.events import Ack, Close, Connect, ConnectError, Disconnect, Event, Noop, Packet, Ping, Pong, Receipt
from anywire.server.protocols.base import Limits
from anywire.server.protocols.packet09 import PacketDecoder09, encode_packet, encode_payload, quick_event
from anywire.server.protocols.registry import PROTOCOLS, locate
from anywire.transports.base import Refused
from hypothesis import given
from hypothesis import strategies as st
from node_tools import run_node

VECTORS: dict[str, list[dict[str, Any]]] = json.loads((Path(__file__).parent / "vectors" / "socketio09.json").read_text())
#: Where we read more than JavaScript's regular expression did, which ended at a line end.
READ_WHOLE = {'6:::1+["a\u2028b"]': Ack("/", 1, ("a\u2028b",)), "6:::1+[\n1]": Ack("/", 1, (1,))}
#: An event whose arguments are no array ended in the middle of the original's handlers.
REFUSED = {'5:::{"name":"x","args":"notarray"}'}


def decoder() -> PacketDecoder09:
    return PacketDecoder09(Limits())


def decoded(vector: dict[str, Any]) -> Packet | None:
    """What a packet of the original's parser is to us: handlers and sessions see events of ours."""
    said = vector["packet"]
    kind, namespace = said.get("type"), said.get("endpoint") or "/"
    id_ = int(said["id"]) if "id" in said else None
    wants = id_ if said.get("ack") == "data" else None
    packet: Packet | None = None
    if kind == "disconnect":
        packet = Close() if namespace == "/" else Disconnect(namespace)
    elif kind == "connect":
        packet = Connect(namespace, None, said["qs"][1:])
    elif kind == "heartbeat":
        packet = Pong()
    elif kind in ("message", "json") and "data" in said:
        packet = Event(namespace, "message", (said["data"],), wants)
    elif kind == "event" and "name" in said:
        packet = Event(namespace, said["name"], tuple(said["args"]), wants)
    elif kind == "ack" and "ackId" in said:
        packet = Ack(namespace, int(said["ackId"]), tuple(said["args"]))
    return Receipt(Ack(namespace, id_), packet or Noop()) if id_ is not None and wants is None else packet


@pytest.mark.parametrize("vector", VECTORS["decode"], ids=lambda vector: ascii(vector["text"]))
def test_golden_vectors_decode(vector: dict[str, Any]) -> None:
    text = vector["text"]
    if text in REFUSED:
        with pytest.raises(ProtocolError):
            decoder().message(text)
        return
    expected = READ_WHOLE.get(text, decoded(vector))
    assert decoder().message(text) == expected
    assert decoder().payload(text) == ([] if expected is None else [expected])
    framed = f"\ufffd{len(text)}\ufffd{text}"
    assert decoder().payload(framed.encode() * 2) == ([] if expected is None else [expected] * 2)


#: What a server says, of what the original's parser can say, as we mean it.
SAID: list[tuple[str, Packet]] = [
    ("0::", Close()), ("0::/woot", Disconnect("/woot")), ("1::", Connect("/", {"sid": "x"})), ("1::/tobi", Connect("/tobi", {"sid": "x"})),
    ("2::", Ping()), ("8::", Noop()), ("3:::woot", Event("/", "message", ("woot",))), ("3:5:/tobi", Event("/tobi", "message", ("",), 5)),
    ("3::", Event("/", "message", ("",))), ("3:::a:b:c\n\u2028", Event("/", "message", ("a:b:c\n\u2028",))),
    ("4:::null", Event("/", "message", (None,))), ('5:::{"name":"woot"}', Event("/", "woot")),
    ('5:1+::{"name":"edwald","args":[{"a":"b"},2,"3"]}', Event("/", "edwald", ({"a": "b"}, 2, "3"), 1)),
    ('5:::{"name":"u","args":[null,null,null]}', Event("/", "u", (None, None, None))), ("6:::140", Ack("/", 140)),
    ('6::/c:12+["woot","wa"]', Ack("/c", 12, ("woot", "wa"))), ("6:::1", Ack("/", 1)), ("7:::2", ConnectError("/", "why")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "packet"), SAID, ids=[ascii(text) for text, _ in SAID])
def test_golden_vectors_encode(text: str, packet: Packet) -> None:
    assert text in {vector["text"] for vector in VECTORS["encode"]}
    assert encode_packet(packet) == text


@pytest.mark.parametrize("vector", VECTORS["payload"], ids=lambda vector: ascii(vector["text"]))
def test_golden_vectors_of_payloads(vector: dict[str, Any]) -> None:
    assert encode_payload(vector["packets"]) == vector["text"]
    assert vector["text"].encode().hex() == vector["utf8"]
    packets = [decoder().message(text) for text in vector["packets"]]
    assert decoder().payload(bytes.fromhex(vector["utf8"])) == [packet for packet in packets if packet is not None]


@pytest.mark.parametrize(
    "payload",
    [
        "\ufffd5\ufffd3:::😀\ufffd3\ufffd8::",  # counted in code points: the emoji is cut
        "\ufffd4\ufffd3:::😀", "\ufffdx\ufffd3:::x", "\ufffd\ufffd3:::x", "\ufffd5\ufffd3:::x3:::y", "\ufffd",
        "\ufffd3", "\ufffd-1\ufffd3:::x", "\ufffd99999999999\ufffdx", "\ufffd5\ufffd3:::x\ufffd",
        "\ufffd1\ufffd\U00010000\ufffd2\ufffd\ud800",
    ],
)  # fmt: skip
def test_a_length_that_is_wrong_ends_the_session(payload: str) -> None:
    with pytest.raises(ProtocolError):
        decoder().payload(payload)


@pytest.mark.parametrize("text", ["one", "😀x"])
def test_the_last_packet_may_be_shorter_than_it_says(text: str) -> None:
    """Clients that count bytes do so; the original's decoder took it."""
    assert decoder().payload(f"\ufffd5\ufffd3:::x\ufffd99\ufffd3:::{text}") == [
        Event("/", "message", ("x",)),
        Event("/", "message", (text,)),
    ]


def test_a_named_tuple_is_a_list_inside_and_arguments_outside() -> None:
    class Place(NamedTuple):
        x: Any
        y: Any

    assert encode_packet(Event("/", "x", ([Place(1, 2)],))) == '5:::{"name":"x","args":[[[1,2]]]}'
    assert encode_packet(Event("/", "x", Place(1, b"\x01"))) == '5:::{"name":"x","args":[1,"AQ=="]}'
    assert encode_packet(Ack("/", 1, Place(1, 2))) == "6:::1+[1,2]"


def test_half_of_a_character_is_one_unit_and_read_as_the_replacement_character() -> None:
    """JavaScript cuts texts between the halves of a pair. XHR sends U+FFFD for a half, JSON the half's escape."""
    assert decoder().payload("\ufffd6\ufffd3:::x\ufffd\ufffd4\ufffd3:::".encode()) == [
        Event("/", "message", ("x\ufffd",)),
        Event("/", "message", ("",)),
    ]
    assert decoder().message('5:::{"name":"x","args":["\\ud83d","\\\\ud83d","\\ud83d\\ude00","\\ude00"]}') == Event(
        "/", "x", ("\ufffd", "\\ud83d", "😀", "\ufffd")
    )
    # In the field of a JSONP form the payload itself is a JSON string.
    data = PacketDecoder09.json_string('"\ufffd5\ufffd3:::\\ud83d\ufffd6\ufffd3:::\\ud83d\\ude00"')
    assert decoder().payload(data) == [Event("/", "message", ("\ufffd",)), Event("/", "message", ("😀",))]
    for packet in (Event("/", "message", ("\ud83d",)), Event("/", "x", ("\ud83d",)), Ack("/", 1, ("\ud83d",))):
        with pytest.raises(PayloadError, match="surrogate"):
            encode_packet(packet)


# -- the real parser beside ours --------------------------------------------------------------------------------------

ALPHABET = [
    "a",
    "é",
    "€",
    "😀",
    "\U0010ffff",
    "\ufffd",
    ":",
    "+",
    "1",
    "/",
    "\\",
    "\\/",
    '"',
    "\n",
    "\r",
    "\u2028",
    "\u2029",
    "\0",
    "<",
    "'",
]


def some_text(chance: random.Random) -> str:
    return "".join(chance.choices(ALPHABET, k=chance.randrange(12)))


def some_events(chance: random.Random) -> list[Event | Ack]:
    made: list[Event | Ack] = []
    for _ in range(chance.randrange(1, 5)):
        namespace = chance.choice(["/", "/chat", "/é😀"])
        args = tuple(
            chance.choice([some_text(chance), {some_text(chance): [some_text(chance), None, 1.5]}, -7]) for _ in range(chance.randrange(4))
        )
        kind = chance.randrange(3)
        if kind == 0:
            made.append(Event(namespace, "message", (some_text(chance),), chance.choice([None, 3])))
        elif kind == 1:
            made.append(Event(namespace, some_text(chance) or "x", args, chance.choice([None, 12])))
        else:
            made.append(Ack(namespace, 140, args))
    return made


def as_the_client_sees(packet: Event | Ack) -> dict[str, Any]:
    endpoint = "" if packet.namespace == "/" else packet.namespace
    if isinstance(packet, Ack):
        return {"type": "ack", "endpoint": endpoint, "ackId": str(packet.id), "args": list(packet.args)}
    if packet.name == "message" and len(packet.args) == 1:
        # Text and JSON reach the same handlers.
        seen: dict[str, Any] = {"endpoint": endpoint, "data": packet.args[0]}
        return seen if packet.ack is None else {**seen, "id": str(packet.ack), "ack": True}
    seen = {"type": "event", "endpoint": endpoint, "name": packet.name, "args": list(packet.args)}
    return seen if packet.ack is None else {**seen, "id": str(packet.ack), "ack": "data"}


def test_the_clients_parser_reads_what_we_write(run: Callable[..., Any]) -> None:
    chance = random.Random(9)
    packets = [some_events(chance) for _ in range(150)]
    payloads = [encode_payload([encode_packet(packet) or "" for packet in some]) for some in packets]
    read = json.loads(run(run_node("codec09.cjs", "decode", json.dumps(payloads))))
    for some, payload, seen in zip(packets, payloads, read, strict=True):
        for one in seen:
            if one["type"] in ("message", "json"):
                del one["type"]
        assert seen == [as_the_client_sees(packet) for packet in some], payload


def test_we_read_what_the_clients_parser_writes(run: Callable[..., Any]) -> None:
    chance = random.Random(90)
    said: list[list[dict[str, Any]]] = []
    meant: list[list[Packet]] = []
    for _ in range(150):
        texts = [some_text(chance) + chance.choice(["", "\ud83d"]) for _ in range(chance.randrange(1, 5))]
        said.append([])
        meant.append([])
        for text in texts:
            whole = text.replace("\ud83d", "\ufffd")
            if chance.random() < 0.5:
                said[-1].append({"type": "message", "endpoint": "/é", "id": 7, "ack": True, "data": text})
                meant[-1].append(Receipt(Ack("/é", 7), Event("/é", "message", (whole,))))
            else:
                said[-1].append({"type": "event", "endpoint": "", "id": 8, "ack": "data", "name": "x", "args": [text]})
                meant[-1].append(Event("/", "x", (whole,), 8))
    written = json.loads(run(run_node("codec09.cjs", "encode", json.dumps(said))))
    for body, packets in zip(written, meant, strict=True):
        assert decoder().payload(body.encode()) == packets, body


# -- any input --------------------------------------------------------------------------------------------------------

anything = st.characters()  # surrogates too
likely = st.text(alphabet='012345678:+/\ufffd😀[]{}"\\n,ame\u2028', max_size=40)
texts = st.one_of(
    likely, st.text(anything, max_size=30), st.sampled_from(["3:::x", "\ufffd5\ufffd3:::x", '5:1+:/a:{"name":"x"}', "6:::1+[1]"])
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text())
trees = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)), max_leaves=8
)
names = st.text(min_size=1).filter(
    lambda name: name not in {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)


@given(st.lists(texts, max_size=4), st.booleans())
def test_any_text_gives_packets_or_a_protocol_error_and_nothing_else(parts: list[str], framed: bool) -> None:
    data = "".join(f"\ufffd{len(part)}\ufffd{part}" for part in parts) if framed else "".join(parts)
    for read in (
        decoder().message,
        decoder().payload,
        lambda text: decoder().payload(text.encode(errors="replace")),
        PacketDecoder09.json_string,
    ):
        try:
            result = read(data)
        except ProtocolError as error:
            assert len(str(error)) < 100
        else:
            assert result is None or isinstance(result, (tuple, list, str))


@given(st.binary(max_size=60))
def test_any_bytes_give_packets_or_a_protocol_error_and_nothing_else(data: bytes) -> None:
    assert decoder().message(data) is None
    try:
        assert isinstance(decoder().payload(data), list)
    except ProtocolError:
        pass


@given(st.lists(st.text(min_size=1).map(lambda text: "3:::" + text), min_size=2, max_size=5))
def test_a_payload_means_what_its_packets_mean_one_by_one(packets: list[str]) -> None:
    body = encode_payload(packets)
    assert decoder().payload(body) == decoder().payload(body.encode()) == [decoder().message(packet) for packet in packets]


@given(st.sampled_from(["/", "/a", "/é😀"]), names, st.lists(trees, max_size=3), st.one_of(st.none(), st.integers(0, 10**16 - 1)))
def test_every_event_comes_back_as_it_was(namespace: str, name: str, args: list[Any], id_: int | None) -> None:
    packet = Event(namespace, name, tuple(args), id_)
    text = encode_packet(packet)
    assert text is not None
    # The htmlfile transport of the client makes "/" of "\/".
    assert "\\/" not in text
    back = decoder().message(text)
    assert (back.packet._replace(ack=id_) if isinstance(back, Receipt) else back) == packet
    short = quick_event(packet)
    assert short is None or short == text.encode()


@given(st.lists(trees, max_size=3))
def test_every_acknowledgement_is_one_line_for_javascript(args: list[Any]) -> None:
    text = encode_packet(Ack("/a", 7, tuple(args)))
    assert text is not None and not set(text) & set("\n\r\u2028\u2029") and "\\/" not in text
    assert decoder().message(text) == Ack("/a", 7, tuple(args))


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_url_is_located_refused_or_nobodys(path: str, query: str) -> None:
    for target in ("/socket.io/1/" + path, "/socket.io/" + path):
        try:
            locate(PROTOCOLS, target, query, "/socket.io/")
        except HandshakeRefused as refused:
            assert refused.status == 400
        except Refused as answer:
            assert answer.status in (200, 500)
