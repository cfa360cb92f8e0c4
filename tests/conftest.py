"""Fixtures that several suites share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long one example takes says more about what else the machine does than about the code; each test has its limit.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


class RootIsThePackage:
    """The repository's root has the ``__init__.py`` of the package under test, not of a package of tests.

    pytest would import it a second time, under the folder's name, which also need not be one that Python can import.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        return pytest.Dir.from_parent(parent, path=path) if path == parent.config.rootpath else None


def pytest_configure(config: pytest.Config) -> None:
    # A hook of this file itself is not asked about folders above it.
    config.pluginmanager.register(RootIsThePackage())


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
