"""Headless Chromium through selenium."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(width: int = 1366, height: int = 768) -> Iterator[Any]:
    """A browser window of that size; ended, whatever happens."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--window-size={width},{height}"):
        options.add_argument(flag)
    # A page that starts a stream early may never be "loaded".
    options.page_load_strategy = "none"
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_window_size(width, height)
    try:
        yield driver
    finally:
        driver.quit()


def wait_until(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """Poll ``condition`` until it is true; its value. Fails with what it last was."""
    deadline = time.monotonic() + seconds
    # A busy machine may let a process stand still for seconds; then the browser has yet to do what it was late for.
    late = 0
    while late < 20:
        value = condition()
        if value:
            return value
        late += time.monotonic() > deadline
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} seconds: last was {value!r}")
