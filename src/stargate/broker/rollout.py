"""New versions of services: what may be replaced by what, and what follows.

When a replica is replaced is not decided here: whether one is ready, and whether one still answers, only those know
who ask them. They ask for one step at a time, and each step is on record with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import structs

from stargate.base.errors import NotFoundError, StateConflictError
from stargate.broker.fact import Fact, Revised, RolloutEnded, Scaled, Stopping, StopReason
from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from stargate.base.time import Instant
    from stargate.broker.command import EndRollout, Replace, Revise, Scale
    from stargate.broker.records import Slot, WorkloadState
    from stargate.broker.state import State
    from stargate.workloads import Workload

ROLLER = "roll-out"
"""Who asks for the replica beside the others."""
LASTING = ("team", "priority", "preemptible", "nodes", "traffic")
"""What all versions of a service share: replicas that run are counted and compared by it."""


def revise(state: State, command: Revise, _at: Instant) -> tuple[Fact, ...]:
    """A new version of a service. Raises StateConflictError where it would be another service."""
    holder = state.workload(command.workload)
    before, to = holder.workload, command.to
    if before.kind != "serve" or to.kind != "serve":
        raise StateConflictError(
            f"workload {holder.id} is a {before.kind} run",
            "only services have versions; submit it as another",
        )
    if holder.status != "active":
        raise StateConflictError(f"service {holder.id} is {holder.status}", "submit it under another name")
    for name in (*LASTING, "alternatives") if before.stated else LASTING:
        if getattr(before, name) != getattr(to, name):
            raise StateConflictError(
                f"service {holder.id} cannot change its {name} while it runs",
                "submit it under another name, then cancel this one",
            )
    to = structs.replace(to, sizes=before.sizes, rollout=None)
    if structs.replace(before, rollout=None) == to:
        return ()
    was = before.rollout
    replicas = _within(to, was.replicas if was is not None else holder.replicas)
    ground = Ground(f"a new version by {command.actor or 'its owner'}: {_changes(before, to)}")
    return (Revised(holder.id, to, replicas, command.actor, (ground,)),)


def _within(work: Workload, replicas: int) -> int:
    service = work.service
    if service is None:
        return replicas  # it states no bounds
    return min(max(replicas, service.min_replicas), service.max_replicas)


def _changes(before: Workload, to: Workload) -> str:
    names = [name for name in before.__struct_fields__ if getattr(before, name) != getattr(to, name)]
    return ", ".join(name for name in names if name != "rollout") or "the one before"


def end(state: State, command: EndRollout, _at: Instant) -> tuple[Fact, ...]:
    """All is replaced, or goes back to what it was: then what runs of the new version is stopped."""
    holder = state.workload(command.workload)
    rollout = holder.workload.rollout
    if rollout is None or holder.ended:
        return ()
    ground = Ground(command.says)
    facts: list[Fact] = [RolloutEnded(holder.id, command.outcome, (ground,))]
    if rollout.replicas != holder.replicas:
        facts.append(Scaled(holder.id, rollout.replicas, ROLLER, (ground,)))
    facts += stop(state, holder.slots[rollout.replicas :], "scaled_down", ground)
    if command.outcome == "failed":
        fresh = [slot for slot in holder.slots[: rollout.replicas] if is_new(state, holder, slot)]
        facts += stop(state, fresh, "replaced", ground)
    return tuple(facts)


def replace(state: State, command: Replace, _at: Instant) -> tuple[Fact, ...]:
    """One replica makes room for another. One that is going already does so anyway."""
    attempt = state.records.attempts.get(command.attempt)
    if attempt is None:
        raise NotFoundError(f"no attempt {command.attempt!r}", "`stargate show` lists those of a workload")
    if state.records.workloads[attempt.workload].workload.kind != "serve":
        raise StateConflictError(
            f"attempt {attempt.id} is no replica", "a run goes on where it is; `stargate cancel` ends it"
        )
    if attempt.status in {"stopping", "ended"}:
        return ()
    return (Stopping(attempt.id, command.reason, (Ground(command.says),)),)


def stop(state: State, slots: Iterable[Slot], reason: StopReason, ground: Ground) -> list[Stopping]:
    """Stop what runs in these slots."""
    return [
        Stopping(slot.attempt, reason, (ground,))
        for slot in slots
        if slot.status == "placed" and state.records.attempts[slot.attempt].status != "stopping"
    ]


def is_new(state: State, holder: WorkloadState, slot: Slot) -> bool:
    """Whether the version that is being rolled out runs in a slot."""
    rollout = holder.workload.rollout
    if rollout is None or slot.status != "placed":
        return False
    return state.records.attempts[slot.attempt].placed_seq > rollout.since


def demand_settled(holder: WorkloadState, command: Scale) -> None:
    """Raises StateConflictError while a version is rolled out: then its replicas are counted by who does that."""
    if holder.workload.rollout is not None and command.actor != ROLLER:
        raise StateConflictError(
            f"service {holder.id} is being rolled out", "wait until `stargate show` says no more of it"
        )
