"""What the page of the setting ``check_page`` asks of its server: an echo, and what of its requests has arrived here.

Nothing of it reaches the application: the echo is a namespace of the server's own, beside those of the handlers.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from importlib import metadata
from typing import Any

import orjson

from ..transports.base import Exchange
from .config import Config
from .namespace import Namespace

__all__ = ["CheckPage", "Echo"]

#: Seconds between the two parts of the streamed answer: far more than a way's delay varies, and not long to wait.
PART_GAP = 0.8
#: Bytes of the first part: browsers show a streamed text after 1,024 at the latest.
PART_SIZE = 2048
#: Checks that are remembered, and handshakes of each.
MAX_CHECKS, MAX_NOTES = 500, 16
#: How a check is named in the query of each of its handshakes: ``check=<name>``.
_NAME = re.compile(r"(?:^|&)check=([a-z0-9]{6,40})(?:&|$)")
#: Headers that proxies add.
_PROXY_HEADERS = ("Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "CF-Ray", "X-Varnish")
_HEADERS = [("Cache-Control", "no-store, no-transform"), ("X-Content-Type-Options", "nosniff")]


class Echo(Namespace):
    """Answers what it is sent, by acknowledgement."""

    def __init__(self) -> None:
        super().__init__("/anywire-check")

    def on_echo(self, sid: str, *args: Any) -> tuple[Any, ...]:
        return args


class CheckPage:
    """The answers that are not files: ``check.json``, what the server sees of the browser, and ``check.stream``, an answer in two parts."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._notes: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()

    def facts(self) -> bytes:
        """What the page must know of the settings even if nothing connects, as a script."""
        config = self._config
        facts = {
            "version": metadata.version("anywire"),
            "path": config.path,
            "namespace": Echo().namespace,
            "transports": config.transports,
            "upgrades": config.allow_upgrades,
            "oneProcess": config.store == "memory",
        }
        return b"var anywireFacts = " + orjson.dumps(facts) + b";\n"

    def has(self, tail: str) -> bool:
        """Whether ``tail`` (what follows the path) is answered here."""
        return tail in ("check.json", "check.stream")

    def answer(self, exchange: Exchange, tail: str) -> None:
        """Answer GET; 405 for others."""
        if exchange.method != "GET":
            exchange.respond(405, b"", headers=[("Allow", "GET")])
        elif tail == "check.json":
            exchange.respond(200, orjson.dumps(self._seen(exchange)), "application/json", _HEADERS)
        else:
            _stream(exchange)

    def _seen(self, exchange: Exchange) -> dict[str, Any]:
        found = _NAME.search(exchange.query)
        return {
            "address": exchange.peer[0],
            "secure": exchange.secure,
            "http": getattr(exchange.native, "version", ""),
            "host": exchange.headers.get("Host", "")[:200],
            "proxy": {name: exchange.headers[name][:200] for name in _PROXY_HEADERS if name in exchange.headers},
            "time": round(time.time() * 1000),
            "handshakes": self._notes.get(found[1], []) if found else [],
        }

    def note(self, exchange: Exchange, transport: str) -> dict[str, Any] | None:
        """Remember that a handshake of a check has arrived; a refusal may be added to what is returned. None for requests of others."""
        found = _NAME.search(exchange.query)
        notes = self._notes.setdefault(found[1], []) if found else None
        if notes is None or len(notes) >= MAX_NOTES:
            return None
        if len(self._notes) > MAX_CHECKS:
            self._notes.popitem(last=False)
        notes.append({"transport": transport, "method": exchange.method, "upgrade": exchange.wants_upgrade, "refusal": ""})
        return notes[-1]


def _stream(exchange: Exchange) -> None:
    """An answer whose second part follows PART_GAP seconds after the first: a way that does not hold answers back shows them apart."""

    def end() -> None:
        exchange.write(b"two")
        exchange.finish()

    exchange.stream(200, "text/html; charset=utf-8", [*_HEADERS, ("X-Accel-Buffering", "no")])
    exchange.write(b"one".ljust(PART_SIZE))
    timer = asyncio.get_running_loop().call_later(PART_GAP, end)
    exchange.on_close = timer.cancel
