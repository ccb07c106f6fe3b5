"""State into requests to the outside. Idempotent: the same fact always asks for the same, under the same ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from stargate.base.time import Duration
from stargate.broker import sourcing
from stargate.broker.ask import resolve_chips
from stargate.broker.effect import Effect, StartAttempt, StopAttempt
from stargate.broker.fact import (
    Accepted,
    Checkpointed,
    Ended,
    Entry,
    Placed,
    Requeued,
    Started,
    Stopping,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)

if TYPE_CHECKING:
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.workloads import Layout, Workload

_NOW = Duration(0)

SILENT: frozenset[type] = frozenset({Submitted, Accepted, Started, Checkpointed, Requeued, WorkloadEnded})
"""Facts that nobody outside has to be asked or told anything about."""


def react(state: State, entry: Entry) -> tuple[Effect, ...]:
    """The effects of one entry, after it has been applied and committed."""
    fact = entry.fact
    if type(fact) in SILENT:
        return ()
    if isinstance(fact, Placed):
        return (start(state, state.records.attempts[fact.attempt]),)
    if isinstance(fact, Stopping):
        return (stop(state, state.records.attempts[fact.attempt]),)
    if isinstance(fact, Ended):
        if fact.outcome != "lost":
            return ()
        # Fence it: should it still run somewhere, it must not go on beside its successor.
        return (fence(state.records.attempts[fact.attempt], f"{entry.seq}.0"),)
    if isinstance(fact, SupplyMarked) and fact.status == "up":
        return tuple(fence(attempt, f"{entry.seq}.{n}") for n, attempt in enumerate(state.back))
    return sourcing.react(state, entry)


def outstanding(state: State) -> tuple[Effect, ...]:
    """What must be asked and told (again) after a restart, under the ids that it had.

    First the fences of what was given up for lost: the one that followed from the fact may not have gone out. Then
    everything of the engines that is not known to be over. Last what parties were told last: they know by its id what
    they have heard.
    """
    lost = (attempt for attempt in state.records.attempts.values() if attempt.outcome == "lost")
    fences = tuple(fence(attempt, f"{attempt.placed_seq}.1") for attempt in lost)
    doing = tuple(
        stop(state, attempt) if attempt.status == "stopping" else start(state, attempt)
        for attempt in state.live.values()
    )
    return (*fences, *doing, *state.records.notices)


def start(state: State, attempt: AttemptState) -> StartAttempt:
    """The request to start an attempt."""
    return StartAttempt(
        id=f"{attempt.placed_seq}.0",
        attempt=attempt.id,
        workload_id=attempt.workload,
        number=attempt.number,
        slot=attempt.slot,
        provider=attempt.provider,
        pool=attempt.pool,
        nodes=attempt.nodes,
        chips_per_node=attempt.chips_per_node,
        workload=_version(state.records.workloads[attempt.workload].workload, attempt),
        layout=_layout(state, attempt),
    )


def _version(work: Workload, attempt: AttemptState) -> Workload:
    """What an attempt runs: asked for again, it is what it was, also where a new version has come since."""
    rollout = work.rollout
    if rollout is None:
        return work
    return rollout.before if attempt.placed_seq < rollout.since else replace(work, rollout=None)


def _layout(state: State, attempt: AttemptState) -> Layout | None:
    """That of the size with which the attempt was placed; what the workload itself says where it has none."""
    work = state.records.workloads[attempt.workload].workload
    pool = state.catalog_pools.get(attempt.pool) if work.sizes else None
    if pool is None:
        return work.layout
    for size in work.sizes:
        gang = (size.nodes, size.resources.chips_per_node) == (len(attempt.nodes), attempt.chips_per_node)
        chip = pool.chip in resolve_chips(state, size.resources.chip)
        if gang and chip and (not size.fabrics or (pool.fabric or "") in size.fabrics):
            return size.layout or work.layout
    return work.layout


def stop(state: State, attempt: AttemptState) -> StopAttempt:
    """The request to stop an attempt, with time to save."""
    grace = state.records.policy.recovery.stop_grace
    return StopAttempt(f"{attempt.stop_seq}.0", attempt.id, attempt.pool, grace, attempt.stop_reason or "")


def fence(attempt: AttemptState, effect_id: str) -> StopAttempt:
    """Stop at once what was given up for lost."""
    return StopAttempt(effect_id, attempt.id, attempt.pool, _NOW, "lost")
