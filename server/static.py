"""The browser file: a fixed table of names, so that no path from a URL ever touches the disk."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from ..transports.base import Exchange

__all__ = ["StaticFiles"]

#: URL tail -> file in js_client/dist, and its type.
_FILES = {
    "anywire.js": ("anywire.js", "application/javascript; charset=utf-8"),
    "anywire.min.js": ("anywire.min.js", "application/javascript; charset=utf-8"),
    "anywire.min.js.map": ("anywire.min.js.map", "application/json"),
}
#: What pages ask for: socket.io.js, and of servers of 0.9 also socket.io.v0.9.16.js and bundles, socket.io+websocket+htmlfile.js
#: (socket.io 0.9.19, lib/static.js). One file of ours has all transports and speaks to this server, whichever version is named.
_SOCKET_IO = re.compile(r"socket\.io(\.min)?((?:\+[a-z-]{1,20}){0,8})(?:\.v[0-9][0-9.]{0,20})?(\.min)?\.js")
_BUNDLED = {"websocket", "flashsocket", "htmlfile", "xhr-polling", "jsonp-polling", "xhr-multipart"}


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    zipped: bytes
    type: str
    etag: str


class StaticFiles:
    """Serves the table above below the configured path; files are read, hashed and compressed once."""

    def __init__(self) -> None:
        self._cache: dict[str, _File | None] = {}

    def has(self, tail: str) -> bool:
        """Whether ``tail`` (what follows the path) is one of our files."""
        return self._name(tail) is not None

    def _name(self, tail: str) -> str | None:
        """The row of the table that ``tail`` means."""
        if tail in _FILES:
            return tail
        found = _SOCKET_IO.fullmatch(tail)
        if found is None or (found[2] and _BUNDLED.isdisjoint(found[2][1:].split("+"))):
            return None
        return "anywire.min.js" if found[1] or found[3] else "anywire.js"

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
        # A deployment changes the file under the same name: caches must ask again, and get a 304.
        headers = [
            ("ETag", file.etag),
            ("Cache-Control", "public, max-age=0, must-revalidate"),
            ("Vary", "Accept-Encoding"),
            ("X-Content-Type-Options", "nosniff"),
            # The file is public; pages of other sites load it by script tag or as a module.
            ("Cross-Origin-Resource-Policy", "cross-origin"),
        ]
        if _matches(exchange.headers.get("If-None-Match", ""), file.etag):
            exchange.respond(304, b"", file.type, headers)
        elif "gzip" in exchange.headers.get("Accept-Encoding", ""):
            exchange.respond(200, file.zipped, file.type, [*headers, ("Content-Encoding", "gzip")])
        else:
            exchange.respond(200, file.body, file.type, headers)

    def _load(self, row: str) -> _File | None:
        if row not in self._cache:
            name, kind = _FILES[row]
            try:
                body = resources.files(__package__.rpartition(".")[0]).joinpath("js_client", "dist", name).read_bytes()
            except OSError:
                self._cache[row] = None
            else:
                etag = '"' + hashlib.sha256(body).hexdigest()[:20] + '"'
                self._cache[row] = _File(body, gzip.compress(body, 9, mtime=0), kind, etag)
        return self._cache[row]


def _matches(condition: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag in tags
