"""The page at <path>check in headless Chromium: what it says in each situation, literally."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from browser_tools import chromium, wait_until
from fault_proxy import FaultProxy, Link, Message
from faults import DropPosts, Fault, fault
from selenium.webdriver.common.by import By
from server_tools import serving

WAYS = ["websocket", "polling", "jsonp", "htmlfile"]
SIZES = [(360, 740), (820, 1180), (1440, 900)]


class Site:
    """A server with the page in a thread of its own, behind a proxy that can do wrong. ``path``: where the proxy's faults begin."""

    def __init__(self, wrong: Fault | None = None, path: str = "/socket.io/?", **settings: Any) -> None:
        self._arguments = wrong, path, settings
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), daemon=True)

    async def _main(self) -> None:
        wrong, path, settings = self._arguments
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        async with serving(check_page=True, **settings) as self.sio, FaultProxy(self.sio.port, wrong, path) as self.proxy:
            self.url = f"http://127.0.0.1:{self.proxy.port}/socket.io/check"
            self._ready.set()
            await self._end.wait()

    def __enter__(self) -> Site:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


class Page:
    """The page in a browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str, size: tuple[int, int] = (1440, 900)) -> Page:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 1000}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.driver.get(url)
        return self

    def js(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def until_over(self) -> Page:
        wait_until(lambda: self.js("window.anywireCheck && anywireCheck.run && anywireCheck.run.over"), 40)
        return self

    def again(self) -> Page:
        self.driver.find_element(By.ID, "again").click()
        return self.until_over()

    def text(self, selector: str) -> str:
        return str(self.js(f"document.querySelector('{selector}').innerText")).strip()

    def texts(self, selector: str) -> list[str]:
        nodes = f"document.querySelectorAll('{selector}')"
        return [str(text) for text in self.js(f"[].map.call({nodes}, function (node) {{ return node.innerText }})")]

    @property
    def verdict(self) -> list[str]:
        """The title and what is said below it."""
        return [self.text("#title"), *self.texts("#say p"), *([self.text("#hint")] if self.text("#hint") else [])]

    def way(self, name: str) -> tuple[str, str]:
        return self.text(f"#way-{name} .state"), self.text(f"#way-{name} .why")

    @property
    def report(self) -> str:
        return str(self.js("document.getElementById('report').value"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    browser.execute_cdp_cmd("Network.enable", {})
    yield Page(browser)
    browser.get("about:blank")


class ForeignHost(Fault):
    """A proxy that asks the server by the server's own name, so that the page's origin is another one."""

    async def handle(self, link: Link, request: Message) -> None:
        headers = [(name, "backend.internal" if name.lower() == "host" else value) for name, value in request.headers]
        await link.forward(dataclasses.replace(request, headers=headers))


class OtherProcess(Fault):
    """A balancer that sends each request to another process than the one before."""

    async def handle(self, link: Link, request: Message) -> None:
        first = re.sub(r"([?&]sid=)[^& ]+", r"\1" + "x" * 8 + "-" + "y" * 22, request.first)
        await link.forward(dataclasses.replace(request, first=first))


class GoneAfterTheWays(Fault):
    """A network that swallows everything once the page has asked what arrived of its ways, which it does before the client chooses."""

    asked, gone = 0, False

    async def handle(self, link: Link, request: Message) -> None:
        if self.gone:
            await asyncio.Event().wait()
        self.asked += "/check.json?" in request.target
        self.gone = self.asked == 2
        await link.forward(request)


class Missing(Fault):
    """A filter that knows the name of a script and has no good opinion of it."""

    async def handle(self, link: Link, request: Message) -> None:
        await link.answer(404, b"gone")


WORKS = r"Your session runs over long polling, which works\. A message takes [\w ]+ to the server and back\."
FASTEST = r"Your session runs over WebSocket, the fastest way\. A message takes [\w ]+ to the server and back\."
LET_THROUGH = r"What would make it faster: let WebSocket through to 127\.0\.0\.1:\d+, in the proxy, firewall or virus scanner on the way\."
TURNED_AWAY = "its request is turned away before it reaches the server"
FOREIGN = "something else answers in the server's place, such as a log-in page of the network or a filter"
GONE = (
    r"The server does not answer\.",
    r"127\.0\.0\.1:\d+ has sent this page, but does not answer any more \(no answer within 1 s\)\. "
    r"The server has stopped, or the network between you and it is broken\.",
    r"Try again in a minute, and once over another network, such as a phone's\.",
)
OFFLINE = (
    r"This device is offline\.",
    r"The browser says that it has no network\. Switch Wi-Fi or mobile data on, or plug the cable in: the check begins again by itself\.",
)
ALONE = "what the server says arrives, what the browser sends does not"


@contextlib.contextmanager
def offline(browser: Any, site: Site) -> Iterator[None]:
    """The browser without a network; afterwards it is back, and the proxy does nothing wrong."""
    network = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": True, **network})
    try:
        yield
    finally:
        site.proxy.fault = Fault()
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, **network})


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


def says(page: Page, *patterns: str) -> None:
    """The verdict is these sentences, each a pattern."""
    verdict = page.verdict
    assert len(verdict) == len(patterns), verdict
    for sentence, pattern in zip(verdict, patterns, strict=True):
        assert re.fullmatch(pattern, sentence), f"{sentence!r} is not {pattern!r}"


def test_on_a_plain_server_every_way_works_and_the_client_takes_the_first(page: Page) -> None:
    with Site() as site:
        page.open(site.url).until_over()
        says(page, r"Everything works\.", FASTEST)
        for name in WAYS:
            state, why = page.way(name)
            assert state == "works" and re.fullmatch(r"Connected in [\d.]+ m?s\.", why), (name, why)
            assert re.fullmatch(r"(less than 1|\d+) ms there and back", page.text(f"#way-{name} .figure"))
            trips = page.js(f"anywireCheck.run.ways.{name}.trips")
            assert len(trips) == 5 and all(0 <= trip < 2000 for trip in trips)
            assert page.js(f"document.querySelectorAll('#way-{name} .bars i').length") == 5
        steps = page.texts("#steps .step")
        assert steps == ["Begins with WebSocket, the fastest.", "WebSocket carries the session."]
        assert page.text("#memory") == "The client remembered nothing of an earlier visit. Now it remembers WebSocket, for a day."
        facts = dict(zip(page.texts("#facts th"), page.texts("#facts td"), strict=True))
        assert facts["Your address"] == "127.0.0.1, as the server sees it"
        assert facts["Streaming"] == "Nothing on the way holds answers back."
        assert facts["On the way"] == "No proxy that says so."
        assert facts["Protocol"] == "HTTP, not encrypted, HTTP/1.1 in the browser, HTTP/1.1 at the server"
        assert re.fullmatch(r"Chromium \d+ on Linux", facts["Browser"])
        assert facts["Storage"] == "Cookies and storage are allowed."
        assert facts["Time"].endswith("; the server's clock agrees.")


def test_while_it_runs_it_says_what_it_does(page: Page) -> None:
    with Site(fault("black-hole", "upgrade")) as site:
        page.open(site.url + "?patience=2")
        wait_until(lambda: page.js("window.anywireCheck && !!anywireCheck.run") and page.verdict[1] == "Testing WebSocket.")
        assert page.verdict == ["Checking the connection…", "Testing WebSocket."]
        assert [page.text(f"#way-{name} .state") for name in WAYS] == ["testing", "waiting", "waiting", "waiting"]
        assert page.text("#memory") == "This comes last: one connection more, for which the client chooses by itself."
        assert not page.js("document.getElementById('copy').offsetHeight")
        site.proxy.fault = Fault()
        page.again()
        says(page, r"Everything works\.", FASTEST)


def test_the_page_raises_nothing_and_keeps_to_its_own_policy(browser: Any, page: Page) -> None:
    with Site() as site:
        browser.get_log("browser")
        page.open(site.url).until_over()
        page.again()
        assert browser.get_log("browser") == []


def test_the_next_visit_begins_with_what_worked(page: Page) -> None:
    with Site(fault("refuse-upgrade", 403)) as site:
        page.open(site.url).until_over()
        assert page.texts("#steps .step") == [
            "Begins with WebSocket, the fastest.",
            "WebSocket is turned away.",
            "Tries long polling.",
            "Long polling carries the session.",
        ]
        page.again()
        steps = page.texts("#steps .step")
        assert steps[:2] == ["Begins with long polling, which worked the last time.", "Long polling carries the session."]
        assert page.text("#memory") == "From an earlier visit the client remembered long polling, and it will for another day."


def test_a_session_that_stays_on_a_slower_way_by_the_servers_settings_is_told_so(page: Page) -> None:
    with Site(fault("refuse-upgrade", 403), allow_upgrades=False) as site:
        page.open(site.url).until_over()
        site.proxy.fault = Fault()
        page.again()
        stays = r"WebSocket, the fastest way, works too, but the settings of this server \(allow_upgrades\) let no session move to it\."
        says(page, r"Your connection works\.", WORKS, stays)
        assert [page.way(name)[0] for name in WAYS] == ["works"] * 4


@pytest.mark.parametrize(
    ("wrong", "why", "hint"),
    [
        (fault("refuse-upgrade", 403), TURNED_AWAY, LET_THROUGH),
        (fault("refuse-upgrade", "reset"), TURNED_AWAY, LET_THROUGH),
        (
            fault("strip-upgrade"),
            "its request reaches the server as an ordinary one, for a proxy takes out the words that ask for a WebSocket",
            re.escape(
                "What would make it faster: the proxy must pass the headers Upgrade and Connection on (nginx: proxy_http_version 1.1; "
                'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";).'
            ),
        ),
        (fault("silent-upgrade"), "it opens, but what is sent over it is swallowed on the way", LET_THROUGH),
        (fault("black-hole", "upgrade"), "its request is held on the way and does not reach the server", LET_THROUGH),
    ],
    ids=["refused", "reset", "stripped", "silent", "held"],
)
def test_a_blocked_websocket_is_told_with_the_way_that_works_instead(page: Page, wrong: Fault, why: str, hint: str) -> None:
    with Site(wrong) as site:
        page.open(site.url + "?patience=1.5").until_over()
        says(page, r"It works, by a detour\.", f"WebSocket is blocked between you and the server: {why}\\.", WORKS, hint)
        assert page.way("websocket") == ("blocked", capital(why) + ".")
        assert [page.way(name)[0] for name in WAYS[1:]] == ["works"] * 3


def test_a_proxy_that_holds_answers_back_is_told(page: Page) -> None:
    with Site(fault("buffer"), path="/socket.io/") as site:
        page.open(site.url + "?patience=1.5").until_over()
        says(
            page,
            r"It works, by a detour\.",
            r"WebSocket is blocked between you and the server: its request reaches the server, but the answer does not come back\.",
            WORKS,
            r"The endless frame is blocked, which does not matter as long as long polling works\.",
            LET_THROUGH,
        )
        assert page.way("htmlfile") == ("blocked", "What the server sends piece by piece is held back on the way.")
        assert (
            "Streaming: Something on the way holds answers back until they are complete, such as a buffering proxy or a virus scanner. "
            "Long polling does not mind." in page.report
        )


class AnswerPostsLate(DropPosts):
    """A log-in page in a POST's place that takes longer than the client's head start, but not as long as the page's patience."""

    async def handle(self, link: Link, request: Message) -> None:
        if request.method == "POST":
            await asyncio.sleep(0.7)
        await super().handle(link, request)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (fault("drop-posts"), ["its requests get no answer", ALONE, ALONE]),  # polling begins with a POST
        (fault("drop-posts", "<html>no</html>"), [FOREIGN] * 3),
        (AnswerPostsLate("<html>no</html>"), [FOREIGN] * 3),
        (
            fault("inject-html", "http"),
            [
                FOREIGN,
                "its scripts do not arrive, or something else answers in their place",
                "it ends before it has begun, or something else answers in its place",
            ],
        ),
    ],
    ids=["posts swallowed", "posts answered", "posts answered late", "log-in page"],
)
def test_what_is_wrong_with_the_other_ways_does_not_matter_while_websocket_works(page: Page, wrong: Fault, why: list[str]) -> None:
    with Site(wrong) as site:
        page.open(site.url + "?patience=1.5").until_over()
        says(
            page,
            r"Your connection works\.",
            FASTEST,
            r"Long polling, script polling and the endless frame are blocked, which does not matter as long as WebSocket works\.",
        )
        assert [page.way(name) for name in WAYS[1:]] == [("blocked", capital(text) + ".") for text in why]


def test_what_the_servers_settings_leave_out_is_not_called_blocked(page: Page) -> None:
    with Site(transports=["polling", "jsonp"]) as site:
        page.open(site.url).until_over()
        says(page, r"Your connection works\.", r"The settings of this server leave WebSocket out\.", WORKS)
        for name in ("websocket", "htmlfile"):
            assert page.way(name) == ("not offered", "The server's settings leave it out.")
        assert page.way("polling")[0] == page.way("jsonp")[0] == "works"


def test_a_browser_without_websocket_and_one_without_xmlhttprequest_are_told_so(browser: Any, page: Page) -> None:
    with Site() as site:
        added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.WebSocket"})
        try:
            page.open(site.url).until_over()
        finally:
            browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        says(page, r"Your connection works\.", r"This browser has no WebSocket, or it is switched off\.", WORKS)
        assert page.way("websocket") == ("not in this browser", "The browser is too old for it, or has it switched off.")


def test_a_page_of_another_origin_is_refused_by_the_server_and_told_why(page: Page) -> None:
    with Site(ForeignHost()) as site:
        page.open(site.url + "?patience=1.5").until_over()
        why = re.escape("takes this page for one of another site (“Origin not allowed”), as it does when a proxy changes the Host header.")
        says(
            page,
            r"The server refuses the connection\.",
            "The server " + why,
            r"The network is not to blame: the server's people can help\.",
        )
        assert re.fullmatch("The server refuses WebSocket: it " + why, page.way("websocket")[1])
        assert re.fullmatch("The server refuses long polling: it " + why, page.way("polling")[1])


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (
            {"authorization": lambda environ: "please log in"},
            "says “please log in”; perhaps a log-in is missing, or the cookie that shows it",
        ),
        (
            {"handshake_rate": 0.1},
            "takes no more from your address for now (“Too many requests”); wait a minute, then check again",
        ),
        ({"allowed_hosts": ["live.example.org"]}, "does not serve the name 127.0.0.1:PORT (its setting allowed_hosts leaves it out)"),
    ],
    ids=["authorization", "rate", "host"],
)
def test_what_the_server_says_against_a_browser_is_told(page: Page, settings: dict[str, Any], why: str) -> None:
    with Site(**settings) as site:
        page.open(site.url + "?patience=1.5").until_over()
        says(
            page,
            r"The server refuses the connection\.",
            re.escape(f"The server {why}.".replace("PORT", str(site.proxy.port))),
            r"The network is not to blame: the server's people can help\.",
        )


def test_a_balancer_that_does_not_keep_a_visitor_on_one_process_is_told(page: Page) -> None:
    with Site(OtherProcess()) as site:
        page.open(site.url + "?patience=1.5").until_over()
        says(page, r"Your connection works\.", FASTEST, ".* blocked, which does not matter as long as WebSocket works\\.")
        assert page.way("polling") == (
            "blocked",
            "The server refuses long polling: it does not know the session that it has just opened: "
            "the load balancer must keep a visitor on one process.",
        )


def test_a_network_that_swallows_everything_but_simple_requests_is_told_way_by_way(page: Page) -> None:
    with Site(fault("black-hole")) as site:
        page.open(site.url + "?patience=1").until_over()
        says(
            page,
            r"No connection can be made\.",
            r"The server answers simple requests, but nothing that keeps a connection gets through\.",
            r"WebSocket is blocked between you and the server: its request is held on the way and does not reach the server\.",
            r"Long polling is blocked between you and the server: its requests get no answer\.",
            r"Script polling is blocked between you and the server: its requests get no answer\.",
            r"The endless frame is blocked between you and the server: its requests get no answer\.",
            r"Send the report below to the help desk, and try once over another network, such as a phone's\.",
        )
        assert "What the client chose by itself: nothing" in page.report
        assert page.texts("#steps .step") == [
            "Begins with WebSocket, the fastest.",
            "No answer yet: tries long polling beside it.",
            "No answer yet: tries the endless frame beside it.",
            "Given up.",
        ]


def test_a_log_in_page_in_the_servers_place_is_told(page: Page) -> None:
    with Site(path="/socket.io/") as site:
        page.open(site.url + "?patience=1").until_over()
        site.proxy.fault = fault("inject-html")
        page.again()
        says(
            page,
            r"Something else answers in the server's place\.",
            r"127\.0\.0\.1:\d+ is answered by another page, such as the log-in page of a hotel or a filter\. "
            r"Open any other web page: if it asks you to log in or to agree, do so and check again\.",
        )


def test_a_server_that_has_gone_since_is_told(page: Page) -> None:
    with Site(path="/socket.io/") as site:
        page.open(site.url + "?patience=1").until_over()
        site.proxy.fault = fault("black-hole")
        page.again()
        says(page, *GONE)


def test_a_device_that_is_offline_is_told_and_checked_again_when_it_is_back(browser: Any, page: Page) -> None:
    with Site(path="/socket.io/") as site:
        page.open(site.url + "?patience=1").until_over()
        site.proxy.fault = fault("black-hole")
        with offline(browser, site):
            page.again()
            says(page, *OFFLINE)
        wait_until(lambda: page.verdict[0] == "Everything works.", 20)


def test_a_server_that_goes_before_the_client_has_chosen_is_told(page: Page) -> None:
    with Site(GoneAfterTheWays(), path="/socket.io/") as site:
        page.open(site.url + "?patience=1").until_over()
        says(page, *GONE)
        assert [page.way(name)[0] for name in WAYS] == ["works"] * 4
        assert "- Your address: 127.0.0.1, as the server sees it" in page.report.split("\n")


def test_a_device_that_goes_offline_before_the_client_has_chosen_is_told_and_checked_again(browser: Any, page: Page) -> None:
    wrong = GoneAfterTheWays()
    with Site(wrong, path="/socket.io/") as site:
        page.open(site.url + "?patience=1")
        wait_until(lambda: wrong.gone)
        with offline(browser, site):
            page.until_over()
            says(page, *OFFLINE)
            assert [page.way(name)[0] for name in WAYS] == ["works"] * 4
        wait_until(lambda: page.verdict[0] == "Everything works.", 20)


def test_storage_and_cookies_that_are_refused_are_told(browser: Any, page: Page) -> None:
    refuse = "Object.defineProperty(window, 'localStorage', { get: function () { throw new Error('refused') } });"
    refuse += "Object.defineProperty(navigator, 'cookieEnabled', { value: false })"
    with Site() as site:
        added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": refuse})
        browser.execute_cdp_cmd("Emulation.setDocumentCookieDisabled", {"disabled": True})
        try:
            page.open(site.url).until_over()
        finally:
            browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
            browser.execute_cdp_cmd("Emulation.setDocumentCookieDisabled", {"disabled": False})
        says(page, r"Everything works\.", FASTEST)
        assert page.text("#memory") == "This browser lets the page keep nothing, so the client begins anew each time."
        assert "- Storage: Cookies are off. The connection does without, but a log-in that is kept in one does not." in page.report


def test_a_connection_that_keeps_breaking_is_told(page: Page) -> None:
    with Site(fault("cut-seconds", 1.0)) as site:
        page.open(site.url).until_over()
        held = re.compile(
            r"It broke \d times, the last time after [\d.]+ m?s \(transport \w+\)\. (It is back for .*\.|It is not back yet\.) "
            r"Something on the way ends connections\."
        )
        wait_until(lambda: held.fullmatch(page.text("#held")), 20)
        page.js("document.getElementById('copy').click()")
        assert held.search(page.report)


def test_without_the_client_file_the_page_says_so(page: Page) -> None:
    with Site(Missing(), path="/socket.io/anywire.min.js") as site:
        page.open(site.url).until_over()
        says(
            page,
            r"The check could not start\.",
            r"The client of this server, anywire\.min\.js, did not load: something on the way or in the browser keeps it away\. "
            r"Pages that use it do not work either\.",
        )
        assert [page.js(f"document.getElementById('{part}').offsetHeight") for part in ("ways", "halves")] == [0, 0]
        assert "The check could not start." in page.report


def test_without_the_pages_own_scripts_it_says_so(page: Page) -> None:
    with Site(Missing(), path="/socket.io/check-") as site:
        page.open(site.url)
        wait_until(lambda: page.js("document.readyState") == "complete")
        says(
            page,
            r"Checking the connection…",
            r"If this line stays, the page's scripts did not load: something on the way or in the browser keeps them away\.",
        )


def test_without_javascript_it_says_so(browser: Any, page: Page) -> None:
    with Site() as site:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            page.open(site.url)
            title = wait_until(lambda: [h.text for h in browser.find_elements(By.CSS_SELECTOR, "noscript h1")])
            shown = browser.find_element(By.TAG_NAME, "body").text
        finally:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
        assert title == ["JavaScript is off."]
        assert "say: “JavaScript is off in my browser.”" in shown
        assert "Checking" not in shown


def test_the_report_holds_everything_as_text_and_no_session_id(browser: Any, page: Page) -> None:
    with Site(fault("refuse-upgrade", 403)) as site:
        page.open(site.url).until_over()
        report = page.report
        for line in (
            site.url,
            "It works, by a detour.",
            f"WebSocket is blocked between you and the server: {TURNED_AWAY}.",
            f"- WebSocket (websocket): blocked. {capital(TURNED_AWAY)}. [closed 1006]",
            "What the client chose by itself: long polling",
            "- Your address: 127.0.0.1, as the server sees it",
        ):
            assert line in report.split("\n"), line
        assert re.search(r"^- Long polling \(polling\): works\. Connected in \d+ ms\. Round trips: [\d.]+(, [\d.]+){4} ms\.$", report, re.M)
        assert re.search(r"^\d+ < polling 0\{\"sid\":\"\.\.\.\"", report, re.M)
        for sid in site.sio._hub.sessions:
            assert sid not in report
        browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
        browser.find_element(By.ID, "copy").click()
        wait_until(lambda: page.text("#copy") == "Copied")
        assert page.js("window.getSelection().toString() || document.activeElement.value").strip().startswith("Connection check, ")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_the_page_fits_every_window(page: Page, size: tuple[int, int]) -> None:
    with Site(fault("strip-upgrade")) as site:
        page.open(site.url, size).until_over()
        assert page.js("window.innerWidth") == size[0] and page.js("document.documentElement.scrollWidth") <= size[0]
        for selector in ("#again", "#verdict", *(f"#way-{name} .card" for name in WAYS), "#choice", "#around", "#report", "#copy"):
            box = page.js(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
            assert box["left"] >= 0 and box["right"] <= size[0] and box["width"] > 80 and box["height"] > 30, (selector, box)
        top = page.js("document.getElementById('top').getBoundingClientRect().toJSON()")
        button = page.js("document.getElementById('again').getBoundingClientRect().toJSON()")
        assert top["top"] <= button["top"] and button["bottom"] <= top["bottom"]
