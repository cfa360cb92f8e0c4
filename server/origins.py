"""Who may talk to the server from which page: one decision for every transport, WebSocket included."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..transports.base import Exchange
from .config import Config
from .errors import ConfigError, HandshakeCode, HandshakeRefused

__all__ = ["OriginPolicy"]

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
#: Seconds that a browser may remember a preflight's answer (the most that Chromium takes: two hours).
_PREFLIGHT_AGE = "7200"
#: A name in ASCII, or an address.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
Origin = tuple[str, str, int]


class OriginPolicy:
    """The ``origins``, ``credentials`` and ``allowed_hosts`` settings, applied to requests."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._listed: frozenset[Origin] = frozenset()
        self._null = False
        origins = config.origins
        if inspect.iscoroutinefunction(origins) or inspect.iscoroutinefunction(_call_of(origins)):
            raise ConfigError("origins must be a plain function: nothing waits for it, and a coroutine would count as true")
        if isinstance(origins, str) and origins != "*":
            origins = (origins,)
        if isinstance(origins, tuple):
            self._null = "null" in origins
            self._listed = frozenset(_listed(text) for text in origins if text != "null")

    def admit(
        self, exchange: Exchange, environ: Mapping[str, Any] | None = None, script: bool = False, credentialed: bool = False
    ) -> bool:
        """Let the request through and add its CORS headers, or raise HandshakeRefused (403; 421 for a foreign Host).

        ``script`` marks requests that any page can cause *and read* without asking (JSONP): they must show where they come from.
        ``credentialed``: the client asks with credentials whatever the settings say, so that no browser would take an answer without
        permission for them. False is returned when a page elsewhere is admitted and ``credentials`` is off: then its cookies must
        count for nothing, which browsers send with WebSockets, script tags and frames all the same.
        """
        headers = exchange.headers
        self._check_host(headers.get("Host", ""))
        origin = headers.get("Origin")
        if origin is None:
            return self._check_silent(exchange, environ, script)
        if not _printable(origin):
            raise HandshakeRefused(HandshakeCode.BAD_REQUEST)
        if not self.allows(origin, exchange, environ):
            raise HandshakeRefused(HandshakeCode.FORBIDDEN, "Origin not allowed")
        exchange.extra_headers.extend(self._cors(origin, credentialed))
        return self._config.credentials or _is_here(origin, exchange)

    def allows(self, origin: str, exchange: Exchange, environ: Mapping[str, Any] | None = None) -> bool:
        """Whether pages of ``origin`` may talk to this server at the host they asked for."""
        wanted = self._config.origins
        if wanted == "*":
            return True
        if origin == "null":
            return self._null
        parsed = _parse(origin)
        if callable(wanted):
            return _said(wanted(origin, environ or {}))
        if parsed is None:
            # socket.io-client 0.9 on Node says "host:port" without a scheme, as no browser does.
            return origin.lower() == exchange.headers.get("Host", "").lower()
        return parsed in self._listed or _same(parsed, exchange)

    def permit(self, exchange: Exchange, environ: Mapping[str, Any] | None = None) -> None:
        """Let an allowed page read an error that comes before :meth:`admit`."""
        origin = exchange.headers.get("Origin", "")
        if origin and _printable(origin) and self.allows(origin, exchange, environ):
            exchange.extra_headers.extend(self._cors(origin))

    def frame(self, exchange: Exchange, environ: Mapping[str, Any] | None = None) -> None:
        """Say whose pages may frame an endless frame (CSP 3, section 6.4.2); nothing where pages without an origin may."""
        pages: set[Origin] = set(self._listed)
        if callable(self._config.origins):
            page = _parse(exchange.headers.get("Referer", ""))
            if page is not None and self.allows(_spelled(page), exchange, environ):
                pages.add(page)
        allowed = "*" if self._config.origins == "*" else " ".join(["'self'", *sorted(map(_spelled, pages))])
        if not self._null:
            exchange.extra_headers.append(("Content-Security-Policy", f"frame-ancestors {allowed}"))

    def preflight(self, exchange: Exchange, environ: Mapping[str, Any] | None = None, credentialed: bool = False) -> None:
        """Answer OPTIONS: 204, with permission or without. ``credentialed``: as for :meth:`admit`."""
        headers: list[tuple[str, str]] = []
        origin = exchange.headers.get("Origin", "")
        if origin and _printable(origin) and self.allows(origin, exchange, environ):
            headers = self._cors(origin, credentialed)
            headers += [("Access-Control-Allow-Methods", "GET, POST"), ("Access-Control-Max-Age", _PREFLIGHT_AGE)]
            asked = exchange.headers.get("Access-Control-Request-Headers", "")
            if asked and all(c.isalnum() or c in "-_, " for c in asked) and len(asked) < 1000:
                headers.append(("Access-Control-Allow-Headers", asked))
            if exchange.headers.get("Access-Control-Request-Private-Network") == "true":
                headers.append(("Access-Control-Allow-Private-Network", "true"))
        exchange.respond(204, headers=headers)

    def _cors(self, origin: str, credentialed: bool = False) -> list[tuple[str, str]]:
        if self._config.origins == "*" and not credentialed:
            return [("Access-Control-Allow-Origin", "*")]
        headers = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if self._config.credentials or credentialed:
            headers.append(("Access-Control-Allow-Credentials", "true"))
        return headers

    def _check_host(self, host: str) -> None:
        allowed = self._config.allowed_hosts
        if allowed and host.lower() not in allowed and host.lower().rpartition(":")[0] not in allowed:
            raise HandshakeRefused(HandshakeCode.FORBIDDEN, "Host not served here", status=421)

    def _check_silent(self, exchange: Exchange, environ: Mapping[str, Any] | None, script: bool) -> bool:
        """A request without Origin: a native client, an old browser's same-origin GET, or a script tag. Whether its cookies count."""
        headers = exchange.headers
        site = headers.get("Sec-Fetch-Site")
        if site in ("same-origin", "none") or (site is None and not script and not self._config.require_origin):
            return True
        referer = headers.get("Referer")
        if self._config.origins == "*":
            return (site is None and not script) or (referer is not None and _is_here(referer, exchange))
        if referer is not None:
            page = _parse(referer)
            if page is not None and self.allows(_spelled(page), exchange, environ):
                return self._config.credentials or _same(page, exchange)
        elif script and site is None and not self._config.require_origin and "Cookie" not in headers:
            return True  # nothing of the user's rides on it
        raise HandshakeRefused(HandshakeCode.FORBIDDEN, "Origin not allowed")


def _is_here(url: str, exchange: Exchange) -> bool:
    """Whether ``url`` is of the origin that was asked."""
    page = _parse(url)
    return page is not None and _same(page, exchange)


def _call_of(value: object) -> object:
    return type(value).__call__ if callable(value) else None


def _printable(origin: str) -> bool:
    return all(32 <= ord(character) <= 126 for character in origin)


def _said(verdict: Any) -> bool:
    """What a callable has decided. Raises TypeError for what would have to be awaited: it is no answer, and true."""
    if isinstance(verdict, Awaitable):
        if inspect.iscoroutine(verdict):
            verdict.close()
        raise TypeError("origins returned an awaitable; it must be a plain function that returns True or False")
    return bool(verdict)


def _spelled(origin: Origin) -> str:
    """As a browser writes it: without the scheme's own port."""
    scheme, host, port = origin
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port == _PORTS[scheme] else f"{scheme}://{host}:{port}"


def _parse(text: str) -> Origin | None:
    """Scheme, host and port, normalised; None for what is not an origin."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return scheme, parts.hostname, port if port is not None else _PORTS[scheme]


def _listed(text: Any) -> Origin:
    """An entry of the setting. Raises ConfigError for what no browser would ever send: wildcards, names that are not in ASCII, paths."""
    parsed = _parse(text) if isinstance(text, str) else None
    if parsed is None or not _HOST.fullmatch(parsed[1]) or text.lower().partition("://")[2].rstrip("/") != urlsplit(text.lower()).netloc:
        raise ConfigError(f"origins holds {text!r}; an origin looks like https://example.org or https://example.org:8443")
    return parsed


def _same(origin: Origin, exchange: Exchange) -> bool:
    """Same host and port as the Host header names. Behind a TLS-terminating proxy we see plain HTTP, so only a secure
    connection binds the scheme; a Host without a port means the default port of the page's own scheme."""
    scheme, host, port = origin
    if exchange.secure and scheme != "https":
        return False
    try:
        here = urlsplit("//" + exchange.headers.get("Host", ""))
        here_port = here.port
    except ValueError:
        return False
    return here.hostname == host and port == (_PORTS[scheme] if here_port is None else here_port)
