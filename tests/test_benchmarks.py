"""The benchmarks run, end, and print their table; what they measure is nobody's condition for passing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
#: Seconds: servers and a load that wait for each other are slow on a machine that does much else.
pytestmark = pytest.mark.timeout(180)
SMALL: dict[str, list[str]] = {
    "connections.py": ["--transport", "websocket", "--transport", "htmlfile", "--connections", "20"],
    "echo.py": ["--kind", "one at a time", "--kind", "an attachment of 100 bytes"],
    "fanout.py": ["--transport", "websocket", "--transport", "polling", "--transport", "jsonp", "--receivers", "20"],
    "latency.py": ["--idle", "20", "--rate", "200"],
    "polling.py": ["--transport", "polling"],
}


def ran(script: str, *arguments: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=True).stdout


def test_every_benchmark_of_servers_is_tried_here() -> None:
    """That of the browser's client over bad networks stands by itself."""
    assert set(SMALL) == {path.name for path in (ROOT / "benchmarks").glob("*.py") if "from harness" in path.read_text()}


@pytest.mark.parametrize("script", SMALL)
def test_a_benchmark_runs_to_its_table(script: str) -> None:
    table = ran(script, "--short", "--rounds", "1", "--only", "anywire", *SMALL[script])
    assert re.search(r"^ +anywire +[0-9]", table, re.MULTILINE)


def test_the_page_on_performance_names_benchmarks_and_options_that_there_are() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    commands = re.findall(r"`benchmarks/([a-z]+\.py)((?: --[a-z]+(?: [^-`]+)?)*)`", page)
    assert {script for script, _ in commands} == set(SMALL)
    for script, options in commands:
        told = ran(script, "--help")
        assert all(option in told for option in re.findall(r"--[a-z]+", options))
