"""How much memory does an idle session with one namespace cost a server process over each transport, and what its coming and going?

Opens the sessions, lets each server free what it can, waits until it is quiet, and divides the growth of its resident memory by their
number; then drops all connections and waits until it is quiet again. An idle poller has one connection, with a poll waiting on it.

Misreading it: the kernel's own socket buffers are not in it, and are more than all of it once something is in them. A server that has
freed memory does not always give it back, so the figure is what the sessions needed at most. Of htmlfile there is no other server.

    python benchmarks/connections.py [--short] [--only NAME] [--transport NAME] [--connections N]
"""

from __future__ import annotations

import time

from harness.clients import CLIENTS
from harness.load import Load, prepare
from harness.peers import PEERS, Peer, pin_load, serving
from harness.report import arguments, figures

#: Sessions of the slowest server: memory a session does not depend on their number, and 15,000 take it minutes to open.
SLOW = {"python-socketio on Tornado": 3000}


def settled(peer: Peer, asker: Load) -> int:
    """The server's resident memory once it has freed what it can."""
    asker.first.send('42["collect"]')
    asker.receive(1)
    peer.settle()
    return peer.rss()


def measure(name: str, transport: str, count: int) -> tuple[float, float, float]:
    """KB a session, and microseconds of processor time to open and to drop one."""
    with serving(name) as peer:
        asker, warm = Load(peer.port, 1), Load(peer.port, 100, transport)
        before = settled(peer, asker)
        cpu, began = peer.cpu(), time.perf_counter()
        load = Load(peer.port, count, transport)
        opening, took = (peer.cpu() - cpu) / count * 1e6, time.perf_counter() - began
        size = (settled(peer, asker) - before) / count / 1024
        cpu = peer.cpu()
        load.close()
        peer.settle()
        dropping = (peer.cpu() - cpu) / count * 1e6
        times = f"to open one {opening:.0f} us, to drop one {dropping:.0f} us"
        print(f"  {name}: {count:,} sessions in {took:.0f} s, {size:.2f} KB each; {times}", flush=True)
        for each in (asker, warm):
            each.close()
        return size, opening, dropping


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--transport", action="append", choices=CLIENTS)
    parser.add_argument("--connections", type=int)
    options = parser.parse_args()
    count = options.connections or (2000 if options.short else 15_000)
    prepare(options.steer)
    pin_load()
    for transport in options.transport or CLIENTS:
        print(f"Over {transport}:")
        names = [name for name in options.only or PEERS if transport != "htmlfile" or name == "anywire"]
        found = {name: measure(name, transport, min(count, SLOW.get(name, count))) for name in names}
        for place, what, unit in ((0, "Memory of an idle session", "KB"), (1, "To open a session", "us"), (2, "To drop one", "us")):
            figures(f"{what} over {transport}", unit, {name: each[place] for name, each in found.items()})
        print()


if __name__ == "__main__":
    main()
