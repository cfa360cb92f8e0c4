"""The wheel holds what a server needs and nothing else, and works from an empty folder with only what it declares."""

from __future__ import annotations

import asyncio
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
#: Builds and installations take their time where the machine is busy.
pytestmark = pytest.mark.timeout(240)
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", "node_modules", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")


def output(command: list[Any], cwd: Path, **environ: str) -> str:
    """What a command printed; its failure is an error that shows both outputs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ANYWIRE", "COV"))}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=inherited | environ, timeout=150, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def needed(name: str) -> set[str]:
    """The distributions that an installed one declares, and what these declare; without extras."""
    found: set[str] = set()
    for line in metadata.requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= {requirement.name} | needed(requirement.name)
    return found


def link(distribution: str, site: Path) -> None:
    """Make an installed distribution importable in another environment, without asking an index for it again."""
    files = metadata.distribution(distribution).files or []
    for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
        (site / top).symlink_to(metadata.distribution(distribution).locate_file(top))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources so that nothing half built gets into it."""
    place = tmp_path_factory.mktemp("wheel")
    # dist/ at the root is ignored, js_client/dist is source.
    shutil.copytree(ROOT, place / "source", ignore=lambda at, names: NOT_SOURCE(at, names) - ({"dist"} if at != str(ROOT) else set()))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    output([*pip, "--wheel-dir", place, place / "source"], place)
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_a_source_distribution_makes_the_same_wheel_and_brings_what_its_tests_need(
    wheel: Path, names: list[str], tmp_path: Path
) -> None:
    script = f"import setuptools.build_meta as build; build.build_sdist({str(tmp_path)!r})"
    output([sys.executable, "-W", "ignore", "-c", script], wheel.parent / "source")
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    output([*pip, "--wheel-dir", tmp_path, archive], tmp_path)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as built:
        assert sorted(built.namelist()) == names
    wanted = {"Makefile", "ruff.toml", "tests/conftest.py", "tests/http_tools.py", "tests/node/package-lock.json"}
    wanted |= {f"js_client/src/{path.name}" for path in (ROOT / "js_client/src").glob("*.js")}
    wanted |= {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert wanted - inside == set()
    assert [name for name in inside if re.search(r"node_modules|__pycache__|\.git/|\.venv", name)] == []


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The ``bin`` of an environment with the wheel and the distributions that it declares, and no others."""
    place = tmp_path_factory.mktemp("clean")
    venv.create(place, with_pip=False)
    site = Path(output([place / "bin/python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], place).strip())
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", place / "bin/python", "install", "--no-index", "--no-deps"]
    output([*pip, wheel], place)
    for distribution in needed("anywire"):
        link(distribution, site)
    yield place / "bin"


def test_the_wheel_holds_every_module_and_no_test_tool_or_source_of_the_client(names: list[str]) -> None:
    modules = {f"anywire/{path.relative_to(ROOT)}" for part in ("*.py", "server/**/*.py", "transports/**/*.py") for path in ROOT.glob(part)}
    inside = {name for name in names if name.endswith(".py")}
    assert inside == modules
    others = [name for name in names if name not in inside and ".dist-info/" not in name]
    wanted = r"anywire/(py\.typed$|js_client/dist/|server/check_page/|server/demo/static/)"
    assert others == [name for name in others if re.match(wanted, name)]


def test_the_wheel_holds_the_browser_files_the_check_page_the_demos_pages_the_types_mark_and_the_license(names: list[str]) -> None:
    wanted = {"anywire/py.typed"}
    wanted |= {f"anywire/js_client/dist/{path.name}" for path in (ROOT / "js_client/dist").iterdir()}
    wanted |= {f"anywire/server/check_page/{path.name}" for path in (ROOT / "server/check_page").iterdir()}
    wanted |= {f"anywire/server/demo/static/{path.name}" for path in (ROOT / "server/demo/static").iterdir()}
    assert wanted - set(names) == set()
    assert {"anywire/js_client/dist/anywire.js", "anywire/js_client/dist/anywire.min.js"} <= wanted
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_an_installation_has_the_command_and_knows_its_version(clean: Path, tmp_path: Path) -> None:
    assert output([clean / "anywire", "version"], tmp_path).strip() == metadata.version("anywire")
    assert output([clean / "python", "-m", "anywire", "version"], tmp_path).strip() == metadata.version("anywire")


def test_an_installation_imports_nothing_of_what_it_does_not_declare(clean: Path, tmp_path: Path) -> None:
    script = "import anywire, anywire.server.demo.app, anywire.server.cli; print(anywire.__file__)"
    where = Path(output([clean / "python", "-W", "error", "-c", script], tmp_path).strip())
    assert where.is_relative_to(clean.parent)


def test_an_installation_serves_its_browser_file_and_its_demo_from_an_empty_folder(
    clean: Path, tmp_path: Path, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        process = await asyncio.create_subprocess_exec(
            clean / "anywire", "demo", "--port", "0", cwd=tmp_path, env=environ, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            first = (await process.stdout.readline()).decode()
            port = int(re.search(r":(\d+)/", first)[1])  # type: ignore[index]
            assert (await get(port, "/socket.io/anywire.js")).endswith((ROOT / "js_client/dist/anywire.js").read_bytes())
            assert b"</html>" in (await get(port, "/")).lower()
            assert b'"upgrades"' in await get(port, "/socket.io/?EIO=4&transport=polling")
            process.terminate()
            assert await process.wait() == 0
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    run(main())
    assert list(tmp_path.iterdir()) == []


async def get(port: int, target: str) -> bytes:
    """A GET's whole answer. It must be 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
    return answer


def test_the_version_stands_in_one_place_and_the_browser_client_has_the_same() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    assert json.loads((ROOT / "js_client/package.json").read_text())["version"] == version
    modules = (path for part in ("*.py", "server/**/*.py", "transports/**/*.py") for path in ROOT.glob(part))
    assert [path for path in modules if re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", path.read_text())] == []


@pytest.mark.parametrize("folder", ["js_client", "tests/node"])
def test_what_is_locked_comes_from_whichever_registry_the_machine_uses(folder: str) -> None:
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry and not entry.get("link")] == []
    assert "omit-lockfile-registry-resolved=true" in (ROOT / folder / ".npmrc").read_text()
    wanted = json.loads((ROOT / folder / "package.json").read_text())
    versions = {**wanted.get("dependencies", {}), **wanted.get("devDependencies", {})}
    assert [name for name, version in versions.items() if not re.fullmatch(r"(npm:[a-z.-]+@)?\d+\.\d+\.\d+", version)] == []
