"""The dialects that one port answers, in the order in which they are asked whose a request is."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import HandshakeCode, HandshakeRefused
from .base import Located, Protocol
from .engineio import read_query
from .engineio3 import BareEngineIO3, EngineIO3
from .engineio4 import BareEngineIO4, EngineIO4
from .socketio09 import SocketIO09

__all__ = ["BARE_PROTOCOLS", "PROTOCOLS", "locate"]

PROTOCOLS: tuple[Protocol, ...] = (EngineIO4(), EngineIO3(), SocketIO09())
BARE_PROTOCOLS: tuple[Protocol, ...] = (BareEngineIO4(), BareEngineIO3())


def locate(protocols: Sequence[Protocol], path: str, query: str, base: str) -> tuple[Protocol, Located] | None:
    """Whose request it is, and what its URL names. None: not below ``base``.

    Raises HandshakeRefused when it is ours to answer and no dialect takes it; a wrong transport is told before a wrong version
    (engine.io, lib/server.ts).
    """
    for protocol in protocols:
        located = protocol.locate(path, query, base)
        if located is not None:
            return protocol, located
    if path != base and path + "/" != base:
        return None
    if read_query(query).get("transport") not in ("polling", "websocket", "htmlfile"):
        raise HandshakeRefused(HandshakeCode.UNKNOWN_TRANSPORT)
    raise HandshakeRefused(HandshakeCode.UNSUPPORTED_PROTOCOL)
