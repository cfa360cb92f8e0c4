"""The servers that are compared: started side by side on one processor, asked of the system what they use, and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PEERS", "Peer", "load_processor", "pin_load", "serving", "serving_all"]

ROOT = Path(__file__).resolve().parents[2]
_SERVERS = ROOT / "benchmarks" / "servers"
#: name -> command. Ratios are of the first to each of the others.
PEERS: dict[str, list[str]] = {
    "anywire": [sys.executable, str(_SERVERS / "anywire_server.py")],
    "Node socket.io": ["node", "--expose-gc", str(ROOT / "tests/node/benchmark_server.mjs")],
    "python-socketio on Tornado": [sys.executable, str(_SERVERS / "python_socketio_server.py")],
}
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Peer:
    """A running server."""

    name: str
    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of processor time used so far by all its threads, in the kernel too."""
        tasks = Path(f"/proc/{self.pid}/task")
        try:
            # Nanoseconds, where the kernel keeps them (man 5 proc).
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9
        except FileNotFoundError:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICK

    def rss(self) -> int:
        """Bytes of resident memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE

    def _sleeps(self) -> bool:
        """Whether it waits for something. One that has work and no processor does not, though it uses none."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until it has nothing more to do: asleep at each of eight looks in a second, and less than 2 % of a processor used."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before, asleep = self.cpu(), 0
            while asleep < 8 and self._sleeps():
                asleep += 1
                time.sleep(0.125)
            if asleep == 8 and self.cpu() - before < 0.02:
                return
            time.sleep(0.05)


def _processors() -> list[int]:
    return sorted(os.sched_getaffinity(0))


_OURS = _processors()


def load_processor() -> int:
    """The number of the load's processor: not the servers', where there is another."""
    return _OURS[min(1, len(_OURS) - 1)]


def pin_load() -> None:
    """Keep this process, the load, on its processor."""
    os.sched_setaffinity(0, {load_processor()})


@contextmanager
def serving(name: str) -> Iterator[Peer]:
    """Start a server on the first processor and stop it by its id."""
    environment = {**os.environ, "NODE_ENV": "production"}
    # taskset and not preexec_fn: what Node's threads are pinned to must be so before they begin.
    command = ["taskset", "-c", str(_OURS[0]), *PEERS[name]]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT / "tests", env=environment)
    assert process.stdout is not None
    try:
        peer = Peer(name, int(process.stdout.readline()), process.pid)
        yield peer
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@contextmanager
def serving_all(names: Iterable[str]) -> Iterator[list[Peer]]:
    """Start several; they take turns on the one processor, and one that is not asked anything uses none of it."""
    with ExitStack() as stack:
        yield [stack.enter_context(serving(name)) for name in names]
