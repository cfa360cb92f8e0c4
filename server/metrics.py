"""What happened to clients, counted: for an application's own monitoring. Nothing is counted a message; it would be felt."""

from __future__ import annotations

from collections import Counter

__all__ = ["Counters"]


class Counters:
    """Numbers since the server was made; they only grow.

    ``opened`` sessions; ``closed`` sessions by the text of their :class:`CloseReason`; ``refused`` requests by HTTP status;
    ``acks_ignored``: acknowledgements that nobody waits for (unknown, late, twice, of another client).
    """

    __slots__ = ("acks_ignored", "closed", "opened", "refused")

    def __init__(self) -> None:
        self.opened = 0
        self.closed: Counter[str] = Counter()
        self.refused: Counter[int] = Counter()
        self.acks_ignored = 0

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in ("opened", "closed", "refused", "acks_ignored"))
        return f"Counters({values})"
