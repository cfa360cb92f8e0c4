"""Leaving and coming back: what was on its way when the server ended a namespace, and who it is that comes again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from api_tools import serving, until
from http_tools import RawClient, text
from server_tools import TRANSPORTS, Peer
from test_wire_engineio3 import connect_websocket

HTTP = [name for name in TRANSPORTS if name not in ("websocket", "htmlfile")]


def rooms_of(*namespaces: str) -> Callable[[anywire.Server], Any]:
    """Namespaces that let everyone in, with an event that is answered."""

    def setup(sio: anywire.Server) -> None:
        for namespace in namespaces:
            sio.on("connect", lambda sid, environ: None, namespace=namespace)
            sio.on("hi", lambda sid: "hello", namespace=namespace)

    return setup


class Goodbyes:
    """Disconnect handlers of a namespace, which wait for ``end``; ``gone`` are the clients whose handler has ended."""

    def __init__(self, sio: anywire.Server, namespace: str = "/") -> None:
        self.gone: list[str] = []
        self.end = asyncio.Event()
        sio.on("disconnect", self._say, namespace=namespace)

    async def _say(self, sid: str, reason: str) -> None:
        await self.end.wait()
        self.gone.append(sid)


async def joined(peer: Peer, namespace: str) -> str:
    """Join and return the client's id."""
    await peer.send("40" + namespace)
    answer = await peer.receive()
    return str(json.loads(answer[answer.index("{") :])["sid"])


# -- on its way when the server says goodbye ----------------------------------------------------------------------------


@pytest.mark.parametrize("late", ['42["hi"]', '431["an answer"]', "41"], ids=["event", "acknowledgement", "goodbye"])
@pytest.mark.parametrize("transport", HTTP)
def test_what_a_kicked_client_says_before_it_hears_so_costs_it_nothing(transport: str, late: str, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/", "/other")) as sio, Peer(sio.port, transport) as peer:
            sid = await joined(peer, "")
            await joined(peer, "/other,")
            sio.emit("bye", "you are banned", to=sid)
            sio.disconnect(sid)
            await peer.send(late)
            assert [await peer.receive(), await peer.receive()] == ['42["bye","you are banned"]', "41"]
            await peer.send('42/other,7["hi"]')
            assert await peer.receive() == '43/other,7["hello"]'
            # It may come back, and is heard then.
            await joined(peer, "")
            await peer.send('428["hi"]')
            assert await peer.receive() == '438["hello"]'

    run(main())


def test_what_a_client_says_while_its_session_ends_costs_it_no_last_word(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/")) as sio, Peer(sio.port, "polling") as peer:
            sid = await joined(peer, "")
            sio.emit("bye", to=sid)
            sio.disconnect(sid, close=True)
            await peer.send('42["hi"]')
            assert [await peer.receive(), await peer.receive()] == ['42["bye"]', "41"]

    run(main())


def test_what_a_client_says_before_it_hears_that_it_was_refused_costs_it_nothing(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/")) as sio, Peer(sio.port, "websocket") as peer:
            sio.on("connect", lambda sid, environ: False, namespace="/closed")
            await joined(peer, "")
            await peer.send("40/closed,")
            await peer.send('42/closed,["hi"]')
            await peer.send('427["hi"]')
            assert await peer.receive() == '44/closed,{"message":"Connection rejected by server"}'
            assert await peer.receive() == '437["hello"]'

    run(main())


def test_an_event_for_what_was_left_or_never_joined_is_still_an_error(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/", "/other")) as sio:
            for before in ([], ["40/other,", "41/other,"]):
                async with Peer(sio.port, "websocket") as peer:
                    await joined(peer, "")
                    for packet in before:
                        await peer.send(packet)
                        if packet.startswith("40"):
                            await peer.receive()
                    await peer.send('42/other,["hi"]')
                    first, payload = await peer.listening.frame()
                    assert (first, payload[:2]) == (0x88, b"\x03\xea")

    run(main())


# -- again --------------------------------------------------------------------------------------------------------------


def test_to_disconnect_a_client_twice_does_not_reach_the_one_that_came_after_it(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/")) as sio, Peer(sio.port, "websocket") as peer:
            goodbyes = Goodbyes(sio)
            old = await joined(peer, "")
            sio.disconnect(old)
            assert await peer.receive() == "41"
            new = await joined(peer, "")
            sio.disconnect(old)
            sio.disconnect(old, close=True)
            sio.disconnect_sockets(to=old)
            await peer.send('421["hi"]')
            assert await peer.receive() == '431["hello"]'
            goodbyes.end.set()
            await until(lambda: goodbyes.gone == [old])
            assert [s.sid for s in await sio.fetch_sockets()] == [new]
            sio.disconnect(new)
            await until(lambda: goodbyes.gone == [old, new] and not sio._hub.namespaces)

    run(main())


def test_a_session_can_be_ended_after_its_namespace_was(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/", "/other")) as sio, Peer(sio.port, "websocket") as peer:
            goodbyes = Goodbyes(sio)
            sid = await joined(peer, "")
            await joined(peer, "/other,")
            sio.disconnect(sid)
            sio.disconnect(sid, close=True)
            assert await peer.receive() == "41"
            assert await peer.listening.frame() == (0x88, b"\x03\xe8server disconnect")
            goodbyes.end.set()

    run(main())


def test_an_older_client_that_leaves_and_comes_back_is_reached_when_its_disconnect_handler_has_ended(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/", "/chat")) as sio, RawClient(sio.port) as peer:
            goodbyes = Goodbyes(sio, "/chat")
            await connect_websocket(peer)
            for packet in ("40/chat,", "41/chat,", "40/chat,"):
                peer.send(text(packet))
            assert [await peer.frame(), await peer.frame()] == [(0x81, b"40/chat,")] * 2
            goodbyes.end.set()
            await until(lambda: goodbyes.gone)
            await sio.emit("news", namespace="/chat")
            assert await peer.frame() == (0x81, b'42/chat,["news"]')
            assert [s.sid for s in await sio.fetch_sockets(namespace="/chat")] == goodbyes.gone

    run(main())


def test_a_page_may_join_and_leave_as_often_as_it_likes_but_not_be_refused_for_ever(run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with serving(rooms_of("/", "/view")) as sio, Peer(sio.port, "websocket") as peer:
            await joined(peer, "")
            for _ in range(200):
                await joined(peer, "/view,")
                await peer.send("41/view,")
            for _ in range(64):
                await peer.send("40/nobody,")
                assert await peer.receive() == '44/nobody,{"message":"Invalid namespace"}'
            await peer.send("40/nobody,")
            first, payload = await peer.listening.frame()
            assert (first, payload[:2]) == (0x88, b"\x03\xea")

    run(main())
