"""What does it cost a server process on one processor to echo a message over long-polling?

50 clients keep a poll waiting on one connection and post a message on another; when the post is answered and the poll has brought the
echo they poll and post again: two requests a cycle. All answers are waited for.

Misreading it: real browsers send ten times as many headers, which cost every server more to parse. A cycle is a message there and one
back, so it compares with one echo of echo.py.

    python benchmarks/polling.py [--short] [--rounds N] [--only NAME] [--transport jsonp]
"""

from __future__ import annotations

from harness.load import Load, prepare
from harness.peers import PEERS, pin_load, serving_all
from harness.report import arguments, in_turn, rounds, sample, show

CLIENTS = 50
MESSAGE = '42["echo","hello"]'


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--transport", choices=("polling", "jsonp"), default="polling")
    options = parser.parse_args()
    seconds = 0.5 if options.short else 1.0
    prepare(options.steer)
    with serving_all(options.only or PEERS) as peers:
        pin_load()
        loads = {peer.name: Load(peer.port, CLIENTS, options.transport) for peer in peers}
        found = in_turn(peers, rounds(options), lambda peer: sample(peer, lambda: loads[peer.name].cycles(MESSAGE, seconds)))
        show(f"Echo over {options.transport}", "cycle", found)


if __name__ == "__main__":
    main()
