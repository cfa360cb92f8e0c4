"""The browser client's build: what is in dist/ is what src/ makes, it is ES3, it is small, and its unit tests pass."""

from __future__ import annotations

import gzip
import json
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


def test_the_types_are_what_pages_write() -> None:
    output("node_modules/.bin/tsc", "-p", ROOT / "tests/js")


def test_every_option_and_method_that_the_types_promise_is_in_the_client_and_the_other_way_round() -> None:
    types = (CLIENT / "anywire.d.ts").read_text()
    source = (CLIENT / "dist/anywire.js").read_text()
    promised = set(re.findall(r"^    (?:readonly )?(\w+)[(?:]", types, re.MULTILINE)) - {"constructor", "data"}
    assert len(promised) > 50
    assert {name for name in promised if not re.search(rf"\b{name}\b", source)} == set()
    made = set(re.findall(r"\bself\.(\w[\w]*) = ", source)) - {"nsps"}
    assert {name for name in made if not name.startswith("_")} - promised - {"onopen", "onworks", "onping", "onmessage", "onclose"} == set()


def test_the_package_holds_what_people_install_and_nothing_else(tmp_path: Path) -> None:
    said = subprocess.run(
        ["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", str(tmp_path)],
        cwd=CLIENT, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    (packed,) = json.loads(said.stdout)
    names = {file["path"] for file in packed["files"]}
    sources = {f"src/{path.relative_to(CLIENT / 'src')}" for path in (CLIENT / "src").rglob("*.js")}
    dist = {f"dist/{name}" for name in ("anywire.js", "anywire.min.js", "anywire.min.js.map", "anywire.esm.js", "anywire.esm.min.js")}
    assert names == {"package.json", "README.md", "LICENSE", "anywire.d.ts", "node.mjs", *dist, *sources}
    assert (CLIENT / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()

    home = tmp_path / "node_modules/anywire-client"
    home.mkdir(parents=True)
    subprocess.run(["tar", "xzf", tmp_path / packed["filename"], "--strip-components=1", "-C", home], check=True)
    say = "console.log(typeof io, typeof Manager, protocol, io.connect === connect)"
    names_of = "{ io, connect, Manager, protocol }"
    assert output("node", "-e", f"const {names_of} = require('anywire-client'); {say}", cwd=tmp_path) == "function function 5 true\n"
    module = f"import io, {names_of.replace('io, ', '', 1)} from 'anywire-client'; {say}"
    assert output("node", "--input-type=module", "-e", module, cwd=tmp_path) == "function function 5 true\n"
    # What a bundler takes, and a page.
    for name in ("anywire.esm.js", "anywire.esm.min.js"):
        (tmp_path / "bundled.mjs").write_text((home / "dist" / name).read_text() + say)
        assert output("node", "bundled.mjs", cwd=tmp_path) == "function function 5 true\n"


def test_the_source_map_leads_from_the_minified_file_to_the_sources() -> None:
    source_map = json.loads((CLIENT / "dist/anywire.min.js.map").read_text())
    assert source_map["sources"] == ["anywire.js"]
    assert source_map["sourcesContent"] == [(CLIENT / "dist/anywire.js").read_text()]
    assert len(source_map["mappings"]) > 10_000


def test_the_readme_says_how_large_it_is_beside_the_others() -> None:
    # Node's own zlib finds some bytes more or less than gzip's.
    size = len(gzip.compress((CLIENT / "dist/anywire.min.js").read_bytes(), 9, mtime=0))
    assert size <= 7168
    others = r"socket\.io-client 4\.8\.3 14,626, sockjs-client 1\.6\.1 16,364"
    found = re.search(rf"([\d,]+) bytes under `gzip -9`.{{0,60}}{others}", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    assert abs(int(found[1].replace(",", "")) - size) <= 8, size
