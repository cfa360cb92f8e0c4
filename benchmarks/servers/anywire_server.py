"""The benchmark's server on anywire: ``echo`` answers its sender, ``blast N`` broadcasts N times. Prints its port."""

import asyncio

import anywire

sio = anywire.Server()


@sio.event
async def echo(sid: str, text: str) -> None:
    await sio.emit("echo", text, to=sid)


@sio.event
async def blast(sid: str, count: int) -> None:
    for number in range(count):
        await sio.emit("news", {"number": number, "text": "x" * 60})


async def main() -> None:
    await sio.start()
    sio.listen(0, "127.0.0.1")
    print(sio.port, flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
