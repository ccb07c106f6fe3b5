"""Preemption: the cheapest set of lower-ranked attempts whose going makes room for a gang."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.base.money import cost_micro_usd
from stargate.base.time import Instant
from stargate.broker import quota

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.broker.supply import Supply


def victims(
    state: State, ask: Ask, busy: list[tuple[Option, Supply]], at: Instant
) -> tuple[Supply, tuple[AttemptState, ...]] | None:
    """The supply to clear and whom to stop there; None if stopping everyone allowed would not be enough.

    Allowed victims: preemptible attempts of lower priority, and of equal priority where they run on quota that their
    team borrowed and the asking team reclaims. Cost of a victim: the chip-hours it would have to do again.
    """
    best: tuple[int, int, str, Supply, tuple[AttemptState, ...]] | None = None
    for option, supply in busy:
        chosen = _on_supply(state, ask, option, supply, at)
        if chosen is None:
            continue
        key = (sum(lost_work(state, attempt, at) for attempt in chosen), len(chosen), supply.id)
        if best is None or key < best[:3]:
            best = (*key, supply, chosen)
    return None if best is None else (best[3], best[4])


def lost_work(state: State, attempt: AttemptState, at: Instant) -> int:
    """What stopping an attempt throws away, in micro-USD of its price (at least one per chip-second)."""
    work = state.records.workloads[attempt.workload].workload
    if work.checkpoint is not None:
        since = attempt.safe_at or attempt.started_at or at
    else:
        since = attempt.started_at or at
    price = max(attempt.price_micro_usd_per_chip_hour, 3_600)
    return cost_micro_usd(price, attempt.chips, max(0, at - since))


def _on_supply(
    state: State, ask: Ask, option: Option, supply: Supply, at: Instant
) -> tuple[AttemptState, ...] | None:
    reclaim = quota.may_reclaim(state, ask.workload.team, option.gang_chips)
    nodes = state.nodes[supply.pool]
    pool = state.live_on.get(supply.pool, {})
    allowed = sorted(
        (attempt for attempt in pool.values() if _may_stop(state, ask, attempt, reclaim=reclaim)),
        key=lambda attempt: (
            state.records.workloads[attempt.workload].workload.priority,
            lost_work(state, attempt, at),
            attempt.id,
        ),
    )
    # Attempts that are stopping already make room for nothing.
    leaving = [attempt for attempt in pool.values() if attempt.status == "stopping"]
    topology = "block" if ask.workload.topology.required == "block" else "any"
    gone: list[AttemptState] = []

    def enough() -> bool:
        spare = supply.spare
        if spare is not None:
            spare += sum(a.chips for a in gone if a.supply == supply.id)
            if spare < option.gang_chips:
                return False
        return nodes.find(ask.workload.nodes, option.chips_per_node, topology) is not None

    def remove(attempt: AttemptState) -> None:
        nodes.give(attempt.nodes, attempt.chips_per_node)
        gone.append(attempt)

    def restore(attempt: AttemptState) -> None:
        nodes.take(attempt.nodes, attempt.chips_per_node)
        gone.remove(attempt)

    try:
        for attempt in leaving:
            remove(attempt)
        if enough():
            return None  # what is stopping will do; wait for it
        for attempt in allowed:
            remove(attempt)
            if enough():
                break
        else:
            return None
        for attempt in [a for a in gone if a.status != "stopping"]:
            restore(attempt)
            if not enough():
                remove(attempt)
        return tuple(a for a in gone if a.status != "stopping")
    finally:
        for attempt in list(gone):
            restore(attempt)


def _may_stop(state: State, ask: Ask, attempt: AttemptState, *, reclaim: bool) -> bool:
    if attempt.status == "stopping" or attempt.workload == ask.workload_id:
        return False
    work = state.records.workloads[attempt.workload].workload
    if not work.preemptible:
        return False
    if work.priority < ask.workload.priority:
        return True
    return (
        reclaim
        and work.priority == ask.workload.priority
        and work.team != ask.workload.team
        and quota.borrows(state, work.team)
    )
