"""Facts into state: policy-free, total, in place. Asserts that what is said to have happened could have.

Nothing is decided here. The same facts in the same order give the same state, whoever decided them and when.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from stargate.base.money import micro_usd
from stargate.broker import sourcing
from stargate.broker.budget import spent_up
from stargate.broker.fact import (
    Accepted,
    CancelRequested,
    CapacitySet,
    Checkpointed,
    Declared,
    Ended,
    Entry,
    FactDeclared,
    Placed,
    Repriced,
    Requeued,
    Revised,
    RolloutEnded,
    Scaled,
    Started,
    Stopping,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)
from stargate.broker.records import CAUSES_LIMIT, NOTICES_LIMIT, AttemptState, Slot, WorkloadState
from stargate.broker.sourcing.fact import LeaseEnded, LeaseResized, NeedClosed, WaiverGranted
from stargate.broker.spans import to_spans
from stargate.broker.transitions import ATTEMPT, SLOT, WORKLOAD, Table
from stargate.broker.trial import attempt_from
from stargate.workloads import Rollout

if TYPE_CHECKING:
    from stargate.broker.effect import Notify
    from stargate.broker.state import State
    from stargate.workloads import Workload


RESTFUL = frozenset({Submitted, Accepted, Started, Checkpointed})
"""Facts that change nobody's chances in the queue but those of who comes in with them."""

MARKET = frozenset(
    {Declared, FactDeclared, Repriced, CapacitySet, SupplyMarked, LeaseEnded, LeaseResized, WaiverGranted}
)
"""Facts after which an open need may find what it did not find before."""

OF_AMOUNTS = frozenset({Repriced, CapacitySet})
"""Those of them that let nobody in, or out."""


def evolve(state: State, entry: Entry) -> None:
    """Apply one entry. Its number must follow the last one's, its time must not run backwards."""
    records, seq, at, fact = state.records, entry.seq, entry.at, entry.fact
    assert seq == records.seq + 1, f"entry {seq} after {records.seq}"
    assert at >= records.at, f"entry {seq} is dated before entry {records.seq}"
    records.seq, records.at = seq, at
    if at > state.clock:  # noqa: PLR1730  # comes with every fact, and `max` takes twice as long
        state.clock = at
    kind = type(fact)
    if kind not in RESTFUL:
        state.at_rest = None
    if kind in MARKET:
        state.market_seq = seq
        if kind not in OF_AMOUNTS:
            state.permits.forget()
    handler = _HANDLERS.get(kind)
    if handler is None:
        sourcing.evolve(state, entry)
        _remember(records.notices, sourcing.react(state, entry))
        if isinstance(fact, NeedClosed):
            state.await_retry(state.sourcing.needs[fact.need])
    else:
        handler(state, fact)
    causes = records.causes
    causes[entry.cause] = seq
    if len(causes) > CAUSES_LIMIT:
        # Many at once: the oldest key is slow to find in a dict that keeps losing its front.
        for old in list(islice(causes, CAUSES_LIMIT // 8)):
            del causes[old]


def _remember(kept: list[Notify], told: tuple[Notify, ...]) -> None:
    kept += told
    if len(kept) > NOTICES_LIMIT:
        del kept[: len(kept) - NOTICES_LIMIT]


def _step(table: Table, before: str, fact: type) -> str:
    after = table.get((before, fact))
    assert after is not None, f"{fact.__name__} cannot happen in state {before!r}"
    return after


def _declared(state: State, fact: Declared) -> None:
    records = state.records
    records.infrastructure = fact.infrastructure
    records.agreements = fact.agreements
    records.policy = fact.policy
    pools = {pool.id: pool for pool in fact.infrastructure.pools}
    counted = {
        pool: nodes for pool, nodes in records.nodes.items() if pool in records.counted and pool in pools
    }
    records.counted = dict.fromkeys(counted, True)
    records.nodes = {pool.id: counted.get(pool.id, pool.nodes_at(records.at)) for pool in pools.values()}
    prices = {pool.id: pool.price_at(records.at) for pool in pools.values()}
    records.prices = {pool: micro_usd(price) for pool, price in prices.items() if price is not None}
    state.redeclare()


def _fact_declared(state: State, fact: FactDeclared) -> None:
    state.records.world_facts.append(fact.fact)
    state.spent_up |= spent_up((fact.fact,))
    state.derive_committed(state.records.at)


def _supply_marked(state: State, fact: SupplyMarked) -> None:
    key, records = f"{fact.scope}:{fact.id}", state.records
    before = records.marks.pop(key, None)
    if fact.status == "lost" and before == "draining":
        records.drained[key] = True
    elif fact.status != "lost":
        records.drained.pop(key, None)
    if fact.status != "up":
        records.marks[key] = fact.status
        return
    back: list[AttemptState] = []
    for pool in [pool for pool in state.lost_on if _concerns(state, fact, pool)]:
        back += state.lost_on.pop(pool).values()
    for attempt in back:
        attempt.fence_seq = state.records.seq
    state.back = tuple(back)


def _concerns(state: State, fact: SupplyMarked, pool_id: str) -> bool:
    pool = state.catalog_pools.get(pool_id)
    return (
        pool is not None
        and fact.id == {"provider": pool.provider, "site": pool.site, "pool": pool.id}[fact.scope]
    )


def _capacity_set(state: State, fact: CapacitySet) -> None:
    state.records.nodes[fact.pool] = fact.nodes
    if fact.counted:
        state.records.counted[fact.pool] = True
    state.resize(fact.pool, fact.nodes)


def _repriced(state: State, fact: Repriced) -> None:
    price = fact.price_micro_usd_per_chip_hour
    if price is None:
        state.records.prices.pop(fact.pool, None)
    else:
        state.records.prices[fact.pool] = price
    supply = state.supplies.by_id.get(fact.pool)
    if supply is not None:
        supply.price = price or 0
        state.supplies.set_marginal(supply, state.marginal_of(supply))


def _submitted(state: State, fact: Submitted) -> None:
    records = state.records
    assert fact.id not in records.workloads, f"{fact.id} was submitted already"
    replicas = fact.workload.replicas if fact.workload.kind == "serve" else 1
    records.workloads[fact.id] = holder = WorkloadState(
        id=fact.id,
        workload=fact.workload,
        seq=records.seq,
        at=records.at,
        actor=fact.actor,
        slots=[Slot() for _ in range(replicas)],
        replicas=replicas,
    )
    state.open_workloads += 1
    for number in range(replicas):
        place = state.enqueue(holder, number)
        if state.at_rest is not None:
            state.at_rest.newcomers.append(place)


def _placed(state: State, fact: Placed) -> None:
    holder = state.records.workloads[fact.workload]
    slot = holder.slots[fact.slot]
    assert fact.number == slot.number + 1, f"{fact.attempt} is out of turn"
    state.dequeue(holder, fact.slot)
    slot.status = _step(SLOT, slot.status, Placed)  # type: ignore[assignment]  # the table holds only statuses
    slot.attempt, slot.number = fact.attempt, fact.number
    attempt = attempt_from(fact, state, state.records.seq)
    attempt.checkpoint_step = slot.checkpoint_step
    state.records.attempts[fact.attempt] = attempt
    assert max(fact.nodes) < state.nodes[fact.pool].nodes, f"{fact.attempt} stands beyond the pool"
    state.occupy(attempt)


def _slot_status(slot: Slot, fact: type) -> Any:
    return _step(SLOT, slot.status, fact)


def _attempt(state: State, name: str, fact: type) -> AttemptState:
    attempt = state.records.attempts[name]
    attempt.status = _step(ATTEMPT, attempt.status, fact)  # type: ignore[assignment]  # the table holds only statuses
    return attempt


def _stopping(state: State, fact: Stopping) -> None:
    attempt = _attempt(state, fact.attempt, Stopping)
    attempt.stop_reason = fact.reason
    attempt.stop_seq = state.records.seq
    state.stopping[attempt.id] = attempt
    state.supplies.note(attempt.pool)


def _accepted(state: State, fact: Accepted) -> None:
    _attempt(state, fact.attempt, Accepted).accepted_at = state.records.at


def _started(state: State, fact: Started) -> None:
    attempt = _attempt(state, fact.attempt, Started)
    attempt.started_at = attempt.started_at or state.records.at
    attempt.accepted_at = attempt.accepted_at or state.records.at
    attempt.first_step = fact.step


def _checkpointed(state: State, fact: Checkpointed) -> None:
    attempt = _attempt(state, fact.attempt, Checkpointed)
    attempt.checkpoint_step = fact.step
    attempt.safe_at = state.records.at
    state.records.workloads[attempt.workload].slots[attempt.slot].checkpoint_step = fact.step


def _ended(state: State, fact: Ended) -> None:
    attempt = _attempt(state, fact.attempt, Ended)
    attempt.outcome, attempt.failure = fact.outcome, fact.failure
    attempt.first_step, attempt.last_step = fact.first_step, fact.last_step
    attempt.cost_micro_usd, attempt.detail, attempt.metrics = fact.cost_micro_usd, fact.detail, fact.metrics
    attempt.ended_at = state.records.at
    supply = state.supplies.by_id.get(attempt.supply)
    if supply is not None and supply.kind.agreement:
        burned = state.records.burned
        agreement = supply.kind.agreement
        before = state.is_committed(agreement)
        burned[agreement] = burned.get(agreement, 0) + fact.cost_micro_usd
        if before and not state.is_committed(agreement):
            state.reorder(agreement)
    state.vacate(attempt)
    attempt.nodes, attempt.stood_on = (), to_spans(attempt.nodes)
    if fact.outcome == "lost":
        state.lost_on.setdefault(attempt.pool, {})[attempt.id] = attempt
    holder = state.records.workloads[attempt.workload]
    holder.cost_micro_usd += fact.cost_micro_usd
    slot = holder.slots[attempt.slot]
    slot.status = _step(SLOT, slot.status, Ended)  # type: ignore[assignment]  # as above


def _requeued(state: State, fact: Requeued) -> None:
    holder = state.records.workloads[fact.workload]
    slot = holder.slots[fact.slot]
    slot.status = _slot_status(slot, Requeued)
    slot.not_before, slot.avoid = fact.not_before, fact.avoid
    if fact.counts == "recovery":
        slot.recoveries += 1
    elif fact.counts == "restart":
        slot.restarts += 1
    state.enqueue(holder, fact.slot)


def _drop_waiting(state: State, holder: WorkloadState, fact: type, first: int = 0) -> None:
    for number in range(first, len(holder.slots)):
        slot = holder.slots[number]
        if slot.status == "waiting":
            state.dequeue(holder, number)
            slot.status = _slot_status(slot, fact)


def _workload_ended(state: State, fact: WorkloadEnded) -> None:
    holder = state.records.workloads[fact.workload]
    if [slot for slot in holder.slots if slot.status != "done"]:
        _drop_waiting(state, holder, WorkloadEnded)
        assert all(slot.status == "done" for slot in holder.slots), f"{holder.id} ended with work in hand"
    allowed = _step(WORKLOAD, holder.status, WorkloadEnded)
    assert fact.outcome in allowed.split(" | "), f"{holder.id} cannot end as {fact.outcome}"
    holder.status = fact.outcome
    holder.ended_at = state.records.at
    state.open_workloads -= 1


def _cancel_requested(state: State, fact: CancelRequested) -> None:
    holder = state.records.workloads[fact.workload]
    holder.status = _step(WORKLOAD, holder.status, CancelRequested)  # type: ignore[assignment]  # as above
    _drop_waiting(state, holder, CancelRequested)


def _scaled(state: State, fact: Scaled) -> None:
    holder = state.records.workloads[fact.workload]
    holder.replicas = fact.replicas
    _drop_waiting(state, holder, Scaled, first=fact.replicas)
    for number in range(fact.replicas):
        if number == len(holder.slots):
            holder.slots.append(Slot(status=_step(SLOT, "", Scaled)))  # type: ignore[arg-type]  # as above
        elif holder.slots[number].status == "done":
            holder.slots[number].status = _slot_status(holder.slots[number], Scaled)
        else:
            continue
        state.enqueue(holder, number)


def _revised(state: State, fact: Revised) -> None:
    holder = state.records.workloads[fact.workload]
    now = holder.workload
    before = now.rollout.before if now.rollout is not None else now
    rollout = Rollout(since=state.records.seq, before=before, replicas=fact.replicas)
    _become(state, holder, replace(fact.to, rollout=rollout))


def _rollout_ended(state: State, fact: RolloutEnded) -> None:
    holder = state.records.workloads[fact.workload]
    rollout = holder.workload.rollout
    assert rollout is not None, f"{holder.id} is not being rolled out"
    done = fact.outcome == "done"
    _become(state, holder, replace(holder.workload, rollout=None) if done else rollout.before)


def _become(state: State, holder: WorkloadState, work: Workload) -> None:
    """Its slots that wait do so as what they are now."""
    waiting = [number for number, slot in enumerate(holder.slots) if slot.status == "waiting"]
    for number in waiting:
        state.dequeue(holder, number)
    holder.workload = work
    for number in waiting:
        state.enqueue(holder, number)


_HANDLERS: dict[type, Callable[[State, Any], None]] = {
    Declared: _declared,
    FactDeclared: _fact_declared,
    SupplyMarked: _supply_marked,
    CapacitySet: _capacity_set,
    Repriced: _repriced,
    Submitted: _submitted,
    Placed: _placed,
    Stopping: _stopping,
    Accepted: _accepted,
    Started: _started,
    Checkpointed: _checkpointed,
    Ended: _ended,
    Requeued: _requeued,
    Revised: _revised,
    RolloutEnded: _rollout_ended,
    WorkloadEnded: _workload_ended,
    CancelRequested: _cancel_requested,
    Scaled: _scaled,
}
