"""anywire: one real-time server for every browser, whatever the network allows."""

from __future__ import annotations

from .server import errors as exceptions
from .server.app import RemoteSocket, Server, get_tornado_handler
from .server.config import Config
from .server.engine import EngineServer
from .server.errors import (
    AnywireError,
    BadNamespaceError,
    ConfigError,
    ConnectionRefusedError,
    DisconnectedError,
    PayloadError,
    TimeoutError,
)
from .server.namespace import Namespace

#: python-socketio's names: an application of its moves by ``import anywire as socketio``.
AsyncServer = Server
AsyncNamespace = Namespace

__all__ = [
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
