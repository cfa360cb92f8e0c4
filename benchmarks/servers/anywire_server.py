"""The benchmarks' server on anywire. Prints its port.

``echo`` sends its data back, ``ask`` acknowledges with it, ``news`` broadcasts, ``collect`` frees what can be freed.
"""

import asyncio
import gc
from typing import Any

import anywire

sio = anywire.Server(ping_interval=300)


@sio.event
async def echo(sid: str, data: Any) -> None:
    await sio.emit("echo", data, to=sid)


@sio.event
async def ask(sid: str, data: Any) -> Any:
    return data


@sio.event
async def news(sid: str, number: int) -> None:
    await sio.emit("news", {"number": number, "text": "x" * 60})


@sio.event
async def collect(sid: str) -> None:
    gc.collect()
    await sio.emit("collected", to=sid)


async def main() -> None:
    await sio.start()
    sio.listen(0, "127.0.0.1")
    print(sio.port, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
