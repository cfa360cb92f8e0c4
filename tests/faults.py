"""What a network can do to a request, by name: what :class:`fault_proxy.FaultProxy` plays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from fault_proxy import Link, Message

__all__ = ["FAULTS", "Cut", "Fault", "fault"]

#: What the log-in page of a hotel says to everything.
FOREIGN_HTML = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><h1>Log in to use the Internet</h1></body></html>"


class Cut(Exception):
    """The fault ends this connection here."""


class Fault:
    """Nothing wrong. A fault is a subclass that says what it does otherwise, with who does so in its docstring, and a line in FAULTS."""

    #: Seconds that bytes take to the server, and from it; a new connection takes both once more, as TCP's handshake does.
    delay: tuple[float, float] = (0.0, 0.0)
    #: Whether answers are held until they are whole.
    buffers: ClassVar[bool] = False
    #: After how many seconds, or bytes, each answer ends.
    cut_seconds: float | None = None
    cut_bytes: int | None = None

    def far(self, up: float, down: float | None = None) -> Self:
        """This fault at the end of a long way: sets ``delay``, both directions alike unless said."""
        self.delay = (up, up if down is None else down)
        return self

    async def handle(self, link: Link, request: Message) -> None:
        """Play one request; returns when its answer is over."""
        await link.forward(request)

    def passes(self, up: bool, upgraded: bool) -> bool:
        """Whether bytes of an answer, or of an upgraded connection, go on now: to the server (up) or to the client."""
        return True


class RefuseUpgrade(Fault):
    """A corporate proxy that knows no WebSocket: a status, or "reset" for one that drops the connection."""

    def __init__(self, how: int | str = 403) -> None:
        self.how = how

    async def handle(self, link: Link, request: Message) -> None:
        if not request.upgrades:
            await link.forward(request)
        elif self.how == "reset":
            raise Cut
        else:
            await link.answer(int(self.how), b"no")


class StripUpgrade(Fault):
    """A proxy of HTTP/1.1 takes the headers of one hop out and passes the rest on (RFC 9110, 7.6.1): the server sees a plain GET."""

    async def handle(self, link: Link, request: Message) -> None:
        await link.forward(request.without("upgrade", "connection") if request.upgrades else request)


class SilentUpgrade(Fault):
    """A virus scanner that lets the 101 through and then waits for a document: no frame goes up, down, or in "both" directions."""

    def __init__(self, direction: str = "both") -> None:
        self.stopped = {"up": (True,), "down": (False,), "both": (True, False)}[direction]

    def passes(self, up: bool, upgraded: bool) -> bool:
        return not upgraded or up not in self.stopped


class SlowUpgrade(Fault):
    """A gateway that takes its time for the first upgrade, in seconds: wakes a backend, asks a policy server."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds

    async def handle(self, link: Link, request: Message) -> None:
        if request.upgrades:
            await asyncio.sleep(self.seconds)
        await link.forward(request)


class Buffer(Fault):
    """A virus scanner or cache that passes an answer on once it is whole. One that never ends, a stream or a 101, never comes."""

    buffers = True


class CutSeconds(Fault):
    """A balancer's limit on the time of a request, WebSockets too."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.cut_seconds = seconds


class CutBytes(Fault):
    """A gateway's limit on the size of an answer, WebSockets too."""

    def __init__(self, size: int = 65536) -> None:
        self.cut_bytes = size


class Delay(Fault):
    """A long way: seconds to the server, and back (the same unless said)."""

    def __init__(self, up: float = 0.1, down: float | None = None) -> None:
        self.far(up, down)


class DropPosts(Fault):
    """A filter that eats request bodies: a POST gets no answer ("swallow"), or a 200 with this body that the server never saw."""

    def __init__(self, answer: str = "swallow") -> None:
        self.body = answer

    async def handle(self, link: Link, request: Message) -> None:
        if request.method != "POST":
            await link.forward(request)
        elif self.body == "swallow":
            await asyncio.Event().wait()
        else:
            await link.answer(200, self.body.encode())


class DuplicatePosts(Fault):
    """A proxy that sends a POST again when its connection to the server was stale, though the first one had arrived."""

    async def handle(self, link: Link, request: Message) -> None:
        if request.method == "POST":
            await link.forward(request, heard=False)
        await link.forward(request)


class InjectHtml(Fault):
    """A captive portal: 200 and its own page for "all" requests, or for "http" ones only while upgrades pass."""

    def __init__(self, which: str = "all") -> None:
        self.which = which

    async def handle(self, link: Link, request: Message) -> None:
        if request.upgrades and self.which == "http":
            await link.forward(request)
        else:
            await link.answer(200, FOREIGN_HTML, "text/html; charset=utf-8")


class Answer(Fault):
    """Whatever stands where the server should: each request gets this status and body, or with status 0 the connection's end."""

    def __init__(self, status: int = 400, body: str = "") -> None:
        self.status, self.body = status, body

    async def handle(self, link: Link, request: Message) -> None:
        if not self.status:
            raise Cut
        await link.answer(self.status, self.body.encode())


class BlackHole(Fault):
    """A firewall that drops what it does not like without a word: "all" requests, or only each "upgrade", or what is plain "http"."""

    def __init__(self, which: str = "all") -> None:
        self.which = which

    async def handle(self, link: Link, request: Message) -> None:
        if self.which in ("all", "upgrade" if request.upgrades else "http"):
            await asyncio.Event().wait()
        await link.forward(request)

    def passes(self, up: bool, upgraded: bool) -> bool:
        return self.which != "all" and upgraded == (self.which == "http")


#: name -> class; what it takes is in its __init__.
FAULTS: dict[str, Callable[..., Fault]] = {
    "none": Fault,
    "refuse-upgrade": RefuseUpgrade,
    "strip-upgrade": StripUpgrade,
    "silent-upgrade": SilentUpgrade,
    "slow-upgrade": SlowUpgrade,
    "buffer": Buffer,
    "cut-seconds": CutSeconds,
    "cut-bytes": CutBytes,
    "delay": Delay,
    "drop-posts": DropPosts,
    "duplicate-posts": DuplicatePosts,
    "inject-html": InjectHtml,
    "answer": Answer,
    "black-hole": BlackHole,
}


def fault(name: str, *parameters: Any) -> Fault:
    """A fault by its name. Raises KeyError for one that is not in FAULTS."""
    return FAULTS[name](*parameters)
