"""WebSocket (RFC 6455): a handshake, then our own frames on a socket that is ours."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import time
from typing import ClassVar

from .base import Exchange, Framing, Loss, Refused, Transport, TransportDelegate, TransportOptions
from .frames import BINARY, CLOSE, PING, FrameError, FrameParser
from .framing import close_frame, control_frame
from .wire import Wire

__all__ = ["WebSocket"]

log = logging.getLogger("anywire.websocket")
#: RFC 6455, section 1.3.
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: RFC 7692, section 7.1.2: sizes of a window, as a parameter says them.
_WINDOW_BITS = ("8", "9", "10", "11", "12", "13", "14", "15")
_OPEN, _CLOSING, _CLOSED = 0, 1, 2


class WebSocket(Transport):
    """One WebSocket. After the handshake nothing of the HTTP engine is left."""

    __slots__ = ("_allowance", "_allowed_at", "_options", "_parser", "_pong", "_state", "_timer", "_wire", "framing", "ready")
    name: ClassVar[str] = "websocket"
    streaming: ClassVar[bool] = True
    binary: ClassVar[bool] = True
    framing: Framing
    #: False from ``high_water`` unsent bytes on until the kernel has taken all of them, and at the end.
    ready: bool

    def __init__(
        self,
        wire: Wire,
        delegate: TransportDelegate,
        options: TransportOptions,
        framing: Framing = Framing.FRAME,
        inflate: bool = False,
    ) -> None:
        self.delegate = delegate
        self.framing = framing
        self._wire = wire
        self._options = options
        self._parser = FrameParser(self._on_frame, self._on_text, options.max_message, options.max_fragments, inflate)
        self._state = _OPEN
        self.ready = True
        self._timer: asyncio.TimerHandle | None = None
        self._pong: bytes | None = None
        self._allowance = options.control_rate
        self._allowed_at = 0.0
        wire.owner = self

    @classmethod
    def open(cls, exchange: Exchange, delegate: TransportDelegate, options: TransportOptions) -> WebSocket:
        headers = _accept(exchange)
        agreed = _agree(exchange.headers.get("Sec-WebSocket-Extensions", "")) if options.deflate else None
        if agreed is None:
            return cls(exchange.upgrade(headers), delegate, options)
        headers.append(("Sec-WebSocket-Extensions", agreed[0]))
        return cls(exchange.upgrade(headers), delegate, options, Framing.FRAME_DEFLATED if agreed[1] else Framing.FRAME, inflate=True)

    def start(self) -> None:
        self._wire.start()

    def handle(self, exchange: Exchange) -> None:
        exchange.respond(400, b'{"code":3,"message":"Bad request"}', "application/json")

    # -- out --------------------------------------------------------------------------------------------------------

    def send(self, data: bytes, binary: bool = False) -> None:
        if self._state == _OPEN:
            self._wire.write(data)

    def on_backlog(self) -> None:
        """The kernel does not take all that is written."""
        if self._state == _OPEN:
            self.ready = self._wire.backlog < self._options.high_water
            if self._timer is None:
                self._wire.moved = False
                self._watch(self._options.send_timeout)

    def _watch(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if self._state == _OPEN and self._wire.moved:
            # Slow, but reading. How much may wait for it is the session's affair.
            self.on_backlog()
        else:
            self._lose(Loss.SLOW if self._state == _OPEN else Loss.LOCAL)

    def on_drained(self) -> None:
        """The wire has room again."""
        if self._state != _OPEN:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.ready = True
        pong, self._pong = self._pong, None
        if pong is not None:
            self._wire.write(pong)
        self.delegate.on_ready(self)

    def pause(self) -> None:
        self._wire.pause()

    def resume(self) -> None:
        self._wire.resume()

    # -- in ---------------------------------------------------------------------------------------------------------

    def on_bytes(self, data: bytes) -> None:
        """Bytes from the peer. Whatever they are, nothing escapes into the loop."""
        try:
            self._parser.feed(data)
        except FrameError as error:
            self._fail(error.close_code, str(error), Loss.TOO_BIG if error.close_code == 1009 else Loss.ERROR)
        except Refused as error:
            self._fail(error.close_code, str(error), Loss.ERROR)
        except Exception:
            log.exception("! a message failed")
            self._fail(1011, "internal error", Loss.ERROR)

    def _on_text(self, text: str) -> None:
        if self._state == _OPEN:
            later = self.delegate.on_data(self, text)
            if later is not None:
                self._hold(later)

    def _on_frame(self, kind: int, payload: bytes) -> None:
        if self._state != _OPEN:
            if kind == CLOSE and self._state == _CLOSING:
                self._end()
            return
        if kind == BINARY:
            later = self.delegate.on_data(self, payload)
            if later is not None:
                self._hold(later)
        elif kind == CLOSE:
            self._on_close(payload)
        else:
            self._on_control(kind, payload)

    def _hold(self, later: object) -> None:
        """Read nothing more until what was handed on has been taken."""
        self._wire.pause()
        waiting = asyncio.ensure_future(later)  # type: ignore[call-overload]
        waiting.add_done_callback(self._held)

    def _held(self, waiting: asyncio.Future[None]) -> None:
        error = waiting.exception() if not waiting.cancelled() else None
        if error is None and not waiting.cancelled():
            self._wire.resume()
        elif isinstance(error, Refused):
            self._fail(error.close_code, str(error), Loss.ERROR)
        else:
            self._fail(1011, "internal error", Loss.ERROR)

    def _on_control(self, kind: int, payload: bytes) -> None:
        now = time.monotonic()
        rate = self._options.control_rate
        self._allowance = min(rate, self._allowance + (now - self._allowed_at) * rate) - 1
        self._allowed_at = now
        if self._allowance < 0:
            raise FrameError(1008, "too many pings")
        if kind == PING:
            pong = control_frame(0xA, payload)
            if self._wire.backlog:
                # Section 5.5.3: only the most recent ping needs its answer.
                self._pong = pong
            else:
                self._wire.write(pong)

    def _on_close(self, payload: bytes) -> None:
        """Section 5.5.1: echo the code, then the server closes the connection."""
        self._wire.write(control_frame(CLOSE, payload[:2]))
        self._end(Loss.PEER)

    def on_lost(self, loss: Loss) -> None:
        """The socket is gone."""
        self._lose(Loss.LOCAL if self._state == _CLOSING else loss)

    # -- the end ----------------------------------------------------------------------------------------------------

    def close(self, last: bytes = b"", code: int = 1000, reason: str = "") -> None:
        if self._state != _OPEN:
            return
        self._state = _CLOSING
        self.ready = False
        if last:
            self._wire.write(last)
        self._wire.write(close_frame(code, reason))
        self._wire.resume()
        if self._timer is not None:
            self._timer.cancel()
        self._watch(self._options.close_timeout)
        self.delegate.on_detached(self, Loss.LOCAL)

    def abort(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._parser.stop()
        self._wire.abort()

    def _fail(self, code: int, reason: str, loss: Loss) -> None:
        """Section 7.1.7: tell the peer why, and close without waiting for its answer."""
        if self._state == _OPEN:
            self._wire.write(close_frame(code, reason))
        self._end(loss, linger=True)

    def _end(self, loss: Loss = Loss.LOCAL, linger: bool = False) -> None:
        """Close the socket once it has taken everything."""
        was_open, self._state = self._state == _OPEN, _CLOSED
        self._parser.stop()
        self.ready = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wire.close(linger, self._options.close_timeout)
        if was_open:
            self.delegate.on_detached(self, loss)

    def _lose(self, loss: Loss) -> None:
        was_open, self._state = self._state == _OPEN, _CLOSED
        self._parser.stop()
        self.ready = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wire.abort()
        if was_open:
            self.delegate.on_detached(self, loss)


def _accept(exchange: Exchange) -> list[tuple[str, str]]:
    """Check the handshake (section 4.2.1). The headers of the answer; raises Refused."""
    headers = exchange.headers
    if exchange.method != "GET":
        raise Refused("a WebSocket handshake is a GET", status=405, headers=[("Allow", "GET")])
    if not exchange.wants_upgrade:
        raise Refused("Upgrade: websocket is missing", body=b'{"code":3,"message":"Bad request"}', content_type="application/json")
    if "upgrade" not in {word.strip().lower() for word in headers.get("Connection", "").split(",")}:
        raise Refused("Connection: Upgrade is missing")
    if headers.get("Sec-WebSocket-Version", "").strip() != "13":
        raise Refused("WebSocket version 13 is spoken here", status=426, headers=[("Sec-WebSocket-Version", "13")])
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        good = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        good = False
    if not good:
        raise Refused("Sec-WebSocket-Key is not 16 bytes of base64")
    accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
    return [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]


def _agree(offers: str) -> tuple[str, bool] | None:
    """Our answer to the first offer of permessage-deflate that is valid (RFC 7692, section 7.1), and whether our own frames are deflated.

    A peer that wants our window smaller gets that promised and plain frames, as section 6 leaves to each message's sender: our
    deflated frames are shared by all peers of a broadcast, and use 15 bits.
    """
    for offer in offers.split(","):
        name, *parameters = [part.strip() for part in offer.split(";")]
        window = _window(parameters) if name == "permessage-deflate" else None
        if window is not None:
            answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            return (f"{answer}; server_max_window_bits={window}" if window else answer), window in ("", "15")
    return None


def _window(parameters: list[str]) -> str | None:
    """The bits of the window that the offer leaves us, "" when it does not say; None for an offer that a server must decline.

    Section 7.1: unknown, repeated and badly valued parameters. We take every window of the client's, so that its value says nothing.
    """
    given: dict[str, str] = {}
    for parameter in parameters:
        name, equals, value = (part.strip() for part in parameter.partition("="))
        if name in given:
            return None
        given[name] = value.strip('"')
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            valid = not equals
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            valid = given[name] in _WINDOW_BITS or (name == "client_max_window_bits" and not equals)
        else:
            valid = False
        if not valid:
            return None
    return given.get("server_max_window_bits", "")
