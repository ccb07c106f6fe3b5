"""Random events through the ledger and through a naive second one: `python -m tests.ledger.compare --events 1000000`.

Every world that comes out differently is named with its seed and with what differs; then the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stargate.agreements import Agreement, WorldFact
from stargate.base import wire
from stargate.base.time import Instant
from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record.month import span_of
from tests.ledger.naive import Books
from tests.ledger.worlds import World

MOST = 10_000
"""Events of one world."""


def feed(world: World, store: Store, naive: Books) -> None:
    """Tell both the same."""
    ledger = Ledger(store)
    facts: list[WorldFact] = []
    now = Instant.parse("2025-01-01")
    for number, step in enumerate(world.steps()):
        if step.papers is not None or step.facts:
            facts += step.facts
            naive.papers, naive.facts = step.papers or naive.papers, facts
            ledger.declare([wire.convert(paper, Agreement) for paper in naive.papers], facts, now)
        if step.events:
            taken = ledger.take(step.events, now)
            assert not taken.refused
            naive.events |= {(one.source, one.key): one for one in step.events}
            if number % 3:
                ledger.rate(now)
        if step.close:
            now = span_of(step.close).end
            ledger.close(step.close, now)
            naive.close(step.close)


def differences(store: Store, naive: Books) -> list[str]:
    """What is booked by one and not by the other, by month of booking, month, kind, parties and clause."""
    booked: Counter[Any] = Counter()
    for entry in store.entries():
        key = entry.line
        booked[entry.month, key.month, key.kind, key.payer, key.payee, key.clause] += entry.amount_micro
    other = Counter(
        {(_name(when), _name(first), *rest): amount for (when, first, *rest), amount in naive.booked.items()}
    )
    return [
        f"{' '.join(key)}: ledger {booked[key]:,}, naive {other[key]:,}"
        for key in sorted(booked.keys() | other.keys())
        if booked[key] != other[key]
    ]


def _name(when: int) -> str:
    return Instant(when).iso()[:7]


def compare(seed: int, events: int) -> list[str]:
    """What differs in one world; nothing where both agree."""
    world, naive = World(seed, events), Books()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "ledger.sqlite", durable=False)
        try:
            feed(world, store, naive)
            return differences(store, naive)
        finally:
            store.close()


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    done = worlds = wrong = 0
    sizes = (50, 200, 1000, MOST)
    started = time.process_time()
    while done < asked.events:
        seed, size = asked.seed + worlds, min(sizes[worlds % len(sizes)], asked.events - done)
        found = compare(seed, size)
        done, worlds, wrong = done + size, worlds + 1, wrong + bool(found)
        for line in found[:12]:
            print(f"seed {seed}, {size} events: {line}")
        spent = time.process_time() - started
        print(
            f"\r{done:,} events, {worlds} worlds, {wrong} differ, {spent:,.0f} s CPU", end="", file=sys.stderr
        )
    print(f"{done:,} events in {worlds} worlds: {wrong} differ; {time.process_time() - started:,.0f} s CPU")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
