"""The names that applications import, and the shape of python-socketio's and python-engineio's servers that they rely on."""

from __future__ import annotations

import inspect
from typing import Any

import anywire
import engineio
import pytest
import socketio


def test_the_public_names_are_these_and_no_others() -> None:
    assert anywire.__all__ == [
        "AnywireError",
        "AsyncNamespace",
        "AsyncServer",
        "BadNamespaceError",
        "Config",
        "ConfigError",
        "ConnectionRefusedError",
        "DisconnectedError",
        "EngineServer",
        "Namespace",
        "PayloadError",
        "RemoteSocket",
        "Server",
        "TimeoutError",
        "exceptions",
        "get_tornado_handler",
    ]
    for name in anywire.__all__:
        named = getattr(anywire, name)
        assert getattr(named, "__module__", named.__name__).startswith("anywire."), name


#: What an application may call of each of theirs.
SHAPES: list[tuple[type, type, tuple[str, ...]]] = [
    (
        anywire.Server,
        socketio.AsyncServer,
        (
            "on", "event", "register_namespace", "emit", "send", "call", "enter_room", "leave_room", "close_room", "rooms",
            "get_session", "save_session", "session", "disconnect", "get_environ", "transport", "start_background_task", "sleep",
            "shutdown", "attach", "is_asyncio_based",
        ),
    ),
    (
        anywire.Namespace,
        socketio.AsyncNamespace,
        (
            "emit", "send", "call", "enter_room", "leave_room", "close_room", "rooms", "get_session", "save_session", "session",
            "disconnect", "trigger_event", "is_asyncio_based",
        ),
    ),
    (
        anywire.EngineServer,
        engineio.AsyncServer,
        (
            "on", "send", "get_session", "save_session", "session", "disconnect", "transport", "start_background_task", "sleep",
            "shutdown",
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ours", "theirs", "name"), [(ours, theirs, name) for ours, theirs, names in SHAPES for name in names],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_every_way_to_call_theirs_is_a_way_to_call_ours(ours: Any, theirs: Any, name: str) -> None:
    wanted = list(inspect.signature(getattr(theirs, name)).parameters.values())
    signature = inspect.signature(getattr(ours, name))
    named = [p for p in wanted if p.kind is p.POSITIONAL_OR_KEYWORD]
    required = [p for p in named if p.default is p.empty]
    # All at once by position, and each option by its keyword.
    signature.bind(*range(len(named)))
    for parameter in named[len(required) :]:
        signature.bind(*range(len(required)), **{parameter.name: None})
    if any(p.kind is p.VAR_KEYWORD for p in wanted):
        signature.bind(*range(len(required)), anything=None)


@pytest.mark.parametrize("name", ["ConnectionRefusedError", "TimeoutError", "BadNamespaceError", "DisconnectedError"])
def test_their_exceptions_have_ours_of_the_same_name_in_the_same_place(name: str) -> None:
    assert issubclass(getattr(socketio.exceptions, name), socketio.exceptions.SocketIOError)
    assert issubclass(getattr(anywire, name), anywire.exceptions.SocketIOError)
    assert getattr(anywire.exceptions, name) is getattr(anywire, name)


def test_their_names_of_reasons_say_what_disconnect_handlers_get() -> None:
    names = [name for name in vars(socketio.AsyncServer.reason) if not name.startswith("_")]
    assert len(names) == 5
    for name in names:
        assert getattr(anywire.Server.reason, name) == getattr(socketio.AsyncServer.reason, name), name
