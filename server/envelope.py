"""What nodes say to each other: a version byte, then msgpack of ``[kind, origin, seq, body]``. Data only, never code.

``body`` is a map whose fields the table below fixes, each with its type. Reading is strict: what another node sends may be of a
newer version, or hostile.
"""

from __future__ import annotations

from types import NoneType
from typing import Any, NamedTuple

import msgpack
import orjson

from .errors import PayloadError

__all__ = ["Envelope", "EnvelopeError", "pack", "unpack"]

VERSION = 1
#: The most that Redis lets a subscriber fall behind by default is 32 MiB; one message must stay under it.
MAX_BYTES = 32 * 1024 * 1024
#: As deep as packets from clients may be, and the envelope around them.
MAX_DEPTH = 110

_TEXTS = "list of str"
_SCHEMA: dict[str, dict[str, tuple[Any, ...]]] = {
    "emit": {
        "namespace": (str,), "event": (str, int, float), "args": (list,), "rooms": (_TEXTS, NoneType), "skip_sids": (_TEXTS,),
        "skip_rooms": (_TEXTS,), "volatile": (bool,), "ack": (str, NoneType), "timeout": (float, NoneType),
    },
    "ack": {"id": (str,), "sid": (str,), "args": (list, NoneType)},
    "ack_count": {"id": (str,), "count": (int,)},
    "join": {"namespace": (str,), "room": (str,), "sids": (_TEXTS, NoneType), "rooms": (_TEXTS, NoneType), "skip_sids": (_TEXTS,)},
    "leave": {"namespace": (str,), "room": (str,), "sids": (_TEXTS, NoneType), "rooms": (_TEXTS, NoneType), "skip_sids": (_TEXTS,)},
    "close_room": {"namespace": (str,), "room": (str,)},
    "disconnect": {
        "namespace": (str,), "sids": (_TEXTS, NoneType), "rooms": (_TEXTS, NoneType), "skip_sids": (_TEXTS,), "close": (bool,),
    },
    "fetch": {"id": (str,), "namespace": (str,), "rooms": (_TEXTS, NoneType), "skip_sids": (_TEXTS,)},
    "sockets": {"id": (str,), "sockets": (list,)},
}  # fmt: skip


class EnvelopeError(ValueError):
    """A message from another node that is not one of ours."""


class Envelope(NamedTuple):
    """One message: its kind, the node that sent it, that node's running number, and the fields of the table."""

    kind: str
    origin: str
    seq: int
    body: dict[str, Any]


def pack(kind: str, origin: str, seq: int, body: dict[str, Any]) -> bytes:
    """The bytes of an envelope. Raises PayloadError for values that cannot travel, KeyError for an unknown kind."""
    if body.keys() != _SCHEMA[kind].keys():
        raise KeyError(f"{kind} takes {', '.join(_SCHEMA[kind])}")
    try:
        data: bytes = msgpack.packb([kind, origin, seq, body], use_bin_type=True, default=_as_json)
    except (TypeError, OverflowError, ValueError, UnicodeEncodeError) as error:
        raise PayloadError(f"cannot be sent to other processes: {error}; JSON types and bytes can") from None
    if len(data) >= MAX_BYTES:
        raise PayloadError(f"{len(data)} bytes are too much for other processes; {MAX_BYTES} are the limit")
    return bytes((VERSION,)) + data


def _as_json(value: Any) -> Any:
    """What clients of this process would get of a date, a UUID, a dataclass..., so that those of the others get the same."""
    return orjson.loads(orjson.dumps(value))


def unpack(data: bytes) -> Envelope:
    """The envelope in ``data``. Raises EnvelopeError, and nothing else."""
    if not data or len(data) > MAX_BYTES:
        raise EnvelopeError("empty, or too big")
    if data[0] != VERSION:
        raise EnvelopeError(f"version {data[0]}, this node speaks {VERSION}")
    try:
        # Keys of what is emitted may be numbers; they become text when it is encoded for a client, as they do for those of the sender.
        value = msgpack.unpackb(data[1:], raw=False, strict_map_key=False)
    except Exception:  # msgpack raises several unrelated types; none of them tells more than this
        raise EnvelopeError("not msgpack") from None
    if type(value) is not list or len(value) != 4:
        raise EnvelopeError("not kind, origin, number and body")
    kind, origin, seq, body = value
    schema = _SCHEMA.get(kind) if type(kind) is str else None
    if schema is None or type(origin) is not str or type(seq) is not int or type(body) is not dict:
        raise EnvelopeError("unknown kind, or a head of wrong types")
    if body.keys() != schema.keys():
        raise EnvelopeError(f"{kind}: fields missing or unknown")
    for name, types in schema.items():
        if not any(_is(body[name], wanted) for wanted in types):
            raise EnvelopeError(f"{kind}: {name} is a {type(body[name]).__name__}")
    if _too_deep(body, MAX_DEPTH):
        raise EnvelopeError("nested too deep")
    return Envelope(kind, origin, seq, body)


def _is(value: Any, wanted: Any) -> bool:
    if wanted is _TEXTS:
        return type(value) is list and all(type(item) is str for item in value)
    return type(value) is wanted


def _too_deep(value: Any, budget: int) -> bool:
    if not isinstance(value, (list, dict)):
        return False
    if budget == 0:
        return True
    items = value.values() if isinstance(value, dict) else value
    return any(_too_deep(item, budget - 1) for item in items)
