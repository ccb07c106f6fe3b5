"""The invariants of the broker once more, after every entry, from what that entry touched.

Counts of our own, kept from the facts alone: neither the machine's indexes nor its records are believed. What they say
of everything that was not touched is looked at by `broker.invariants`, every so often.
"""

from __future__ import annotations

from bisect import bisect_left

from stargate.base.time import Instant
from stargate.broker import Entry, State
from stargate.broker.fact import (
    Accepted,
    CancelRequested,
    Ended,
    Placed,
    Requeued,
    Scaled,
    Started,
    Stopping,
    Submitted,
    WorkloadEnded,
)
from stargate.broker.records import WorkloadState
from stargate.broker.sourcing.fact import LeaseActivated, LeaseEnded, LeaseResized

HOUR_US = 3_600_000_000


class Tally:
    """Nodes, slots, leases, chips and money, as the facts say."""

    def __init__(self) -> None:
        self._placed: dict[str, Placed] = {}
        self._nodes: dict[str, dict[int, int]] = {}
        """By pool: chips of each node that attempts hold."""
        self._drawn: dict[str, int] = {}
        """Chips by supply."""
        self._chips = 0
        self._live: dict[tuple[str, int], str] = {}
        """Attempts by workload and slot."""
        self._waiting: set[tuple[str, int]] = set()
        self._accepted: dict[str, int] = {}
        self.asked_to_stop: dict[str, Instant] = {}
        """When each attempt that stops was asked to."""
        self._paid: dict[str, int] = {}
        """Micro-USD of each workload, by our own arithmetic."""

    def see(self, state: State, entry: Entry) -> list[str]:
        """What this entry breaks; `state` is that after it."""
        fact = entry.fact
        if isinstance(fact, Accepted | Started):
            self._accepted.setdefault(fact.attempt, entry.at)
            return []
        if isinstance(fact, Stopping):
            self.asked_to_stop[fact.attempt] = entry.at
            return []
        if isinstance(fact, Placed):
            return self._place(state, fact) + self._look(state, fact.workload)
        if isinstance(fact, Ended):
            self.asked_to_stop.pop(fact.attempt, None)
            placed = self._placed.pop(fact.attempt, None)
            if placed is None:
                return [f"{fact.attempt} ends and does not run"]
            return self._end(state, entry.at, fact, placed) + self._look(state, placed.workload)
        if isinstance(fact, Requeued | WorkloadEnded | CancelRequested | Scaled):
            return self._look(state, fact.workload)
        if isinstance(fact, Submitted):
            return self._look(state, fact.id)
        if isinstance(fact, LeaseActivated | LeaseResized | LeaseEnded):
            return self._over_drawn(state, fact.lease)
        return []

    def _place(self, state: State, fact: Placed) -> list[str]:
        found = []
        whole = state.catalog_pools[fact.pool].chips_per_node
        work = state.records.workloads[fact.workload].workload
        gangs = {size.nodes for size in work.sizes} or {work.nodes}
        if len(set(fact.nodes)) != len(fact.nodes) or len(fact.nodes) not in gangs:
            wanted = " or ".join(map(str, sorted(gangs)))
            found.append(f"{fact.attempt} holds {len(set(fact.nodes))} nodes of a gang of {wanted}")
        nodes = self._nodes.setdefault(fact.pool, {})
        for node in fact.nodes:
            nodes[node] = nodes.get(node, 0) + fact.chips_per_node
            if nodes[node] > whole:
                found.append(f"node {node} of {fact.pool} carries {nodes[node]} of {whole} chips")
            if not 0 <= node < state.records.nodes[fact.pool]:
                found.append(f"{fact.pool} has no node {node}")
        chips = len(fact.nodes) * fact.chips_per_node
        self._chips += chips
        self._drawn[fact.supply] = self._drawn.get(fact.supply, 0) + chips
        key = (fact.workload, fact.slot)
        if key in self._live:
            found.append(f"{fact.workload} slot {fact.slot} runs twice: {self._live[key]} and {fact.attempt}")
        self._live[key] = fact.attempt
        self._placed[fact.attempt] = fact
        return found + self._over_drawn(state, fact.supply) + self._marked(state, fact.pool)

    def _end(self, state: State, at: int, fact: Ended, placed: Placed) -> list[str]:
        nodes = self._nodes[placed.pool]
        for node in placed.nodes:
            nodes[node] -= placed.chips_per_node
            if not nodes[node]:
                del nodes[node]
        chips = len(placed.nodes) * placed.chips_per_node
        self._chips -= chips
        self._drawn[placed.supply] -= chips
        del self._live[placed.workload, placed.slot]
        found = self._marked(state, placed.pool)
        began = self._accepted.pop(fact.attempt, None)
        held_us = 0 if began is None else at - began
        rate = placed.price_micro_usd_per_chip_hour * chips
        if abs(fact.cost_micro_usd * HOUR_US - rate * held_us) > HOUR_US:
            wanted = rate * held_us // HOUR_US
            found.append(f"{fact.attempt} costs {fact.cost_micro_usd}; by its hours {wanted}")
        work = placed.workload
        self._paid[work] = self._paid.get(work, 0) + fact.cost_micro_usd
        said = state.records.workloads[work].cost_micro_usd
        if self._paid[work] != said:
            found.append(f"{work} has cost {said}, and its attempts {self._paid[work]}")
        return found

    def _over_drawn(self, state: State, supply: str) -> list[str]:
        lease, drawn = state.sourcing.leases.get(supply), self._drawn.get(supply, 0)
        if lease is not None and lease.status == "active" and drawn > lease.chips:
            return [f"lease {lease.id} of {lease.chips} chips carries {drawn}"]
        return []

    def _marked(self, state: State, pool: str) -> list[str]:
        """The index of nodes, and the count of chips, say what the attempts hold."""
        found = []
        if set(state.nodes[pool].used_nodes) != self._nodes.get(pool, {}).keys():
            found.append(f"{pool} marks other nodes as used than its attempts hold")
        if state.chips_in_use != self._chips:
            found.append(f"{self._chips} chips are in use, {state.chips_in_use} are counted")
        return found

    def _look(self, state: State, workload: str) -> list[str]:
        """The slots of a workload: each has its own attempt or none, and waits in the queue or does not."""
        found: list[str] = []
        holder = state.records.workloads[workload]
        for number, slot in enumerate(holder.slots):
            key = (workload, number)
            attempt = self._live.get(key)
            if (slot.status == "placed") != (attempt is not None):
                found.append(f"{workload} slot {number} is {slot.status} but its attempt says otherwise")
            elif attempt is not None and slot.attempt != attempt:
                found.append(f"{workload} slot {number} names {slot.attempt}, not {attempt}")
            if holder.ended and slot.status != "done":
                found.append(f"{workload} has ended and slot {number} is {slot.status}")
            if slot.status == "waiting":
                self._waiting.add(key)
                found += _queued(state, holder, number)
            else:
                self._waiting.discard(key)
        if len(state.queue) != len(self._waiting):
            found.append("the queue is not the set of waiting slots")
        return found


def _queued(state: State, holder: WorkloadState, number: int) -> list[str]:
    """Whether a slot that waits stands in the queue, where it belongs."""
    queue, place = state.queue, state.place_of(holder, number)
    index = bisect_left(queue, place)
    if index == len(queue) or queue[index] != place:
        return ["the queue is not the set of waiting slots"]
    before, after = queue[max(0, index - 1)], queue[min(len(queue) - 1, index + 1)]
    return [] if before <= place <= after else ["the queue is out of order"]
