"""The transports there are: name -> class, in the order of preference."""

from __future__ import annotations

from .base import Transport
from .htmlfile import HtmlFile
from .jsonp import JsonpPolling
from .polling import Polling
from .websocket import WebSocket

__all__ = ["TRANSPORTS"]

TRANSPORTS: dict[str, type[Transport]] = {
    WebSocket.name: WebSocket,
    Polling.name: Polling,
    JsonpPolling.name: JsonpPolling,
    HtmlFile.name: HtmlFile,
}
