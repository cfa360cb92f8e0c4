"""The dialects that one port answers, in the order in which they are asked whose a request is."""

from __future__ import annotations

from .base import Protocol
from .engineio4 import BareEngineIO4, EngineIO4

__all__ = ["BARE_PROTOCOLS", "PROTOCOLS"]

PROTOCOLS: tuple[Protocol, ...] = (EngineIO4(),)
BARE_PROTOCOLS: tuple[Protocol, ...] = (BareEngineIO4(),)
