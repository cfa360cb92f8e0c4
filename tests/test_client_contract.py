"""Every transport of the browser client keeps what the registry promises of it, in Node and in real engines, with two servers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest
from contract_stage import PROMISES, REGISTRY, ContractStage
from engines import ENGINES, Browser, engine, small_browser
from stage import Case, Report

#: (transport, "same" or "cross") -> why a transport says that it cannot work.
IMPOSSIBLE = {("htmlfile", "cross"): "other origin"}
#: Node's server has no such transport.
NOT_NODES = {"htmlfile"}


#: Where an engine may tell a transport nothing, so that it is found out by the heartbeat, or by the next packet:
#: no engine but QtWebKit has a load event for each frame that failed, and none shows a page the answer to a form of another origin.
UNTOLD = {
    "htmlfile": {
        "a connection that ends without an answer is its end",
        "an answer that is cut is its end",
    },
    "jsonp": {"a packet larger than that is its end", "what takes a packet in the place of the server is its end"},
}


def open_browser(name: str) -> AbstractContextManager[Browser]:
    return small_browser() if name == "node" else engine(name)


def cases(names: list[str], *origins: str) -> list[Case]:
    return [
        Case(f"{name}-{origin}", options={"transports": [name], "path": "/engine.io/"}, cross=origin == "cross", seconds=80)
        for name in names
        for origin in origins
    ]


def play(name: str) -> dict[str, Report]:
    """An engine's reports by case; without what it cannot begin."""
    with ContractStage() as stage, open_browser(name) as browser:
        capable = name == "node" or stage.speaks_websocket(browser)
        return stage.play(browser, cases([name for name in REGISTRY if capable or name != "websocket"], "same", "cross"))


@pytest.fixture(scope="module")
def playing(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[dict[str, Report]]]]:
    """The engines that are asked for. They mostly wait, and so two play at a time."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    asked = {item.callspec.params.get("with_ours") for item in items}
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(play, name) for name in ["node", *ENGINES] if name in asked}


@pytest.fixture(scope="module", params=["node", *ENGINES])
def with_ours(request: pytest.FixtureRequest, playing: dict[str, Future[dict[str, Report]]]) -> dict[str, Report]:
    return playing[request.param].result()


@pytest.fixture(scope="module")
def with_nodes() -> dict[str, Report]:
    with ContractStage(nodes=True) as stage, open_browser("node") as browser:
        return stage.play(browser, cases([name for name in REGISTRY if name not in NOT_NODES], "same"))


def kept(report: Report, transport: str) -> None:
    assert {sentence: said for sentence, said in report["said"].items() if said != "kept"} == {}
    assert set(report["silent"]) <= UNTOLD.get(transport, set())
    # A foreign page in place of a script is an error of that script, of which a page always hears. Nothing else is thrown into it.
    assert [error for error in report["errors"] if "/engine.io/" not in error and error != "Script error. at :0"] == [], report
    assert list(report["said"]) == PROMISES and len(PROMISES) > 20
    assert report["names"] == REGISTRY


@pytest.mark.timeout(180)
@pytest.mark.parametrize("origin", ["same", "cross"])
@pytest.mark.parametrize("transport", REGISTRY)
def test_a_transport_keeps_its_promises_with_our_server(with_ours: dict[str, Report], transport: str, origin: str) -> None:
    if f"{transport}-{origin}" not in with_ours:
        pytest.skip("this engine's own WebSocket opens no connection by RFC 6455")
    report = with_ours[f"{transport}-{origin}"]
    if (transport, origin) in IMPOSSIBLE:
        assert report["impossible"] == IMPOSSIBLE[transport, origin]
        return
    kept(report, transport)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("transport", [name for name in REGISTRY if name not in NOT_NODES])
def test_a_transport_keeps_its_promises_with_nodes_server(with_nodes: dict[str, Report], transport: str) -> None:
    kept(with_nodes[f"{transport}-same"], transport)
