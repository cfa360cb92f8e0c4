"""What the talk remembers, and what its server answers to clients that do not come from its own pages."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import socketio  # type: ignore[import-untyped]
from anywire.server.demo.app import STATIC, _inline, _listing, build
from anywire.server.demo.deck import DECK
from anywire.server.demo.state import ChatLog, Poll, RateLimit, clean
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

ROOT = Path(__file__).parent.parent
Run = Callable[[Awaitable[Any]], Any]


class Clock:
    """A clock that stands until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def filled(count: int, limit: int = 1000) -> ChatLog:
    log = ChatLog(limit)
    for number in range(1, count + 1):
        log.add("viewer", "Ana", f"text {number}", f"key {number}", 1700000000.0)
    return log


def ids(page: tuple[list[Any], bool]) -> tuple[list[int], bool]:
    return [message.id for message in page[0]], page[1]


def test_the_newest_page_has_30_messages_and_says_that_there_are_more() -> None:
    assert ids(filled(70).page()) == (list(range(41, 71)), True)
    assert ids(filled(30).page()) == (list(range(1, 31)), False)
    assert ids(filled(0).page()) == ([], False)


def test_older_pages_follow_without_gap_or_overlap_down_to_the_first_message() -> None:
    log = filled(70)
    assert ids(log.page(before=41)) == (list(range(11, 41)), True)
    assert ids(log.page(before=11)) == (list(range(1, 11)), False)
    assert ids(log.page(before=1)) == ([], False)


@pytest.mark.parametrize("before", [-5, 0, 10**30])
def test_a_page_before_an_impossible_id_is_no_error(before: int) -> None:
    assert len(filled(70).page(before)[0]) in (0, 30)


def test_only_the_last_messages_are_kept_and_their_ids_go_on() -> None:
    log = filled(25, limit=10)
    assert ids(log.page()) == (list(range(16, 26)), False)
    assert ids(log.page(before=20)) == ([16, 17, 18, 19], False)


def test_a_message_sent_again_with_its_key_is_kept_once_but_another_viewer_may_use_the_same_key() -> None:
    log = ChatLog()
    first, new = log.add("ana", "Ana", "hello", "k1", 1.0)
    again, new_again = log.add("ana", "Ana", "hello", "k1", 2.0)
    other, new_other = log.add("ben", "Ben", "hello", "k1", 3.0)
    assert (new, new_again, new_other) == (True, False, True)
    assert again is first and other.id == 2


def test_messages_without_a_key_are_all_kept() -> None:
    log = ChatLog(limit=3)
    assert [log.add("ana", "Ana", "x", "", 1.0)[1] for _ in range(5)] == [True] * 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  two\n\tlines \x00\x1b[31m ", "two lines [31m"),
        ("x" * 50, "x" * 10),
        ("\u202eevil", "evil"),
        (None, ""),
        (7, ""),
        ({"a": 1}, ""),
        ("   \n ", ""),
    ],
)
def test_texts_become_one_printable_line_of_limited_length(value: Any, expected: str) -> None:
    assert clean(value, 10 if value == "x" * 50 else 40) == expected


def test_each_viewer_has_one_vote_and_may_change_it_while_the_poll_is_open() -> None:
    poll = Poll("title", 3)
    assert poll.vote("ana", 1) == "this poll is closed"
    poll.open = True
    assert [poll.vote("ana", 1), poll.vote("ben", 1), poll.vote("ana", 2)] == ["", "", ""]
    assert poll.as_json() == {"slide": "title", "open": True, "round": 0, "counts": [0, 1, 1]}


@pytest.mark.parametrize("option", [-1, 3, "1", None, True, 1.0, [1]])
def test_a_vote_for_what_is_no_option_does_not_count(option: Any) -> None:
    poll = Poll("title", 3, open=True)
    assert poll.vote("ana", option) == "there is no such option"
    assert poll.votes == {}


def test_a_rate_limit_allows_a_burst_then_its_rate_and_knows_names_apart() -> None:
    clock = Clock()
    limit = RateLimit(1.0, 3, clock)
    assert [limit.allows("ana") for _ in range(4)] == [True, True, True, False]
    assert limit.allows("ben")
    clock.now += 1.0
    assert [limit.allows("ana") for _ in range(2)] == [True, False]


def test_texts_of_slides_are_escaped_before_their_marks_are_read() -> None:
    assert _inline("`<b>` **&** <i>") == "<code>&lt;b&gt;</code> <strong>&amp;</strong> &lt;i&gt;"
    assert _listing('x = "<a>"  # <b>') == (
        'x = <span class="string">&quot;&lt;a&gt;&quot;</span>  <span class="comment"># &lt;b&gt;</span>'
    )


def test_every_slide_has_a_name_of_its_own_that_is_good_in_html_and_notes_for_the_speaker() -> None:
    assert len({slide.id for slide in DECK}) == len(DECK) >= 12
    assert all(slide.id.isalpha() and slide.notes for slide in DECK)


def test_the_scripts_run_in_browsers_of_2001(run: Run) -> None:
    async def check() -> None:
        scripts = sorted(STATIC.glob("*.js"))
        assert len(scripts) == 5
        program = "import fs from 'fs'; import { es3Faults } from './es3.mjs'; const [, ...files] = process.argv;" + (
            "console.log(JSON.stringify(files.flatMap(file => es3Faults(fs.readFileSync(file, 'utf8')))))"
        )
        process = await asyncio.create_subprocess_exec(
            "node", "--input-type=module", "-e", program, *map(str, scripts), cwd=ROOT / "js_client", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        # A page's own script may take the page for granted; the client may not.
        assert [fault for fault in json.loads(out) if not re.search(r"bare (document|location)$", fault)] == []

    run(check())


# -- the server -----------------------------------------------------------------------------------------------------------


class Served:
    """A demo on a free port, and python-socketio's client for it."""

    async def __aenter__(self) -> Served:
        self.demo = build()
        self.url = await self.demo.serve(port=0)
        self.clients: list[Any] = []
        return self

    async def __aexit__(self, *_: Any) -> None:
        for client in self.clients:
            await client.disconnect()
        await self.demo.sio.shutdown(1)

    async def client(self, *namespaces: str, auth: Any = None) -> Any:
        client = socketio.AsyncClient(reconnection=False)
        self.clients.append(client)
        await client.connect(self.url, namespaces=list(namespaces or ["/"]), auth=auth)
        return client


@pytest.mark.parametrize("auth", [None, {}, {"token": None}, {"token": ""}, {"token": "é"}, {"token": ["x"]}, {"token": "wrong"}])
def test_without_the_token_nobody_becomes_speaker(run: Run, auth: Any) -> None:
    async def check() -> None:
        async with Served() as served:
            client = socketio.AsyncClient(reconnection=False)
            refused: list[Any] = []
            client.on("connect_error", refused.append, namespace="/speaker")
            with pytest.raises(socketio.exceptions.ConnectionError):
                await client.connect(served.url, namespaces=["/speaker"], auth=auth)
            assert refused == [{"message": "That is not the speaker's token."}]

    run(check())


@pytest.mark.parametrize("data", [None, {}, [], "x", 7, {"slide": []}, {"slide": "nowhere", "option": 0}, {"before": "1"}, {"text": 5}])
@pytest.mark.parametrize("event", ["chat", "vote", "history"])
def test_malformed_requests_of_viewers_are_answered_with_an_error(run: Run, event: str, data: Any) -> None:
    async def check() -> None:
        async with Served() as served:
            answer = await (await served.client()).call(event, data, timeout=5)
            assert list(answer) == ["error"] and answer["error"]

    run(check())


def test_malformed_requests_of_the_speaker_change_nothing(run: Run) -> None:
    async def check() -> None:
        async with Served() as served:
            client = await served.client("/", "/speaker", auth={"token": served.demo.token})
            for data in (None, {}, {"index": -1}, {"index": len(DECK)}, {"index": True}, {"index": "1"}):
                assert "error" in await client.call("go", data, namespace="/speaker", timeout=5)
            for data in (None, {"slide": "title"}, {"slide": "events", "open": True}, {"slide": "title", "open": 1}):
                assert "error" in await client.call("poll", data, namespace="/speaker", timeout=5)
            state = await client.call("join", timeout=5)
            assert state["slide"] == 0 and not any(poll["open"] for poll in state["polls"])

    run(check())


def test_a_sixth_message_at_once_has_to_wait_and_is_not_shown(run: Run) -> None:
    async def check() -> None:
        async with Served() as served:
            client = await served.client()
            answers = [await client.call("chat", {"name": "Ana", "text": f"{n}", "key": f"{n}"}, timeout=5) for n in range(6)]
            assert [answer.get("id") for answer in answers] == [1, 2, 3, 4, 5, None]
            assert answers[5] == {"error": "not so fast, please", "wait": 1}
            assert [message["text"] for message in (await client.call("join", timeout=5))["chat"]] == list("01234")

    run(check())


def test_a_vote_without_a_cookie_leaves_with_its_connection(run: Run) -> None:
    async def check() -> None:
        async with Served() as served:
            speaker = await served.client("/", "/speaker", auth={"token": served.demo.token})
            moved: asyncio.Queue[list[int]] = asyncio.Queue()
            speaker.on("poll", lambda poll: moved.put_nowait(poll["counts"]))
            await speaker.call("poll", {"slide": "title", "open": True}, namespace="/speaker", timeout=5)
            viewer = await served.client()
            assert (await viewer.call("vote", {"slide": "title", "option": 2}, timeout=5))["poll"]["counts"] == [0, 0, 1, 0]
            while await moved.get() != [0, 0, 1, 0]:
                pass
            await viewer.disconnect()
            assert await moved.get() == [0, 0, 0, 0]

    run(check())


def test_a_cookie_is_one_vote_however_many_connections_it_has(run: Run) -> None:
    async def check() -> None:
        async with Served() as served:
            page = await AsyncHTTPClient().fetch(served.url + "/")
            cookie = page.headers["Set-Cookie"].split(";")[0]
            speaker = await served.client("/", "/speaker", auth={"token": served.demo.token})
            await speaker.call("poll", {"slide": "title", "open": True}, namespace="/speaker", timeout=5)
            for option in (0, 3):
                client = socketio.AsyncClient(reconnection=False)
                served.clients.append(client)
                await client.connect(served.url, headers={"Cookie": cookie})
                answer = await client.call("vote", {"slide": "title", "option": option}, timeout=5)
            assert answer["poll"]["counts"] == [0, 0, 0, 1]
            assert (await client.call("join", timeout=5))["votes"] == {"title": 3}

    run(check())


def test_the_pages_come_with_a_policy_a_signed_cookie_and_no_way_to_other_files(run: Run) -> None:
    async def check() -> None:
        async with Served() as served:
            http = AsyncHTTPClient()
            page = await http.fetch(served.url + "/speaker?token=x")
            assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert page.headers["Referrer-Policy"] == "same-origin"
            assert "HttpOnly" in page.headers["Set-Cookie"] and "SameSite=Lax" in page.headers["Set-Cookie"]
            again = await http.fetch(HTTPRequest(served.url + "/", headers={"Cookie": page.headers["Set-Cookie"].split(";")[0]}))
            assert "Set-Cookie" not in again.headers
            for path, status in (("/static/demo.css", 200), ("/static/page.html", 404), ("/static/../app.py", 404), ("/x", 404)):
                assert (await http.fetch(served.url + path, raise_error=False)).code == status

    run(check())
