"""What does it cost a server process on one processor to echo a message over WebSocket?

50 connections send a message, and again when its echo is back, in two ways: one message at a time, and eight on their way; plain
events, and, one at a time, events with acknowledgements, with an attachment of 100 bytes and with JSON of 1 KB. All answers are
waited for.

Misreading it: the load client shares the machine, and where it is busier than the server, or something else runs, the clock's rates say
nothing (the processor time does). More than half of the time of a message is the kernel's, which counts for every server alike: with
more on their way less of it is spent on each message. A handler that does real work is slower everywhere.

    python benchmarks/echo.py [--short] [--rounds N] [--only NAME]
"""

from __future__ import annotations

import json
from functools import partial

from harness.load import Load, prepare
from harness.peers import PEERS, Peer, pin_load, serving_all
from harness.report import Sample, arguments, in_turn, rounds, sample, show

CLIENTS = 50
_JSON = json.dumps([{"id": n, "name": f"number {n}", "tags": ["a", "b"], "score": n / 3} for n in range(14)], separators=(",", ":"))
#: title -> message, its attachment, messages of the answer, how many are on their way at once.
KINDS: dict[str, tuple[str, bytes | None, int, int]] = {
    "one at a time": ('42["echo","hello"]', None, 1, 1),
    "8 on their way": ('42["echo","hello"]', None, 1, 8),
    "an acknowledgement": ('420["ask","hello"]', None, 1, 1),
    "an attachment of 100 bytes": ('451-["echo",{"_placeholder":true,"num":0}]', b"x" * 100, 2, 1),
    "JSON of 1 KB": (f'42["echo",{_JSON}]', None, 1, 1),
}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind of message (may be repeated)")
    options = parser.parse_args()
    seconds = 0.5 if options.short else 1.0
    prepare(options.steer)
    with serving_all(options.only or PEERS) as peers:
        pin_load()
        loads = {peer.name: Load(peer.port, CLIENTS) for peer in peers}

        def take(kind: str, peer: Peer) -> Sample:
            message, attachment, answers, in_flight = KINDS[kind]
            return sample(peer, lambda: loads[peer.name].echo(message, seconds, in_flight, answers, attachment))

        for kind in options.kind or KINDS:
            show(f"Echo over WebSocket, {kind}", "message", in_turn(peers, rounds(options), partial(take, kind)))


if __name__ == "__main__":
    main()
