"""Where a session can be in its life, and what may happen to it there: one table."""

from __future__ import annotations

import enum

__all__ = ["Input", "SessionState", "StateError", "state_after"]


class StateError(RuntimeError):
    """Our own mistake: an input that the state table does not have."""


class SessionState(enum.Enum):
    """Where a session is in its life."""

    OPENING = "opening"  #: made, nothing said yet
    OPEN = "open"  #: one carrier
    UPGRADING = "upgrading"  #: a second carrier is being tried; the first still carries
    DETACHED = "detached"  #: no carrier; waits for one
    CLOSING = "closing"  #: ends as soon as what it holds is handed out
    CLOSED = "closed"


class Input(enum.Enum):
    """What can happen to a session's state."""

    ATTACH = "attach"
    PROBE = "probe"
    UPGRADE = "upgrade"
    PROBE_LOST = "probe lost"
    DETACH = "detach"
    DRAIN = "drain"
    CLOSE = "close"


_S, _I = SessionState, Input
_TABLE: dict[tuple[SessionState, Input], SessionState] = {
    (_S.OPENING, _I.ATTACH): _S.OPEN,
    (_S.OPENING, _I.CLOSE): _S.CLOSED,
    (_S.OPEN, _I.PROBE): _S.UPGRADING,
    (_S.OPEN, _I.ATTACH): _S.OPEN,
    (_S.OPEN, _I.DETACH): _S.DETACHED,
    (_S.OPEN, _I.DRAIN): _S.CLOSING,
    (_S.OPEN, _I.CLOSE): _S.CLOSED,
    (_S.UPGRADING, _I.UPGRADE): _S.OPEN,
    (_S.UPGRADING, _I.PROBE_LOST): _S.OPEN,
    (_S.UPGRADING, _I.DRAIN): _S.CLOSING,
    (_S.UPGRADING, _I.CLOSE): _S.CLOSED,
    (_S.DETACHED, _I.ATTACH): _S.OPEN,
    (_S.DETACHED, _I.CLOSE): _S.CLOSED,
    (_S.CLOSING, _I.CLOSE): _S.CLOSED,
    (_S.CLOSING, _I.PROBE_LOST): _S.CLOSING,
}


def state_after(state: SessionState, happened: Input) -> SessionState:
    """The state that follows. Raises StateError for a pair that the table does not have."""
    try:
        return _TABLE[state, happened]
    except KeyError:
        raise StateError(f"{happened.value} in state {state.value}") from None
