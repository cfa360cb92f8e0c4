"""What the Autobahn test suite's cases 1 to 7 and 10 send and await, as literal frames, under the suite's own numbers.

Where the suite accepts several answers (7.3.2, 7.5.1, 7.9, 7.13: a code or a dropped connection; 7.7: 1000 or the code; 6.4: at
once or at the message's end) the strictest or most telling one is asked for here.
"""

from __future__ import annotations

from typing import NamedTuple

from anywire.transports.base import Loss
from http_tools import masked

__all__ = ["CASES", "SILENCE", "Case"]

#: How the octets of a case are cut: all at once, a write for each frame, or writes of so many octets.
AT_ONCE, BY_FRAME, BY_OCTET = 0, -1, 1
#: A step at which the server has taken what it was sent, and must have said nothing.
SILENCE = b""
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x00, 0x01, 0x02, 0x08, 0x09, 0x0A
FIN = 0x80


class Case(NamedTuple):
    """``steps``: bytes are sent, a pair (first byte, payload) is a frame that must come next. Then the server's close frame must
    come, with ``code`` (0: without one), and the end of the connection. ``client_ends``: after the steps the client closes with 1000.
    """

    steps: tuple[bytes | tuple[int, bytes], ...]
    code: int = 1000
    loss: Loss = Loss.PEER
    client_ends: bool = True
    chop: int = AT_ONCE


def echoed(*steps: bytes | tuple[int, bytes], chop: int = AT_ONCE) -> Case:
    """All is well, until the client ends it."""
    return Case(steps, chop=chop)


def failed(code: int, *steps: bytes | tuple[int, bytes], chop: int = AT_ONCE) -> Case:
    """The server fails the connection."""
    return Case(steps, code, Loss.ERROR, False, chop)


def closed(code: int, *steps: bytes | tuple[int, bytes]) -> Case:
    """A step holds the client's close frame, which is answered by ``code``."""
    return Case(steps, code, Loss.PEER, False)


def frame(opcode: int, payload: bytes = b"", rsv: int = 0, fin: bool = True) -> bytes:
    return masked((FIN if fin else 0) | rsv << 4 | opcode, payload)


def part(opcode: int, payload: bytes) -> bytes:
    return frame(opcode, payload, fin=False)


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


HELLO, WORLD = b"Hello, world!", b"Hello World!"
HELLO_BACK, WORLD_BACK = (FIN | TEXT, HELLO), (FIN | TEXT, WORLD)
BYTES = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
RESERVED = b"reserved opcode payload"
CASES: dict[str, Case] = {}

# 1: one text or binary message of each size that the length field treats differently
for group, opcode, octet in (("1.1", TEXT, b"*"), ("1.2", BINARY, b"\xfe")):
    for number, size in enumerate((0, 125, 126, 127, 128, 65535, 65536, 65536), 1):
        message = octet * size
        CASES[f"{group}.{number}"] = echoed(frame(opcode, message), (FIN | opcode, message), chop=997 if number == 8 else AT_ONCE)

# 2: pings and pongs
PINGS = [b"payload-%d" % number for number in range(10)]
CASES |= {
    "2.1": echoed(frame(PING), (FIN | PONG, b"")),
    "2.2": echoed(frame(PING, HELLO), (FIN | PONG, HELLO)),
    "2.3": echoed(frame(PING, BYTES), (FIN | PONG, BYTES)),
    "2.4": echoed(frame(PING, b"\xfe" * 125), (FIN | PONG, b"\xfe" * 125)),
    "2.5": failed(1002, frame(PING, b"\xfe" * 126)),
    "2.6": echoed(frame(PING, b"\xfe" * 125), (FIN | PONG, b"\xfe" * 125), chop=BY_OCTET),
    "2.7": closed(1000, frame(PONG), close(1000)),
    "2.8": closed(1000, frame(PONG, b"unsolicited pong payload"), close(1000)),
    "2.9": echoed(frame(PONG, b"unsolicited pong payload"), frame(PING, b"ping payload"), (FIN | PONG, b"ping payload")),
    "2.10": echoed(*(frame(PING, ping) for ping in PINGS), *((FIN | PONG, ping) for ping in PINGS)),
    "2.11": echoed(*(frame(PING, ping) for ping in PINGS), *((FIN | PONG, ping) for ping in PINGS), chop=BY_OCTET),
}

# 3: reserved bits
CASES |= {
    "3.1": failed(1002, frame(TEXT, HELLO, rsv=1)),
    "3.2": failed(1002, frame(TEXT, HELLO), frame(TEXT, HELLO, rsv=2), frame(PING), HELLO_BACK),
    "3.3": failed(1002, frame(TEXT, HELLO), frame(TEXT, HELLO, rsv=3), frame(PING), HELLO_BACK, chop=BY_FRAME),
    "3.4": failed(1002, frame(TEXT, HELLO), frame(TEXT, HELLO, rsv=4), frame(PING), HELLO_BACK, chop=BY_OCTET),
    "3.5": failed(1002, frame(BINARY, BYTES, rsv=5)),
    "3.6": failed(1002, frame(BINARY, HELLO, rsv=6)),
    "3.7": failed(1002, frame(CLOSE, rsv=7)),
}

# 4: reserved opcodes, of data and of control frames
for group, first in (("4.1", 3), ("4.2", 11)):
    CASES |= {
        f"{group}.1": failed(1002, frame(first)),
        f"{group}.2": failed(1002, frame(first + 1, RESERVED)),
        f"{group}.3": failed(1002, frame(TEXT, HELLO), frame(first + 2), frame(PING), HELLO_BACK),
        f"{group}.4": failed(1002, frame(TEXT, HELLO), frame(first + 3, HELLO), frame(PING), HELLO_BACK),
        f"{group}.5": failed(1002, frame(TEXT, HELLO), frame(first + 4, HELLO), frame(PING), HELLO_BACK, chop=BY_OCTET),
    }

# 5: fragments
F1, F2, F3, F4, F5 = (b"fragment%d" % number for number in range(1, 6))
BOTH = (FIN | TEXT, F1 + F2)
PONGED = (FIN | PONG, b"ping payload")
HALVES = (part(TEXT, F1), frame(CONT, F2))
ROUND_A_PING = (part(TEXT, F1), frame(PING, b"ping payload"), frame(CONT, F2), PONGED, BOTH)
LOST_END = (frame(CONT, b"non-continuation payload"), frame(TEXT, HELLO))
LOST_MIDDLE = (part(CONT, b"non-continuation payload"), frame(TEXT, HELLO))
LONG = (
    *(part(TEXT, F1), part(CONT, F2), frame(PING, b"pongme 1!"), (FIN | PONG, b"pongme 1!"), SILENCE),
    *(part(CONT, F3), part(CONT, F4), frame(PING, b"pongme 2!"), frame(CONT, F5), (FIN | PONG, b"pongme 2!")),
    (FIN | TEXT, F1 + F2 + F3 + F4 + F5),
)
CASES |= {
    "5.1": failed(1002, part(PING, F1), frame(CONT, F2)),
    "5.2": failed(1002, part(PONG, F1), frame(CONT, F2)),
    "5.3": echoed(*HALVES, BOTH),
    "5.4": echoed(*HALVES, BOTH, chop=BY_FRAME),
    "5.5": echoed(*HALVES, BOTH, chop=BY_OCTET),
    "5.6": echoed(*ROUND_A_PING),
    "5.7": echoed(*ROUND_A_PING, chop=BY_FRAME),
    "5.8": echoed(*ROUND_A_PING, chop=BY_OCTET),
    "5.9": failed(1002, *LOST_END),
    "5.10": failed(1002, *LOST_END, chop=BY_FRAME),
    "5.11": failed(1002, *LOST_END, chop=BY_OCTET),
    "5.12": failed(1002, *LOST_MIDDLE),
    "5.13": failed(1002, *LOST_MIDDLE, chop=BY_FRAME),
    "5.14": failed(1002, *LOST_MIDDLE, chop=BY_OCTET),
    "5.15": failed(1002, *HALVES, part(CONT, F3), frame(TEXT, F4), BOTH),
    "5.16": failed(1002, *(part(CONT, F1), part(TEXT, F2), frame(CONT, F3)) * 2),
    "5.17": failed(1002, *(frame(CONT, F1), part(TEXT, F2), frame(CONT, F3)) * 2),
    "5.18": failed(1002, part(TEXT, F1), frame(TEXT, F2)),
    "5.19": echoed(*LONG),
    "5.20": echoed(*LONG, chop=BY_FRAME),
}

# 6.1 to 6.4: UTF-8 across fragments, and that it fails at its first bad octet: the rest of the message is never sent here
HELLO_UTF8 = "Hello-µ@ßöäüàá-UTF-8!!".encode()
#: The word of Kuhn's test, with its second letter as U+1F79, three octets.
KOSME = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
SURROGATE, TOO_HIGH = KOSME + b"\xed\xa0\x80edited", KOSME + b"\xf4\x90\x80\x80edited"
WHOLE = frame(TEXT, TOO_HIGH)


def octets(payload: bytes) -> tuple[bytes, ...]:
    """A text message whose every octet is a frame."""
    first, *middle, last = (payload[index : index + 1] for index in range(len(payload)))
    return (part(TEXT, first), *(part(CONT, octet) for octet in middle), frame(CONT, last))


CASES |= {
    "6.1.1": echoed(frame(TEXT), (FIN | TEXT, b"")),
    "6.1.2": echoed(part(TEXT, b""), part(CONT, b""), frame(CONT), (FIN | TEXT, b"")),
    "6.1.3": echoed(part(TEXT, b""), part(CONT, b"middle frame payload"), frame(CONT), (FIN | TEXT, b"middle frame payload")),
    "6.2.1": echoed(frame(TEXT, HELLO_UTF8), (FIN | TEXT, HELLO_UTF8)),
    "6.2.2": echoed(part(TEXT, HELLO_UTF8[:14]), frame(CONT, HELLO_UTF8[14:]), (FIN | TEXT, HELLO_UTF8)),
    "6.2.3": echoed(*octets(HELLO_UTF8), (FIN | TEXT, HELLO_UTF8)),
    "6.2.4": echoed(*octets(KOSME), (FIN | TEXT, KOSME)),
    "6.3.1": failed(1007, frame(TEXT, SURROGATE)),
    "6.3.2": failed(1007, *octets(SURROGATE)),
    "6.4.1": failed(1007, part(TEXT, KOSME), SILENCE, part(CONT, b"\xf4\x90\x80\x80")),
    "6.4.2": failed(1007, part(TEXT, TOO_HIGH[:12]), SILENCE, part(CONT, b"\x90")),
    # 2 octets of head and 4 of mask stand before the payload.
    "6.4.3": failed(1007, WHOLE[: 6 + 11], SILENCE, WHOLE[6 + 11 : 6 + 15]),
    "6.4.4": failed(1007, WHOLE[: 6 + 12], SILENCE, WHOLE[6 + 12 : 6 + 13]),
}

# 6.5 to 6.23: Markus Kuhn's UTF-8 decoder test, sequence by sequence, each a message in one frame
LONELY = [bytes(octet for start in range(low, high) for octet in (start, 0x20)) for low, high in (
    (0xC0, 0xDF), (0xE0, 0xEF), (0xF0, 0xF7), (0xF8, 0xFB), (0xFC, 0xFD),
)]  # fmt: skip
CUT_SHORT = [
    *(b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80"),
    *(b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"),
]
UNEXPECTED = [b"\x80", b"\xbf", *((b"\x80\xbf" * 3)[:size] for size in range(2, 7)), bytes(range(0x80, 0xBF))]
OVERLONG_SLASH = [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf", b"\xfc\x80\x80\x80\x80\xaf"]
OVERLONG_MAXIMA = [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf", b"\xfc\x83\xbf\xbf\xbf\xbf"]
OVERLONG_NUL = [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80", b"\xfc\x80\x80\x80\x80\x80"]
SURROGATES = [bytes((0xED, *rest)) for rest in (b"\xa0\x80", b"\xad\xbf", b"\xae\x80", b"\xaf\xbf", b"\xb0\x80", b"\xbe\x80", b"\xbf\xbf")]
PAIRED = [high + low for high in SURROGATES[:4] for low in (SURROGATES[4], SURROGATES[6])]
NON_CHARACTERS = [chr(plane << 16 | low).encode() for plane in range(17) for low in (0xFFFE, 0xFFFF)]
SPECIALS = [chr(point).encode() for point in range(0xFFF9, 0x10000)]
UTF8: tuple[list[bytes], ...] = (
    [b"hello\x24world", b"hello\xc2\xa2world", b"hello\xe2\x82\xacworld", b"hello\xf0\xa4\xad\xa2world", KOSME],
    [KOSME[:size] for size in range(1, len(KOSME) + 1)],
    [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"],
    [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"],
    [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"],
    [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"],
    [b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80"],
    *(UNEXPECTED, LONELY, CUT_SHORT, [b"".join(CUT_SHORT)], [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    *(OVERLONG_SLASH, OVERLONG_MAXIMA, OVERLONG_NUL, SURROGATES, PAIRED, NON_CHARACTERS, SPECIALS),
)
#: Of those, the ones that are UTF-8: by group, all of it or these numbers. Written out, so that Python's decoder is not its own judge.
VALID: dict[int, range | tuple[int, ...]] = {
    5: range(1, 6), 6: (2, 5, 7, 9, 11), 7: range(1, 5), 9: range(1, 5), 11: range(1, 5), 22: range(1, 35), 23: range(1, 8),
}  # fmt: skip
for group_number, sequences in enumerate(UTF8, 5):
    for number, sequence in enumerate(sequences, 1):
        is_valid = number in VALID.get(group_number, ())
        message_frame = frame(TEXT, sequence)
        CASES[f"6.{group_number}.{number}"] = echoed(message_frame, (FIN | TEXT, sequence)) if is_valid else failed(1007, message_frame)

# 7: the closing handshake
QUARTER_MB = (b"BAsd7&jh23" * 26215)[: 256 * 1024]
CASES |= {
    "7.1.1": echoed(frame(TEXT, WORLD), WORLD_BACK),
    "7.1.2": closed(1000, close(1000), frame(CLOSE)),
    "7.1.3": closed(1000, close(1000), frame(PING)),
    "7.1.4": closed(1000, close(1000), frame(TEXT, WORLD)),
    "7.1.5": closed(1000, part(TEXT, F1), close(1000), frame(CONT, F2)),
    "7.1.6": closed(1000, frame(TEXT, QUARTER_MB), frame(TEXT, WORLD), close(1000), frame(PING), (FIN | TEXT, QUARTER_MB), WORLD_BACK),
    "7.3.1": closed(0, frame(CLOSE)),
    "7.3.2": failed(1002, frame(CLOSE, b"a")),
    "7.3.3": closed(1000, close(1000)),
    "7.3.4": closed(1000, close(1000, WORLD)),
    "7.3.5": closed(1000, close(1000, b"*" * 123)),
    "7.3.6": failed(1002, close(1000, b"*" * 124)),
    "7.5.1": failed(1007, close(1000, SURROGATE)),
    "7.13.1": failed(1002, close(5000)),
    "7.13.2": failed(1002, close(65535)),
}
for number, good in enumerate((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999), 1):
    CASES[f"7.7.{number}"] = closed(good, close(good))
for number, bad in enumerate((0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999), 1):
    CASES[f"7.9.{number}"] = failed(1002, close(bad))

# 10: a message in frames of 1,300 octets
CASES["10.1.1"] = echoed(
    part(TEXT, b"*" * 1300), *[part(CONT, b"*" * 1300)] * 49, frame(CONT, b"*" * (65536 - 50 * 1300)), (FIN | TEXT, b"*" * 65536)
)
