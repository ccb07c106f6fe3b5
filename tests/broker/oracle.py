"""Placement by brute force: every node of every pool looked at, no index, no early exit, no order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stargate.base.money import micro_usd
from stargate.base.time import HOUR, Instant
from stargate.broker.state import State
from stargate.catalog.pool import Pool
from stargate.workloads import Resources, Workload

DAY_HOURS = 24


def free_chips(state: State, pool: Pool) -> list[int]:
    """Free chips of every node that the pool has."""
    free = [pool.chips_per_node] * state.records.nodes[pool.id]
    for attempt in state.records.attempts.values():
        if attempt.pool == pool.id and attempt.status != "ended":
            for node in attempt.nodes:
                if node < len(free):
                    free[node] -= attempt.chips_per_node
    return free


def fits(free: list[int], pool: Pool, nodes: int, chips: int, *, block: bool) -> bool:
    """Whether a gang finds room, in one block if it must."""
    size = pool.block_nodes if block else max(1, len(free))
    return any(
        sum(spare >= chips for spare in free[start : start + size]) >= nodes
        for start in range(0, len(free), size)
    )


def best(state: State, work: Workload, at: Instant) -> set[tuple[int, str]]:
    """(score, pool) of everything that is as good as it gets; empty if nothing may serve now.

    Knows the filters of this folder's worlds: no agreements, no leases, no marks, no checkpoint to move.
    """
    for options in [[one] for one in work.alternatives] if work.ordered else [list(work.alternatives)]:
        found = [
            scored
            for pool in state.records.infrastructure.pools
            for option in options
            if (scored := _score(state, work, option, pool, at)) is not None
        ]
        if found:
            least = min(score for score, _, _ in found)
            tight = min(loose for score, loose, _ in found if score == least)
            return {(score, pool) for score, loose, pool in found if (score, loose) == (least, tight)}
    return set()


def _score(
    state: State, work: Workload, option: Resources, pool: Pool, at: Instant
) -> tuple[int, bool, str] | None:
    site = state.sites[pool.site]
    chips = max(1, option.chips_per_node)
    price = pool.price_at(at) or Decimal(0)
    hours = Decimal(work.time_limit or DAY_HOURS * HOUR) / HOUR
    cost = price * chips * work.nodes * hours
    wanted: list[tuple[Any, Any]] = [
        (option.provider, pool.provider),
        (option.site, pool.site),
        (option.pool, pool.id),
        (option.chip, pool.chip.partition("-")[0]),
    ]
    if any(want is not None and want != got for want, got in wanted) or pool.tenure == "market":
        return None
    if work.residency and not any(f"{site.jurisdiction}-".startswith(f"{code}-") for code in work.residency):
        return None
    if option.max_usd_per_chip_hour is not None and price > option.max_usd_per_chip_hour:
        return None
    if work.max_cost_usd is not None and cost > work.max_cost_usd:
        return None
    free = free_chips(state, pool)
    tight = fits(free, pool, work.nodes, chips, block=True)
    if not tight and (
        work.topology.required == "block" or not fits(free, pool, work.nodes, chips, block=False)
    ):
        return None
    egress = sum(data.size_gib * _egress(state, data.site) for data in work.inputs if data.site != pool.site)
    score = micro_usd((cost if pool.tenure == "on_demand" else 0) + egress)
    return score, work.topology.preferred == "block" and not tight, pool.id


def _egress(state: State, site: str) -> Decimal:
    return min(p.egress_usd_per_gib for p in state.records.infrastructure.pools if p.site == site)
