"""Our client in real engines of 2011 to today: each transport forced, each choice of its own, on its own origin and across."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
from engines import ENGINES, engine
from stage import PATIENT, Case, Report, Stage

STEPS = ("echo", "ask", "unicode", "nasty", "halves", "count", "collect", "large", "binary", "reconnect")
SAID = {
    "echo": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
    "ask": ["how!"],
    "unicode": True,
    "nasty": [],
    "halves": ["a?b?c", "next"],
    "count": 200,
    "collect": 200,
    "large": 50_000,
    "binary": [{"hex": "0102ff"}, {"deep": [{"hex": ""}, "text"]}],
    "reconnect": [1, "two", None, {"three": [True, 1.5, "é€😀"]}],
}
FORCED = ("websocket", "polling", "htmlfile", "jsonp")
#: What a browser lacks -> what the client then takes.
LACKING = {
    (): "websocket",
    # Internet Explorer 7; and 6 where ActiveX is forbidden.
    ("WebSocket", "JSON", "Uint8Array"): "polling",
    ("WebSocket", "XMLHttpRequest", "JSON", "Uint8Array"): "jsonp",
}
ORIGINS = pytest.mark.parametrize("origin", ["same", "cross"])


def cases() -> Iterator[Case]:
    """All of them; they run side by side in one page."""
    for origin in ("same", "cross"):
        make = functools.partial(Case, steps=STEPS, cross=origin == "cross", seconds=30)
        for name in FORCED:
            yield make(f"{name}-{origin}", options={"transports": [name]}, fails=True)
        for without in LACKING:
            yield make("-".join(["without", *without, origin]), without=without, options=PATIENT)
    options = {"transports": ["htmlfile"]}
    yield Case("ActiveX document", options=options, pretends=("ActiveXObject",), steps=STEPS, seconds=30, fails=True)
    lacking = ("WebSocket",)
    yield Case("XDomainRequest", options=PATIENT, without=lacking, pretends=("XDomainRequest",), steps=STEPS, cross=True, seconds=30)


@pytest.fixture(scope="module", params=ENGINES)
def played(request: pytest.FixtureRequest) -> tuple[bool, dict[str, Report]]:
    """Whether an engine's own WebSocket opens, and its reports by case."""
    # What an engine never tells, the end of a script or a form whose connection was killed, the heartbeat finds out within a case's time.
    with Stage(ping_interval=4, ping_timeout=8) as stage, engine(request.param) as browser:
        return stage.speaks_websocket(browser), stage.play(browser, list(cases()))


def story(report: Report) -> str:
    """Where a case was, and the last that it said."""
    return "\n".join([f"in {report.get('step')!r}: {report['errors']} {report.get('disconnects')}", *report.get("trace", [])[-40:]])


def test_every_engine_but_the_oldest_has_a_websocket_that_opens(
    played: tuple[bool, dict[str, Report]], request: pytest.FixtureRequest
) -> None:
    assert played[0] is ("phantomjs" not in request.node.name)


@ORIGINS
@pytest.mark.parametrize("transport", FORCED)
def test_a_conversation_over_one_transport_reads_the_same_in_every_engine(
    played: tuple[bool, dict[str, Report]], transport: str, origin: str
) -> None:
    opens, reports = played
    report = reports[f"{transport}-{origin}"]
    if transport == "htmlfile" and origin == "cross":
        assert report["errors"] == ["htmlfile: impossible, other origin"]
        return
    if transport == "websocket" and not opens:
        assert report["errors"] == ["websocket: closed undefined"]
        return
    assert report["errors"] == [], story(report)
    assert report["said"] == SAID
    assert report["transport"] == transport


@ORIGINS
@pytest.mark.parametrize("without", LACKING, ids=lambda without: "+".join(without) or "nothing")
def test_the_client_chooses_by_itself_what_the_browser_has(
    played: tuple[bool, dict[str, Report]], without: tuple[str, ...], origin: str
) -> None:
    opens, reports = played
    report = reports["-".join(["without", *without, origin])]
    assert report["errors"] == [], story(report)
    assert report["said"] == (SAID | {"binary": "none"} if without else SAID)
    # Later it may have moved: to what answered sooner, or from there to a WebSocket.
    first = next(line for line in report["trace"] if line.endswith(" carries"))
    assert first.split()[2] == ("polling" if without == () and not opens else LACKING[without]), story(report)


def test_where_there_are_activex_documents_the_endless_frame_lives_in_one(played: tuple[bool, dict[str, Report]]) -> None:
    """A stand-in for Internet Explorer's, which is nowhere to be had: its frames have it as their parent, and it must be let go of."""
    report = played[1]["ActiveX document"]
    assert report["errors"] == [], story(report)
    assert report["said"] == SAID
    assert report["transport"] == "htmlfile"
    # One for each connection, the second after the network killed the first; the last one's end is after the report.
    assert report["pretended"]["documents"] >= 2
    assert report["pretended"]["garbage"] >= 1


def test_where_xhr_may_not_leave_its_origin_polling_goes_by_xdomainrequest(played: tuple[bool, dict[str, Report]]) -> None:
    """A stand-in for that of Internet Explorer 8 and 9."""
    report = played[1]["XDomainRequest"]
    assert report["errors"] == [], story(report)
    assert report["said"] == SAID
    assert report["transport"] == "polling"
    assert report["pretended"]["requests"] > 10
