"""How much memory does one idle WebSocket session with one namespace cost the server?

Opens the connections, waits until the server is quiet, and divides the growth of its resident memory. Misreading it: the
kernel's own socket buffers are not in it, and a Python server that has freed memory does not always give it back.

    python benchmarks/connections.py [connections]
"""

from __future__ import annotations

import sys
import time

from load import Load, raise_file_limit
from peers import PEERS, pinned_load, serving, table


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 15_000
    raise_file_limit()
    pinned_load()
    sizes: dict[str, float] = {}
    for name in PEERS:
        with serving(name) as peer:
            warm = Load(peer.port, 100)
            before = peer.rss()
            began = time.perf_counter()
            load = Load(peer.port, count)
            took = time.perf_counter() - began
            time.sleep(2)
            sizes[name] = (peer.rss() - before) / count / 1024
            print(f"{name}: {count:,} sessions in {took:.0f} s, {sizes[name]:.2f} KB each, {peer.rss() / 2**20:.0f} MB in all")
            load.close()
            warm.close()
    table(f"Memory of an idle session at {count:,}", "KB", sizes, more_is_better=False)


if __name__ == "__main__":
    main()
