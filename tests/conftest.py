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


#: Files whose pages in browsers have to say something within a time: never two of them at a time.
BROWSERS = {
    f"tests/test_{name}.py"
    for name in (
        "browser_client_page", "check_page", "check_words", "client_browser", "client_contract", "client_files", "client_manners",
        "clients_in_chromium", "demo", "docs", "engines", "faults", "socketio09_client",
    )
}  # fmt: skip


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Side by side, each process takes a file at a time: its tests share browsers and servers. BROWSERS are one file in this."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "browsers" if file in BROWSERS else file

    # The order of the files stays: the browsers, which take longest, come early.
    config.option.loadscopereorder = False
    return Scheduling(config, log)


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
