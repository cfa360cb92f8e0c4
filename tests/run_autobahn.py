"""The Autobahn test suite itself against our WebSocket: ``make autobahn``.

The suite is written for Python 2: ``wstest`` is its command. Prints each case that is not OK and a summary; exits with 1 when there is
one. Informational cases (7.1.6, 7.13.*: what the protocol leaves open) count as passed, everything else must be OK, its close too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from echo_websocket import DEFLATING, OPTIONS, echo_server

#: Sections 9 (limits), 12 and 13 (compression) hold cases of minutes, most of them the suite's own work: one of each kind.
SHORT = {
    "plain": [*(f"{number}.*" for number in (1, 2, 3, 4, 5, 6, 7, 10)), *(f"9.{number}.1" for number in range(1, 9))],
    "deflate": ["12.1.3", "12.2.4", "12.3.11", *(f"13.{number}.{case}" for number in range(1, 8) for case in (3, 11))],
}
ALL = {"plain": [f"{number}.*" for number in (1, 2, 3, 4, 5, 6, 7, 9, 10)], "deflate": ["12.*", "13.*"]}
GOOD = ("OK", "INFORMATIONAL")


async def suite(wstest: str, cases: list[str], deflate: bool, folder: Path) -> dict[str, str]:
    """Run these cases: the verdict of each, "OK" or what it was."""
    async with echo_server(DEFLATING if deflate else OPTIONS) as (echo, port):
        spec = {
            "outdir": str(folder / "report"),
            "servers": [{"agent": "anywire", "url": f"ws://127.0.0.1:{port}", "options": {"version": 18}}],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        process = await asyncio.create_subprocess_exec(
            *(wstest, "-m", "fuzzingclient", "-s", str(folder / "spec.json")),
            cwd=folder,
            stdout=asyncio.subprocess.DEVNULL,
        )
        if await process.wait():
            raise SystemExit(f"{wstest} failed")
        assert not echo.wrong, echo.wrong
    found = json.loads((folder / "report" / "index.json").read_text())["anywire"]
    return {
        number: next((verdict for verdict in (said["behavior"], said["behaviorClose"]) if verdict not in GOOD), "OK")
        for number, said in found.items()
    }


async def main(wstest: str, cases: dict[str, list[str]]) -> int:
    """Run the suite without and with compression; the number of cases that are not OK."""
    verdicts: dict[str, str] = {}
    for name, chosen in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            verdicts |= await suite(wstest, chosen, name == "deflate", Path(folder))
    bad = {number: verdict for number, verdict in verdicts.items() if verdict != "OK"}
    for number, verdict in bad.items():
        print(number, verdict)
    print(f"{len(verdicts) - len(bad)} passed, {len(bad)} failed")
    return len(bad)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wstest", help="the suite's command")
    parser.add_argument("--all", action="store_true", help="every case of every section; takes half an hour")
    arguments = parser.parse_args()
    raise SystemExit(min(1, asyncio.run(main(str(Path(arguments.wstest).resolve()), ALL if arguments.all else SHORT))))
