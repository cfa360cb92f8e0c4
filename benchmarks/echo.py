"""How many echoes a second does one server process on one processor answer over WebSocket?

50 connections keep 4 messages each on their way; the rate counts answers, until the last is back. Misreading it: the load client shares the
machine, so absolute rates are this machine's; only the ratios of one run compare. A handler that does real work is slower everywhere.

    python benchmarks/echo.py [seconds]
"""

from __future__ import annotations

import sys

from load import Load, raise_file_limit
from peers import PEERS, pinned_load, serving, table


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    raise_file_limit()
    pinned_load()
    rates: dict[str, list[float]] = {name: [] for name in PEERS}
    for _ in range(2):
        for name in PEERS:
            with serving(name) as peer:
                load = Load(peer.port, 50)
                load.echo('42["echo","hello"]', 0.5, 4)
                before = peer.cpu()
                rate = load.echo('42["echo","hello"]', seconds, 4)
                busy = (peer.cpu() - before) / seconds
                rates[name].append(rate)
                print(f"{name}: {rate:,.0f} echoes a second, server {busy:.0%} busy")
                load.close()
    table("Echo over WebSocket", "a second", {name: max(found) for name, found in rates.items()}, more_is_better=True)


if __name__ == "__main__":
    main()
