"""Every setting: one table that serves Python keywords, ``ANYWIRE_...`` environment variables and ``anywire serve`` flags.

Times are in seconds and sizes in bytes. A setting is checked once, here; an unknown or contradictory one is refused by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import ipaddress
import json
import re
import sys
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import ConfigError

__all__ = ["ENV_PREFIX", "Config", "Setting", "settings_table", "takes"]

ENV_PREFIX = "ANYWIRE_"

#: Our transports, and what Socket.IO 0.9 called them.
_TRANSPORT_NAMES = {
    "websocket": "websocket",
    "polling": "polling",
    "xhr-polling": "polling",
    "jsonp": "jsonp",
    "jsonp-polling": "jsonp",
    "htmlfile": "htmlfile",
}

#: RFC 6265, 4.1.1: a cookie's name is a token.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
#: Segments of RFC 3986, 3.3, in ASCII.
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@%-]+/)*")

Origins = str | Sequence[str] | Callable[[str, Mapping[str, Any]], bool] | None
Identity = Callable[[Mapping[str, Any]], Any] | None
Authorization = Callable[[Mapping[str, Any]], bool | str | Awaitable[bool | str | None] | None] | None


def _setting(
    default: Any, help_: str, *, low: float | None = None, high: float | None = None, text: bool = True, secret: bool = False
) -> Any:
    """A field with its help text and range; ``text`` false for what only Python can say (callables); a ``secret`` is not in the repr."""
    return dataclasses.field(default=default, repr=not secret, metadata={"help": help_, "low": low, "high": high, "text": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one server. The help text beside each is its documentation."""

    store: str = _setting(
        "memory", 'where processes meet: "memory" (this process alone) or a Redis URL (redis://, rediss://, unix://)', secret=True
    )
    transports: tuple[str, ...] = _setting(
        ("websocket", "polling", "jsonp", "htmlfile"),
        "transports offered, in order of preference; the names of 0.9 (xhr-polling, jsonp-polling) are understood",
    )
    authorization: Authorization = _setting(
        None, "callable(environ) on the handshake: False or a text refuses with 403, None or True admits", text=False
    )
    identity: Identity = _setting(
        None,
        "callable(environ) that says who asks, such as the value of a signed cookie: a request of a session for which it says anything else"
        " than it said on the handshake is refused with 403, and the session closed",
        text=False,
    )
    path: str = _setting("/socket.io/", "URL path that the server answers on")
    ping_interval: float = _setting(25.0, "seconds between heartbeats", low=0.05, high=3600)
    ping_timeout: float = _setting(20.0, "seconds that a heartbeat's answer may take", low=0.05, high=3600)
    close_timeout: float = _setting(
        60.0, "Socket.IO 0.9: seconds without a word after which either side takes the other for gone", low=0.1, high=3600
    )
    polling_duration: float = _setting(20.0, "Socket.IO 0.9: seconds after which an idle poll is answered", low=0.05, high=3600)
    binary_fallback: str = _setting(
        "base64", 'Socket.IO 0.9, which cannot carry bytes: send them as "base64" text, "drop" the message, or "refuse" it with an error'
    )
    double_utf8: bool = _setting(
        True, "Engine.IO 3: read text that a poller encoded as UTF-8 twice, as socket.io-client 1.x does, for what was meant"
    )
    bind_network: bool = _setting(
        True, "Engine.IO 3, where a client's public id is its session's: serve a session only to the network that opened it (/24, /64)"
    )
    allow_upgrades: bool = _setting(True, "let polling clients move to websocket")
    upgrade_timeout: float = _setting(10.0, "seconds that a client may take to finish an upgrade", low=0.05, high=600)
    connect_timeout: float = _setting(45.0, "seconds within which a client must be let into a namespace, or is closed", low=0.05, high=600)
    max_payload: int = _setting(1_000_000, "bytes of one message or request body from a client", low=128, high=2**30)
    max_queue_messages: int = _setting(
        10_000, "messages that may wait for one slow client, and of what one handler emits to a poller at once", low=1, high=10**7
    )
    max_queue_bytes: int = _setting(16_777_216, "bytes that may wait for one slow client", low=1024, high=2**32)
    max_socket_backlog: int = _setting(65_536, "unsent bytes in one socket before further messages wait in the queue", low=1024, high=2**30)
    slow_consumer: str = _setting("close", 'what happens when the queue is full: "close" the session, or "drop" the new message')
    send_timeout: float = _setting(60.0, "seconds that a client may leave sent bytes unread", low=0.1, high=3600)
    namespaces: tuple[str, ...] = _setting((), 'namespaces that clients may join though no handler is registered for them; "*": any')
    max_namespaces: int = _setting(32, "namespaces that one client may join", low=1, high=100_000)
    max_rooms: int = _setting(256, "rooms that one client may be in, per namespace", low=1, high=10**6)
    event_rate: float = _setting(
        0.0, "packets a second of one client, ten seconds' worth at once, before its session is closed; 0: any number", low=0, high=10**6
    )
    handshake_rate: float = _setting(
        0.0, "new sessions and wrong ids a second from one address, ten seconds' worth at once, then 429; 0: any number", low=0, high=10**6
    )
    max_sessions_per_address: int = _setting(
        0, "sessions that one address (IPv6: /64) may have at once, before 429; 0: any number", low=0, high=10**7
    )
    max_handler_backlog: int = _setting(1000, "events of one client that may wait for its running handler", low=1, high=10**6)
    async_handlers: bool = _setting(False, "run the events of one client at the same time instead of in their order")
    origins: Origins = _setting(
        None, 'who may connect from other sites: nothing (same origin only), a list of origins, "*", or callable(origin, environ)'
    )
    credentials: bool = _setting(True, "let cross-origin pages send cookies; not with origins='*'")
    allowed_hosts: tuple[str, ...] = _setting((), "Host header values that are served; empty: any (set it against DNS rebinding)")
    require_origin: bool = _setting(
        False, "refuse who says neither Origin nor Sec-Fetch-Site, as no present browser does; for servers that trust a cookie alone"
    )
    trusted_proxies: tuple[str, ...] = _setting((), "addresses or networks whose X-Forwarded-For and -Proto are believed")
    cookie: str = _setting("", "name of a cookie that holds the session id for sticky balancers; empty: none")
    cookie_secret: str = _setting("", "secret of Tornado's signed cookies, for signed_cookie()", secret=True)
    compression: bool = _setting(True, "gzip polling answers over compression_threshold")
    compression_threshold: int = _setting(1024, "bytes from which an answer is compressed", low=0, high=2**30)
    per_message_deflate: bool = _setting(False, "offer permessage-deflate to WebSocket clients that ask for it")
    per_message_deflate_threshold: int = _setting(1024, "bytes from which a WebSocket message is deflated", low=0, high=2**30)
    control_rate: float = _setting(100.0, "pings and pongs a second that one WebSocket may send", low=1, high=10**6)
    body_timeout: float = _setting(20.0, "seconds that a request body may take to arrive", low=0.1, high=3600)
    idle_timeout: float = _setting(
        20.0, "seconds that a connection of listen() may take to send a request's head, or be idle between requests", low=0.1, high=3600
    )
    serve_client: bool = _setting(True, "serve the browser file at <path>anywire.js and <path>socket.io.js")
    check_page: bool = _setting(False, "serve a page at <path>check that tests every transport from the browser that opens it")
    always_connect: bool = _setting(False, "answer CONNECT before the connect handler ran, so that it can already emit")
    history: int = _setting(0, "reserved for the delivery of missed messages; 0 is the only value yet", low=0, high=0)

    def __post_init__(self) -> None:
        """Normalise what has several spellings, then check everything. Raises ConfigError."""
        put = object.__setattr__
        put(self, "transports", _transports(self.transports))
        if isinstance(self.path, str):
            put(self, "path", "/" + self.path.strip("/") + "/" if self.path.strip("/") else "/")
        for name in ("allowed_hosts", "trusted_proxies", "namespaces"):
            put(self, name, _words(name, getattr(self, name)))
        put(self, "allowed_hosts", tuple(host.lower() for host in self.allowed_hosts))
        if isinstance(self.origins, (list, tuple, set, frozenset)):
            put(self, "origins", tuple(self.origins))
        for field in dataclasses.fields(self):
            _check_type(field, getattr(self, field.name))
            _check_range(field, getattr(self, field.name))
        self._check_contradictions()

    def _check_contradictions(self) -> None:
        if self.origins == "*" and self.credentials:
            # No browser takes this answer (Fetch standard, 4.9, CORS check).
            raise ConfigError('origins="*" cannot go with credentials=True: name the origins, or set credentials=False')
        if inspect.iscoroutinefunction(self.identity):
            raise ConfigError("identity must be a plain function: it is asked on every request of a session")
        if self.slow_consumer not in ("close", "drop"):
            raise ConfigError(f'slow_consumer is {self.slow_consumer!r}; it must be "close" or "drop"')
        if self.binary_fallback not in ("base64", "drop", "refuse"):
            raise ConfigError(f'binary_fallback is {self.binary_fallback!r}; it must be "base64", "drop" or "refuse"')
        if self.cookie and not _TOKEN.fullmatch(self.cookie):
            raise ConfigError(f"cookie is {self.cookie[:40]!r}; a cookie's name is letters, digits and some signs, such as io")
        if not _PATH.fullmatch(self.path):
            raise ConfigError(f"path is {self.path[:40]!r}; it must be a URL's path, such as /socket.io/")
        for namespace in self.namespaces:
            if namespace != "*" and not namespace.startswith("/"):
                raise ConfigError(f'namespaces holds {namespace[:60]!r}; a namespace begins with "/"')
        for network in self.trusted_proxies:
            _check_network(network)
        if self.store != "memory" and urlsplit(self.store).scheme not in ("redis", "rediss", "unix"):
            raise ConfigError('store must be "memory" or a URL that begins with redis://, rediss:// or unix://')

    @classmethod
    def build(cls, environ: Mapping[str, str] | None = None, defaults: Mapping[str, Any] | None = None, /, **keywords: Any) -> Config:
        """Settings from ``ANYWIRE_...`` variables of ``environ``, overridden by ``keywords``.

        ``defaults``: where they differ from the table's.

        Raises ConfigError for an unknown name, with the nearest known one; an unknown variable is only warned of, because others may use
        the prefix too.
        """
        keywords = _from_socketio(keywords)
        known = {field.name for field in dataclasses.fields(cls)}
        for name in keywords:
            if name not in known:
                raise ConfigError(_unknown(name, known))
        values = {**(defaults or {}), **_from_environ(environ or {}), **keywords}
        if values.get("origins") == "*":
            # Asking for "*" alone plainly means without credentials.
            values.setdefault("credentials", False)
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: a setting's name, its environment variable and flag, its type, default and help."""

    name: str
    variable: str
    flag: str
    type: str
    default: Any
    help: str
    text: bool

    def parse(self, raw: str) -> Any:
        """The value that ``raw`` (from the environment or a flag) says. Raises ConfigError."""
        if isinstance(self.default, bool):
            return _parse_bool(self.name, raw)
        if isinstance(self.default, tuple) or (self.name == "origins" and raw != "*"):
            return tuple(word for word in raw.replace(",", " ").split())
        if isinstance(self.default, (int, float)):
            try:
                return type(self.default)(raw)
            except ValueError:
                kind = "a whole number" if isinstance(self.default, int) else "a number"
                raise ConfigError(f"{self.name} must be {kind}, not {raw[:40]!r}") from None
        return raw


def settings_table() -> tuple[Setting, ...]:
    """All settings, in the order of :class:`Config`."""
    return tuple(
        Setting(
            field.name,
            ENV_PREFIX + field.name.upper(),
            "--" + field.name.replace("_", "-"),
            str(field.type),
            field.default,
            field.metadata["help"],
            field.metadata["text"],
        )
        for field in dataclasses.fields(Config)
    )


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    rows = {row.variable: row for row in settings_table()}
    values: dict[str, Any] = {}
    for variable, raw in environ.items():
        if not variable.startswith(ENV_PREFIX):
            continue
        row = rows.get(variable)
        if row is None:
            _warn(_unknown(variable, set(rows), "environment variable"))
        elif not row.text:
            raise ConfigError(f"{variable} cannot be said in the environment: {row.name} is a callable; give it to Server() in Python")
        else:
            values[row.name] = row.parse(raw)
    return values


#: python-socketio's keywords under our names, so that an application moves by changing an import.
_SOCKETIO_NAMES = {
    "max_http_buffer_size": "max_payload",
    "http_compression": "compression",
    "cors_allowed_origins": "origins",
    "cors_credentials": "credentials",
}
#: python-socketio's keywords that have no meaning here.
_SOCKETIO_IGNORED = frozenset({"logger", "engineio_logger", "monitor_clients"})
#: Those that would change what the server is, the values that change nothing here, and what to say of others.
_SOCKETIO_FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "client_manager": ((None,), 'client_manager is not used here; say where processes meet with store="redis://..."'),
    "async_mode": ((None, "tornado"), "async_mode is always tornado here: mount sio.router in a tornado.web.Application, or sio.listen()"),
    "serializer": ((None, "default"), "serializer is always the default here: JSON, with bytes as attachments"),
    "json": (
        (None, json),
        "json is not used here: orjson reads and writes, dates, UUIDs and dataclasses too; make plain what else is sent (Decimal: str(it))",
    ),
}


def _from_socketio(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """python-socketio's keywords as ours. Raises ConfigError for what cannot be had here, rather than forget it."""
    translated: dict[str, Any] = {}
    for name, value in keywords.items():
        if name in _SOCKETIO_FIXED:
            good, said = _SOCKETIO_FIXED[name]
            if value not in good:
                raise ConfigError(said)
        elif name not in _SOCKETIO_IGNORED:
            translated[_SOCKETIO_NAMES.get(name, name)] = _SOCKETIO_VALUES.get(name, lambda value: value)(value)
    interval = translated.get("ping_interval")
    if isinstance(interval, tuple) and len(interval) == 2:
        # (interval, grace): the grace is added to what the server waits for an answer, and to what the client waits for a ping.
        translated["ping_interval"] = interval[0]
        translated["ping_timeout"] = translated.get("ping_timeout", 20.0) + interval[1]
    return translated


def _socketio_origins(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and "*" in value:
        return "*"
    if value == []:
        raise ConfigError('cors_allowed_origins=[] would switch the check off; "*" admits every page, None those of the same origin')
    if callable(value) and not takes(value, 2) and takes(value, 1):
        return lambda origin, environ: value(origin)
    return value


def _socketio_cookie(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return "" if value is None else value
    fixed: dict[str, tuple[Any, ...]] = {"path": ("/",), "httponly": (True,), "samesite": ("Lax", "lax"), "secure": (True, False)}
    for attribute, said in value.items():
        if attribute != "name" and said not in fixed.get(attribute.lower(), ()):
            raise ConfigError(f"cookie: {attribute} cannot be {said!r}; give the name alone: Path=/, HttpOnly and SameSite=Lax go with it")
    return value.get("name", "io")


def takes(function: Any, count: int) -> bool:
    """Whether ``function`` can be called with ``count`` positional arguments, the last of which are optional for callbacks of ours."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


_SOCKETIO_VALUES: dict[str, Callable[[Any], Any]] = {
    "max_http_buffer_size": int,
    "namespaces": lambda value: () if value is None else value,
    "cookie": _socketio_cookie,
    "cors_allowed_origins": _socketio_origins,
}


def _transports(value: Sequence[str] | str) -> tuple[str, ...]:
    names: list[str] = []
    for word in _words("transports", value):
        if word == "flashsocket":
            _warn("transport flashsocket is ignored: Flash has left every browser; websocket does its work")
            continue
        if word not in _TRANSPORT_NAMES:
            raise ConfigError(_unknown(word, set(_TRANSPORT_NAMES), "transport"))
        if _TRANSPORT_NAMES[word] not in names:
            names.append(_TRANSPORT_NAMES[word])
    if not names:
        raise ConfigError("transports is empty; name at least one of " + ", ".join(sorted(set(_TRANSPORT_NAMES.values()))))
    return tuple(names)


def _words(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ConfigError(f"{name} must be a list of texts, not {type(value).__name__}")


def _check_type(field: dataclasses.Field[Any], value: Any) -> None:
    default = field.default
    if isinstance(default, bool):
        good = isinstance(value, bool)
    elif isinstance(default, int):
        good = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(default, float):
        good = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif isinstance(default, str):
        good = isinstance(value, str)
    elif field.name == "origins":
        good = value is None or callable(value) or isinstance(value, (str, tuple))
    elif field.name in ("authorization", "identity"):
        good = value is None or callable(value)
    else:
        good = True
    if not good:
        special = {"authorization": "a callable", "identity": "a callable", "origins": "text, list or callable"}
        wanted = special.get(field.name, type(default).__name__)
        raise ConfigError(f"{field.name} must be {wanted}, not {type(value).__name__}")


def _check_range(field: dataclasses.Field[Any], value: Any) -> None:
    low, high = field.metadata["low"], field.metadata["high"]
    if low is not None and not low <= value <= high:
        raise ConfigError(f"{field.name} is {value}; it must be from {low} to {high}")


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigError(f"trusted_proxies holds {text[:60]!r}; it takes addresses and networks, such as 10.0.0.1 or 10.0.0.0/8") from None


def _parse_bool(name: str, raw: str) -> bool:
    if raw.lower() in ("1", "true", "yes", "on"):
        return True
    if raw.lower() in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name} must be true or false, not {raw[:40]!r}")


def _unknown(name: str, known: set[str], kind: str = "setting") -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "known are " + ", ".join(sorted(known))
    return f"unknown {kind} {name[:40]!r}; {hint}"


def _warn(text: str) -> None:
    """Warn at the line of the application, however many calls of ours are between."""
    package, level = __name__.partition(".")[0] + ".", 1
    while (frame := sys._getframe(level)).f_back is not None and str(frame.f_globals.get("__name__")).startswith(package):
        level += 1
    warnings.warn(text, stacklevel=level + 1)
