"""The forever-iframe: one endless HTML page whose script tags carry the messages; POSTs bring the client's."""

from __future__ import annotations

from typing import ClassVar

from .base import Exchange, Framing, Loss, TransportDelegate, TransportOptions
from .polling import PostingTransport

__all__ = ["HtmlFile"]


class HtmlFile(PostingTransport):
    """One stream at a time. A new one replaces the old."""

    __slots__ = ("_stream",)
    name: ClassVar[str] = "htmlfile"
    framing = Framing.TAG
    streaming: ClassVar[bool] = True

    def __init__(self, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> None:
        super().__init__(delegate, options)
        self._stream: Exchange | None = None
        self._begin(exchange)

    @classmethod
    def open(cls, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> HtmlFile:
        return cls(exchange, delegate, options)

    def start(self) -> None:
        self.delegate.on_ready(self)

    def _begin(self, exchange: Exchange) -> None:
        self._stream = exchange
        exchange.on_close = self._dropped
        exchange.on_drained = self._drained
        headers = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("X-Accel-Buffering", "no")]
        exchange.stream(200, "text/html; charset=UTF-8", headers)
        exchange.write(self._options.profile.tag_preamble(exchange.query))

    def _get(self, exchange: Exchange) -> None:
        old = self._stream
        if old is not None:
            old.on_close = old.on_drained = None
            old.finish()
        self._begin(exchange)
        self.delegate.on_ready(self)

    def _dropped(self) -> None:
        stream, self._stream = self._stream, None
        self._lose(Loss.SLOW if stream is not None and stream.late else Loss.PEER)

    @property
    def ready(self) -> bool:
        return self._stream is not None and self._stream.backlog < self._options.high_water

    def send(self, data: bytes, binary: bool = False) -> None:
        if self._stream is None:
            return
        self._stream.write(data)

    def _drained(self) -> None:
        self.delegate.on_ready(self)

    def close(self, last: bytes = b"", code: int = 1000, reason: str = "") -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.on_close = stream.on_drained = None
            if last:
                stream.write(last)
            stream.finish()
        self._lose(Loss.LOCAL)
