"""anywire: one real-time server for every browser, whatever the network allows."""

from __future__ import annotations

from .server.app import RemoteSocket, Server
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

__all__ = [
    "AnywireError",
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
]
