"""An import only ever points down, and what is replaceable is named in one place: read off the sources, module by module."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Row of the house that each module stands in: transports carry bytes, the server gives them meaning.
#: A module may import its own row and those below, never one above; a new module gets its line here.
LAYERS: dict[str, int] = {
    # 0: values, contracts, pure wrappers
    "server.config": 0,
    "server.errors": 0,
    "server.events": 0,
    "server.states": 0,
    "transports.base": 0,
    "transports.framing": 0,
    "transports.masking": 0,
    # 1: dialects and small tools
    "server.backplane.base": 1,
    "server.envelope": 1,
    "server.handshake": 1,
    "server.metrics": 0,
    "server.origins": 1,
    "server.protocols.base": 1,
    "server.protocols.engineio": 1,
    "server.protocols.engineio3": 1,
    "server.protocols.engineio4": 1,
    "server.protocols.packet": 1,
    "server.protocols.packet09": 1,
    "server.protocols.registry": 1,
    "server.protocols.socketio09": 1,
    "server.static": 1,
    "server.tasks": 1,
    "server.throttle": 1,
    "server.timers": 1,
    "transports.frames": 1,
    # 2: what waits to be sent
    "server.delivery": 2,
    "server.farewell": 2,
    "server.heartbeat": 2,
    "server.outbox": 2,
    "server.outgoing": 2,
    "server.race": 2,
    "server.upgrade": 2,
    "transports.poller": 2,
    # 3: one connection
    "server.backpressure": 3,
    "server.session": 3,
    "transports.wire": 3,
    # 4: all connections of a process
    "server.hub": 4,
    "transports.exchange": 4,
    "transports.strict": 4,
    # 5: what an application or another process says to them; the transports themselves
    "server.asking": 5,
    "server.backplane.memory": 5,
    "server.backplane.redis": 5,
    "server.admission": 5,
    "server.carriers": 2,
    "server.check": 5,
    "server.cluster": 5,
    "server.dispatch": 5,
    "server.joining": 5,
    "server.namespace": 5,
    "transports.htmlfile": 5,
    "transports.jsonp": 5,
    "transports.polling": 5,
    "transports.websocket": 5,
    # 6: a request finds its session
    "server.router": 6,
    "transports.registry": 6,
    # 7: the public face, and an application of it
    "": 7,
    "__main__": 7,
    "server.app": 7,
    "server.cli": 7,
    "server.demo.app": 7,
    "server.demo.deck": 7,
    "server.demo.live": 7,
    "server.demo.slide": 7,
    "server.demo.state": 7,
    "server.endpoint": 7,
    "server.engine": 7,
}
#: Folders whose ``__init__`` holds a docstring alone.
BARE_PACKAGES = {"transports", "server", "server.protocols", "server.backplane", "server.demo"}
#: The server sees only these of the transports...
SERVER_MAY_SEE = {"transports.base", "transports.framing"}
#: ...but for the modules that put the two together.
ASSEMBLERS = {"server.router", "server.endpoint", "server.app", "server.engine", "server.cli"}
#: Distribution -> the modules that may name it; None: any.
THIRD_PARTY: dict[str, set[str] | None] = {
    "tornado": {
        "transports.exchange", "transports.masking", "transports.strict", "server.router", "server.endpoint", "server.app", "server.cli",
        "server.demo.app",
    },
    "redis": {"server.backplane.redis"},
    "orjson": None,
    "msgpack": {"server.envelope"},
}
#: Bytes or strings in, values out: no clock, no log, no chance, no I/O.
PURE = re.compile(r"server\.(protocols\..*|envelope|events|farewell|outgoing|states)|transports\.(framing|frames)")
IMPURE = {"asyncio", "logging", "os", "random", "secrets", "select", "selectors", "socket", "ssl", "subprocess", "threading", "time"}


def module_name(path: Path) -> str:
    """``server/hub.py`` -> ``server.hub``; a package is its folder, the root is the empty name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(path): path for part in ("*.py", "transports/**/*.py", "server/**/*.py") for path in ROOT.glob(part) if path.is_file()
}


def run_time_statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements, also inside functions, without those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from run_time_statements(child)


def imports(name: str, source: str) -> Iterator[tuple[str, bool]]:
    """What a module imports: our own as ``(module, True)``, others as ``(top name, False)``."""
    package = name.split(".") if name in BARE_PACKAGES or not name else name.split(".")[:-1]
    package = [part for part in package if part]
    for node in run_time_statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0], False
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] + (node.module or "").split(".")
            target = ".".join(part for part in base if part)
            for alias in node.names:
                inner = f"{target}.{alias.name}".lstrip(".")
                yield inner if inner in LAYERS or inner in FILES else target, True


def faults(name: str, source: str) -> list[str]:
    """Every rule that a module's imports break, in words."""
    if name not in LAYERS:
        return [f"{name} is not in the table of tests/test_layers.py: add the row that it stands in"]
    found: list[str] = []
    for target, ours in imports(name, source):
        found += _our_faults(name, target) if ours else _foreign_faults(name, target)
    return found


def _our_faults(name: str, target: str) -> Iterator[str]:
    if target not in LAYERS:
        yield f"{name} imports {target}, which is not in the table of tests/test_layers.py"
    elif LAYERS[target] > LAYERS[name]:
        yield f"{name} (row {LAYERS[name]}) imports {target} (row {LAYERS[target]}): up"
    if name.startswith("transports.") and not target.startswith("transports."):
        yield f"{name} imports {target or 'anywire'}: a transport knows nothing of the server"
    if name.startswith("server.") and target.startswith("transports.") and target not in SERVER_MAY_SEE and name not in ASSEMBLERS:
        yield f"{name} imports {target}: the server sees {' and '.join(sorted(SERVER_MAY_SEE))} only"


def _foreign_faults(name: str, target: str) -> Iterator[str]:
    if target in ("anywire", "server", "transports"):
        yield f"{name} imports {target}: inside the package, imports are relative"
    elif target in THIRD_PARTY:
        allowed = THIRD_PARTY[target]
        if allowed is not None and name not in allowed:
            yield f"{name} imports {target}: only {', '.join(sorted(allowed))} may"
    elif target not in sys.stdlib_module_names:
        yield f"{name} imports {target}, which setup.cfg does not require"
    if target in IMPURE and PURE.fullmatch(name):
        yield f"{name} imports {target}: it is pure, bytes in and values out"


@pytest.mark.parametrize("name", sorted(FILES.keys() - BARE_PACKAGES))
def test_the_imports_of_a_module_point_down(name: str) -> None:
    assert faults(name, FILES[name].read_text()) == []


def test_the_table_names_no_module_that_is_gone() -> None:
    assert sorted(LAYERS.keys() - FILES.keys()) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {target for target, ours in imports(name, path.read_text()) if ours} for name, path in FILES.items()}
    while leaves := {name for name, targets in graph.items() if not targets & graph.keys()}:
        graph = {name: targets for name, targets in graph.items() if name not in leaves}
    assert graph == {}


@pytest.mark.parametrize("name", sorted(BARE_PACKAGES))
def test_a_folder_holds_no_code_of_its_own(name: str) -> None:
    assert [type(node).__name__ for node in ast.parse(FILES[name].read_text()).body] in ([], ["Expr"])


def test_the_package_lists_every_folder_and_no_other() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["packages"].split()
    assert sorted(listed) == sorted(["anywire", *(f"anywire.{name}" for name in BARE_PACKAGES)])
    assert {".".join(name.split(".")[:-1]) for name in FILES.keys() - BARE_PACKAGES} <= BARE_PACKAGES | {""}


def test_what_is_required_is_imported_and_what_is_imported_is_required() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = set(re.findall(r"^([a-z]+)", setup["options"]["install_requires"], re.MULTILINE))
    named = {target for name, path in FILES.items() for target, ours in imports(name, path.read_text()) if not ours}
    assert named - sys.stdlib_module_names == required == THIRD_PARTY.keys()


@pytest.mark.parametrize(
    ("name", "source", "fault"),
    [
        ("server.hub", "from .app import Server", "server.hub (row 4) imports server.app (row 7): up"),
        ("server.hub", "def f():\n    from . import app", "server.hub (row 4) imports server.app (row 7): up"),
        ("transports.polling", "from ..server.errors import X", "transports.polling imports server.errors: a transport knows nothing of"),
        ("transports.polling", "from .. import Server", "transports.polling imports anywire: a transport knows nothing of the server"),
        ("server.session", "from ..transports.frames import X", "server.session imports transports.frames: the server sees"),
        ("server.hub", "import tornado.web", "server.hub imports tornado: only server.app, "),
        ("server.cluster", "from redis.asyncio import Redis", "server.cluster imports redis: only server.backplane.redis may"),
        ("server.hub", "import requests", "server.hub imports requests, which setup.cfg does not require"),
        ("server.app", "from anywire.server import hub", "server.app imports anywire: inside the package, imports are relative"),
        ("server.events", "import time", "server.events imports time: it is pure, bytes in and values out"),
        ("server.nowhere", "", "server.nowhere is not in the table of tests/test_layers.py: add the row that it stands in"),
        ("server.app", "from .nowhere import X", "server.app imports server.nowhere, which is not in the table"),
    ],
)
def test_a_fault_is_found_and_said(name: str, source: str, fault: str) -> None:
    assert any(said.startswith(fault) for said in faults(name, source)), faults(name, source)


def test_what_only_a_type_checker_reads_is_no_import() -> None:
    assert faults("transports.base", "if TYPE_CHECKING:\n    from .wire import Wire") == []
