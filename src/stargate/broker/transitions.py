"""The life of an attempt, a slot and a workload as tables: (state, fact) -> state.

Rule: every change of these states goes through here. `evolve` asserts against the tables, `decide` asks them whether
an engine's report still makes sense, and the diagrams in the documentation are drawn from them.
"""

from __future__ import annotations

from stargate.broker.fact import (
    Accepted,
    CancelRequested,
    Checkpointed,
    Ended,
    Placed,
    Requeued,
    Scaled,
    Started,
    Stopping,
    Submitted,
    WorkloadEnded,
)

Table = dict[tuple[str, type], str]

ATTEMPT: Table = {
    ("", Placed): "placed",
    ("placed", Accepted): "accepted",
    ("placed", Started): "running",
    ("accepted", Started): "running",
    # The program may tell its first step later than that it runs.
    ("running", Started): "running",
    ("running", Checkpointed): "running",
    ("placed", Stopping): "stopping",
    ("accepted", Stopping): "stopping",
    ("running", Stopping): "stopping",
    # A stop and a report cross on the way: the program may still start or save before it goes.
    ("stopping", Accepted): "stopping",
    ("stopping", Started): "stopping",
    ("stopping", Checkpointed): "stopping",
    ("placed", Ended): "ended",
    ("accepted", Ended): "ended",
    ("running", Ended): "ended",
    ("stopping", Ended): "ended",
}

SLOT: Table = {
    ("", Submitted): "waiting",
    ("", Scaled): "waiting",
    ("waiting", Placed): "placed",
    ("placed", Ended): "done",
    ("done", Requeued): "waiting",
    ("done", Scaled): "waiting",
    ("waiting", Scaled): "done",
    ("waiting", CancelRequested): "done",
    ("waiting", WorkloadEnded): "done",
}

WORKLOAD: Table = {
    ("", Submitted): "active",
    ("active", CancelRequested): "cancelling",
    ("active", WorkloadEnded): "succeeded | failed",
    ("cancelling", WorkloadEnded): "cancelled",
}


def follows(table: Table, state: str, fact: type) -> str | None:
    """The state after `fact`; None where the table has no such step."""
    return table.get((state, fact))
