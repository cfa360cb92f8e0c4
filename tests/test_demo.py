"""The talk in headless Chromium: a speaker and two viewers, each a browser of its own, on a server in this process."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anywire.server.demo.app import Demo, build
from anywire.server.demo.deck import DECK
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

TRANSPORTS = ["websocket", "polling", "jsonp", "htmlfile"]
SIZES = [(390, 844), (820, 1180), (1366, 768)]


class Stage:
    """A demo that runs in a thread with a loop of its own."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    async def _main(self) -> None:
        self.loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self.demo: Demo = build(**self._settings)
        self.url = await self.demo.serve(port=0)
        self._ready.set()
        await self._end.wait()
        await self.demo.sio.shutdown(1)

    def close(self) -> None:
        """End, once the pages that were open have left."""
        deadline = time.monotonic() + 5
        while "websocket" in self.demo.live.count() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


class Browser:
    """Chromium, and how to wait for what a page shows."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(flag)
        # An endless iframe may hold the load event back.
        options.page_load_strategy = "none"
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))

    def open(self, url: str, size: tuple[int, int] = (1366, 768)) -> Browser:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 700}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.get("about:blank")
        self.driver.get(url)
        self.until("window.talk && talk.socket && talk.socket.connected && talk.chat.boot")
        return self

    def js(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def until(self, expression: str, timeout: float = 10) -> Any:
        def look(driver: Any) -> Any:
            return driver.execute_script(f"try {{ return {expression} }} catch (notYet) {{ return false }}")

        try:
            return WebDriverWait(self.driver, timeout, poll_frequency=0.03).until(look)
        except TimeoutException:
            raise AssertionError(f"never true: {expression}\n{self.driver.get_log('browser')}") from None

    def click(self, id_: str) -> None:
        self.until(f"!document.getElementById('{id_}').disabled")
        self.driver.execute_script(f"document.getElementById('{id_}').scrollIntoView({{block: 'center'}})")
        self.driver.find_element(By.ID, id_).click()

    def text(self, id_: str) -> str:
        return str(self.js(f"document.getElementById('{id_}').textContent")).strip()

    def say(self, text: str, name: str | None = None) -> None:
        if name:
            field = self.driver.find_element(By.ID, "name")
            field.send_keys(Keys.CONTROL + "a")
            field.send_keys(name)
        self.driver.find_element(By.ID, "text").send_keys(text + Keys.ENTER)

    def said(self) -> list[str]:
        return list(self.js("[].map.call(document.querySelectorAll('#lines .said'), function (p) { return p.textContent })"))

    def until_said(self, text: str) -> None:
        quoted = text.replace("\\", "\\\\").replace("'", "\\'")
        self.until(f"[].some.call(document.querySelectorAll('#lines .said'), function (p) {{ return p.textContent == '{quoted}' }})")

    def width(self) -> int:
        """The window's width; a phone zooms out to show what is too wide, and says that its window is wider."""
        return int(self.js("window.innerWidth"))

    def slide(self) -> str:
        return str(self.js("document.querySelector('.slide.now').id"))

    def until_slide(self, index: int) -> None:
        self.until(f"document.querySelector('.slide.now').id == 'slide-{DECK[index].id}'")

    def until_bar(self, slide: str, option: int, share: float) -> None:
        """Wait until the bar of an option is ``share`` (0 to 1) as wide as it can be, to a pixel or so."""
        fill = f"document.querySelector('#option-{slide}-{option} .fill')"
        width = "getBoundingClientRect().width"
        self.until(f"Math.abs({fill}.{width} / {fill}.parentNode.{width} - {share}) < 0.01")


@pytest.fixture(scope="module")
def browsers() -> Iterator[list[Browser]]:
    started: list[Browser] = []
    try:
        for _ in range(3):
            started.append(Browser())
        yield started
    finally:
        for browser in started:
            browser.driver.quit()


@pytest.fixture
def stage(browsers: list[Browser]) -> Iterator[Stage]:
    stage = Stage()
    yield stage
    leave(browsers)
    stage.close()


def leave(browsers: list[Browser]) -> None:
    """Close all pages. Nothing may have raised in one, or offended its policy."""
    faults = []
    for browser in browsers:
        lines = browser.driver.get_log("browser")
        faults += [line for line in lines if line["source"] in ("javascript", "security") or "Policy" in line["message"]]
        browser.driver.get("about:blank")
    assert faults == []


def speaker(stage: Stage, browser: Browser, size: tuple[int, int] = (1366, 768)) -> Browser:
    browser.open(f"{stage.url}/speaker?token={stage.demo.token}", size)
    browser.until("document.getElementById('controls').style.display == ''")
    return browser


def test_every_viewer_follows_the_slide_that_the_speaker_turns_to(stage: Stage, browsers: list[Browser]) -> None:
    ana, ben, host = browsers[0].open(stage.url), browsers[1].open(stage.url), speaker(stage, browsers[2])
    host.click("forward")
    for browser in browsers:
        browser.until_slide(1)
    host.driver.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_RIGHT)
    ana.until_slide(2)
    host.driver.execute_script("var jump = talk.byId('jump'); jump.value = 8; jump.dispatchEvent(new Event('change'))")
    ben.until_slide(8)
    assert ben.text("where") == f"9 / {len(DECK)}"
    host.click("back")
    ana.until_slide(7)
    ben.open(stage.url).until_slide(7)


def test_a_viewer_looks_back_undisturbed_and_returns_to_live(stage: Stage, browsers: list[Browser]) -> None:
    ana, host = browsers[0].open(stage.url), speaker(stage, browsers[2])
    for index in (1, 2, 3):
        host.click("forward")
        ana.until_slide(index)
    ana.click("prev")
    assert ana.slide() == f"slide-{DECK[2].id}"
    host.click("forward")
    ana.until("document.getElementById('livetext').textContent == 'Back to live: 5'")
    assert ana.slide() == f"slide-{DECK[2].id}"
    ana.click("live")
    ana.until_slide(4)
    host.click("forward")
    ana.until_slide(5)


def test_chat_arrives_at_the_others_as_text_whatever_it_says(stage: Stage, browsers: list[Browser]) -> None:
    ana, ben = browsers[0].open(stage.url), browsers[1].open(stage.url)
    nasty = "<img src=x onerror=\"window.hit=1\"> & 'quotes' </script> \u20ac"
    ana.say(nasty, name="<b>Ana</b>")
    ben.until_said(nasty)
    ana.until("!document.querySelector('#lines .sending')")
    assert ana.said() == ben.said() == [nasty]
    assert ben.js("document.querySelector('#lines .from b').textContent") == "<b>Ana</b>"
    assert ben.js("document.querySelectorAll('#lines img, #lines b b').length + (window.hit || 0)") == 0


def fill_chat(stage: Stage, browser: Browser, count: int) -> None:
    """Have ``count`` messages said faster than a person may."""
    log = stage.demo.live.chat
    for number in range(1, count + 1):
        stage.loop.call_soon_threadsafe(log.add, "someone", "Someone", f"number {number}", str(number), time.time())


def test_a_newcomer_sees_the_last_30_messages_and_scrolling_up_brings_all_the_others(stage: Stage, browsers: list[Browser]) -> None:
    fill_chat(stage, browsers[0], 75)
    ana = browsers[0].open(stage.url)
    ana.until_said("number 75")
    assert ana.said() == [f"number {n}" for n in range(46, 76)]
    for first in (16, 1):
        ana.driver.execute_script("talk.byId('messages').scrollTop = 0")
        ana.until_said(f"number {first}")
        assert ana.said() == [f"number {n}" for n in range(first, 76)]
        assert ana.js("talk.byId('messages').scrollTop") > 100, "what was in view stays in view"
    assert ana.js("talk.byId('older').style.display") == "none"


def test_messages_written_while_the_transport_changes_arrive_once(stage: Stage, browsers: list[Browser]) -> None:
    ana, ben = browsers[0].open(stage.url), browsers[1].open(stage.url)
    ana.driver.execute_script(
        """function say(text) { talk.byId('text').value = text; talk.byId('send').click(); }
        say('before'); talk.byId('use-polling').click(); say('between'); talk.byId('use-jsonp').click(); say('after');"""
    )
    for text in ("before", "between", "after"):
        ben.until_said(text)
    ana.until("!document.querySelector('#lines .sending') && talk.socket.connected")
    assert sorted(ana.said()) == sorted(ben.said()) == ["after", "before", "between"]


def test_a_vote_moves_the_bar_and_a_changed_mind_moves_it_back(stage: Stage, browsers: list[Browser]) -> None:
    ana, ben, host = browsers[0].open(stage.url), browsers[1].open(stage.url), speaker(stage, browsers[2])
    assert ana.js("talk.byId('option-title-1').disabled")
    host.click("openpoll")
    ana.click("option-title-1")
    ben.until_bar("title", 1, 1)
    ben.click("option-title-3")
    ana.until_bar("title", 1, 0.5)
    ana.click("option-title-3")
    ben.until_bar("title", 1, 0)
    ben.until_bar("title", 3, 1)
    assert host.text("pollstate") == "open, 2 votes"
    ana.open(stage.url)
    assert ana.js("talk.byId('option-title-3').getAttribute('aria-pressed')") == "true"


def test_the_speaker_closes_and_clears_the_poll(stage: Stage, browsers: list[Browser]) -> None:
    ana, host = browsers[0].open(stage.url), speaker(stage, browsers[2])
    host.click("openpoll")
    ana.click("option-title-0")
    ana.until("talk.byId('option-title-0').getAttribute('aria-pressed') == 'true'")
    ana.until_bar("title", 0, 1)
    host.click("closepoll")
    ana.until("talk.byId('option-title-0').disabled")
    host.click("clearpoll")
    ana.until("talk.byId('option-title-0').getAttribute('aria-pressed') == 'false'")
    ana.until_bar("title", 0, 0)


def test_a_wrong_token_is_refused_with_a_message_and_the_right_one_let_in(stage: Stage, browsers: list[Browser]) -> None:
    ana, host = browsers[0].open(stage.url), browsers[2].open(f"{stage.url}/speaker?token=wrong")
    host.until("document.getElementById('refused').textContent == \"That is not the speaker's token.\"")
    assert host.js("document.getElementById('controls').style.display") == "none"
    assert "wrong" not in host.js("location.href")
    host.driver.execute_script("talk.socket.io.nsps['/speaker'].emit('go', {index: 5})")
    host.driver.find_element(By.ID, "token").send_keys(stage.demo.token + Keys.ENTER)
    host.until("document.getElementById('controls').style.display == ''")
    host.click("forward")
    host.until("talk.byId('log').textContent.indexOf('\"go\"') > 0")
    ana.until("talk.deck.live > 0")
    assert stage.demo.token not in host.text("log"), "the projector shows the wire"


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_viewer_switches_to_a_transport_and_sees_its_bytes(stage: Stage, browsers: list[Browser], name: str) -> None:
    ana, ben = browsers[0].open(stage.url), browsers[1].open(stage.url)
    ana.click("wipe")
    ana.click(f"use-{name}")
    ana.until(f"talk.socket.connected && talk.socket.io.engine.transport.name == '{name}'")
    ana.until(f"talk.byId('linktext').textContent == '{name}'")
    ana.until("/^\\d+ ms$/.test(talk.byId('rtt').textContent)")
    ana.say("over " + name)
    ben.until_said("over " + name)
    ben.say("back")
    ana.until_said("back")
    for kind, sent in (("out", f'"over {name}"'), ("in", '"back"')):
        ana.until(
            f"[].some.call(document.querySelectorAll('#log .{kind}'), function (line) {{ var text = line.textContent;"
            f" return text.indexOf(' {name} ') > 0 && text.indexOf('{sent}') > 0 }})"
        )
    pills = [name, "websocket"] if name != "websocket" else [name]
    for browser in (ana, ben):
        for pill in pills:
            browser.until(f"document.querySelector('#pills .{pill}')")
        assert browser.text("here") == "2"
    received, sent = ana.js("[talk.wire.received, talk.wire.sent]")
    assert received > 100 and sent > 50


def test_who_leaves_is_counted_no_more_and_who_comes_back_follows_again(stage: Stage, browsers: list[Browser]) -> None:
    ana, ben, host = browsers[0].open(stage.url), browsers[1].open(stage.url), speaker(stage, browsers[2])
    ben.until("talk.byId('here').textContent == '3'")
    ana.driver.get("about:blank")
    ben.until("talk.byId('here').textContent == '2'")
    host.click("forward")
    ben.until_slide(1)
    ana.driver.back()
    ana.until("talk.socket.connected")
    ana.until_slide(1)
    ben.until("talk.byId('here').textContent == '3'")


def test_an_upgrade_shows_on_the_wire_and_in_the_count(stage: Stage, browsers: list[Browser]) -> None:
    ana = browsers[0].open(f"{stage.url}/?transport=polling")
    ana.until("document.querySelector('#pills .polling') && !document.querySelector('#pills .websocket')")
    ana.click("use-upgrade")
    ana.until("talk.byId('linktext').textContent == 'websocket'")
    ana.until("document.querySelector('#pills .websocket') && !document.querySelector('#pills .polling')")
    assert "↑ websocket 2probe" in ana.text("log") and "↓ websocket 3probe" in ana.text("log")


def test_the_check_of_the_connection_is_a_click_away(stage: Stage, browsers: list[Browser]) -> None:
    ana = browsers[0].open(stage.url)
    ana.driver.find_element(By.CSS_SELECTOR, "#wirebuttons a").click()
    ana.until("document.getElementById('title').textContent == 'Everything works.'", 20)
    assert stage.demo.live.count() == {}, "a check is nobody in the audience"


def test_the_wire_keeps_200_lines_and_can_be_stopped(stage: Stage, browsers: list[Browser]) -> None:
    ana = browsers[0].open(stage.url)
    ana.driver.execute_script("for (var n = 0; n < 500; n++) talk.wire.trace('<', 'websocket', 'line ' + n + '.')")
    ana.until("talk.byId('log').textContent.indexOf('line 499.') > 0")
    assert ana.js("talk.byId('log').childNodes.length") == 200
    ana.click("pause")
    ana.driver.execute_script("talk.wire.trace('<', 'websocket', 'unseen')")
    ana.click("pause")
    ana.driver.execute_script("talk.wire.trace('<', 'websocket', 'seen')")
    ana.until("/ seen$/.test(talk.byId('log').textContent)")
    assert "unseen" not in ana.text("log")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_every_slide_fits_the_window_and_looks_are_kept(
    stage: Stage, browsers: list[Browser], size: tuple[int, int], tmp_path: Path
) -> None:
    ana, host = browsers[0].open(stage.url, size), speaker(stage, browsers[2], size)
    assert host.width() == size[0] and host.js("document.documentElement.scrollWidth") <= size[0]
    live, where = (host.js(f"document.getElementById('{id_}').getBoundingClientRect().toJSON()") for id_ in ("live", "where"))
    assert abs(live["top"] - where["top"]) < 12, "what is said below the slide stands in one line"
    if size[0] < 900:
        assert host.js("document.getElementById('desk').offsetWidth") == host.js("document.body.clientWidth")
    host.click("openpoll")
    ana.say("Hello from the back row!", name="Ana")
    for index, slide in enumerate(DECK):
        ana.driver.execute_script(f"talk.deck.look({index})")
        assert ana.width() == size[0] and ana.js("document.documentElement.scrollWidth") <= size[0], f"{slide.id} is too wide"
        if size[0] >= 900:
            assert ana.js("talk.deck.here().element.scrollHeight <= talk.deck.here().element.clientHeight"), f"{slide.id} is too high"
            host.driver.execute_script(f"talk.deck.look({index})")
            desk = "document.getElementById('desk')"
            assert host.js(f"{desk}.scrollHeight <= {desk}.clientHeight"), f"the notes of {slide.id} are not wholly in view"
    ana.driver.execute_script("talk.deck.look(0)")
    for id_ in ("top", "stage", "nav", "chat", "say", "wire", "log"):
        box = ana.js(f"document.getElementById('{id_}').getBoundingClientRect().toJSON()")
        assert box["width"] > 150 and box["height"] > 30 and box["left"] >= 0 and box["right"] <= size[0], id_
    picture = tmp_path / f"{size[0]}x{size[1]}.png"
    assert ana.driver.save_screenshot(str(picture)) and picture.stat().st_size > 10_000


REACHABLE = """
var parts = [].slice.call(document.querySelectorAll('#wirehead button, #wirehead a')), hidden = [];
parts.forEach(function (part) {
  part.scrollIntoView({ block: 'center' });
  var box = part.getBoundingClientRect(), there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  if (there !== part) { hidden.push(part.textContent); }
});
return parts.length >= 9 ? hidden : ['only ' + parts.length];
"""


WIDTHS = [(360, 740), (768, 1024), (1024, 700), (1280, 800), (1366, 768)]


@pytest.mark.parametrize("size", WIDTHS, ids=lambda size: "x".join(map(str, size)))
def test_every_button_above_the_wire_can_be_reached(stage: Stage, browsers: list[Browser], size: tuple[int, int]) -> None:
    ana, host = browsers[0].open(stage.url, size), speaker(stage, browsers[2], size)
    assert ana.driver.execute_script(REACHABLE) == []
    # Where the speaker's desk stands beside it there is room from 1366 on.
    if size[0] < 900 or size[0] >= 1366:
        assert host.driver.execute_script(REACHABLE) == []


@pytest.fixture
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = shutil.which("redis-server")
    assert binary, "redis-server is needed; make test installs it"
    socket = tmp_path_factory.mktemp("r") / "redis.sock"
    process = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    while b"ready to accept" not in process.stdout.readline():
        assert process.poll() is None
    yield f"unix://{socket}"
    process.terminate()
    process.wait(10)
    process.stdout.close()


def test_two_processes_share_the_slide_the_polls_state_and_the_count(browsers: list[Browser], redis_url: str) -> None:
    one, two = Stage(store=redis_url, token="t"), Stage(store=redis_url, token="t")
    try:
        ana, ben, host = browsers[0].open(one.url), browsers[1].open(two.url), speaker(one, browsers[2])
        host.click("forward")
        host.click("openpoll")
        ana.until_slide(1)
        ben.until_slide(1)
        ben.until("!talk.byId('option-transports-0').disabled")
        for browser in browsers:
            browser.until("talk.byId('here').textContent == '3'")
        ben.open(two.url).until_slide(1)
    finally:
        leave(browsers)
        one.close()
        two.close()
