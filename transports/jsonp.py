"""JSONP-polling: polls by script tags, sends by form posts; for browsers whose XHR cannot reach the server."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote_to_bytes

from .base import Exchange, Framing, Refused, TransportDelegate, TransportOptions
from .polling import Polling

__all__ = ["JsonpPolling"]


class JsonpPolling(Polling):
    """Polling whose answers are script calls and whose bodies are form fields."""

    __slots__ = ()
    name: ClassVar[str] = "jsonp"
    framing = Framing.CALL

    @classmethod
    def open(cls, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> JsonpPolling:
        if options.profile.callback(exchange.query) is None:
            raise Refused("the callback's index is not a number")
        return cls(exchange, delegate, options)

    def _get(self, exchange: Exchange) -> None:
        if self._options.profile.callback(exchange.query) is None:
            exchange.respond(400, b"the callback's index is not a number")
            return
        super()._get(exchange)

    def _wrapped(self, exchange: Exchange, data: bytes, binary: bool) -> tuple[bytes, str]:
        profile = self._options.profile
        callback = profile.callback(exchange.query)
        assert callback is not None  # checked when the GET came
        # A script that says nothing must still call: the client waits for the call. An empty payload is an empty string.
        return callback + (data if data.startswith(b'"') else b'"' + data + b'"') + profile.call_end, profile.script_type

    def _decode(self, exchange: Exchange, body: bytes) -> str | bytes:
        """The field ``d`` of an application/x-www-form-urlencoded body; or a text, by which a page that goes says goodbye (sendBeacon)."""
        if exchange.headers.get("Content-Type", "").startswith("text/plain") and not body.startswith(b"d="):
            # Not the type alone: forms of some clients of 0.9 have none that says so.
            return super()._decode(exchange, body)
        for field in body.split(b"&"):
            if field.startswith(b"d="):
                try:
                    return unquote_to_bytes(field[2:].replace(b"+", b" ")).decode()
                except UnicodeDecodeError:
                    raise Refused("the field d is not UTF-8") from None
        raise Refused("the form has no field d")
