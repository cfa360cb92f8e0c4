"""Transports by their names, opened with a server's settings."""

from __future__ import annotations

from collections.abc import Mapping

from ..transports.base import Exchange, HttpProfile, Transport, TransportDelegate, TransportOptions
from .config import Config
from .protocols.base import Protocol

__all__ = ["Carriers"]


class Carriers:
    """Opens carriers for sessions; ``transports`` are all there are, by name."""

    def __init__(self, config: Config, transports: Mapping[str, type[Transport]]) -> None:
        self._config = config
        self._transports = transports
        self._options: dict[HttpProfile, TransportOptions] = {}

    def open(self, name: str, exchange: Exchange, delegate: TransportDelegate, protocol: Protocol) -> Transport:
        """Attach a transport to its first request. Raises :class:`Refused` before anything is answered."""
        return self._transports[name].open(exchange, delegate, self._options_for(protocol))

    def upgrades_of(self, name: str, protocol: Protocol) -> tuple[str, ...]:
        """Names of the transports that a session which begins over ``name`` may move on to."""
        # A stream has nothing to gain from an upgrade, and its end could not be told in order.
        if not self._config.allow_upgrades or self._transports[name].streaming:
            return ()
        return tuple(upgrade for upgrade in protocol.upgrades if upgrade in self._config.transports)

    def _options_for(self, protocol: Protocol) -> TransportOptions:
        options = self._options.get(protocol.profile)
        if options is None:
            config = self._config
            options = self._options[protocol.profile] = TransportOptions(
                profile=protocol.profile,
                max_message=config.max_payload,
                high_water=config.max_socket_backlog,
                send_timeout=config.send_timeout,
                control_rate=config.control_rate,
                deflate=config.per_message_deflate,
                deflate_threshold=config.per_message_deflate_threshold,
                body_timeout=config.body_timeout,
                compression=config.compression,
                compression_threshold=config.compression_threshold,
            )
        return options
