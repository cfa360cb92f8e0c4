"""``build()`` makes the demo: a Tornado application with two pages around one :class:`anywire.Server`."""

from __future__ import annotations

import html
import logging
import os
import re
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.template import Template
from tornado.web import Application, RequestHandler, StaticFileHandler

from ... import Config, Server
from .deck import DECK
from .live import SPEAKER, VIEWER_COOKIE, Live

__all__ = ["Demo", "build"]

log = logging.getLogger("anywire.demo")

STATIC = Path(__file__).with_name("static")
#: Scripts and frames of our own only. htmlfile and JSONP live in frames and scripts of this same origin.
POLICY = "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; object-src 'none'; frame-ancestors 'self'"


@dataclass(frozen=True, slots=True)
class Demo:
    """A talk that can be served: ``token`` lets the speaker in at /speaker, ``live`` is its state."""

    sio: Server
    application: Application
    token: str
    live: Live

    async def serve(self, host: str = "127.0.0.1", port: int = 8000, ssl_options: dict[str, Any] | ssl.SSLContext | None = None) -> str:
        """Serve in the running loop; returns the base URL. ``port`` 0 takes a free one. End it by ``demo.sio.shutdown()``."""
        await self.sio.start()
        self.sio.listen(port, host, self.application, ssl_options)
        return f"{'https' if ssl_options else 'http'}://{host}:{self.sio.port}"


def build(token: str | None = None, **settings: Any) -> Demo:
    """A new talk, on its first slide. ``settings`` are the server's; ``token`` is made when it is not given.

    Processes that share a store need the same token and the same ``cookie_secret``. Raises anywire.ConfigError.
    """
    if not settings.get("cookie_secret") and "ANYWIRE_COOKIE_SECRET" not in os.environ:
        settings["cookie_secret"] = secrets.token_hex(32)
    if "ANYWIRE_CHECK_PAGE" not in os.environ:
        settings.setdefault("check_page", True)
    sio = Server(**settings)
    token = token or secrets.token_urlsafe(16)
    live = Live(sio, token)
    application = Application(
        [
            (re.escape(sio.config.path) + ".*", sio.router),
            (r"/", Page, {"page": _render("viewer", sio.config)}),
            (r"/speaker", Page, {"page": _render("speaker", sio.config)}),
            (r"/static/([a-z]+\.(?:css|js|svg))", StaticFileHandler, {"path": str(STATIC)}),
        ],
        cookie_secret=sio.config.cookie_secret,
        log_function=_log_request,
    )
    return Demo(sio, application, token, live)


class Page(RequestHandler):
    """A page that is the same for everyone, and a signed cookie that says who votes."""

    def initialize(self, page: bytes) -> None:
        self._page = page

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("X-Content-Type-Options", "nosniff")
        # Not "no-referrer": with it, browsers send "Origin: null" with the forms of JSONP, and the server refuses them.
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cache-Control", "private, no-cache")

    def get(self) -> None:
        """Answer with the page."""
        if self.get_signed_cookie(VIEWER_COOKIE) is None:
            secure = self.request.protocol == "https"
            self.set_signed_cookie(VIEWER_COOKIE, secrets.token_hex(16), httponly=True, samesite="Lax", secure=secure)
        self.finish(self._page)


def _render(role: str, config: Config) -> bytes:
    template = Template((STATIC / "page.html").read_text("utf-8"), name="page.html")
    names = {"speaker_namespace": SPEAKER, "deck": DECK, "inline": _inline, "listing": _listing}
    return template.generate(role=role, path=config.path, check=config.check_page, **names)


def _inline(text: str) -> str:
    """``text`` as HTML: escaped, then `code` and **strong**."""
    escaped = html.escape(text)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", escaped)


#: What listings show in colour, in Python, JavaScript and nginx's language alike.
_TOKENS = re.compile(
    r"""(?P<string>"[^"\n]*")|(?P<comment>(?:\#|//\ ).*)|(?P<keyword>\b(?:async|await|def|function|if|not|raise|return|var|is|None)\b|@)""",
    re.VERBOSE,
)


def _listing(text: str) -> str:
    """A program as HTML: escaped, with its strings, comments and keywords marked."""
    parts, end = [], 0
    for found in _TOKENS.finditer(text):
        parts.append(html.escape(text[end : found.start()]))
        parts.append(f'<span class="{found.lastgroup}">{html.escape(found.group())}</span>')
        end = found.end()
    return "".join(parts) + html.escape(text[end:])


def _log_request(handler: RequestHandler) -> None:
    """Write requests at DEBUG and without their query, which may hold the speaker's token."""
    log.debug("< %d %s %s", handler.get_status(), handler.request.method, handler.request.path)
