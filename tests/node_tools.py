"""Runs the Node programs of ``tests/node``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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
async def node_server(script: str, *args: str) -> AsyncIterator[Any]:
    """Run a server that prints its port (or several, as a list in JSON) first and ends when its standard input does."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("node", script, *args, cwd=NODE, stdin=pipe, stdout=pipe)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
