"""A trace rehearsed on the flat pool, and summed up on the way."""

from __future__ import annotations

from collections.abc import Iterable

from stargate.broker import Entry
from stargate.rehearsal.flat import Flat, rehearse
from stargate.rehearsal.play import Sink
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.job import Lines
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.traces import Job


def reported(
    jobs: Iterable[Job], chips: int, policy: str, *, title: str, sink: Sink | None = None,
    lines: Lines | None = None, nodes_of: int = 1,
) -> tuple[Flat, Summary]:  # fmt: skip
    """What `rehearse` gives, and its summary; `sink` gets the entries as well. Raises what `rehearse` raises."""
    collector = Collector(lines=lines)

    def tell(entries: tuple[Entry, ...]) -> None:
        if sink is not None:
            sink(entries)
        collector(entries)

    flat = rehearse(jobs, chips, policy, sink=tell, nodes_of=nodes_of)
    nodes = f" in nodes of {nodes_of}" if nodes_of > 1 else ""
    identity = Identity(
        title=f"{title} on {chips:,} chips{nodes}",
        policy=policy,
        input_digest=flat.input_digest,
        state_digest=flat.state_digest,
        dated=False,
    )
    return flat, collector.finish(identity)
