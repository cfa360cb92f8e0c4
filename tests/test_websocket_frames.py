"""WebSocket frames on a real connection, literally: what is wrong is told by its close code, what is right is delivered."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import anywire
import pytest
from anywire.transports.frames import FrameError, FrameParser
from anywire.transports.masking import unmask, unmask_in_python
from http_tools import RawClient, masked
from hypothesis import given
from hypothesis import strategies as st
from server_tools import listening

TARGET = "/engine.io/?EIO=4&transport=websocket"


@asynccontextmanager
async def echoing(**settings: Any) -> AsyncIterator[anywire.EngineServer]:
    """A bare Engine.IO server that sends every message back."""
    server = anywire.EngineServer(**settings)

    @server.on("message")
    def message(sid: str, data: str | bytes) -> None:
        server.send(sid, data)

    async with listening(server):
        yield server


@asynccontextmanager
async def connected(headers: str = "", **settings: Any) -> AsyncIterator[RawClient]:
    async with echoing(**settings) as server, RawClient(server.port) as client:
        assert (await client.upgrade(TARGET, headers)).status == 101
        assert (await client.frame())[0] == 0x81
        yield client


def code(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "big")


LIMIT = {"max_payload": 100_000}
WRONG: dict[str, tuple[bytes, int]] = {
    "W1 unmasked text": (b"\x81\x054abcd", 1002),
    "W2 reserved bit 1": (masked(0xC1, b"4a"), 1002),
    "W2 reserved bit 2": (masked(0xA1, b"4a"), 1002),
    "W2 reserved bit 3": (masked(0x91, b"4a"), 1002),
    "W2 reserved opcode 3": (masked(0x83, b"4a"), 1002),
    "W2 reserved opcode 7": (masked(0x87, b"4a"), 1002),
    "W2 reserved opcode B": (masked(0x8B, b""), 1002),
    "W2 reserved opcode F": (masked(0x8F, b""), 1002),
    "W3 ping of 126 bytes": (masked(0x89, b"x" * 126), 1002),
    "W3 fragmented ping": (masked(0x09, b"x"), 1002),
    "W3 continuation without a start": (masked(0x80, b"x"), 1002),
    "W3 new text inside a message": (masked(0x01, b"4a") + masked(0x81, b"4b"), 1002),
    "W4 reserved bit on a ping": (masked(0xC9, b""), 1002),
    "W6 invalid UTF-8": (masked(0x81, b"4\xff"), 1007),
    "W6 surrogate": (masked(0x81, b"4\xed\xa0\x80"), 1007),
    "W6 cut character": (masked(0x81, b"4\xe2\x82"), 1007),
    "W6 across fragments": (masked(0x01, b"4\xe2\x82") + masked(0x80, b"x"), 1007),
    "W6 fails fast inside a frame": (masked(0x81, b"4\xff" + b"x" * 1000)[:30], 1007),
    "W6 fails fast between fragments": (masked(0x01, b"4\xff"), 1007),
    **{
        f"W7 close code {number}": (masked(0x88, number.to_bytes(2, "big")), 1002)
        for number in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "W8 close of one byte": (masked(0x88, b"\x03"), 1002),
    "W8 close reason not UTF-8": (masked(0x88, b"\x03\xe8\xff"), 1007),
    "W9 length of 2^63": (b"\x81\xff" + (2**63).to_bytes(8, "big") + b"abcd", 1009),
    "W9 too big": (b"\x81\xff" + (100_001).to_bytes(8, "big"), 1009),
    "W9 too big by fragments": (masked(0x01, b"4" * 60_000) + b"\x00\xfe\xea\x60", 1009),
    "W10 length not minimal, 2 bytes": (b"\x81\xfe\x00\x05abcd4abcd", 1002),
    "W10 length not minimal, 8 bytes": (b"\x81\xff" + (300).to_bytes(8, "big"), 1002),
    "W12 too many fragments": (masked(0x01, b"4") + masked(0x00, b"") * 1024, 1008),
    "W13 ping flood": (masked(0x89, b"") * 400, 1008),
    "W14 not an Engine.IO packet": (masked(0x81, b"what"), 1002),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_frame_is_answered_by_its_close_code(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        sent, expected = WRONG[name]
        async with connected(**LIMIT) as client:
            client.send(sent)
            first, payload = await client.frame()
            while first == 0x8A:
                first, payload = await client.frame()
            assert (first, code(payload)) == (0x88, expected)
            assert (await client.frame())[0] == -1

    run(main())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 65_535, 65_536, 99_998])
@pytest.mark.parametrize("kind", [0x81, 0x82])
@pytest.mark.parametrize("chop", [None, 997])
def test_every_size_of_message_comes_back(size: int, kind: int, chop: int | None, run: Callable[..., Any]) -> None:
    async def main() -> None:
        payload = (b"4" if kind == 0x81 else b"") + b"*" * size
        async with connected(**LIMIT) as client:
            data = masked(kind, payload)
            for start in range(0, len(data), chop or len(data)):
                client.send(data[start : start + (chop or len(data))])
                await client.writer.drain()
                if chop:
                    await asyncio.sleep(0)
            assert await client.frame() == (kind, payload)

    run(main())


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff\xfe", b"x" * 125])
def test_a_ping_is_answered_by_its_own_bytes(payload: bytes, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as client:
            client.send(masked(0x89, payload))
            assert await client.frame() == (0x8A, payload)
            client.send(masked(0x8A, b"unasked") + masked(0x81, b"4on"))
            assert await client.frame() == (0x81, b"4on")

    run(main())


@pytest.mark.parametrize("octets", [1, 7, 1000])
def test_fragments_with_a_ping_between_make_one_message_however_they_arrive(octets: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        data = masked(0x01, "4fragment-µ".encode()[:-1]) + masked(0x89, b"ping") + masked(0x00, b"") + masked(0x80, b"\xb5 end")
        async with connected() as client:
            for start in range(0, len(data), octets):
                client.send(data[start : start + octets])
                await asyncio.sleep(0)
            assert await client.frame() == (0x8A, b"ping")
            assert await client.frame() == (0x81, "4fragment-µ end".encode())

    run(main())


@pytest.mark.parametrize("text", ["Hello-µ@ßöäüàá-UTF-8!!", "\U0010ffff", "\ufffe\uffff", "\x00", "κόσμε", "😀" * 1000])
def test_every_valid_text_comes_back_octet_by_octet(text: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        payload = b"4" + text.encode()
        async with connected() as client:
            for byte in masked(0x01, payload[:3]) + masked(0x80, payload[3:]):
                client.send(bytes((byte,)))
            assert await client.frame() == (0x81, payload)

    run(main())


@pytest.mark.parametrize("number", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_a_close_is_echoed_with_its_code_and_ends_the_connection(number: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as client:
            client.send(masked(0x88, number.to_bytes(2, "big") + "bye µ".encode()) + masked(0x81, b"4after"))
            first, payload = await client.frame()
            assert (first, code(payload)) == (0x88, number)
            assert (await client.frame())[0] == -1

    run(main())


def test_an_empty_close_is_answered_by_an_empty_close(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected() as client:
            client.send(masked(0x88, b""))
            assert await client.frame() == (0x88, b"")
            assert (await client.frame())[0] == -1

    run(main())


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", 426),
        ("Upgrade: websocket", "Upgrade: h2c", 400),
        ("Connection: Upgrade", "Connection: close", 400),
        ("GET", "POST", 400),
    ],
)
def test_a_wrong_handshake_is_refused_before_the_101(old: str, new: str, status: int, run: Callable[..., Any]) -> None:
    from http_tools import UPGRADE

    async def main() -> None:
        async with echoing() as server, RawClient(server.port) as client:
            request = f"GET {TARGET} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{UPGRADE}\r\n".replace(old, new, 1)
            client.send(request.encode())
            answer = await client.answer()
            assert answer.status == status
            assert not server._hub.sessions

    run(main())


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


def deflated(payload: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_deflated_messages_come_and_go_with_a_ping_between_their_fragments(run: Callable[..., Any]) -> None:
    async def main() -> None:
        payload = b"4" + b"compress me " * 500
        data = deflated(payload)
        async with connected(DEFLATE, per_message_deflate=True) as client:
            client.send(masked(0x41, data[:10]) + masked(0x89, b"between") + masked(0x80, data[10:]))
            assert await client.frame() == (0x8A, b"between")
            first, compressed = await client.frame()
            assert first == 0xC1 and len(compressed) < 200
            assert zlib.decompressobj(wbits=-15).decompress(compressed + b"\x00\x00\xff\xff") == payload
            client.send(masked(0x81, b"4small"))
            assert await client.frame() == (0x81, b"4small")

    run(main())


def test_a_deflate_bomb_is_1009(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with connected(DEFLATE, per_message_deflate=True, **LIMIT) as client:
            client.send(masked(0xC1, deflated(b"4" + bytes(20_000_000))))
            first, payload = await client.frame()
            assert (first, code(payload)) == (0x88, 1009)

    run(main())


def test_deflate_is_off_unless_the_setting_and_the_client_want_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        for settings, headers in (({}, DEFLATE), ({"per_message_deflate": True}, ""), ({"per_message_deflate": True}, DEFLATE + "")):
            async with echoing(**settings) as server, RawClient(server.port) as client:
                answer = await client.upgrade(TARGET, headers)
                assert ("sec-websocket-extensions" in answer.headers) == bool(settings and headers)

    run(main())


def test_a_server_that_closes_waits_for_the_peers_close(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with echoing() as server, RawClient(server.port) as client:
            await client.upgrade(TARGET)
            await client.frame()
            server.disconnect()
            first, payload = await client.frame()
            assert (first, code(payload), payload[2:]) == (0x88, 1000, b"server disconnect")
            client.send(masked(0x88, b"\x03\xe8"))
            assert (await client.frame())[0] == -1

    run(main())


def collect(data: bytes, cuts: list[int], deflate: bool) -> tuple[list[Any], int | None]:
    """Feed ``data`` in pieces: the events, and the close code of the error that ended it."""
    events: list[Any] = []
    parser = FrameParser(lambda kind, payload: events.append((kind, payload)), lambda text: events.append((1, text)), 10_000, 64, deflate)
    positions = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    try:
        for start, end in pairwise(positions):
            if start < end:
                parser.feed(data[start:end])
    except FrameError as error:
        return events, error.close_code
    return events, None


frames = st.builds(
    masked,
    st.sampled_from([0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0x41, 0xC9, 0x83]),
    st.one_of(st.binary(max_size=140), st.text(max_size=50).map(str.encode), st.binary(max_size=60).map(deflated)),
    st.binary(min_size=4, max_size=4),
)


@given(
    st.one_of(st.binary(max_size=300), st.lists(frames, max_size=8).map(b"".join)),
    st.lists(st.integers(0, 2000), max_size=6),
    st.booleans(),
)
def test_any_bytes_whole_or_split_give_the_same_events_or_the_same_error(data: bytes, cuts: list[int], deflate: bool) -> None:
    whole, split = collect(data, [], deflate), collect(data, cuts, deflate)
    assert whole == split


@given(st.binary(min_size=4, max_size=4), st.binary(max_size=200))
def test_a_mask_is_undone_as_section_5_3_says_in_c_and_in_python(mask: bytes, data: bytes) -> None:
    expected = bytes(octet ^ mask[place % 4] for place, octet in enumerate(data))
    assert unmask(mask, data) == unmask_in_python(mask, data) == expected


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_messages_of_one_frame_arrive_whatever_their_length_whole_and_byte_by_byte(size: int) -> None:
    text, blob = "é" * (size // 2) + "a" * (size % 2), bytes(range(256)) * (size // 256) + bytes(size % 256)
    stream = masked(0x81, text.encode()) + masked(0x82, blob)
    for pieces in ([stream], [stream[:7], stream[7:]], [bytes((octet,)) for octet in stream] if size < 1000 else [stream]):
        got: list[Any] = []
        parser = FrameParser(lambda kind, payload, got=got: got.append((kind, payload)), got.append, 100_000)  # type: ignore[misc]
        for piece in pieces:
            parser.feed(piece)
        assert got == [text, (2, blob)]
