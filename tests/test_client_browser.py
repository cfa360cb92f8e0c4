"""The minified client in headless Chromium holds the scripted conversation over each transport, with our server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import chromium, wait_until
from conversation import our_server
from test_conversation import FROM_NODE

SCRIPT = (Path(__file__).parent / "node/conversation_script.mjs").read_text()
#: A page of the server's own origin, with the client in it, holds the conversation; its transcript or what went wrong.
HOLD = """
var [script, mode, done] = arguments, tag = document.createElement('script');
tag.src = '/socket.io/anywire.min.js';
tag.onload = async function () {
  try {
    var { default: converse } = await import(URL.createObjectURL(new Blob([script], { type: 'text/javascript' }))), said = [];
    await converse({ io: io, url: location.origin, mode: mode, bytes: function (list) { return new Uint8Array(list); },
      tell: function (line) { said.push(line); } });
    done(said);
  } catch (error) { done(String(error && error.stack || error)); }
};
document.body.appendChild(tag);
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        driver.set_script_timeout(40)
        yield driver


@pytest.mark.parametrize("mode", ["websocket", "polling", "jsonp", "htmlfile", "upgrade"])
def test_the_conversation_in_chromium_over(mode: str, browser: Any, run: Callable[..., Any]) -> None:
    def hold(port: int) -> Any:
        browser.get(f"http://127.0.0.1:{port}/socket.io/anywire.js")
        # Nothing holds this page's load back, but get() does not wait for it.
        wait_until(lambda: browser.execute_script("return location.port + document.readyState") == f"{port}complete")
        said = browser.execute_async_script(HOLD, SCRIPT, mode)
        # Goodbyes are still on their way; what then is left is the stream of the one socket that stays connected.
        furniture = "return document.querySelectorAll('iframe, form').length"
        wait_until(lambda: browser.execute_script(furniture) == (mode == "htmlfile"))
        browser.get("about:blank")
        return said

    async def main() -> None:
        async with our_server() as port:
            said = await asyncio.to_thread(hold, port)
        assert isinstance(said, list), said
        assert dict(said) == {"transport": "websocket" if mode == "upgrade" else mode, **FROM_NODE}

    run(main())
