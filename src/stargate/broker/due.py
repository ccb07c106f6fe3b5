"""What a moment brings by itself: dated capacity and prices take effect, holdings near their end are cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stargate.base.money import micro_usd
from stargate.base.time import Instant
from stargate.broker.fact import CapacitySet, Fact, Repriced, Stopping
from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State


def decide_due(state: State, at: Instant) -> tuple[Fact, ...]:
    """Facts that are due by the calendar, in the pools of which a date has come."""
    dated = _dated(state, at)
    stopping = frozenset(fact.attempt for fact in dated if isinstance(fact, Stopping))
    return (*dated, *_ending(state, at, stopping))


def clear_nodes(state: State, pool: str, nodes: int) -> tuple[Fact, ...]:
    """Stop what runs on nodes that a pool no longer has."""
    ground = Ground(f"{pool} has only {nodes} nodes now")
    return tuple(
        Stopping(attempt.id, "capacity", (ground,))
        for attempt in state.live_on.get(pool, {}).values()
        if attempt.status != "stopping" and max(attempt.nodes) >= nodes
    )


def _dated(state: State, at: Instant) -> tuple[Fact, ...]:
    facts: list[Fact] = []
    records = state.records
    for pool_id in sorted(state.due_pools):
        pool = state.catalog_pools[pool_id]
        nodes = pool.nodes_at(at)
        if pool.id not in records.counted and nodes != records.nodes.get(pool.id, 0):
            facts.append(
                CapacitySet(pool.id, nodes, counted=False, grounds=(Ground(f"the catalog's date {at}"),))
            )
            facts.extend(clear_nodes(state, pool.id, nodes))
        listed = pool.price_at(at)
        price = None if listed is None else micro_usd(listed)
        if price != records.prices.get(pool.id):
            facts.append(Repriced(pool.id, price, (Ground("a dated price of the catalog took effect"),)))
    return tuple(facts)


def _ending(state: State, at: Instant, stopping: frozenset[str]) -> tuple[Fact, ...]:
    """Those in `stopping` are being asked to stop already, as their nodes go at the same moment."""
    notice = state.records.policy.migration.lease_end_notice
    return tuple(
        Stopping(
            attempt.id, "lease_end", (Ground(f"{attempt.supply} ends {supply.until}; its work moves on"),)
        )
        for pool in sorted(state.due_pools)
        for attempt in state.live_on.get(pool, {}).values()
        if attempt.status != "stopping"
        and attempt.id not in stopping
        and (supply := state.supplies.by_id.get(attempt.supply)) is not None
        and supply.until <= at.plus(notice)
        and _outlasts(attempt, supply.until, at)
    )


def _outlasts(attempt: AttemptState, until: Instant, at: Instant) -> bool:
    """Work that should be done before the end is left to finish."""
    return attempt.expected_end > until or until <= at
