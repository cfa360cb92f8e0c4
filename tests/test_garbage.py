"""What has ended is freed at once: no session waits for the garbage collection."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from anywire.server.errors import CloseReason
from anywire.server.session import Session
from anywire.transports.wire import Wire
from api_tools import until
from http_tools import masked
from server_tools import Peer, serving


@pytest.mark.parametrize("end", ["dropped", "closed by the peer", "closed by the server", "broken"])
def test_a_websocket_session_that_has_ended_leaves_nothing_to_the_garbage_collection(run: Callable[..., Any], end: str) -> None:
    async def main() -> None:
        async with serving() as sio:
            gc.collect()
            gc.disable()
            try:
                async with Peer(sio.port, "websocket") as peer:
                    await peer.connect()
                    await peer.send('421["echo",1]')
                    assert [await peer.receive(), await peer.receive()] == ['42["echoed",1]', "431[1]"]
                    (session,) = sio._hub.sessions.values()
                    transport = session.transport
                    left = [weakref.ref(transport)]
                    known = {id(session), id(transport._wire)}  # type: ignore[union-attr]
                    del session, transport
                    if end == "closed by the peer":
                        peer.listening.send(masked(0x88, b"\x03\xe8"))
                    elif end == "closed by the server":
                        next(iter(sio._hub.sessions.values())).close(CloseReason.SERVER)
                    elif end == "broken":
                        peer.listening.send(b"\x81\x05hello")
                    if end != "dropped":
                        await until(lambda: not sio._hub.sessions)
                # Sooner than any time limit of the server's would free it: the shortest is five seconds.
                await until(lambda: left[0]() is None, 3)
                await until(lambda: not [found for found in gc.get_objects() if type(found) in (Session, Wire) and id(found) in known], 3)
            finally:
                gc.enable()

    run(main())
