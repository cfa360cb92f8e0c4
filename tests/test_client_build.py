"""The browser client's build: what is in dist/ is what src/ makes, it is ES3, it is small, and its unit tests pass."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "js_client"
UNIT_TESTS = sorted((ROOT / "tests/js").glob("*.test.mjs"))


def output(*command: str | Path, cwd: Path = CLIENT) -> str:
    """What a command prints; its failure shows that."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=55)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def test_what_is_committed_is_what_the_sources_make_and_it_is_es3_and_within_its_size() -> None:
    said = output("node", "build.mjs", "--check")
    size = re.search(r"dist/anywire\.min\.js: \d+ bytes, (\d+) under gzip -9", said)
    assert size is not None and int(size[1]) <= 7168


def test_the_sources_use_nothing_later_than_es3_and_name_nothing_that_is_not_defined() -> None:
    output("node_modules/.bin/eslint", "--max-warnings=0", "dist/anywire.js")


@pytest.mark.parametrize(
    ("faulty", "fault"),
    [
        ("a.default", "reserved"),
        ("x = { class: 1 };", "reserved"),
        ("x = { a: 1, };", "Unexpected token"),
        ("x = [1, 2,];", "trailing comma"),
        ("x = [1, , 2];", "hole"),
        ("x = 'a\\\nb';", "several lines"),
        ("x = 'abc'[0];", "index into a string"),
        ("let x = 1;", "Unexpected token"),
        ("x = () => 1;", "Unexpected token"),
        ("[].forEach(f);", ".forEach is not in ES3"),
        ("f.bind(x);", ".bind is not in ES3"),
        ("Object.keys(x);", "Object.keys is not in ES3"),
        ("Date.now();", "Date.now is not in ES3"),
        ("x = JSON.parse(y);", "bare JSON"),
        ("x = new WebSocket(y);", "bare WebSocket"),
        ("x = function y() { return y; }; y = 2;", "leaks its name"),
    ],
)
def test_the_gate_refuses(faulty: str, fault: str) -> None:
    program = "import { es3Faults } from './es3.mjs'; console.log(es3Faults(process.argv[1]).join('\\n'))"
    said = output("node", "--input-type=module", "-e", program, faulty)
    assert fault in said or (fault == "reserved" and "keyword" in said), said


def test_the_gate_takes_what_every_engine_has() -> None:
    program = "import { es3Faults } from './es3.mjs'; console.log(es3Faults(process.argv[1]).length)"
    guarded = "x = typeof JSON == 'object' ? JSON : 0;"
    for code in (guarded, "x = global.JSON;", "x = function y() { return y; };", "x['default'] = { 'class': [1] };"):
        assert output("node", "--input-type=module", "-e", program, code).strip() == "0"


def unit_tests(*command: str | Path, **environ: str) -> None:
    """Run tests/js under a command. A failure shows what failed, not the hundreds that did not."""
    done = subprocess.run(
        [*map(str, command), "node", "--test", *map(str, UNIT_TESTS)],
        cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=58,
    )  # fmt: skip
    failed = re.findall(r"^ *not ok .*?^ *\.\.\.$", done.stdout, re.MULTILINE | re.DOTALL)
    assert done.returncode == 0, "\n".join(failed)[-6000:] or done.stdout[-4000:]


def test_unit_tests_pass_and_reach_nearly_every_line_and_branch_of_the_sources(tmp_path: Path) -> None:
    sources = [option for folder in ("src", "src/transports") for option in ("--include", f"js_client/{folder}/*.js")]
    least = ["--check-coverage", "--lines", "99", "--branches", "97", "--functions", "100"]
    unit_tests(CLIENT / "node_modules/.bin/c8", "--temp-directory", tmp_path, "--reporter", "text", *sources, *least)


def test_unit_tests_pass_on_the_minified_file() -> None:
    unit_tests(MINIFIED="1")
