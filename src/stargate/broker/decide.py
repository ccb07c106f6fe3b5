"""All policy: what a command, or the passing of time, makes happen. Reads the state, never changes it.

A refusal is a UserError; an engine's report that makes no sense (any more) is no error but brings no facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from stargate.base import wire
from stargate.base.errors import ForbiddenError, LimitError, NotFoundError, StateConflictError, UserError
from stargate.base.ids import is_name
from stargate.base.time import Instant
from stargate.broker import due, migrate, queue, quota, recover, rollout, sourcing
from stargate.broker.command import (
    Cancel,
    Command,
    Declare,
    DeclareFact,
    EndRollout,
    FailureClass,
    MarkSupply,
    Replace,
    Report,
    Revise,
    Scale,
    SetCapacity,
    Submit,
    Wake,
)
from stargate.broker.fact import (
    Accepted,
    CancelRequested,
    CapacitySet,
    Checkpointed,
    Declared,
    Ended,
    Fact,
    FactDeclared,
    Repriced,
    Scaled,
    Started,
    Stopping,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)
from stargate.broker.ground import Ground
from stargate.broker.sourcing.fact import LeaseActivated, LeaseResized
from stargate.broker.transitions import ATTEMPT, follows

if TYPE_CHECKING:
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.workloads import Workload

RECONSIDER = frozenset(
    {Declared, FactDeclared, Repriced, CapacitySet, SupplyMarked, Ended, LeaseActivated, LeaseResized}
)
"""Facts after which open needs may move on and running work may be better off elsewhere."""

QUIET = frozenset({Accepted, Started, Checkpointed})
"""Facts that let nothing start, move or be bought: they need no look at the queue."""

REPLICAS_LIMIT = 100_000


def decide(state: State, command: Command, at: Instant) -> tuple[Fact, ...]:
    """The facts that follow from a command. Raises UserError if it is refused."""
    handler = _HANDLERS.get(type(command))
    if handler is None:
        return sourcing.decide(state, command, at)  # type: ignore[arg-type]  # what is not ours is sourcing's
    return handler(state, command, at)


def _wake(state: State, command: Wake, at: Instant) -> tuple[Fact, ...]:
    """One step of what follows; to be asked again until nothing does."""
    return (
        _fallen_due(state, at, due_dates=command.due)
        or queue.decide_queue(state, at)
        or (migrate.decide_moves(state, at) if command.reconsider else ())
    )


def follow_up(state: State, at: Instant, *, due_dates: bool, reconsider: bool) -> Iterable[Fact]:
    """What `Wake` decides, each fact to be applied before the next is asked for; `()` when nothing is left."""
    bought = state.records.sourcing
    if due_dates or bought.timers or bought.open_needs or bought.leases:
        facts = _fallen_due(state, at, due_dates=due_dates)
        if facts:
            return facts
    if queue.has_turns(state):
        return queue.queue_steps(state, at)
    return migrate.decide_moves(state, at) if reconsider else ()


def _fallen_due(state: State, at: Instant, *, due_dates: bool) -> tuple[Fact, ...]:
    """What dates and changes bring about before anybody in the queue has a turn."""
    facts = due.decide_due(state, at) if due_dates else ()
    return facts or sourcing.decide_due(state, at) or sourcing.review(state, at)


def _declare(state: State, command: Declare, at: Instant) -> tuple[Fact, ...]:
    records = state.records
    now = (records.infrastructure, records.agreements, records.policy)
    if wire.pack(now) == wire.pack((command.infrastructure, command.agreements, command.policy)):
        return ()
    kept = {pool.id: pool for pool in command.infrastructure.pools}
    for pool_id in sorted(pool_id for pool_id, live in state.live_on.items() if live):
        if pool_id not in kept:
            raise StateConflictError(
                f"pool {pool_id} still runs work and is missing from the new declaration",
                f"drain it first: `stargate drain pool {pool_id}`",
            )
    for lease in records.sourcing.leases.values():
        if lease.open and lease.pool not in kept:
            raise StateConflictError(
                f"pool {lease.pool} is leased until {lease.until} and is missing from the new declaration",
                "keep the pool in the catalog until the lease has ended",
            )
    for pool_id, pool in kept.items():
        old = state.catalog_pools.get(pool_id)
        if old is not None and state.live_on.get(pool_id) and _shape(old) != _shape(pool):
            raise StateConflictError(
                f"pool {pool_id} runs work; its chip, node size, block size, provider and site cannot change now",
                "drain it first, or declare a new pool",
            )
    declared = Declared(command.infrastructure, command.agreements, command.policy)
    counted = {pool_id: records.nodes[pool_id] for pool_id in records.counted}
    shrunk = [
        fact
        for pool_id in sorted(state.live_on)
        if pool_id in kept
        for fact in due.clear_nodes(state, pool_id, counted.get(pool_id, kept[pool_id].nodes_at(at)))
    ]
    return (declared, *shrunk)


def _shape(pool: Any) -> tuple[object, ...]:
    return (pool.chip, pool.chips_per_node, pool.block_nodes, pool.provider, pool.site)


def _declare_fact(state: State, command: DeclareFact, at: Instant) -> tuple[Fact, ...]:
    return (FactDeclared(command.fact),)


def _submit(state: State, command: Submit, at: Instant) -> tuple[Fact, ...]:
    if not is_name(command.id):
        raise UserError(
            f"{command.id!r} is not a usable id", "use letters, digits, dot, dash, underscore; at most 128"
        )
    known = state.records.workloads.get(command.id)
    work = command.workload
    if known is not None:
        if _as_written(known.workload) == _as_written(work):
            return ()
        raise StateConflictError(
            f"workload {command.id!r} exists already and is not the same",
            "submit under another name; `stargate revise` rolls out a new version of a service",
        )
    if state.open_workloads >= state.records.policy.max_workloads:
        raise LimitError(
            f"{state.open_workloads} workloads are open, as many as policy allows",
            "wait, or raise `max_workloads`",
        )
    teams = state.records.policy.teams
    if teams and quota.team_of(state, work.team) is None:
        names = ", ".join(team.id for team in teams)
        raise ForbiddenError(f"team {work.team!r} has no quota", f"set `team:` to one of {names}")
    _require_chips(state, command)
    if work.stated:
        return _submit_stated(state, command, at)
    return (Submitted(command.id, work, command.actor),)


def _as_written(work: Workload) -> Workload:
    """Without what was computed when it was submitted."""
    if work.rollout is not None:
        work = msgspec.structs.replace(work, rollout=None)
    return msgspec.structs.replace(work, sizes=()) if work.stated else work


def _submit_stated(state: State, command: Submit, at: Instant) -> tuple[Fact, ...]:
    """The work with its sizes: what the performance model says now is kept in the fact."""
    # It brings NumPy: a third of the time to start for commands and restarts that never size anything.
    from stargate.broker import sizing  # noqa: PLC0415

    work = command.workload
    pools = [pool for pool in state.catalog_pools.values() if pool.engine.kind != "none"]
    machines = sizing.Pools(
        state.records.infrastructure,
        pools,
        lambda pool: max(state.nodes_at(pool, at), *(pool.nodes_at(dated.from_) for dated in pool.nodes), 0),
        lambda pool: 0 if pool.tenure in {"owned", "reserved"} else state.records.prices.get(pool.id),
    )
    found = sizing.size(
        work, machines, state.estimator or sizing.PERFORMANCE, at, state.records.policy.sizing.longest
    )
    sized = msgspec.structs.replace(work, sizes=found.sizes)
    facts: tuple[Fact, ...] = (Submitted(command.id, sized, command.actor, found.grounds),)
    replicas = _within_bounds(work, found.replicas)
    if replicas is not None and replicas != work.replicas:
        ground = Ground(f"{replicas} of {found.replicas} replicas that its traffic needs")
        facts += (Scaled(command.id, replicas, command.actor, (ground,)),)
    return facts


def _within_bounds(work: Workload, replicas: int | None) -> int | None:
    """What the traffic needs, within the bounds of a replica policy where there is one."""
    service = work.service
    if replicas is None or service is None or service.min_replicas == service.max_replicas:
        return replicas
    return min(max(replicas, service.min_replicas), service.max_replicas)


def _require_chips(state: State, command: Submit) -> None:
    """At least one alternative must name a chip that the catalog knows."""
    unknown: NotFoundError | None = None
    for resources in command.workload.alternatives:
        if resources.chip is None:
            return
        try:
            state.chip_id(resources.chip)
        except NotFoundError as error:
            unknown = error
        else:
            return
    if unknown is not None:
        raise unknown


def _cancel(state: State, command: Cancel, at: Instant) -> tuple[Fact, ...]:
    holder = state.workload(command.workload)
    if holder.status in {"cancelling", "cancelled"}:
        return ()
    if holder.ended:
        raise StateConflictError(
            f"workload {holder.id} has {holder.status} already", "nothing is left to cancel"
        )
    ground = Ground(f"cancelled by {command.actor or 'its owner'}")
    facts: list[Fact] = [CancelRequested(holder.id, command.actor, (ground,))]
    placed = [slot for slot in holder.slots if slot.status == "placed"]
    facts += [
        Stopping(slot.attempt, "cancelled", (ground,))
        for slot in placed
        if state.records.attempts[slot.attempt].status != "stopping"
    ]
    if not placed:
        facts.append(WorkloadEnded(holder.id, "cancelled", (ground,)))
    return tuple(facts)


def _scale(state: State, command: Scale, at: Instant) -> tuple[Fact, ...]:
    holder = state.workload(command.workload)
    if holder.workload.kind != "serve":
        raise StateConflictError(
            f"workload {holder.id} is a {holder.workload.kind} run", "only services have replicas"
        )
    if holder.status != "active":
        raise StateConflictError(
            f"service {holder.id} is {holder.status}", "submit it again under another name"
        )
    rollout.demand_settled(holder, command)
    if not 0 <= command.replicas <= REPLICAS_LIMIT:
        raise LimitError(f"{command.replicas} replicas", f"ask for 0 to {REPLICAS_LIMIT}")
    if command.replicas == holder.replicas:
        return ()
    ground = Ground(f"scaled from {holder.replicas} to {command.replicas} by {command.actor or 'its owner'}")
    fewer = rollout.stop(state, holder.slots[command.replicas :], "scaled_down", ground)
    return (Scaled(holder.id, command.replicas, command.actor, (ground,)), *fewer)


def _report(state: State, command: Report, at: Instant) -> tuple[Fact, ...]:
    attempt = state.records.attempts.get(command.attempt)
    if attempt is None or attempt.status == "ended":
        return ()  # unknown or fenced: it can change nothing
    match command.phase:
        case "accepted":
            news = attempt.accepted_at is None and _follows(attempt, Accepted)
            return (Accepted(attempt.id),) if news else ()
        case "running":
            told = attempt.started_at is None or (attempt.first_step is None and command.step is not None)
            return (Started(attempt.id, command.step),) if told and _follows(attempt, Started) else ()
        case "checkpointed":
            return _checkpointed(attempt, command)
        case "done":
            # A replica that ends while it is being stopped has stopped; a run may end by itself at any time.
            by_itself = attempt.stop_reason is None or _is_run(state, attempt)
            return _end(state, attempt, command, at, "done" if by_itself else "stopped", None)
        case _ if attempt.stop_reason is not None:
            # Asked to stop, it stopped: however it went, that is nobody's failure.
            return _end(state, attempt, command, at, "stopped", None)
        case "stopped":
            return _end(state, attempt, command, at, "failed", "preempted")
        case "failed":
            return _end(state, attempt, command, at, "failed", command.failure or "infrastructure")


def _is_run(state: State, attempt: AttemptState) -> bool:
    """Runs end; replicas of a service do not."""
    return state.records.workloads[attempt.workload].workload.kind != "serve"


def _end(
    state: State,
    attempt: AttemptState,
    command: Report,
    at: Instant,
    outcome: recover.Outcome,
    failure: FailureClass | None,
) -> tuple[Fact, ...]:
    said = f"the engine reports {command.phase}" + (f": {command.detail}" if command.detail else "")
    return recover.end_attempt(
        state,
        attempt,
        at,
        outcome,
        failure=failure,
        step=command.step,
        detail=command.detail,
        metrics=command.metrics,
        ground=Ground(said),
    )


def _follows(attempt: AttemptState, fact: type) -> bool:
    return follows(ATTEMPT, attempt.status, fact) is not None


def _checkpointed(attempt: AttemptState, command: Report) -> tuple[Fact, ...]:
    step = command.step
    if step is None or not _follows(attempt, Checkpointed):
        return ()
    if attempt.checkpoint_step is not None and step <= attempt.checkpoint_step:
        return ()
    return (Checkpointed(attempt.id, step),)


def _mark_supply(state: State, command: MarkSupply, at: Instant) -> tuple[Fact, ...]:
    known = {"provider": state.providers, "site": state.sites, "pool": state.catalog_pools}[command.scope]
    if command.id not in known:
        raise NotFoundError(
            f"no {command.scope} {command.id!r}", "`stargate pools` lists pools, sites and providers"
        )
    key = f"{command.scope}:{command.id}"
    before, drained = state.records.marks.get(key, "up"), key in state.records.drained
    if before == command.status or (drained and command.status == "draining"):
        return ()
    said = command.evidence or "an operator said so"
    ground = Ground(f"{command.scope} {command.id} is {command.status}: {said}")
    marked = SupplyMarked(command.scope, command.id, command.status, (ground,))
    if drained:
        # It is back, and an operator wants it empty all the same.
        again = Ground(f"{command.scope} {command.id} was being drained before it was lost")
        return (marked, SupplyMarked(command.scope, command.id, "draining", (again,)))
    if before == "lost" and command.status == "draining":
        # It stays lost, and nothing runs there; that it is to be empty is remembered.
        still = Ground(f"{command.scope} {command.id} is still lost")
        return (marked, SupplyMarked(command.scope, command.id, "lost", (still,)))
    facts: list[Fact] = [marked]
    if command.status == "up":
        return tuple(facts)
    ending: frozenset[str] = frozenset()
    for attempt in _on_scope(state, command):
        if command.status == "lost":
            ending |= {attempt.id}
            facts += recover.end_attempt(
                state, attempt, at, "lost", failure="infrastructure", ground=ground, ending=ending
            )
        elif attempt.status != "stopping":
            facts.append(Stopping(attempt.id, "drained", (ground,)))
    return tuple(facts)


def _on_scope(state: State, command: MarkSupply) -> list[AttemptState]:
    def concerned(attempt: AttemptState) -> bool:
        if command.scope == "pool":
            return attempt.pool == command.id
        if command.scope == "provider":
            return attempt.provider == command.id
        return state.catalog_pools[attempt.pool].site == command.id

    return [attempt for attempt in state.live.values() if concerned(attempt)]


def _set_capacity(state: State, command: SetCapacity, at: Instant) -> tuple[Fact, ...]:
    if command.pool not in state.catalog_pools:
        raise NotFoundError(f"no pool {command.pool!r}", "`stargate pools` lists them")
    if command.nodes < 0:
        raise UserError(f"{command.nodes} nodes", "a pool has zero or more nodes")
    listed = max((dated.nodes for dated in state.catalog_pools[command.pool].nodes), default=0)
    if command.nodes > listed:
        raise UserError(
            f"{command.nodes} nodes counted in {command.pool}; the catalog never has more than {listed}",
            "correct the catalog first",
        )
    if command.pool in state.records.counted and state.records.nodes.get(command.pool) == command.nodes:
        return ()
    ground = Ground(f"{command.nodes} nodes counted" + (f": {command.evidence}" if command.evidence else ""))
    fact = CapacitySet(command.pool, command.nodes, counted=True, grounds=(ground,))
    return (fact, *due.clear_nodes(state, command.pool, command.nodes))


_HANDLERS: dict[type, Callable[[State, Any, Instant], tuple[Fact, ...]]] = {
    Cancel: _cancel,
    Declare: _declare,
    DeclareFact: _declare_fact,
    EndRollout: rollout.end,
    MarkSupply: _mark_supply,
    Replace: rollout.replace,
    Report: _report,
    Revise: rollout.revise,
    Scale: _scale,
    SetCapacity: _set_capacity,
    Submit: _submit,
    Wake: _wake,
}
