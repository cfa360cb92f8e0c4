"""How long does an echo take at moderate load, and how long do the worst ones, beside many idle sessions?

50 WebSockets send 4,000 messages a second together, evenly, whether or not answers are late, while 15,000 others are idle. What the
server's garbage collection costs shows in the worst of them.

Misreading it: on a machine that others use the highest percentiles are theirs; only what stands out in every round is the server's.
Half the time of the median is the kernel's and the load client's.

    python benchmarks/latency.py [--short] [--only NAME] [--idle N] [--rate N]
"""

from __future__ import annotations

import statistics

from harness.load import Load, prepare
from harness.peers import PEERS, pin_load, serving
from harness.report import arguments, rounds

TALKERS = 50
#: Idle sessions beside the slowest server, which takes minutes to open 15,000.
SLOW = {"python-socketio on Tornado": 3000}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--idle", type=int)
    parser.add_argument("--rate", type=int, help="messages a second (4,000; of python-socketio 1,000)")
    options = parser.parse_args()
    idle = options.idle if options.idle is not None else 1000 if options.short else 15_000
    seconds = 1.0 if options.short else 3.0
    prepare(options.steer)
    pin_load()
    print(f"Echo beside idle sessions, milliseconds (medians of {rounds(options)} rounds of {seconds:.0f} s)")
    print(f"  {'':28} {'idle':>7} {'a second':>9} {'p50':>8} {'p99':>8} {'p99.9':>8} {'worst':>8}")
    for name in options.only or PEERS:
        few, rate = min(idle, SLOW.get(name, idle)), options.rate or (1000 if name in SLOW else 4000)
        with serving(name) as peer:
            others, load = Load(peer.port, few), Load(peer.port, TALKERS)
            load.paced('42["echo","hello"]', rate, seconds)
            peer.settle()
            found = []
            for _ in range(rounds(options)):
                times = sorted(load.paced('42["echo","hello"]', rate, seconds))
                found.append([times[int(len(times) * part)] * 1000 for part in (0.5, 0.99, 0.999)] + [times[-1] * 1000])
            middle = [statistics.median(column) for column in zip(*found, strict=True)]
            print(f"  {name:28} {few:7,} {rate:9,} " + " ".join(f"{figure:8.2f}" for figure in middle), flush=True)
            others.close()
            load.close()


if __name__ == "__main__":
    main()
