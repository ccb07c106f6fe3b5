"""Whose turn it is: the rank of what waits and of what runs, under the order that policy names.

`priority`: higher priority first. `fifo`: first come, first served. `sjf`: the shortest expected run first.
`srtf`: what has least left to run first, and what runs gives way to it. Equal ranks go in order of arrival.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from stargate.base.ids import attempt_id
from stargate.broker.ask import expected_run

if TYPE_CHECKING:
    from stargate.base.time import Instant
    from stargate.broker.records import AttemptState, WorkloadState
    from stargate.broker.state import State, Waiting

PREEMPTIVE = frozenset({"priority", "srtf"})
"""Orders under which what runs may have to give way to what waits."""


def waiting_rank(state: State, holder: WorkloadState, slot: int) -> int:
    """Where a slot stands in the queue: the lowest number is next. It does not change while the slot waits."""
    work = holder.workload
    order = state.records.policy.order
    if order == "priority":
        return -work.priority
    if order == "fifo":
        return 0
    expected = expected_run(state, work)
    if order == "sjf":
        return expected
    return max(0, expected - _kept(state, holder, slot, holder.slots[slot].number))


def running_rank(state: State, attempt: AttemptState, at: Instant) -> int:
    """The same for what runs now, were it to stop and wait; the highest number is the first to give way."""
    holder = state.records.workloads[attempt.workload]
    if state.records.policy.order != "srtf":
        return waiting_rank(state, holder, attempt.slot)
    done = _kept(state, holder, attempt.slot, attempt.number - 1)
    since = attempt.started_at if attempt.started_at is not None else attempt.placed_at
    return max(0, expected_run(state, holder.workload) - done - (at - since))


def gives_way(state: State, attempt: AttemptState, rank: int, at: Instant) -> bool:
    """Whether what runs ranks below what waits at `rank`. Under `fifo` and `sjf` nothing that runs ever does."""
    order = state.records.policy.order
    if order == "priority":
        return -state.records.workloads[attempt.workload].workload.priority > rank
    return order in PREEMPTIVE and running_rank(state, attempt, at) > rank


def join(queue: list[Waiting], place: Waiting) -> None:
    """Into the queue, in order: most come last."""
    if not queue or queue[-1] < place:
        queue.append(place)
        return
    at = bisect_left(queue, place)
    assert queue[at] != place, f"{place.workload} slot {place.slot} waits already"
    queue.insert(at, place)


def leave(queue: list[Waiting], place: Waiting) -> None:
    """Out of the queue: most are first."""
    at = 0 if queue and queue[0] == place else bisect_left(queue, place)
    assert queue[at : at + 1] == [place], f"{place.workload} slot {place.slot} does not wait"
    del queue[at]


def _kept(state: State, holder: WorkloadState, slot: int, attempts: int) -> int:
    """Run time of the first so many attempts that need not be done again."""
    if holder.workload.checkpoint is None:
        return 0
    kept = 0
    for number in range(1, attempts + 1):
        attempt = state.records.attempts[attempt_id(holder.id, slot, number)]
        safe_at = attempt.ended_at if attempt.outcome == "stopped" else attempt.safe_at
        if attempt.started_at is not None and safe_at is not None:
            kept += safe_at - attempt.started_at
    return kept
