"""What must hold of the state after every entry, checked from the records alone: the indexes are not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stargate.broker.state import State


def violations(state: State) -> list[str]:
    """Every broken invariant in a sentence; empty when all is well."""
    return [*_allocation(state), *_slots(state), *_indexes(state)]


def _allocation(state: State) -> list[str]:
    """No node is over-used, no gang is partial, no lease is over-drawn."""
    found: list[str] = []
    used: dict[tuple[str, int], int] = {}
    drawn: dict[str, int] = {}
    for attempt in state.records.attempts.values():
        if attempt.status == "ended":
            continue
        work = state.records.workloads[attempt.workload].workload
        gangs = {size.nodes for size in work.sizes} or {work.nodes}
        if len(set(attempt.nodes)) != len(attempt.nodes) or len(attempt.nodes) not in gangs:
            wanted = " or ".join(map(str, sorted(gangs)))
            found.append(f"{attempt.id} holds {len(set(attempt.nodes))} nodes of a gang of {wanted}")
        drawn[attempt.supply] = drawn.get(attempt.supply, 0) + attempt.chips
        for node in attempt.nodes:
            key = (attempt.pool, node)
            used[key] = used.get(key, 0) + attempt.chips_per_node
    found += [
        f"node {node} of {pool} carries {chips} chips"
        for (pool, node), chips in used.items()
        if chips > state.catalog_pools[pool].chips_per_node
    ]
    for lease in state.sourcing.leases.values():
        if lease.status == "active" and drawn.get(lease.id, 0) > lease.chips:
            found.append(f"lease {lease.id} of {lease.chips} chips carries {drawn[lease.id]}")
    return found


def _slots(state: State) -> list[str]:
    """A slot has at most one live attempt, and it is its own."""
    found: list[str] = []
    live: dict[tuple[str, int], str] = {}
    for attempt in state.records.attempts.values():
        if attempt.status == "ended":
            continue
        key = (attempt.workload, attempt.slot)
        if key in live:
            found.append(f"{attempt.workload} slot {attempt.slot} runs twice: {live[key]} and {attempt.id}")
        live[key] = attempt.id
    for holder in state.records.workloads.values():
        for number, slot in enumerate(holder.slots):
            if (slot.status == "placed") != ((holder.id, number) in live):
                found.append(f"{holder.id} slot {number} is {slot.status} but its attempt says otherwise")
            elif slot.status == "placed" and live[holder.id, number] != slot.attempt:
                found.append(f"{holder.id} slot {number} names {slot.attempt}, not {live[holder.id, number]}")
            if holder.ended and slot.status != "done":
                found.append(f"{holder.id} has ended and slot {number} is {slot.status}")
    return found


def _indexes(state: State) -> list[str]:
    """Queue and counters say what the records say."""
    found: list[str] = []
    waiting = {
        (holder.id, number)
        for holder in state.records.workloads.values()
        for number, slot in enumerate(holder.slots)
        if slot.status == "waiting"
    }
    if waiting != {(place.workload, place.slot) for place in state.queue}:
        found.append("the queue is not the set of waiting slots")
    if list(state.queue) != sorted(state.queue):
        found.append("the queue is out of order")
    chips = sum(a.chips for a in state.records.attempts.values() if a.status != "ended")
    if chips != state.chips_in_use:
        found.append(f"{chips} chips are in use, {state.chips_in_use} are counted")
    for pool, nodes in state.nodes.items():
        held = {n for a in state.live_on.get(pool, {}).values() for n in a.nodes}
        if held != set(nodes.used_nodes):
            found.append(f"{pool} marks other nodes as used than its attempts hold")
    return found
