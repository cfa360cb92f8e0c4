"""Fixtures that several suites share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def run() -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """Run a coroutine on a fresh loop, within 50 seconds; what it leaves behind on the loop is an error."""

    def runner(awaitable: Awaitable[Any]) -> Any:
        async def main() -> Any:
            errors: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
            result = await asyncio.wait_for(awaitable, 50)
            assert not errors, errors
            return result

        return asyncio.run(main())

    yield runner
