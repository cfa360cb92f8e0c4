"""Acknowledgements: asks clients of this process and of others, and gathers what they answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from .cluster import Cluster, LocalOperations
from .errors import BadNamespaceError
from .events import Event
from .hub import Hub, Socket, node_of
from .outgoing import Outgoing
from .protocols.base import Protocol
from .tasks import FAILURES, Runner

__all__ = ["Asker"]

log = logging.getLogger("anywire.server")

#: Seconds that the callback of an emit waits for acknowledgements, from clients of this process and of others.
CALLBACK_PATIENCE, CALLBACK_PATIENCE_ELSEWHERE = 3600.0, 60.0

#: The arguments of one client's acknowledgement; None: it left before.
Values = tuple[Any, ...] | None


class Asker:
    """``protocol`` is the dialect in which an event must be possible to encode; ``background`` starts a task of its own."""

    def __init__(
        self,
        hub: Hub,
        cluster: Cluster,
        local: LocalOperations,
        protocol: Protocol,
        runner: Runner,
        background: Callable[..., Any],
    ) -> None:
        self._hub = hub
        self._cluster = cluster
        self._local = local
        self._protocol = protocol
        self._runner = runner
        self._background = background

    async def gather(
        self, packet: Event, rooms: list[str] | None, timeout: float, single: bool, local: bool
    ) -> tuple[list[tuple[str, Values]], bool]:
        """Ask one client (``single``) or all of ``rooms``: the answers by sid, and whether all came within ``timeout`` seconds.

        ``local`` keeps it to this process. Raises BadNamespaceError for a single client that is nowhere, PayloadError before anyone is
        asked.
        """
        outgoing = Outgoing(packet)
        outgoing.messages(self._protocol, True)  # as for an emit
        sockets = self._hub.select(packet.namespace, rooms)
        if single:
            sockets = sockets[:1]
        if self._local.refuses_binary:
            self._local.check(sockets, outgoing)
        with self._cluster.asking() as (id_, gathered):
            body = {
                "namespace": packet.namespace, "event": packet.name, "args": list(packet.args), "rooms": rooms, "skip_sids": [],
                "skip_rooms": [], "volatile": False, "ack": id_, "timeout": float(timeout),
            }  # fmt: skip
            ends = asyncio.get_running_loop().time() + timeout
            gathered.clients = len(sockets)
            for socket in sockets:
                self._local.ask(socket, packet, timeout, lambda values, sid=socket.sid: gathered.answer((sid, values)))  # type: ignore[misc]
            if single and not sockets and rooms:
                node = node_of(rooms[0])
                if local or node in (None, self._hub.node) or not await self._cluster.ask_home(node or "", timeout, body):
                    raise BadNamespaceError(f"{rooms[0]!r} is not connected to namespace {packet.namespace!r}")
            elif not single and not local and not self._cluster.alone:
                await self._cluster.ask_others("emit", gathered, timeout, body)
            else:
                gathered.expect(-1, 0)
            complete = await self._cluster.answers(gathered, ends - asyncio.get_running_loop().time())
            return gathered.answers, complete

    def ask(self, packet: Event, sockets: list[Socket], volatile: bool, callback: Callable[..., Any], body: dict[str, Any]) -> None:
        """Call ``callback`` with the arguments of each acknowledgement. Local clients are asked now; others, if there is a ``body`` for
        them, by a task."""

        def answered(values: Values) -> None:
            if values is None:
                return
            context = copy_context()
            try:
                result = context.run(callback, *values)
            except FAILURES:
                log.exception("! an acknowledgement's callback failed")
            else:
                if isinstance(result, Coroutine):
                    context.run(self._runner.run, result, _log_callback)

        for socket in sockets:
            self._local.ask(socket, packet, CALLBACK_PATIENCE, answered, volatile)
        if body and not (sockets and body["rooms"] == [sockets[0].sid]):
            self._background(self._ask_others, body, answered)

    async def _ask_others(self, body: dict[str, Any], answered: Callable[[Values], None]) -> None:
        with self._cluster.asking() as (id_, gathered):
            gathered.take = lambda answer: answered(answer[1])
            asked = {**body, "ack": id_, "timeout": CALLBACK_PATIENCE_ELSEWHERE}
            await self._cluster.ask_others("emit", gathered, CALLBACK_PATIENCE_ELSEWHERE, asked)
            await self._cluster.answers(gathered, CALLBACK_PATIENCE_ELSEWHERE)


def _log_callback(result: Any, error: BaseException | None) -> None:
    if error is not None:
        log.error("! an acknowledgement's callback failed", exc_info=error)
