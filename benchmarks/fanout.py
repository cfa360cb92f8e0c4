"""What does a broadcast to 2,000 receivers cost a server process on one processor, over WebSocket and over long-polling?

One more client, on a WebSocket, asks for a broadcast of 90 bytes, and for the next when every receiver has the one before; pollers have
polled again by then, which is counted.

Misreading it: the kernel's send() is most of it (5 to 9 microseconds a WebSocket), and counts for everyone alike; with --steer the
receivers' half of it is not the server's, as where they are other machines. The clock's rate also
counts how fast the load client reads, which it does on a processor of its own, if there is one. Small rooms cost more a receiver: the
message is encoded once.

    python benchmarks/fanout.py [--short] [--rounds N] [--only NAME] [--transport NAME] [--receivers N]
"""

from __future__ import annotations

from functools import partial

from harness.clients import CLIENTS
from harness.load import Load, prepare
from harness.peers import PEERS, Peer, pin_load, serving_all
from harness.report import Sample, arguments, in_turn, rounds, sample, show


def broadcasts(asker: Load, receivers: Load, count: int) -> int:
    """Ask for so many broadcasts, one after the other; how many messages the receivers got."""
    for number in range(count):
        asker.first.send(f'42["news",{number}]')
        receivers.receive(len(receivers.clients))
        asker.receive(1)
    return count * len(receivers.clients)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--transport", action="append", choices=CLIENTS, help="what the receivers use (websocket and polling)")
    parser.add_argument("--receivers", type=int, default=2000)
    options = parser.parse_args()
    prepare(options.steer)
    for transport in options.transport or ("websocket", "polling"):
        names = [name for name in options.only or PEERS if transport != "htmlfile" or name == "anywire"]
        with serving_all(names) as peers:
            pin_load()
            loads = {peer.name: (Load(peer.port, 1), Load(peer.port, options.receivers, transport)) for peer in peers}

            def take(count: int, loads: dict[str, tuple[Load, Load]], peer: Peer) -> Sample:
                return sample(peer, lambda: broadcasts(*loads[peer.name], count))

            found = in_turn(peers, rounds(options), partial(take, 4 if options.short else 10, loads))
            show(f"Broadcast to {options.receivers:,} receivers over {transport}", "receiver", found)
            for pair in loads.values():
                for load in pair:
                    load.close()


if __name__ == "__main__":
    main()
