"""What does a broadcast to 2,000 WebSockets cost one server process on one processor?

One client asks for 20 broadcasts; the figure is the server's processor time for each message at each receiver,
until every frame has arrived.
Misreading it: the kernel's send() is most of it (5 to 7 microseconds), and counts for everyone alike.

    python benchmarks/fanout.py [receivers [broadcasts]]
"""

from __future__ import annotations

import sys

from load import Load, frame, raise_file_limit
from peers import PEERS, pinned_load, serving, table


def main() -> None:
    receivers = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    broadcasts = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    raise_file_limit()
    pinned_load()
    costs: dict[str, list[float]] = {name: [] for name in PEERS}
    walls: dict[str, list[float]] = {name: [] for name in PEERS}
    for _ in range(2):
        for name in PEERS:
            with serving(name) as peer:
                load = Load(peer.port, receivers)
                asker = next(iter(load.clients.values()))
                for count in (2, broadcasts):
                    before = peer.cpu()
                    asker.sock.sendall(frame(f'42["blast",{count}]'))
                    wall = load.receive(receivers * count)
                    cost = (peer.cpu() - before) / (receivers * count) * 1e6
                costs[name].append(cost)
                walls[name].append(wall / broadcasts * 1000)
                print(f"{name}: {cost:.1f} microseconds a receiver, {wall / broadcasts * 1000:.0f} ms a broadcast")
                load.close()
    table(f"Processor time of a broadcast to {receivers:,}", "us/receiver", {n: min(c) for n, c in costs.items()}, more_is_better=False)
    table("Until the last has it", "ms", {name: min(found) for name, found in walls.items()}, more_is_better=False)


if __name__ == "__main__":
    main()
