"""A trace rehearsed on the flat pool, and written down on the way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stargate.broker import Entry
from stargate.rehearsal.flat import Flat, rehearse
from stargate.rehearsal.play import Sink
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.summary import Identity
from stargate.rehearsal.report.write import Folder
from stargate.rehearsal.traces import Job


def reported(
    jobs: Iterable[Job],
    chips: int,
    policy: str,
    out: Path,
    *,
    title: str,
    sink: Sink | None = None,
    nodes_of: int = 1,
) -> Flat:
    """What `rehearse` gives; its report is in the folder `out`. Raises what `rehearse` raises, and OSError."""
    with Folder(out) as folder:
        collector = Collector(lines=folder)

        def tell(entries: tuple[Entry, ...]) -> None:
            if sink is not None:
                sink(entries)
            collector(entries)

        flat = rehearse(jobs, chips, policy, sink=tell, nodes_of=nodes_of)
        identity = Identity(
            title=f"{title} on {chips:,} chips",
            policy=policy,
            input_digest=flat.input_digest,
            state_digest=flat.state_digest,
            dated=False,
        )
        folder.close(collector.finish(identity))
    return flat
