"""Starts the servers that are compared, each pinned to one processor, and reads what the system says of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Peer", "pinned_load", "serving"]

ROOT = Path(__file__).resolve().parent.parent
#: name -> command. Ratios are of the first to each of the others.
PEERS: dict[str, list[str]] = {
    "anywire": [sys.executable, str(ROOT / "benchmarks/servers/anywire_server.py")],
    "Node socket.io": ["node", str(ROOT / "tests/node/benchmark_server.mjs")],
    "python-socketio on Tornado": [sys.executable, str(ROOT / "benchmarks/servers/python_socketio_server.py")],
}


@dataclass
class Peer:
    """A running server."""

    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> int:
        """Bytes of resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pinned_load() -> None:
    """Keep this process off the server's processor, where there is another."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})


@contextmanager
def serving(name: str) -> Iterator[Peer]:
    """Start a server on processor 0 and stop it by its id."""

    def pin() -> None:
        os.sched_setaffinity(0, {0})

    process = subprocess.Popen(PEERS[name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=pin, cwd=ROOT / "tests")
    assert process.stdout is not None
    try:
        peer = Peer(int(process.stdout.readline()), process.pid)
        time.sleep(0.5)
        yield peer
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def table(title: str, unit: str, figures: dict[str, float], more_is_better: bool) -> None:
    """Print each peer's figure and how many times better the first is."""
    ours = next(iter(figures.values()))
    print(f"\n{title}")
    for name, figure in figures.items():
        ratio = ours / figure if more_is_better else figure / ours
        print(f"  {name:28} {figure:12,.1f} {unit:12}" + ("" if figure == ours else f"  anywire is {ratio:.2f} times better"))
