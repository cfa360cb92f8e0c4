"""The check page's own words in Node, for what cannot be staged, and the page in every engine."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import anywire
import pytest
from engines import ENGINES, engine
from tornado.web import Application, RequestHandler

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "server/check_page"
WAYS = ["websocket", "polling", "jsonp", "htmlfile"]


def test_the_pages_scripts_are_es3() -> None:
    script = """
        import { readFileSync } from 'node:fs';
        import { es3Faults } from './es3.mjs';
        for (const name of process.argv.slice(1)) console.log(JSON.stringify(es3Faults(readFileSync(name, 'utf8'))));
    """
    names = [str(PAGE / name) for name in ("check-words.js", "check-run.js", "check-page.js")]
    command = ["node", "--input-type=module", "-e", script, *names]
    done = subprocess.run(command, cwd=ROOT / "js_client", capture_output=True, text=True, timeout=30, check=False)
    faults = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(faults) == 3, done.stderr
    # A page, unlike the client, is sure to have these.
    assert [fault for found in faults for fault in found if not re.search("bare (document|location|navigator)$", fault)] == []


# -- what cannot be staged -----------------------------------------------------------------------------------------------


def worded(run: dict[str, Any]) -> dict[str, Any]:
    """The verdict on a run, by the page's own words in Node."""
    way = {"state": "works", "ms": 5, "trips": [3, 4, 5], "opened": True, "why": "", "notes": None}
    base: dict[str, Any] = {
        "client": True, "over": True, "online": True, "tested": True, "order": WAYS, "ways": dict.fromkeys(WAYS, way),
        "facts": {"oneProcess": True, "upgrades": True}, "host": "live.example.org", "stream": "passes", "refusal": None,
        "probe": {"state": "ok", "data": {}}, "chosen": {"name": "websocket", "trips": [3]}, "breaks": [],
    }  # fmt: skip
    run = {**base, **run, "ways": {name: {**way, **run.get("ways", {}).get(name, {})} for name in WAYS}}
    script = """
        const context = {}, fs = require('fs');
        require('vm').runInNewContext(fs.readFileSync(process.argv[1], 'utf8'), context);
        console.log(JSON.stringify(context.anywireCheck.words.verdict(JSON.parse(fs.readFileSync(0, 'utf8')))));
    """
    command = ["node", "-e", script, str(PAGE / "check-words.js")]
    done = subprocess.run(command, input=json.dumps(run), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


BLOCKED = {"state": "blocked", "opened": False, "trips": [], "late": True, "why": "silent for 8 s"}


def test_a_way_that_failed_and_then_carried_is_called_unsteady() -> None:
    assert worded({"ways": {"websocket": {**BLOCKED, "late": False, "broke": 1234}}}) == {
        "tone": "bad",
        "title": "The connection is unsteady.",
        "say": ["The client got through over WebSocket, but a moment before it did not: it breaks off after 1.2 s."],
        "hint": "Check again. If it stays so, send the report below to the help desk.",
    }


def test_where_several_processes_serve_nothing_is_said_of_where_a_request_ended() -> None:
    run = {"ways": {"websocket": BLOCKED}, "chosen": {"name": "polling", "trips": [40]}, "facts": {"oneProcess": False}}
    assert worded(run)["say"] == [
        "WebSocket is blocked between you and the server: its request gets no answer.",
        "Your session runs over long polling, which works. A message takes 40 ms to the server and back.",
    ]


def test_a_session_on_a_slower_way_while_websocket_works_is_not_called_everything() -> None:
    assert worded({"chosen": {"name": "polling", "trips": [40]}}) == {
        "tone": "good",
        "title": "Your connection works.",
        "say": [
            "Your session runs over long polling, which works. A message takes 40 ms to the server and back.",
            "WebSocket, the fastest way, works too, but this session has not moved to it.",
        ],
        "hint": "Check again: each new connection tries it anew. What the client has tried stands below, and in the report.",
    }


def test_a_client_that_does_not_find_the_way_that_works_is_a_fault_of_ours() -> None:
    verdict = worded({"ways": {"websocket": BLOCKED}, "chosen": {"name": "", "trips": []}})
    assert (verdict["title"], verdict["say"]) == (
        "The client did not find its way.",
        [
            "Long polling, script polling and the endless frame work by themselves, but the client, left to choose, did not connect. "
            "This should not be: please send the report below to the server's people."
        ],
    )


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, "server shutting down", "The server is shutting down; try again in a minute."),
        (
            429,
            '{"code":4,"message":"Too many sessions"}',
            "The server takes no more from your address for now (“Too many sessions”); wait a minute, then check again.",
        ),
        (400, '{"code":3,"message":"Bad request"}', "The server says “Bad request”."),
        (
            403,
            '{"code":4,"message":"say \\"please\\""}',
            "The server says “say \"please\"”; perhaps a log-in is missing, or the cookie that shows it.",
        ),
    ],
)
def test_the_servers_own_words_are_read_out(status: int, body: str, said: str) -> None:
    nowhere = {"chosen": {"name": "", "trips": []}, "ways": dict.fromkeys(WAYS, BLOCKED)}
    assert worded({**nowhere, "refusal": {"status": status, "body": body}})["say"] == [said]


# -- in every engine -----------------------------------------------------------------------------------------------------

#: Shows the page in a frame and hands in its report: not every engine can be asked from outside.
SHELL = """<!DOCTYPE html><title>shell</title><iframe id="frame" src="/socket.io/check" width="1000" height="700"></iframe><script>
var timer = setInterval(function () {
  var frame = document.getElementById('frame'), run = frame.contentWindow.anywireCheck && frame.contentWindow.anywireCheck.run, xhr;
  if (!run || !run.over) { return; }
  clearInterval(timer);
  xhr = new XMLHttpRequest();
  xhr.open('POST', '/report', true);
  xhr.send(frame.contentWindow.document.getElementById('report').value);
}, 50);
</script>"""


class Shelf(RequestHandler):
    """Gives the shell, takes the report."""

    def initialize(self, reports: list[str]) -> None:
        self._reports = reports

    def get(self) -> None:
        self.finish(SHELL)

    def post(self) -> None:
        self._reports.append(self.request.body.decode())


def report_from(name: str) -> list[str]:
    """The lines of the report that the page writes in an engine."""
    reports: list[str] = []

    async def main() -> None:
        sio = anywire.Server(check_page=True)
        routes = [("/shell|/report", Shelf, {"reports": reports}), (r"/socket\.io/.*", sio.router)]
        await sio.start()
        sio.listen(0, "127.0.0.1", Application(routes, log_function=lambda handler: None))
        with engine(name) as browser:
            await asyncio.to_thread(browser.open, f"http://127.0.0.1:{sio.port}/shell")
            async with asyncio.timeout(60):
                while not reports:
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(browser.open, "about:blank")
        await sio.shutdown(0)

    asyncio.run(main())
    return reports[0].split("\n")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_of_2011_to_today_runs_the_page_to_its_end(name: str) -> None:
    lines = report_from(name)
    works = r"works\. Connected in [\d.]+ m?s\. Round trips: [\d.]+(, [\d.]+){4} ms\."
    # PhantomJS 1.9.8 has a WebSocket of 2010, draft-hixie-thewebsocketprotocol-76.
    draft = re.escape("blocked. This browser speaks a draft of WebSocket from before 2011, which servers no longer do. [closed undefined]")
    wanted = [
        "Everything works." if name != "phantomjs" else "It works, by a detour.",
        rf"- WebSocket \(websocket\): {works if name != 'phantomjs' else draft}",
        rf"- Long polling \(polling\): {works}",
        rf"- Script polling \(jsonp\): {works}",
        rf"- The endless frame \(htmlfile\): {works}",
        f"What the client chose by itself: {'WebSocket' if name != 'phantomjs' else 'long polling'}",
        "- Streaming: Nothing on the way holds answers back.",
        r"- Browser: (Chromium|Firefox|A browser with WebKit|PhantomJS)( [\d.]+)? on Linux",
    ]
    for pattern in wanted:
        assert any(re.fullmatch(pattern, line) for line in lines), (pattern, lines)
