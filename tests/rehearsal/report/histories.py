"""Summaries and streams of small rehearsals, for whoever shows or compares them."""

from __future__ import annotations

from typing import Any

from stargate.base.time import HOUR
from stargate.broker import Entry, Ground
from stargate.broker.fact import Placed
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.job import Line
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.traces import Job
from tests.broker.world import Bench, policy, pool, work

HOSTILE = "<script>alert(1)</script>\"'&$x$_\x00\u202e=1+1"
"""What a name may be if nobody looks: markup, quotes, formulas, invisible characters."""


def jobs(count: int = 40) -> list[Job]:
    """Long ones before short ones, on few chips: policies differ."""
    return [
        Job(str(n + 1), 30 * n, 400 if n % 3 == 0 else 50, 6 if n % 3 == 0 else 2, 400 if n % 3 == 0 else 50)
        for n in range(count)
    ]


def flat(order: str, chips: int = 8, given: list[Job] | None = None) -> tuple[list[Entry], Summary]:
    """A trace on a flat pool."""
    entries: list[Entry] = []
    collector = Collector()

    def both(new: tuple[Entry, ...]) -> None:
        entries.extend(new)
        collector(new)

    done = rehearse(given or jobs(), chips, order, sink=both)
    identity = Identity(title=f"flat {order}", policy=order, state_digest=done.state_digest, dated=False)
    return entries, collector.finish(identity)


def rich(title: str = "A rehearsal", team: str = "red", says: str = "a promise") -> Summary:
    """Several providers, a commitment, a clause that decides, an outage, preemption, a failure."""
    bench = Bench(
        pool("p", tenure="reserved", price="2"), pool("q", "oracle", "wi"), pool("r", "aws", "no"), policy=policy()
    )  # fmt: skip
    for number in range(14):
        bench.submit(work(f"w{number}", 1 + number % 3, team=team, priority=number % 4))
        for name, attempt in sorted(bench.state.live.items()):
            if attempt.status == "placed":
                bench.run(name)
            elif attempt.status == "stopping":
                bench.report(name, "stopped")
        bench.wait(HOUR // 2)
        if number % 5 == 4:
            first = min(bench.state.live)
            bench.report(first, "failed", failure="infrastructure")
        if number % 2:
            bench.report(max(bench.state.live), "done")
    entries = [cited(entry, says) for entry in bench.entries]
    lines: list[Line] = []
    collector = Collector(lines=lines.append)
    collector(tuple(entries))
    return collector.finish(Identity(title=title, seed=7, overrides={"policy.order": "fifo"}), bench.now)


def cited(entry: Entry, says: str) -> Entry:
    """A placement that rests on a clause as well."""
    if not isinstance(entry.fact, Placed):
        return entry
    values: dict[str, Any] = {name: getattr(entry.fact, name) for name in entry.fact.__struct_fields__}
    values["grounds"] = (*entry.fact.grounds, Ground(says, f"deal-{entry.fact.provider}/first"))
    return Entry(entry.seq, entry.at, entry.cause, Placed(**values))
