"""Socket.IO 0.9 (protocol 1): ``/socket.io/1/``, then one transport at a time on the session that this answers with.

Source: the clients socket.io-client 0.9.16 and 0.9.17, ``lib/*.js``, and what socket.io 0.9.19 answered them. The wire format of packets
and payloads is in :mod:`.packet09`. What differs from that server on purpose: a namespace joined twice is answered once (the client would
run its ``connect`` handlers again), what will pass is never said in a form that stops the client, and no input ends the process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

from ...transports.base import Framing, HttpProfile, Refused
from ...transports.framing import script_string
from ..errors import HandshakeCode, HandshakeRefused
from ..events import Close, Event, Packet
from .base import Decoder, Limits, Located, Protocol
from .engineio import MAX_SID, read_query
from .packet09 import BinaryPolicy, PacketDecoder09, encode_packet, encode_payload, quick_event

if TYPE_CHECKING:
    from ..config import Config

__all__ = ["SocketIO09"]

#: Our names of the transports -> theirs.
_NAMES = {"websocket": "websocket", "htmlfile": "htmlfile", "polling": "xhr-polling", "jsonp": "jsonp-polling"}
_TRANSPORTS = {theirs: ours for ours, theirs in _NAMES.items()}
_INDEX = re.compile(r"[0-9]{1,10}")
_VERSION = re.compile(r"[0-9]{1,3}")
#: Exactly 256 bytes, as socket.io 0.9 (lib/transports/htmlfile.js): what IE needs before it runs a stream's first script.
_PREAMBLE = b"<html><body><script>var _ = function (msg) { parent.s._(msg, document); };</script>".ljust(256)
#: "client not handshaken", advice "reconnect": the client makes a new handshake half a second later.
_UNKNOWN_SESSION = "7:::1+0"


def _callback(query: str) -> bytes:
    """Each transport object of a page has its own slot ``i``; what is no number is slot 0, never code in the page."""
    index = read_query(query).get("i", "")
    return b"io.j[%s](" % (index.encode() if _INDEX.fullmatch(index) else b"0")


_PROFILE = HttpProfile(
    ok_body=b"1",
    ok_type="text/plain; charset=UTF-8",
    callback=_callback,
    tag_preamble=lambda query: _PREAMBLE,
    poll_overlap="newer",
    empty_body=b"8::",
    lost_poll_closes=False,
    headers=(("X-XSS-Protection", "0"),),
    # The client takes anything but 200 for the network's fault and comes back, also when it was to be gone.
    refuses_late=False,
)


class SocketIO09(Protocol):
    """Socket.IO 0.9. One instance for each set of the settings that its words depend on; see :meth:`configured`."""

    name = "socketio1"
    profile = _PROFILE
    pinger = "server"
    handshake_first = True
    handshake_methods = frozenset({"GET", "POST"})
    handshake_credentials = True
    falls_back = True
    timed_polls = True
    root_ends = True
    lenient = True
    unknown_session = _UNKNOWN_SESSION

    def __init__(
        self, offers: Sequence[str] = ("websocket", "htmlfile", "polling", "jsonp"), timeout: str = "60", binary: BinaryPolicy = "base64"
    ) -> None:
        self._offers = ",".join(_NAMES[name] for name in offers)
        self._timeout = timeout
        self._binary: BinaryPolicy = binary

    def configured(self, config: Config) -> SocketIO09:
        return _instance(_in_order(config.transports), _timeout(config), cast(BinaryPolicy, config.binary_fallback))

    # -- requests ---------------------------------------------------------------------------------------------------

    def locate(self, path: str, query: str, base: str) -> Located | None:
        if not query and base in (path, path + "/"):
            raise _welcome()
        if not path.startswith(base):
            return None
        version, *rest = path[len(base) :].split("/")
        if not _VERSION.fullmatch(version):
            return None
        if int(version) != 1:
            raise Refused("Protocol version not supported.", status=500, content_type="text/plain")
        arguments = read_query(query)
        if rest and not rest[-1]:
            rest.pop()
        if len(rest) > 2:
            raise _welcome()
        if len(rest) < 2:
            return self._locate_handshake(rest, arguments)
        if "disconnect" in arguments:
            # "/1//<sid>/?disconnect=1" from the client itself, "/1/xhr-polling/<sid>/?disconnect" in the specification.
            return Located("", rest[1][:MAX_SID], False, leaves=True)
        if rest[0] not in _TRANSPORTS:
            raise HandshakeRefused(HandshakeCode.UNKNOWN_TRANSPORT)
        return Located(_TRANSPORTS[rest[0]], rest[1][:MAX_SID], False)

    def _locate_handshake(self, rest: Sequence[str], arguments: dict[str, str]) -> Located:
        if rest and rest[0]:
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        return Located("", None, False, script=_INDEX.fullmatch(arguments.get("jsonp", "")) is not None)

    def greeting(self, sid: str, query: str) -> tuple[bytes, str]:
        """``sid:heartbeat timeout:close timeout:transports``. Both times are how long the client hears nothing before it gives up; a
        field that is no number makes the client of 0.9.16 give up at once."""
        return _said(f"{sid}:{self._timeout}:{self._timeout}:{self._offers}", query)

    def refusal(self, error: Refused, query: str) -> Refused:
        """Text for XHR; for a script ``io.j[N](new Error(...))`` with status 200, the only answer that reaches the page.

        After a 403 the client counts as "connecting" for ever and ignores every later ``connect()``, so only what is final is told so:
        False from ``authorization``, and a foreign page. After other errors it tries again, or can be told to.
        """
        text, status = _refusal(error)
        if _script_index(query) is not None:
            return Refused(text, status=200, body=_said(text, query, error=True)[0], content_type="application/javascript")
        return Refused(text, status=status, content_type="text/plain", headers=error.headers)

    # -- packets ----------------------------------------------------------------------------------------------------

    def encode(self, packet: Packet, binary: bool) -> tuple[str | bytes, ...]:
        text = encode_packet(packet, self._binary)
        return () if text is None else (text,)

    def encode_text(self, packet: Packet) -> bytes | None:
        return quick_event(packet) if type(packet) is Event else None

    def payload(self, messages: Sequence[str | bytes]) -> str | bytes:
        return encode_payload([message for message in messages if isinstance(message, str)])

    def decoder(self, limits: Limits) -> Decoder:
        return PacketDecoder09(limits)

    def script_body(self, data: str) -> str:
        """The client writes its payload as a JSON string, so that no browser changes its line ends (lib/transports/jsonp-polling.js)."""
        return PacketDecoder09.json_string(data)

    # -- the end ----------------------------------------------------------------------------------------------------

    def farewell(self, framing: Framing, by_client: bool) -> Packet | None:
        """``0::``: the client neither asks why nor comes back."""
        return Close()

    def parting(self) -> Packet | None:
        return Close()


def _welcome() -> Refused:
    """What the servers of the time said at addresses that name nothing; balancers ask for it to see whether a server lives."""
    return Refused("Welcome to socket.io.", status=200, content_type="text/plain")


@cache
def _instance(offers: tuple[str, ...], timeout: str, binary: BinaryPolicy) -> SocketIO09:
    return SocketIO09(offers, timeout, binary)


def _in_order(transports: Sequence[str]) -> tuple[str, ...]:
    """The configured order, but htmlfile before the polling ones: where it exists (IE) it is the better, and clients take the first."""
    polls = [name for name in transports if name in ("polling", "jsonp")]
    if "htmlfile" not in transports or not polls:
        return tuple(transports)
    others = [name for name in transports if name != "htmlfile"]
    place = others.index(polls[0])
    return (*others[:place], "htmlfile", *others[place:])


def _timeout(config: Config) -> str:
    """Seconds. A client that hears nothing for so long leaves, on every transport: heartbeats and empty polls must come well within it."""
    return f"{max(config.close_timeout, 1.5 * config.ping_interval, 1.5 * config.polling_duration):g}"


def _refusal(error: Refused) -> tuple[str, int]:
    """Text and status of a refused handshake."""
    if not isinstance(error, HandshakeRefused):
        return ("handshake error", 500) if error.status == 500 else (str(error), error.status)
    if error.code is not HandshakeCode.FORBIDDEN or error.status != 403:
        return error.message, error.status
    if error.message == HandshakeCode.FORBIDDEN.text:
        return "handshake unauthorized", 403
    if error.message == "Origin not allowed":
        return "handshake bad origin", 403
    # A refusal with a reason: the client may come back with something better.
    return error.message, 401


def _script_index(query: str) -> str | None:
    index = read_query(query).get("jsonp", "")
    return index if _INDEX.fullmatch(index) else None


def _said(text: str, query: str, error: bool = False) -> tuple[bytes, str]:
    """A handshake's answer, plain or as a script call, and its type."""
    index = _script_index(query)
    if index is None:
        return text.encode(), "text/plain"
    literal = script_string(text)
    return b"io.j[%s](%s);" % (index.encode(), b"new Error(%s)" % literal if error else literal), "application/javascript"
