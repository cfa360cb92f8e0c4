"""Runs the Node programs of ``tests/node``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

NODE = Path(__file__).parent / "node"


async def run_node(script: str, *args: str, timeout: float = 40) -> str:
    """Run a script to its end and return what it printed; its failure is an error that shows stderr."""
    process = await asyncio.create_subprocess_exec(
        "node", script, *args, cwd=NODE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{script}: {err.decode()[-2000:]} {out.decode()[-2000:]}"
    return out.decode()


@asynccontextmanager
async def node_server(script: str) -> AsyncIterator[int]:
    """Run a server that prints its port first and ends when its standard input does."""
    process = await asyncio.create_subprocess_exec("node", script, cwd=NODE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield int(await asyncio.wait_for(process.stdout.readline(), 20))
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
