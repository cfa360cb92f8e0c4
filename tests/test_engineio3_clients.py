"""Clients of Engine.IO 3: bare ones, their heartbeats, coming back to a server that was away, and their ids on other processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anywire
import pytest
from http_tools import RawClient, text
from node_tools import NODE, run_node
from redis_tools import RedisServer, free_port
from test_cluster import two, until

MODES = ["polling", "websocket", "upgrade"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("client", ["sio1", "sio2"])
def test_a_bare_client_is_echoed_and_lives_through_many_heartbeats(client: str, mode: str, run: Callable[..., Any]) -> None:
    # Text beyond ASCII is left out where nothing tells the server which of two encodings the client wants: 1.x with base64.
    texts = ["hello", "0:1:b4", *(["h€😀é"] if client == "sio2" or mode == "websocket" else [])]

    async def main() -> None:
        server = anywire.EngineServer(ping_interval=0.3, ping_timeout=1.5)
        gone: list[str] = []
        server.on("message", lambda sid, data: server.send(sid, data))
        server.on("disconnect", lambda sid, reason: gone.append(reason))
        await server.start()
        server.listen(0, "127.0.0.1")
        try:
            said = json.loads(await run_node("engine_client.cjs", f"http://127.0.0.1:{server.port}", mode, client, *texts))
            assert said.pop("echoes") == [*texts, "bytes 0", "bytes 1", "bytes 2"]
            assert said.pop("pongs") >= 8
            carrier = "polling" if mode == "polling" else "websocket"
            upgraded = {"upgraded": "websocket"} if mode == "upgrade" else {}
            assert said == {"transport": carrier, "closed": "forced close", **upgraded}
            assert len(gone) == 1 and gone[0] in ("client disconnect", "transport close")
        finally:
            await server.shutdown(0)

    run(main())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("client", ["sio1", "sio2"])
def test_a_client_comes_back_after_each_restart_told_in_good_time_or_not(client: str, mode: str, run: Callable[..., Any]) -> None:
    async def serve(port: int) -> anywire.Server:
        sio = anywire.Server()
        sio.on("echo", lambda sid, text: text)
        await sio.start()
        sio.listen(port, "127.0.0.1")
        return sio

    async def main() -> None:
        port = free_port()
        sio = await serve(port)
        process = await asyncio.create_subprocess_exec(
            "node", "come_back.cjs", f"http://127.0.0.1:{port}", mode, client, cwd=NODE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            assert await process.stdout.readline() == b"here\n"
            await sio.shutdown(1)
            assert (await process.stdout.readline()).startswith(b"transport ")
            sio = await serve(port)
            assert await process.stdout.readline() == b"here\n"
            await sio.shutdown(0)
            sio = await serve(port)
            assert (await process.stdout.readline()).startswith(b"transport ")
            assert await process.stdout.readline() == b"here\n"
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            await sio.shutdown(0)

    run(main())


def test_the_ids_that_clients_make_name_them_on_other_processes_too(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with RedisServer() as redis:
            async with two(redis.url) as (one, other), RawClient(other.port) as client:
                for sio in (one, other):
                    sio.on("question", lambda sid, text: text, namespace="/chat")
                await client.upgrade("/socket.io/?EIO=3&transport=websocket")
                sid = json.loads((await client.frame())[1][1:])["sid"]
                assert await client.frame() == (0x81, b"40")
                client.send(text("40/chat"))
                assert await client.frame() == (0x81, b"40/chat,")
                await one.emit("root", "é", to=sid)
                await one.emit("there", 2, to=f"/chat#{sid}", namespace="/chat")
                assert await client.frame() == (0x81, '42["root","é"]'.encode())
                assert await client.frame() == (0x81, b'42/chat,["there",2]')
                asked = asyncio.ensure_future(one.call("question", "how", to=f"/chat#{sid}", namespace="/chat", timeout=5))
                assert await client.frame() == (0x81, b'42/chat,1["question","how"]')
                client.send(text('43/chat,1["fine"]'))
                assert await asked == "fine"
                await one.enter_room(f"/chat#{sid}", "red", namespace="/chat")
                await until(lambda: "red" in other.rooms(f"/chat#{sid}", namespace="/chat"))
                await one.disconnect(f"/chat#{sid}", namespace="/chat")
                assert await client.frame() == (0x81, b"41/chat,")

    run(main())
