"""A bare WebSocket server that sends every message back: what is measured is the transport alone, without a session above it.

Used by the tests, and by hand for suites that are clients: ``python tests/echo_websocket.py`` prints its port and serves.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anywire.transports.base import Framing, Loss, Refused, Transport, TransportOptions
from anywire.transports.exchange import ExchangeRouter, TornadoExchange
from anywire.transports.framing import wrap
from anywire.transports.websocket import WebSocket
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

#: The suites send 16 MB in one message, or in frames of 64 bytes, and pings as fast as they can.
OPTIONS = TransportOptions(max_message=16 * 1024 * 1024, max_fragments=2**20, control_rate=1e6)
DEFLATING = TransportOptions(max_message=16 * 1024 * 1024, max_fragments=2**20, control_rate=1e6, deflate=True)


class EchoServer:
    """Every request is a WebSocket or refused. It is the delegate of all its transports, and remembers how each was lost.

    ``wrong``: mistakes of the transport, whose delegate must hear of each loss once and of nothing after it.
    """

    def __init__(self, options: TransportOptions) -> None:
        self.options = options
        self.open: set[Transport] = set()
        self.losses: list[Loss] = []
        self.wrong: list[str] = []
        self.router = ExchangeRouter(self._handle)

    def _handle(self, exchange: TornadoExchange) -> None:
        try:
            transport = WebSocket.open(exchange, self, self.options)
        except Refused as error:
            exchange.respond(error.status, error.body, error.content_type, error.headers)
            return
        self.open.add(transport)
        transport.start()

    def on_data(self, transport: Transport, data: str | bytes) -> None:
        if transport not in self.open:
            self.wrong.append("data after the loss")
        deflate = transport.framing is Framing.FRAME_DEFLATED and len(data) >= self.options.deflate_threshold
        transport.send(wrap(Framing.FRAME_DEFLATED if deflate else Framing.FRAME, data))
        if not transport.ready:
            transport.pause()

    def on_ready(self, transport: Transport) -> None:
        transport.resume()

    def on_taken(self, transport: Transport, ok: bool) -> None:
        self.wrong.append("a stream does not say that bytes were taken")

    def on_detached(self, transport: Transport, loss: Loss) -> None:
        if transport not in self.open:
            self.wrong.append("lost twice")
        self.open.discard(transport)
        self.losses.append(loss)


@asynccontextmanager
async def echo_server(
    options: TransportOptions = OPTIONS, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[EchoServer, int]]:
    """Serve on 127.0.0.1; yields the server and its port."""
    echo = EchoServer(options)
    http = HTTPServer(echo.router, ssl_options=tls)
    sockets = bind_sockets(port, "127.0.0.1")
    http.add_sockets(sockets)
    try:
        yield echo, sockets[0].getsockname()[1]
    finally:
        http.stop()
        for transport in list(echo.open):
            transport.close()
            transport.abort()
        await http.close_all_connections()


async def serve(port: int, deflate: bool) -> None:
    """Serve until interrupted."""
    async with echo_server(DEFLATING if deflate else OPTIONS, port) as (_, bound):
        print(bound, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--deflate", action="store_true", help="negotiate permessage-deflate")
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(arguments.port, arguments.deflate))
    except KeyboardInterrupt:
        pass
