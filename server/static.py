"""The browser files: a fixed table of names, so that no path from a URL ever touches the disk."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from ..transports.base import Exchange

__all__ = ["StaticFiles"]

_SCRIPT = "application/javascript; charset=utf-8"
#: URL tail -> file in the package, and its type.
_FILES = {
    "anywire.js": ("js_client/dist/anywire.js", _SCRIPT),
    "anywire.min.js": ("js_client/dist/anywire.min.js", _SCRIPT),
    "anywire.min.js.map": ("js_client/dist/anywire.min.js.map", "application/json"),
    "anywire.esm.js": ("js_client/dist/anywire.esm.js", _SCRIPT),
    "anywire.esm.min.js": ("js_client/dist/anywire.esm.min.js", _SCRIPT),
}
#: Files whose source map a header names: a comment in the file would be half a per cent of it.
_MAPS = {"anywire.min.js": "anywire.min.js.map"}
#: The page of the setting ``check_page``.
_CHECK_FILES = {
    "check": ("server/check_page/check.html", "text/html; charset=utf-8"),
    "check.css": ("server/check_page/check.css", "text/css; charset=utf-8"),
    "check-words.js": ("server/check_page/check-words.js", _SCRIPT),
    "check-run.js": ("server/check_page/check-run.js", _SCRIPT),
    "check-page.js": ("server/check_page/check-page.js", _SCRIPT),
    "anywire.min.js": _FILES["anywire.min.js"],
}
#: What the page needs to know of the server, written when the server is made.
_FACTS = "check-facts.js"
#: A deployment changes files under the same name: caches must ask again, and get a 304.
_COMMON = [("Cache-Control", "public, max-age=0, must-revalidate"), ("Vary", "Accept-Encoding"), ("X-Content-Type-Options", "nosniff")]
#: The client's files are public: pages of other sites load them by script tag, or as a module, which takes CORS.
_CLIENT_HEADERS = [*_COMMON, ("Cross-Origin-Resource-Policy", "cross-origin"), ("Access-Control-Allow-Origin", "*")]
#: The page loads, asks, frames and posts to nothing but its own server. Safari before 15.4 takes 'self' for http alone, so ws: is named.
#: Not "no-referrer": with it, browsers send "Origin: null" with the forms of JSONP, which the server refuses.
_PAGE_HEADERS = [
    *_COMMON,
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self' ws: wss:; frame-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    ),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
#: What pages ask for: socket.io.js, of servers of 4.x also socket.io.esm.min.js (socket.io 4.8.3, lib/index.ts), and of servers of 0.9
#: socket.io.v0.9.16.js and bundles, socket.io+websocket+htmlfile.js (socket.io 0.9.19, lib/static.js). One file of ours has all
#: transports and speaks to this server, whichever version is named.
_SOCKET_IO = re.compile(r"socket\.io(\.esm)?(\.min)?((?:\+[a-z-]{1,20}){0,8})(?:\.v[0-9][0-9.]{0,20})?(\.min)?\.js")
_BUNDLED = {"websocket", "flashsocket", "htmlfile", "xhr-polling", "jsonp-polling", "xhr-multipart"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    zipped: bytes
    type: str
    etag: str


class StaticFiles:
    """Serves the tables above below the configured path; files are read, hashed and compressed once.

    ``client``: whether the client's files are served. ``facts``: a script for the check page, which is served if this is given.
    """

    def __init__(self, client: bool = True, facts: bytes | None = None) -> None:
        self._client = client
        self._rows = (_FILES if client else {}) | (_CHECK_FILES if facts is not None else {})
        self._cache: dict[str, _File | None] = {} if facts is None else {_FACTS: _packed(facts, _SCRIPT)}

    def has(self, tail: str) -> bool:
        """Whether ``tail`` (what follows the path) is one of our files."""
        return self._name(tail) is not None

    def _name(self, tail: str) -> str | None:
        """The row of the table that ``tail`` means."""
        if tail in self._rows or tail in self._cache:
            return tail
        found = _SOCKET_IO.fullmatch(tail) if self._client else None
        if found is None or (found[3] and _BUNDLED.isdisjoint(found[3][1:].split("+"))):
            return None
        return f"anywire{found[1] or ''}{found[2] or found[4] or ''}.js"

    def serve(self, exchange: Exchange, tail: str) -> None:
        """Answer GET and HEAD; 405 for others, 404 when the installation lacks the file."""
        if exchange.method not in ("GET", "HEAD"):
            exchange.respond(405, b"", headers=[("Allow", "GET, HEAD")])
            return
        name = self._name(tail)
        file = self._load(name) if name is not None else None
        if file is None:
            exchange.respond(404, b"not found")
            return
        headers = [("ETag", file.etag), *(_CLIENT_HEADERS if name in _FILES else _PAGE_HEADERS)]
        if self._client and name in _MAPS:
            # Beside the file, whatever name it was asked for by.
            headers.append(("SourceMap", _MAPS[name]))
        if _matches(exchange.headers.get("If-None-Match", ""), file.etag):
            exchange.respond(304, b"", file.type, headers)
        elif "gzip" in exchange.headers.get("Accept-Encoding", "") and "MSIE 6" not in exchange.headers.get("User-Agent", ""):
            # IE6 says that it takes gzip, and then cuts the first bytes of compressed scripts.
            exchange.respond(200, file.zipped, file.type, [*headers, ("Content-Encoding", "gzip")])
        else:
            exchange.respond(200, file.body, file.type, headers)

    def _load(self, row: str) -> _File | None:
        if row not in self._cache:
            name, kind = self._rows[row]
            try:
                body = resources.files(__package__.rpartition(".")[0]).joinpath(*name.split("/")).read_bytes()
            except OSError:
                self._cache[row] = None
            else:
                self._cache[row] = _packed(body, kind)
        return self._cache[row]


def _packed(body: bytes, kind: str) -> _File:
    etag = '"' + hashlib.sha256(body).hexdigest()[:20] + '"'
    return _File(body, gzip.compress(body, 9, mtime=0), kind, etag)


def _matches(condition: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag in tags
