"""What is left of Internet Explorer 6 to 8: its JScript in Wine, and its pages as HtmlUnit plays them. ``make test-legacy`` installs them.

JScript 5.8 in Wine has the language's gaps (no JSON, no indexOf, ``"abc"[0]`` undefined, ``[1,].length == 2``) and real requests by
ActiveX, but no page. HtmlUnit has the page, without XMLHttpRequest as 6 and with it as 8, but a newer language. Neither has ActiveX
documents.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from engines import Launched
from stage import DIST, HERE, PATIENT, Case, Report, Stage

LEGACY = HERE / "legacy"
JAR = LEGACY / "node_modules/selenium-server/lib/runner/selenium-server-standalone-2.35.0.jar"
#: No killed connections: Wine's requests never say that theirs was.
STEPS = ("echo", "ask", "unicode", "nasty", "halves", "count", "collect", "large", "binary")
#: One thing at a time: HtmlUnit's script stands still while a poll waits.
SLOW_STEPS = ("echo", "ask", "unicode", "halves", "large", "binary")
SAID = {
    "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
    "ask": ["how!"],
    "unicode": True,
    "nasty": [],
    "halves": ["a?b?c", "next"],
    "count": 200,
    "collect": 200,
    "large": 50_000,
    "binary": "none",
}


def need(there: object, name: str) -> None:
    if not there:
        pytest.skip(f"NOT TESTED: {name} is not there; make test-legacy")


def ascii_only(source: str) -> bytes:
    """JavaScript with its other characters as escapes: Windows Script Host reads files by the code page of the day."""
    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found[0])[1:-1], source).encode("ascii")


class Scripts:
    """A browser without pages: runs cases as scripts of Windows Script Host, in Wine."""

    def __init__(self, stage: Stage, place: Path) -> None:
        self._stage, self._place = stage, place
        self._environ = {**os.environ, "WINEPREFIX": str(place / "wine"), "WINEDEBUG": "-all"}
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Make Wine's drive, which takes some seconds."""
        subprocess.run(["wineboot", "--init"], env=self._environ, check=True, timeout=90, capture_output=True)

    def open(self, url: str) -> None:
        for number, name in enumerate(parse_qs(urlsplit(url).query)["name"]):
            files = [LEGACY / "cscript.js", DIST / "anywire.min.js", HERE / "browser/conversation.js"]
            origin = f'var ORIGIN = "{self._stage.proxies[name].url}", SLEEP = "http://127.0.0.1:{self._stage.port}/sleep";'
            source = [origin, self._stage.script_of(name), *(file.read_text() for file in files), "loop(CASE.seconds);"]
            # An error says nothing and ends with 0, unless it is caught. A path that begins with a slash would be a switch.
            text = ["try {", *source, "} catch (error) { WScript.Echo(error.name + ': ' + error.message); }"]
            (self._place / f"{number}.js").write_bytes(ascii_only("\n".join(text)))
            command = ["wine", "cscript.exe", "//nologo", f"{number}.js"]
            self._processes.append(
                subprocess.Popen(command, cwd=self._place, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            )

    def said(self) -> str:
        return "; ".join(process.communicate(timeout=5)[0].decode(errors="replace")[-500:] for process in self._processes)

    def close(self) -> None:
        subprocess.run(["wineserver", "--kill"], env=self._environ, timeout=20, check=False)
        for process in self._processes:
            process.kill()
            process.communicate(timeout=10)


class Pages:
    """HtmlUnit as a version of Internet Explorer: a process for each case, because a stream in one frame holds up all others."""

    def __init__(self, stage: Stage, version: str) -> None:
        self._stage = stage
        self._command = ["java", "-cp", str(JAR), str(LEGACY / "Play.java"), f"INTERNET_EXPLORER_{version}"]
        self._launched: list[Launched] = []

    def open(self, url: str) -> None:
        for name in parse_qs(urlsplit(url).query)["name"]:
            self._launched.append(Launched(self._command, os.environ))
            self._launched[-1].open(self._stage.page_of(name))

    def said(self) -> str:
        return "; ".join(launched.said() for launched in self._launched)

    def close(self) -> None:
        for launched in self._launched:
            launched.end()


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Report]]:
    need(shutil.which("wine"), "Wine")
    with Stage() as stage:
        wine = Scripts(stage, tmp_path_factory.mktemp("wsh"))
        try:
            wine.start()
            # Where polling is slow the next ones are tried beside it, and JScript alone has no document for them.
            options: dict[str, dict[str, Any]] = {"chosen": PATIENT, **{name: {"transports": [name]} for name in ("polling", "websocket")}}
            cases = [Case(name, options=some, steps=STEPS, seconds=30, fails=True) for name, some in options.items()]
            yield stage.play(wine, cases)
        finally:
            wine.close()


@pytest.mark.timeout(150)
@pytest.mark.parametrize("name", ["chosen", "polling"])
def test_the_minified_client_holds_the_conversation_in_jscript(scripts: dict[str, Report], name: str) -> None:
    report = scripts[name]
    assert report["errors"] == [], report
    assert report["said"] == SAID
    assert report["transport"] == "polling"


@pytest.mark.timeout(150)
def test_a_transport_that_jscript_lacks_is_told_as_impossible(scripts: dict[str, Report]) -> None:
    (error,) = scripts["websocket"]["errors"]
    assert error.startswith("websocket: impossible")


@pytest.fixture(scope="module", params=["6", "8"])
def pages(request: pytest.FixtureRequest) -> Iterator[dict[str, Report]]:
    need(shutil.which("javac"), "a Java compiler")
    need(JAR.exists(), "HtmlUnit")
    with Stage() as stage:
        browser = Pages(stage, request.param)
        try:
            # Streams are beyond it.
            names = {"chosen": ["websocket", "polling", "jsonp"], "polling": ["polling"], "jsonp": ["jsonp"]}
            cases = [
                Case(name, options={"transports": transports, **PATIENT}, steps=SLOW_STEPS, without=MODERN, seconds=40)
                for name, transports in names.items()
            ]
            yield stage.play(browser, cases)
        finally:
            browser.close()


#: What HtmlUnit's language has and Internet Explorer had not.
MODERN = ("JSON", "Uint8Array", "WebSocket")


@pytest.mark.timeout(150)
@pytest.mark.parametrize(("name", "transport"), [("chosen", "polling"), ("polling", "polling"), ("jsonp", "jsonp")])
def test_the_client_holds_the_conversation_in_a_page_of_internet_explorer(pages: dict[str, Report], name: str, transport: str) -> None:
    report = pages[name]
    assert report["errors"] == [], report
    assert report["said"] == {step: SAID[step] for step in SLOW_STEPS}
    assert report["transport"] == transport
