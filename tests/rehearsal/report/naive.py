"""Figures once more, from the facts alone, in the dumbest way: lists of everything, no running sums."""

from __future__ import annotations

from typing import Any

from stargate.base.time import HOUR, SECOND
from stargate.broker import Entry
from stargate.broker.fact import CapacitySet, Declared, Ended, Placed, Stopping, Submitted, WorkloadEnded


def figures(entries: list[Entry], ends: int) -> dict[str, Any]:
    """What a summary should say of these entries."""
    at = {id(entry.fact): int(entry.at) for entry in entries}
    facts = [entry.fact for entry in entries]
    submitted = {fact.id: at[id(fact)] for fact in facts if isinstance(fact, Submitted)}
    placed = [fact for fact in facts if isinstance(fact, Placed)]
    ended = {fact.attempt: fact for fact in facts if isinstance(fact, Ended)}
    over = {fact.attempt: at[id(fact)] for fact in ended.values()}
    first: dict[str, int] = {}
    for fact in placed:
        first.setdefault(fact.workload, at[id(fact)])
    done = [fact for fact in facts if isinstance(fact, WorkloadEnded) and fact.outcome == "succeeded"]
    used: dict[str, int] = {}
    for fact in placed:
        held = over.get(fact.attempt, ends) - at[id(fact)]
        used[fact.pool] = used.get(fact.pool, 0) + held * len(fact.nodes) * fact.chips_per_node
    waits = [begun - submitted[name] for name, begun in first.items()]
    jct = [at[id(fact)] - submitted[fact.workload] for fact in done]
    return {
        "average_wait_seconds": round(sum(waits) / len(waits) / SECOND, 6) if waits else 0.0,
        "average_completion_seconds": round(sum(jct) / len(jct) / SECOND, 6) if jct else 0.0,
        "used_chip_hours": {pool: round(amount / HOUR, 6) for pool, amount in used.items()},
        "held_chip_hours": held_chip_hours(entries, ends),
        "preempted": sum(isinstance(fact, Stopping) and fact.reason == "preempted" for fact in facts),
        "metered_micro_usd": sum(fact.cost_micro_usd for fact in ended.values()),
    }


def held_chip_hours(entries: list[Entry], ends: int) -> dict[str, float]:
    """Of each pool: nodes as last set, from each change to the next."""
    pools: dict[str, int] = {}
    changes: dict[str, list[tuple[int, int]]] = {}
    for entry in entries:
        fact = entry.fact
        if isinstance(fact, Declared):
            for pool in fact.infrastructure.pools:
                pools[pool.id] = pool.chips_per_node
                changes.setdefault(pool.id, []).append((entry.at, pool.nodes_at(entry.at)))
        elif isinstance(fact, CapacitySet):
            changes[fact.pool].append((entry.at, fact.nodes))
    held = {}
    for name, dated in changes.items():
        borders = [*dated, (ends, 0)]
        held[name] = sum(
            nodes * pools[name] * (after[0] - since)
            for (since, nodes), after in zip(dated, borders[1:], strict=True)
        )
    return {name: round(amount / HOUR, 6) for name, amount in held.items()}
