"""The request that opened a session, kept small: what handlers may ask of it is built when they ask."""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from ..transports.base import Exchange

__all__ = ["Handshake", "network_of"]


#: An escaped octet or character inside a quoted value, as Python's http.cookies and Tornado write them.
_ESCAPE = re.compile(r"\\(?:([0-3][0-7]{2})|(.))")


def _unquoted(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)) if found[1] else found[2], value[1:-1])


def network_of(address: str, v4_bits: int = 32) -> str:
    """What one place, or one customer of a provider, has for its own: an IPv4 network of ``v4_bits``, an IPv6 network of 64 bits.

    What is no address, such as a Unix socket's name, stands for itself.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return str(ipaddress.ip_network((parsed, v4_bits if parsed.version == 4 else 64), strict=False))


class Handshake:
    """A snapshot of the first request. Headers are one string, because 15,000 dictionaries would cost more than the sessions."""

    __slots__ = ("_headers", "identity", "method", "path", "peer", "query", "secure")

    def __init__(self, exchange: Exchange, cookies: bool = True) -> None:
        #: What the setting ``identity`` said of it.
        self.identity: Any = None
        self.method = exchange.method
        self.path = exchange.path
        self.query = exchange.query
        self.peer = exchange.peer
        self.secure = exchange.secure
        self._headers = "\n".join(f"{name}\0{value}" for name, value in exchange.headers.items() if cookies or name.lower() != "cookie")

    def with_query(self, query: str) -> Handshake:
        """A copy whose query goes on with ``query``: what a client said when it joined a namespace."""
        other = Handshake.__new__(Handshake)
        for name in Handshake.__slots__:
            setattr(other, name, getattr(self, name))
        other.query = f"{self.query}&{query}" if self.query else query
        return other

    def same_network(self, peer: tuple[str, int]) -> bool:
        """Whether ``peer`` is in the network that this request came from: IPv4 /24, IPv6 /64, what one place has for its own."""
        return peer[0] == self.peer[0] or network_of(peer[0], 24) == network_of(self.peer[0], 24)

    @property
    def headers(self) -> dict[str, str]:
        """The headers by their names as Tornado writes them (``User-Agent``); repeated ones are joined by commas."""
        if not self._headers:
            return {}
        return dict(line.split("\0", 1) for line in self._headers.split("\n") if "\0" in line)

    @property
    def from_python(self) -> bool:
        """Whether the client is one of Python's HTTP libraries, as far as it says so."""
        agent = self.headers.get("User-Agent", "").lower()
        return agent.startswith(("python", "aiohttp"))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies. One that breaks the rules spoils itself alone: pages of other programs on the same host set them too."""
        jar: dict[str, str] = {}
        for pair in self.headers.get("Cookie", "").split(";"):
            name, equals, value = pair.partition("=")
            if equals:
                jar[name.strip()] = _unquoted(value.strip())
        return jar

    @property
    def arguments(self) -> dict[str, list[str]]:
        """The query's arguments, decoded."""
        try:
            return parse_qs(self.query, keep_blank_values=True, max_num_fields=1000)
        except ValueError:
            return {}

    def argument(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query argument, or ``default``."""
        values = self.arguments.get(name)
        return values[-1] if values else default

    def environ(self) -> dict[str, Any]:
        """The WSGI-style mapping (PEP 3333) of the request, with this object as ``anywire.request``."""
        headers = self.headers
        host, _, port = headers.get("Host", "").rpartition(":")
        if not host or not port.isdigit():
            host, port = headers.get("Host", ""), "443" if self.secure else "80"
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(self.path, "latin-1"),
            "QUERY_STRING": self.query,
            "RAW_URI": self.path + ("?" + self.query if self.query else ""),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": host,
            "SERVER_PORT": port,
            "REMOTE_ADDR": self.peer[0],
            "REMOTE_PORT": str(self.peer[1]),
            "wsgi.url_scheme": "https" if self.secure else "http",
            "anywire.request": self,
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
        return environ
