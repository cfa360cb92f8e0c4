"""The Autobahn suite's cases on a real connection: 1 to 7 and 10, all of them, and of the compressed ones (12, 13) one of each kind.

``make autobahn`` runs the suite itself, where there is a Python 2 for it.
"""

from __future__ import annotations

import asyncio
import json
import random
import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from anywire.transports.base import Loss
from autobahn_cases import AT_ONCE, BY_FRAME, CASES, SILENCE, Case
from echo_websocket import DEFLATING, EchoServer, echo_server
from http_tools import RawClient, masked


async def turns(number: int) -> None:
    """Let the server, which runs in the same loop, read what has arrived."""
    for _ in range(number):
        await asyncio.sleep(0)


async def send(client: RawClient, data: bytes, chop: int) -> None:
    size = chop if chop > 0 else len(data)
    for start in range(0, len(data), size):
        client.send(data[start : start + size])
        if chop != AT_ONCE:
            # One turn to tell that it has arrived, one to read it.
            await turns(2)


async def play(case: Case, client: RawClient, echo: EchoServer) -> None:
    """Do a case's steps, and see the connection to its end."""
    for step in case.steps:
        if isinstance(step, tuple):
            assert await client.frame() == step
        elif step == SILENCE:
            await turns(20)
            assert echo.losses == []
        else:
            await send(client, step, case.chop)
    await see_the_end(client, case.code, case.client_ends)
    assert (echo.losses, echo.wrong) == ([case.loss], [])


async def see_the_end(client: RawClient, code: int, client_ends: bool) -> None:
    if client_ends:
        client.send(masked(0x88, b"\x03\xe8"))
    first, payload = await client.frame()
    assert (first, payload[:2]) == (0x88, code.to_bytes(2, "big") if code else b""), payload
    assert await client.frame() == (-1, b"")


@pytest.mark.parametrize("number", CASES)
def test_case(number: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with echo_server() as (echo, port), RawClient(port) as client:
            assert (await client.upgrade("/")).status == 101
            await play(CASES[number], client, echo)

    run(main())


def test_the_table_holds_as_many_cases_as_the_suite() -> None:
    sections = [number.split(".")[0] for number in CASES]
    counts = {section: sections.count(section) for section in sections}
    assert counts == {"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "10": 1}


#: What comes in a later write than the close frame meets a socket that the server has closed.
SENT_AFTER_CLOSE = {"7.1.2", "7.1.3", "7.1.4", "7.1.5", "7.1.6"}


@pytest.mark.parametrize("chop", [BY_FRAME, 1, 3], ids=["by frame", "by octet", "by 3 octets"])
@pytest.mark.parametrize("number", [number for number in CASES if number[0] in "34567" and number not in SENT_AFTER_CLOSE])
def test_a_case_ends_the_same_however_its_octets_are_cut(number: str, chop: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with echo_server() as (echo, port), RawClient(port) as client:
            await client.upgrade("/")
            await play(CASES[number]._replace(chop=chop), client, echo)

    run(main())


# -- permessage-deflate (RFC 7692) --------------------------------------------------------------------------------------

BASE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
#: The offers of section 13 and others: what the client says, what the server must answer (None: nothing), whether it deflates too.
OFFERS: dict[str, tuple[str, str | None, bool]] = {
    "12, 13.1 no wish": ("permessage-deflate", BASE, True),
    "13.2 no context": ("permessage-deflate; server_no_context_takeover", BASE, True),
    "13.3 window of 9": ("permessage-deflate; server_max_window_bits=9", BASE + "; server_max_window_bits=9", False),
    "13.4 window of 15": ("permessage-deflate; server_max_window_bits=15", BASE + "; server_max_window_bits=15", True),
    "13.5 no context, window of 9": (
        *("permessage-deflate; server_no_context_takeover; server_max_window_bits=9", BASE + "; server_max_window_bits=9", False),
    ),
    "13.6 no context, window of 15": (
        *("permessage-deflate; server_no_context_takeover; server_max_window_bits=15", BASE + "; server_max_window_bits=15", True),
    ),
    "13.7 three offers": (
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=9, "
        "permessage-deflate; server_no_context_takeover, permessage-deflate",
        *(BASE + "; server_max_window_bits=9", False),
    ),
    "what browsers offer": ("permessage-deflate; client_max_window_bits", BASE, True),
    "quoted": ('permessage-deflate; client_max_window_bits="10"; server_max_window_bits="12"', BASE + "; server_max_window_bits=12", False),
    "the second is good": ("x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=7, permessage-deflate", BASE, True),
    "unknown parameter": ("permessage-deflate; window=9", None, False),
    "repeated parameter": ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", None, False),
    "value where none is": ("permessage-deflate; server_no_context_takeover=1", None, False),
    "no value where one is": ("permessage-deflate; server_max_window_bits", None, False),
    "window too small": ("permessage-deflate; client_max_window_bits=7", None, False),
    "window too large": ("permessage-deflate; server_max_window_bits=16", None, False),
    "window with a zero before it": ("permessage-deflate; server_max_window_bits=09", None, False),
    "other extension": ("permessage-bzip2", None, False),
}


def deflate(payload: bytes, mode: int = zlib.Z_SYNC_FLUSH, level: int = 6, window: int = 15) -> bytes:
    compressor = zlib.compressobj(level, wbits=-window)
    return (compressor.compress(payload) + compressor.flush(mode)).removesuffix(b"\x00\x00\xff\xff")


def inflate(payload: bytes, window: int = 15) -> bytes:
    inflater = zlib.decompressobj(wbits=-window)
    return inflater.decompress(payload + b"\x00\x00\xff\xff")


def framed(opcode: int, payload: bytes, size: int) -> bytes:
    """A compressed message in frames of ``size`` octets (0: in one)."""
    cuts = [*range(0, len(payload), size or len(payload)), len(payload)]
    parts = [payload[start:end] for start, end in pairwise(cuts)]
    heads = [opcode | 0x40, *[0] * (len(parts) - 1)]
    heads[-1] |= 0x80
    return b"".join(masked(head, part) for head, part in zip(heads, parts, strict=True))


TEXT = json.dumps([{"id": number, "name": f"Müller {number % 7}", "on": number % 3 == 0} for number in range(3000)], ensure_ascii=False)
SAMPLES = {"json": TEXT.encode(), "noise": random.Random(12).randbytes(131_072), "zeros": bytes(131_072)}
SIZES = (0, 16, 64, 256, 1024, 4096, 8192, 65536, 131_072)


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_of_deflate_is_answered_as_agreed_and_kept(offer: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        offered, answer, deflates = OFFERS[offer]
        async with echo_server(DEFLATING) as (_, port), RawClient(port) as client:
            response = await client.upgrade("/", f"Sec-WebSocket-Extensions: {offered}\r\n")
            assert response.headers.get("sec-websocket-extensions") == answer
            payload = SAMPLES["json"][:16_384]
            for opcode in (1, 2) if answer else ():
                client.send(framed(opcode, deflate(payload), 0))
                first, echoed = await client.frame()
                assert first == opcode | (0xC0 if deflates else 0x80)
                assert (inflate(echoed) if deflates else echoed) == payload
            if answer is None:
                client.send(masked(0x81, payload))
                assert await client.frame() == (0x81, payload)
                client.send(framed(1, deflate(payload), 0))
            await see_the_end(client, 1000 if answer else 1002, client_ends=bool(answer))

    run(main())


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize(("size", "pieces"), [*((size, 0) for size in SIZES), (8192, 256), (131072, 1024), (131072, 32768)])
def test_compressed_messages_of_every_size_come_back_whole_and_in_fragments(
    sample: str, size: int, pieces: int, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        data = SAMPLES[sample]
        opcode = 1 if sample == "json" else 2
        async with echo_server(DEFLATING) as (echo, port), RawClient(port) as client:
            await client.upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")
            for start in (0, 1001, 2002):
                # Whole characters only, as the suite takes them.
                message = data[start : start + size].decode(errors="ignore").encode() if opcode == 1 else data[start : start + size]
                client.send(framed(opcode, deflate(message, level=start % 3 * 4 + 1), pieces))
                first, payload = await client.frame()
                assert first & 0x8F == 0x80 | opcode
                assert (inflate(payload) if first & 0x40 else payload) == message
                assert bool(first & 0x40) == (len(message.decode() if opcode == 1 else message) >= 1024)
            await see_the_end(client, 1000, client_ends=True)
            assert (echo.losses, echo.wrong) == ([Loss.PEER], [])

    run(main())


#: RFC 7692, section 7.2.3: the payloads of its examples, and what they say.
EXAMPLES: dict[str, tuple[bytes, bytes]] = {
    "7.2.3.1 one block": (b"\xf2\x48\xcd\xc9\xc9\x07\x00", b"Hello"),
    "7.2.3.3 a block without compression": (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", b"Hello"),
    "7.2.3.4 a final block": (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", b"Hello"),
    "7.2.3.5 two blocks": (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", b"Hello"),
    "7.2.3.6 an empty message": (b"\x00", b""),
    "a window of 9": (deflate(TEXT.encode(), window=9), TEXT.encode()),
    "flushed whole": (deflate(b"Hello" * 100, zlib.Z_FULL_FLUSH), b"Hello" * 100),
    "flushed as final": (deflate(b"Hello" * 100, zlib.Z_FINISH) + b"\x00", b"Hello" * 100),
}


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("pieces", [0, 3])
def test_every_form_of_deflated_data_is_understood(example: str, pieces: int, run: Callable[..., Any]) -> None:
    async def main() -> None:
        sent, message = EXAMPLES[example]
        async with echo_server(DEFLATING) as (_, port), RawClient(port) as client:
            await client.upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")
            client.send(framed(1, sent, pieces))
            first, payload = await client.frame()
            assert (inflate(payload) if first & 0x40 else payload) == message
            await see_the_end(client, 1000, client_ends=True)

    run(main())


#: Compressed, and wrong.
BROKEN: dict[str, tuple[bytes, int]] = {
    "not deflate": (framed(1, b"\xff\xff\xff\xff", 0), 1007),
    "a back reference out of the window": (framed(1, b"\x4a\x04\x05\x00\xff", 0), 1007),
    "text that is not UTF-8": (framed(1, deflate(b"\xff\xfe"), 0), 1007),
    "RSV1 on a continuation": (masked(0x41, b"\xf2\x48\xcd") + masked(0xC0, b"\xc9\xc9\x07\x00"), 1002),
    "RSV1 on a ping": (masked(0xC9, b""), 1002),
    "RSV1 on a close": (masked(0xC8, b"\x03\xe8"), 1002),
    "RSV1 and RSV2": (masked(0xE1, deflate(b"Hello")), 1002),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_compressed_messages_fail_the_connection(name: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        sent, code = BROKEN[name]
        async with echo_server(DEFLATING) as (echo, port), RawClient(port) as client:
            await client.upgrade("/", "Sec-WebSocket-Extensions: permessage-deflate\r\n")
            client.send(sent)
            await see_the_end(client, code, client_ends=False)
            assert (echo.losses, echo.wrong) == ([Loss.ERROR], [])

    run(main())
