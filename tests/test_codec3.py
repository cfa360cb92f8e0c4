"""The codec of Engine.IO 3 and Socket.IO 4, literally, against the parsers of socket.io-client 1.7.4 and 2.5.0, and under any input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anywire.server.errors import HandshakeRefused, ProtocolError
from anywire.server.events import Close, Connect, Event, Message, Noop, Open, Packet, Ping, Pong, Upgrade
from anywire.server.protocols.base import Limits
from anywire.server.protocols.engineio3 import BareEngineIO3, EngineIO3
from anywire.server.protocols.registry import BARE_PROTOCOLS, PROTOCOLS, locate
from hypothesis import given
from hypothesis import strategies as st
from node_tools import run_node
from test_codec import attachments, from_json, ids, likely, names, namespaces, packet_of, placeholder_free, trees

EIO3, BARE = EngineIO3(), BareEngineIO3()
FOLDER = Path(__file__).parent / "vectors"
PAYLOADS = json.loads((FOLDER / "engineio3.json").read_text())
PACKETS = json.loads((FOLDER / "socketio4.json").read_text())
KINDS: dict[str, Callable[[Any], Packet]] = {
    "message": Message,
    "ping": Ping,
    "pong": Pong,
    "close": lambda data: Close(),
    "upgrade": lambda data: Upgrade(),
    "noop": lambda data: Noop(),
}


def name_of(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def packets_of(listed: list[list[Any]]) -> list[Packet]:
    return [KINDS[kind](from_json(data)) for kind, data in listed]


def body_of(vector: dict[str, Any]) -> str | bytes:
    return vector["text"] if "text" in vector else bytes.fromhex(vector["binary"])


def units(packets: list[Packet], binary: bool) -> list[str | bytes]:
    return [unit for packet in packets for unit in BARE.units(packet, binary)]


@pytest.mark.parametrize("vector", PAYLOADS["payloads"], ids=name_of)
def test_golden_payloads_are_written_and_read(vector: dict[str, Any]) -> None:
    packets = packets_of(vector["packets"])
    assert BARE.payload(units(packets, False)) == vector["text"]
    assert BARE.decoder(Limits()).payload(vector["text"]) == packets
    if "binary" in vector:
        raw = bytes.fromhex(vector["binary"])
        assert BARE.decoder(Limits()).payload(raw) == packets
        # The form in which all versions agree: text in ASCII, or bytes.
        plain = vector["text"].isascii() and not any(isinstance(data, dict) for _, data in vector["packets"])
        assert BARE.payload(units(packets, True)) == (vector["text"] if plain else raw)


@pytest.mark.parametrize("vector", PAYLOADS["read"], ids=name_of)
def test_golden_payloads_that_only_others_write(vector: dict[str, Any]) -> None:
    assert BARE.decoder(Limits()).payload(body_of(vector)) == packets_of(vector["packets"])
    once = BareEngineIO3(double_utf8=False)
    assert once.decoder(Limits()).payload(body_of(vector)) == packets_of(vector.get("once", vector["packets"]))


@pytest.mark.parametrize("vector", PAYLOADS["refused"], ids=lambda vector: str(body_of(vector)))
def test_golden_payloads_that_are_none(vector: dict[str, Any]) -> None:
    for protocol in (BARE, EIO3):
        with pytest.raises(ProtocolError):
            protocol.decoder(Limits()).payload(body_of(vector))


@pytest.mark.parametrize("vector", PACKETS, ids=name_of)
def test_golden_packets_are_written_and_read(vector: dict[str, Any]) -> None:
    packet, messages = packet_of(vector), [from_json(message) for message in vector["messages"]]
    binary_body = bytes.fromhex(vector["binary_body"]) if "binary_body" in vector else vector["body"]
    assert list(EIO3.encode(packet, True)) == messages
    assert EIO3.payload(EIO3.units(packet, False)) == vector["body"]
    assert EIO3.payload(EIO3.units(packet, True)) == binary_body
    if vector.get("from_client", True):
        decoder = EIO3.decoder(Limits())
        assert [decoder.message(message) for message in messages] == [None] * (len(messages) - 1) + [packet]
        for body in (vector["body"], binary_body):
            assert EIO3.decoder(Limits()).payload(body) == [packet]


def test_the_open_packet_has_the_four_things_that_this_revision_knows() -> None:
    opened = Open("id", ("websocket",), 25, 0.3, 10)
    assert EIO3.encode(opened, True) == ('0{"sid":"id","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":300}',)


def test_a_namespaces_query_is_its_auth_too() -> None:
    assert EIO3.decoder(Limits()).message("40/chat?token=a%2Cb&x=,") == Connect("/chat", {"token": "a,b", "x": ""}, "token=a%2Cb&x=")
    assert EIO3.decoder(Limits()).message("40/chat?token=x") == Connect("/chat", {"token": "x"}, "token=x")
    with pytest.raises(ProtocolError, match="too many arguments"):
        EIO3.decoder(Limits()).message("40/chat?" + "&".join(["a=1"] * 200))


def test_the_client_makes_its_id_from_the_engines() -> None:
    assert EIO3.public_sid("abc", "/", "fresh") == "abc"
    assert EIO3.public_sid("abc", "/chat", "fresh") == "/chat#abc"
    assert EIO3.connected("/chat", "/chat#abc") == Connect("/chat")


def test_urls_of_revision_3_and_of_no_revision_that_there_is() -> None:
    for protocols, kind in ((PROTOCOLS, EngineIO3), (BARE_PROTOCOLS, BareEngineIO3)):
        found = locate(protocols, "/socket.io/", "EIO=3&transport=polling&b64=1&t=x&sid=abc", "/socket.io/")
        assert found is not None and isinstance(found[0], kind)
        assert (found[1].transport, found[1].sid, found[1].binary) == ("polling", "abc", False)
        found = locate(protocols, "/socket.io/", "EIO=3&transport=polling&j=7", "/socket.io/")
        assert found is not None and found[1].transport == "jsonp"
        for query in ("EIO=2&transport=polling", "EIO=03&transport=polling", "EIO=&transport=polling", "EIO=3&EIO=3&transport=polling"):
            with pytest.raises(HandshakeRefused, match="Unsupported protocol version"):
                locate(protocols, "/socket.io/", query, "/socket.io/")


@pytest.mark.parametrize("proof", ["4€", "4é", "4😀", "4Ã©é"])
def test_who_has_once_written_what_1_never_writes_is_read_once_from_then_on(proof: str) -> None:
    decoder = BARE.decoder(Limits())
    assert decoder.payload("2:4a3:4Ã©") == [Message("a"), Message("é")]
    assert decoder.payload(f"{len(proof.encode('utf-16-le')) // 2}:{proof}") == [Message(proof[1:])]
    assert decoder.payload("3:4Ã©") == [Message("Ã©")]


# -- against the clients' own parsers -----------------------------------------------------------------------------------


def random_packets(chance: random.Random) -> list[list[Any]]:
    letters = "a0:é€Ã©ÿ\u2028\ud7ff\ue000\ufffd😀𝄞\U0010ffff\x00\n\\"
    some = []
    for _ in range(chance.randint(1, 5)):
        if chance.random() < 0.3:
            some.append(["message", {"$hex": chance.randbytes(chance.randint(0, 300)).hex()}])
        else:
            some.append(["message", "".join(chance.choice(letters) for _ in range(chance.randint(0, 20)))])
    return some


def test_the_parsers_of_both_clients_read_what_we_write_and_we_read_what_they_write(run: Callable[..., Any], tmp_path: Path) -> None:
    chance = random.Random(3)
    listed = [random_packets(chance) for _ in range(300)]
    cases = []
    for packets in listed:
        binary = BARE.payload(units(packets_of(packets), True))
        base64 = BARE.payload(units(packets_of(packets), False))
        raw = binary.encode() if isinstance(binary, str) else binary
        cases.append({"packets": packets, "octets": isinstance(binary, bytes), "hex": raw.hex(), "base64": base64})
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(cases))
    answers = json.loads(run(run_node("engineio3_parsers.mjs", str(file))))
    for packets, answer in zip(listed, answers, strict=True):
        # Clients that take binary: in Node and, for 1.x, in browsers, which read a text body byte by byte.
        assert answer["2"]["read"] == answer["1"]["read"] == answer["1"]["read by bytes"] == packets
        assert answer["2"]["read base64"] == packets
        if all(isinstance(data, dict) or data.isascii() for _, data in packets):
            assert answer["1"]["read base64"] == packets
        for version in "12":
            for body in (bytes.fromhex(answer[version]["binary"]), bytes.fromhex(answer[version]["text"]).decode()):
                protocol = BareEngineIO3(double_utf8=version == "1")
                assert protocol.decoder(Limits()).payload(body) == packets_of(packets)


# -- any input ----------------------------------------------------------------------------------------------------------


@given(namespaces, names, st.lists(trees, max_size=3).filter(placeholder_free), ids)
def test_every_event_comes_back_as_it_was_by_frames_and_payloads(namespace: str, name: str, args: list[Any], id_: int | None) -> None:
    packet = Event(namespace, name, tuple(args), id_)
    if attachments(args) > 10:
        return
    decoder = EIO3.decoder(Limits())
    assert [decoder.message(message) for message in EIO3.encode(packet, True)][-1] == packet
    for binary in (True, False):
        assert EIO3.decoder(Limits()).payload(EIO3.payload(EIO3.units(packet, binary))) == [packet]
    body = EIO3.payload(EIO3.units(packet, False))
    assert isinstance(body, str) and (body.isascii() or not namespace.isascii())


@given(st.lists(st.one_of(st.text(), st.binary()), max_size=5))
def test_every_message_of_a_bare_session_comes_back_as_it_was(data: list[str | bytes]) -> None:
    once = BareEngineIO3(double_utf8=False)
    packets: list[Packet] = [Message(one) for one in data]
    for binary in (True, False):
        assert once.decoder(Limits()).payload(once.payload(units(packets, binary))) == packets


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_whatever_a_client_of_1_encodes_twice_is_read_as_it_was_meant(texts: list[str]) -> None:
    twice = ["4" + text.encode().decode("latin-1") for text in texts]
    body = "".join(f"{len(text)}:{text}" for text in twice)
    assert BARE.decoder(Limits()).payload(body) == [Message(text) for text in texts]


samples = ['42["x"]', "40/a?b=c,", "41", '430["a"]', "2probe", "b4AAAA", '452-["x",{"_placeholder":true,"num":1}]', b"\x04\x01", b"\x04"]
pieces = st.one_of(
    likely,
    st.text(max_size=30),
    st.binary(max_size=10),
    st.sampled_from(samples),
)


def _with_length(piece: str | bytes, off: int) -> str | bytes:
    if isinstance(piece, str):
        return f"{len(piece.encode('utf-16-le', 'surrogatepass')) // 2 + off}:{piece}"
    return bytes((1, *map(int, str(abs(len(piece) + off))), 255)) + piece


@given(st.lists(pieces, max_size=6))
def test_any_messages_give_packets_or_a_protocol_error_and_nothing_else(messages: list[Any]) -> None:
    for protocol in (EIO3, BARE):
        decoder = protocol.decoder(Limits())
        try:
            for message in messages:
                packet = decoder.message(message)
                assert packet is None or isinstance(packet, tuple)
        except ProtocolError as error:
            assert len(str(error)) < 100


@given(st.lists(pieces, max_size=5), st.lists(st.sampled_from([0, 0, 0, 0, -1, 1]), min_size=5, max_size=5))
def test_any_payload_gives_packets_or_a_protocol_error_and_nothing_else(messages: list[Any], offs: list[int]) -> None:
    for kind, empty in ((str, ""), (bytes, b"")):
        parts: list[Any] = [_with_length(piece, off) for piece, off in zip(messages, offs, strict=False) if isinstance(piece, kind)]
        whole: Any = empty.join(parts)
        raw: Any = empty.join(piece for piece in messages if isinstance(piece, kind))
        for body in (whole, raw):
            for protocol in (EIO3, BARE, BareEngineIO3(double_utf8=False)):
                try:
                    assert all(isinstance(packet, tuple) for packet in protocol.decoder(Limits()).payload(body))
                except ProtocolError as error:
                    assert len(str(error)) < 100


def test_a_payload_is_bounded_in_packets_and_read_in_linear_time() -> None:
    with pytest.raises(ProtocolError, match="more than 10000 packets"):
        BARE.decoder(Limits()).payload("1:4" * 10_001)
    with pytest.raises(ProtocolError, match="more than 10000 packets"):
        BARE.decoder(Limits()).payload(b"\x00\x01\xff4" * 10_001)
    assert len(BARE.decoder(Limits(max_packets=200_000)).payload("3:4😀" * 100_000)) == 100_000
    assert len(BARE.decoder(Limits(max_packets=200_000)).payload(b"\x00\x01\xff4" * 100_000)) == 100_000
