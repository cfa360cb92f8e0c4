"""Takes samples of the peers in turn and prints what they say beside each other.

The steady figure is the server's processor time for each message: it does not move with what else the machine does. Its reciprocal is
what one processor of the server could do at most. The wall rate needs an idle machine and a load client that is never waited for.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .peers import PEERS, Peer

__all__ = ["Sample", "arguments", "figures", "in_turn", "rounds", "sample", "show"]


@dataclass(frozen=True)
class Sample:
    """So many messages took so much of the server's processor time and of the clock's, in seconds, and so much of the load's."""

    messages: int
    cpu: float
    wall: float
    load: float


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks take."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="smaller and fewer samples, for a first look")
    parser.add_argument("--only", action="append", choices=PEERS, help="measure only this server (may be repeated)")
    parser.add_argument("--steer", action="store_true", help="the receivers' half of the kernel's work on the load's processor (root)")
    parser.add_argument("--rounds", type=int, help="samples of each server, taken in turn (7; with --short 3)")
    return parser


def rounds(options: argparse.Namespace) -> int:
    """How many samples of each."""
    return options.rounds or (3 if options.short else 7)


def sample(peer: Peer, work: Callable[[], int]) -> Sample:
    """Let ``work`` ask the server for messages and wait until all have come; it returns how many."""
    cpu, load, wall = peer.cpu(), time.process_time(), time.perf_counter()
    messages = work()
    return Sample(messages, peer.cpu() - cpu, time.perf_counter() - wall, time.process_time() - load)


def in_turn(peers: Sequence[Peer], count: int, take: Callable[[Peer], Sample]) -> dict[str, list[Sample]]:
    """``count`` samples of each peer, one after the other in each round, so that what disturbs the machine disturbs all. One more is
    taken before, of which nothing is kept."""
    found: dict[str, list[Sample]] = {peer.name: [] for peer in peers}
    for number in range(count + 1):
        for peer in peers:
            one = take(peer)
            if number:
                found[peer.name].append(one)
    return found


def show(title: str, unit: str, found: dict[str, list[Sample]]) -> None:
    """Print the medians, and how many times better the first peer is: the median of the rounds' ratios, their least and greatest."""
    print(f"\n{title} (medians of {len(next(iter(found.values())))} rounds)")
    print(f"  {'':28} {'server us':>10} {'of a full':>10} {'measured':>10}  {'busy: server':>13} {'load':>5}   anywire is better by")
    print(f"  {'':28} {'/' + unit:>10} {'core /s':>10} {'/s':>10}  {'':>13} {'':>5}   processor time (range)   clock")
    ours = next(iter(found.values()))
    for name, samples in found.items():
        cost = statistics.median(s.cpu / s.messages for s in samples)
        rate = statistics.median(s.messages / s.wall for s in samples)
        server = statistics.median(s.cpu / s.wall for s in samples)
        load = statistics.median(s.load / s.wall for s in samples)
        line = f"  {name:28} {cost * 1e6:10.1f} {1 / cost:10,.0f} {rate:10,.0f}  {server:13.0%} {load:5.0%}"
        if samples is not ours:
            pairs = list(zip(ours, samples, strict=True))
            ratios = sorted((b.cpu / b.messages) / (a.cpu / a.messages) for a, b in pairs)
            clock = statistics.median((a.messages / a.wall) / (b.messages / b.wall) for a, b in pairs)
            line += f"   {statistics.median(ratios):5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})     {clock:5.2f}"
        print(line)


def figures(title: str, unit: str, found: dict[str, float]) -> None:
    """Print one figure a peer, of which less is better."""
    print(f"\n{title}")
    ours = next(iter(found.values()))
    for name, figure in found.items():
        ratio = "" if figure == ours or ours <= 0 else f"  anywire is {figure / ours:.2f} times better"
        print(f"  {name:28} {figure:12,.2f} {unit}{ratio}")
