"""Pure wrappers: a message in, the bytes of one framing out.

The only place that escapes JavaScript. Nothing here knows a packet or a socket.
"""

from __future__ import annotations

import zlib

import orjson

from .base import Framing

__all__ = ["close_frame", "control_frame", "frame", "script_string", "script_tag", "text_frame", "wrap"]

#: RFC 6455, section 5.2.
_FIN_TEXT, _FIN_BINARY, _FIN_CLOSE, _RSV1 = 0x81, 0x82, 0x88, 0x40


def frame(message: str | bytes, deflate: bool = False) -> bytes:
    """One unfragmented, unmasked server frame (RFC 6455, section 5.2), text for ``str`` and binary for ``bytes``.

    With ``deflate`` the payload is compressed as RFC 7692 section 7.2.1 says, without context takeover, so that one
    compressed frame can be shared by every peer that negotiated the extension.
    """
    if isinstance(message, str):
        if not deflate:
            return text_frame(message.encode())
        first, payload = _FIN_TEXT, message.encode()
    else:
        first, payload = _FIN_BINARY, message
    if deflate:
        compressor = zlib.compressobj(wbits=-15)
        # RFC 7692, 7.2.1: remove the 4 octets 00 00 ff ff from the tail.
        payload = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        first |= _RSV1
    return _header(first, len(payload)) + payload


#: The heads of all text frames of less than 126 bytes.
_SHORT_HEADS = tuple(bytes((_FIN_TEXT, size)) for size in range(126))


def text_frame(payload: bytes) -> bytes:
    """One unfragmented text frame of ``payload``, which is UTF-8 already."""
    size = len(payload)
    return (_SHORT_HEADS[size] if size < 126 else _header(_FIN_TEXT, size)) + payload


def control_frame(opcode: int, payload: bytes = b"") -> bytes:
    """A control frame; ``payload`` is at most 125 bytes (RFC 6455, section 5.5)."""
    if len(payload) > 125:
        raise ValueError("a control frame carries at most 125 bytes")
    return bytes((0x80 | opcode, len(payload))) + payload


def close_frame(code: int = 1000, reason: str = "") -> bytes:
    """A close frame; the reason is cut to the 123 bytes that fit, on a character boundary."""
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return control_frame(0x8, code.to_bytes(2, "big") + text)


def _header(first: int, size: int) -> bytes:
    if size < 126:
        return bytes((first, size))
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")


def script_string(text: str) -> bytes:
    """``text`` as a JavaScript string literal, quotes included, safe inside a ``<script>`` element of any page.

    JSON escapes quotes, backslashes and control characters. Further escaped: ``<``, ``>``, ``&`` and ``/`` (an HTML parser
    must see neither ``</script`` nor ``<!--`` nor ``]]>``) and U+2028/U+2029 (line ends in JavaScript before ES2019).
    """
    literal = orjson.dumps(text)
    for raw, escaped in _SCRIPT_ESCAPES:
        if raw in literal:
            literal = literal.replace(raw, escaped)
    return literal


_SCRIPT_ESCAPES = (
    # "\/" and not "\u002f": Socket.IO 0.9's own form, half the bytes, and understood by every JSON reader.
    (b"/", b"\\/"),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def script_tag(text: str) -> bytes:
    """One script element that hands ``text`` to the page's ``_`` function; the wire format of Socket.IO 0.9's htmlfile."""
    return b"<script>_(" + script_string(text) + b");</script>"


def wrap(framing: Framing, message: str | bytes) -> bytes:
    """``message`` in the given framing. Binary is possible only where the framing can carry it (frames and bodies)."""
    if framing is Framing.FRAME:
        return frame(message)
    if framing is Framing.FRAME_DEFLATED:
        return frame(message, deflate=True)
    if framing is Framing.TEXT:
        return message.encode() if isinstance(message, str) else message
    if not isinstance(message, str):
        raise TypeError(f"framing {framing.name} carries text only")
    return script_string(message) if framing is Framing.CALL else script_tag(message)
