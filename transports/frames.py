"""The receiving half of RFC 6455 (and RFC 7692) without I/O: bytes in, messages and control frames out."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable

from .base import Refused
from .masking import unmask

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "FrameError", "FrameParser"]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FIN, _RSV1, _RSV = 0x80, 0x40, 0x70
_FIN_TEXT, _FIN_BINARY = _FIN | TEXT, _FIN | BINARY
#: Codes that a peer may send (RFC 6455, section 7.4, and IANA's registry).
_CODES = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class FrameError(Refused):
    """The peer broke the framing; ``close_code`` says how to tell it (section 7.4.1)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message, close_code=code)


#: Gets the kind and the payload of what is not text.
Sink = Callable[[int, bytes], None]
TextSink = Callable[[str], None]


class FrameParser:
    """Client frames, masked. ``feed`` calls ``text_sink`` for each whole text, ``sink`` for each binary message and control frame,
    in order; either may call :meth:`stop`."""

    __slots__ = (
        "_buffer", "_chunks", "_compressed", "_decoder", "_deflate", "_fragments", "_kind", "_max", "_max_fragments", "_partial", "_sink",
        "_size", "_text_sink", "stopped",
    )  # fmt: skip

    def __init__(self, sink: Sink, text_sink: TextSink, max_message: int, max_fragments: int = 1024, deflate: bool = False) -> None:
        self._sink = sink
        self._text_sink = text_sink
        self._max = max_message
        self._max_fragments = max_fragments
        self._deflate = deflate
        self._buffer: bytes = b""
        #: Of the message being received: its kind, its unmasked pieces, their size, and how many frames it had.
        self._kind = 0
        self._chunks: list[bytes] | None = None
        self._size = 0
        self._fragments = 0
        self._compressed = False
        self._decoder: codecs.IncrementalDecoder | None = None
        #: Of a data frame whose payload is still arriving: FIN, mask, bytes to come, bytes had.
        self._partial: list[int | bytes] | None = None
        self.stopped = False

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises FrameError, after which the parser is not used again."""
        if self._buffer or self._chunks is not None:
            self._go_through(data)
            return
        position, end = 0, len(data)
        if 6 <= end < 132 and data[0] == _FIN_TEXT and data[1] == 0x80 + end - 6 and end - 6 <= self._max:
            # The hot path: a short text of one frame, and nothing beside it.
            try:
                text = unmask(data[2:6], data[6:]).decode()
            except UnicodeDecodeError:
                raise FrameError(1007, "text is not UTF-8") from None
            self._text_sink(text)
            return
        # Nearly as hot: whole messages of one frame and less than 64 KB.
        while end - position >= 6 and not self.stopped:
            first, size, start = data[position], data[position + 1] - 0x80, position + 6
            if size == 126:
                size, start = data[position + 2] << 8 | data[position + 3], position + 8
                if size < 126:
                    break
            elif not 0 <= size < 126:
                break
            after = start + size
            if after > end or size > self._max:
                break
            if first == _FIN_TEXT:
                try:
                    text = unmask(data[start - 4 : start], data[start:after]).decode()
                except UnicodeDecodeError:
                    raise FrameError(1007, "text is not UTF-8") from None
                self._text_sink(text)
            elif first == _FIN_BINARY:
                self._sink(BINARY, unmask(data[start - 4 : start], data[start:after]))
            else:
                break
            position = after
        if position < end and not self.stopped:
            self._go_through(data[position:])

    def stop(self) -> None:
        """Say nothing more. Whom it told is forgotten: he refers to this parser, and neither shall wait for the garbage collection."""
        self.stopped = True
        self._sink, self._text_sink = _ignore, _ignore_text

    def _go_through(self, data: bytes) -> None:
        """The general path: whatever can be a frame, or a part of one."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        position, end = 0, len(data)
        if self._partial is not None:
            position = self._go_on(data)
        while end - position >= 2 and not self.stopped and self._partial is None:
            after = self._frame(data, position, end)
            if after < 0:
                break
            position = after
        if position < end and not self.stopped:
            self._buffer = data[position:]

    def _frame(self, data: bytes, position: int, end: int) -> int:
        """Parse the frame at ``position``; the position behind it, or -1 when too little of it is there."""
        first, second = data[position], data[position + 1]
        opcode, length, at = first & 0x0F, second & 0x7F, position + 2
        self._check_head(first, second, opcode, length)
        if length >= 126:
            width = 2 if length == 126 else 8
            if end - at < width:
                return -1
            length = int.from_bytes(data[at : at + width], "big")
            # Section 5.2: "the minimal number of bytes MUST be used".
            if length < (126 if width == 2 else 65536):
                raise FrameError(1002, "length not minimal")
            at += width
        if opcode < 8:
            self._check_size(opcode, length)
        if end - at < 4:
            return -1
        mask, at = data[at : at + 4], at + 4
        if opcode >= 8:
            if end - at < length:
                return -1
            self._control(opcode, unmask(mask, data[at : at + length]))
            return at + length
        if self._begin(first, opcode, length):
            return at + length if self._take(data, at, end, length, mask, bool(first & _FIN)) else end
        return end

    def _check_head(self, first: int, second: int, opcode: int, length: int) -> None:
        rsv = first & _RSV
        if rsv and (rsv != _RSV1 or not self._deflate or opcode not in (TEXT, BINARY)):
            raise FrameError(1002, "reserved bit")
        if opcode in (TEXT, BINARY, CONT):
            if (opcode == CONT) == (self._chunks is None):
                raise FrameError(1002, "continuation without a start, or a start inside a message")
        elif opcode not in (CLOSE, PING, PONG):
            raise FrameError(1002, "reserved opcode")
        elif not first & _FIN or length > 125:
            raise FrameError(1002, "control frame fragmented or too long")
        # Section 5.1: a server MUST close on an unmasked frame.
        if not second & 0x80:
            raise FrameError(1002, "frame not masked")

    def _check_size(self, opcode: int, length: int) -> None:
        if (self._size if opcode == CONT else 0) + length > self._max:
            raise FrameError(1009, "message too big")

    def _begin(self, first: int, opcode: int, length: int) -> bool:
        if opcode != CONT:
            self._kind, self._chunks, self._size, self._fragments = opcode, [], 0, 0
            self._compressed = bool(first & _RSV1)
            self._decoder = None
        self._fragments += 1
        if self._fragments > self._max_fragments:
            raise FrameError(1008, "too many fragments")
        return True

    def _take(self, data: bytes, at: int, end: int, length: int, mask: bytes, fin: bool) -> bool:
        """Take the payload of a data frame; False when it goes on in later bytes."""
        have = end - at
        if have >= length:
            self._append(unmask(mask, data[at : at + length]))
            if fin:
                self._finish()
            else:
                self._check_text(final=False)
            return True
        self._append(unmask(mask, data[at:end]))
        self._check_text(final=False)
        shift = have % 4
        self._partial = [int(fin), mask[shift:] + mask[:shift], length - have]
        return False

    def _go_on(self, data: bytes) -> int:
        """More of a frame's payload; the position behind what belongs to it."""
        assert self._partial is not None
        fin, mask, missing = self._partial
        assert isinstance(missing, int) and isinstance(mask, bytes)
        piece = data[:missing]
        self._append(unmask(mask, piece))
        if len(piece) < missing:
            self._check_text(final=False)
            shift = len(piece) % 4
            self._partial = [fin, mask[shift:] + mask[:shift], missing - len(piece)]
            return len(data)
        self._partial = None
        if fin:
            self._finish()
        else:
            self._check_text(final=False)
        return len(piece)

    def _append(self, piece: bytes) -> None:
        assert self._chunks is not None
        self._chunks.append(piece)
        self._size += len(piece)

    def _check_text(self, final: bool) -> str:
        """Check UTF-8 as it arrives (section 8.1), so that a bad message fails at its first bad byte."""
        if self._kind != TEXT or self._compressed:
            return ""
        assert self._chunks is not None
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")()
            pieces, self._chunks = self._chunks, []
            data = b"".join(pieces)
        else:
            data = self._chunks.pop() if self._chunks else b""
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise FrameError(1007, "text is not UTF-8") from None
        self._chunks.append(text.encode())
        return text

    def _finish(self) -> None:
        chunks, self._chunks = self._chunks, None
        assert chunks is not None
        if self._kind == TEXT and self._decoder is not None and not self._compressed:
            self._chunks = chunks
            self._check_text(final=True)
            chunks, self._chunks = self._chunks, None
        payload = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._decoder = None
        self._size = 0
        if self._compressed:
            payload = self._inflate(payload)
        if self._kind == BINARY:
            self._sink(BINARY, payload)
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            raise FrameError(1007, "text is not UTF-8") from None
        self._text_sink(text)

    def _inflate(self, payload: bytes) -> bytes:
        """RFC 7692, section 7.2.2, without context takeover; never more than the limit is unpacked."""
        inflater = zlib.decompressobj(wbits=-15)
        try:
            data = inflater.decompress(payload + b"\x00\x00\xff\xff", self._max + 1)
        except zlib.error:
            raise FrameError(1007, "deflate data broken") from None
        if len(data) > self._max:
            raise FrameError(1009, "message too big")
        return data

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            _check_close(payload)
        self._sink(opcode, payload)


def _ignore(kind: int, payload: bytes) -> None:
    """Where a stopped parser's messages go."""


def _ignore_text(text: str) -> None:
    """As :func:`_ignore`."""


def _check_close(payload: bytes) -> None:
    if not payload:
        return
    if len(payload) == 1:
        raise FrameError(1002, "close code cut short")
    code = int.from_bytes(payload[:2], "big")
    if code not in _CODES and not 3000 <= code <= 4999:
        raise FrameError(1002, "close code not allowed")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(1007, "close reason is not UTF-8") from None
