"""What networks do, in real engines: the client is connected in time, and every message arrives both ways, once and in order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from engines import ENGINES, engine
from faults import fault
from stage import Case, Report, Stage

#: Cases side by side in one page; more would wait for each other's processor time.
BATCH = 9
#: The network's fault, or several, nearest the browser first -> seconds until the client is connected, and more of the case.
#: The seconds are for a machine that runs nine pages at once; docs/clients-and-networks.md has what each takes alone.
CASES: dict[str, tuple[float, dict[str, Any]]] = {
    "none": (2, {"fault": fault("none")}),
    "upgrade refused, 403": (2, {"fault": fault("refuse-upgrade", 403)}),
    "upgrade refused, 502": (2, {"fault": fault("refuse-upgrade", 502)}),
    "upgrade refused, reset": (2, {"fault": fault("refuse-upgrade", "reset")}),
    "upgrade headers stripped": (2, {"fault": fault("strip-upgrade")}),
    "upgrade, then silence": (3, {"fault": fault("silent-upgrade", "both")}),
    "upgrade, then nothing goes up": (3, {"fault": fault("silent-upgrade", "up")}),
    "upgrade, then nothing comes down": (3, {"fault": fault("silent-upgrade", "down")}),
    "upgrade after a second": (3, {"fault": fault("slow-upgrade", 1)}),
    "answers buffered": (3, {"fault": fault("buffer")}),
    "answers buffered, upgrade refused": (3, {"fault": fault("refuse-upgrade"), "behind": (fault("buffer"),)}),
    "a long way": (4, {"fault": fault("delay", 0.1)}),
    "a long way up, a short one down": (4, {"fault": fault("delay", 0.2, 0.02)}),
    "a long way, upgrade refused": (5, {"fault": fault("refuse-upgrade"), "behind": (fault("delay", 0.1),)}),
    "POSTs swallowed": (2, {"fault": fault("drop-posts")}),
    "POSTs eaten": (2, {"fault": fault("drop-posts", "")}),
    "POSTs doubled": (2, {"fault": fault("duplicate-posts")}),
    "POSTs doubled, upgrade refused": (2, {"fault": fault("refuse-upgrade"), "behind": (fault("duplicate-posts"),)}),
    "POSTs swallowed, upgrade after a second": (6, {"fault": fault("slow-upgrade", 1), "behind": (fault("drop-posts"),)}),
    "foreign HTML for plain requests": (3, {"fault": fault("inject-html", "http")}),
    "foreign HTML for 1.5 seconds": (6, {"fault": fault("inject-html"), "heals": 1.5}),
    "black hole for upgrades": (3, {"fault": fault("black-hole", "upgrade")}),
    "black hole for plain requests": (3, {"fault": fault("black-hole", "http")}),
    "black hole for 1.5 seconds": (9, {"fault": fault("black-hole"), "heals": 1.5}),
    "connections cut after 1.2 seconds": (2, {"fault": fault("cut-seconds", 1.2), "steps": ("insist",)}),
    "connections cut after 600 bytes": (2, {"fault": fault("cut-bytes", 600), "steps": ("insist",)}),
    "polls cut after 1.2 seconds": (
        2,
        {"fault": fault("refuse-upgrade"), "behind": (fault("cut-seconds", 1.2),), "steps": ("insist",)},
    ),
    "all connections killed": (2, {"fault": fault("none"), "steps": ("reconnect", "stream")}),
}
#: What only a WebSocket gets through, and so no engine whose own opens nothing (see Stage.speaks_websocket).
FOR_WEBSOCKET_ONLY = {
    "POSTs swallowed",
    "POSTs eaten",
    "POSTs swallowed, upgrade after a second",
    "foreign HTML for plain requests",
    "black hole for plain requests",
}
NUMBERS = list(range(40))


def ways_out(websocket: bool) -> list[Case]:
    """The cases in which something works in an engine with a WebSocket that opens, or without."""
    names = [case for case in CASES if websocket or case not in FOR_WEBSOCKET_ONLY]
    return [
        Case(case, **{"steps": ("stream",), "seconds": 12, "options": {"query": {"case": case}}, **CASES[case][1]}) for case in names
    ]


def count_joins(stage: Stage) -> Counter[str]:
    """case -> how often its client has come to the application."""
    joins: Counter[str] = Counter()

    @stage.sio.use
    def count(sid: str, environ: dict[str, Any], auth: Any) -> None:
        joins[environ["anywire.request"].argument("case")] += 1

    return joins


@pytest.fixture(scope="module", params=ENGINES)
def reports(request: pytest.FixtureRequest) -> dict[str, Report]:
    """An engine's reports by case."""
    told: dict[str, Report] = {}
    with Stage() as stage, engine(request.param) as browser:
        joins = count_joins(stage)
        cases = ways_out(stage.speaks_websocket(browser))
        for first in range(0, len(cases), BATCH):
            told |= stage.play(browser, cases[first : first + BATCH])
    for name, report in told.items():
        report["joins"] = joins[name]
    return told


@pytest.mark.parametrize("name", CASES)
def test_the_client_is_connected_in_time_and_each_message_arrives_once_and_in_order(reports: dict[str, Report], name: str) -> None:
    if name not in reports:
        assert name in FOR_WEBSOCKET_ONLY
        pytest.skip("nothing gets through but a WebSocket by RFC 6455, and this engine's own opens none")
    report = reports[name]
    assert report.get("connected", 99) < CASES[name][0], report
    if "insist" in report["said"]:
        (seen,) = report["said"]["insist"]
        # Said again when the answer was cut: then the server has it twice, one after the other.
        assert list(dict.fromkeys(seen)) == NUMBERS[:15]
        assert seen == sorted(seen)
    else:
        assert report["said"]["stream"] == [NUMBERS, [NUMBERS]], report


#: Cases that are connected more than once by their nature.
COMES_AGAIN = {name for name, (_, case) in CASES.items() if "heals" in case or case.get("steps")}


@pytest.mark.parametrize("name", sorted(CASES.keys() - COMES_AGAIN))
def test_the_application_sees_one_client_however_many_ways_it_tried(reports: dict[str, Report], name: str) -> None:
    if name in reports:
        assert reports[name]["joins"] == 1, reports[name]
