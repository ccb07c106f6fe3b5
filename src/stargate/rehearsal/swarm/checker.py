"""What must hold after every entry: invariants, promises, chips and money, and that a replay gives the same."""

from __future__ import annotations

from collections import Counter

from stargate.broker import Entry, Machine
from stargate.broker.fact import Accepted, Ended, Placed, Started
from stargate.broker.invariants import violations
from stargate.broker.state import State
from stargate.rehearsal.swarm.marks import marks_of
from stargate.rehearsal.swarm.naive import Judge

HOUR_US = 3_600_000_000
MANY = 60
"""Attempts from which on the invariants, which read all of them, are looked at after every `SPARSE`th entry."""
SPARSE = 8


class Checker:
    """Replays every entry on a machine of its own, and looks at what comes of it."""

    def __init__(self) -> None:
        self.replica = Machine()
        self.marks: Counter[str] = Counter()
        self._judge = Judge()
        self._nodes: dict[tuple[str, int], int] = {}
        """Chips that attempts hold, by pool and node."""
        self._placed: dict[str, Placed] = {}
        self._accepted: dict[str, int] = {}
        self._paid: dict[str, int] = {}
        """Micro-USD of each workload, by our own arithmetic."""

    def see(self, entry: Entry) -> list[str]:
        """One more entry; every violation in a sentence."""
        self.replica.apply(entry)
        state = self.replica.state
        self.marks.update(marks_of(entry.fact))
        found = self._judge.see(state, entry)
        found += self._conserve(state, entry)
        if len(state.records.attempts) < MANY or entry.seq % SPARSE == 0:
            found += violations(state)
        return found

    def _conserve(self, state: State, entry: Entry) -> list[str]:
        fact, found = entry.fact, []
        if isinstance(fact, Placed):
            chips = state.catalog_pools[fact.pool].chips_per_node
            self._placed[fact.attempt] = fact
            for node in fact.nodes:
                key = (fact.pool, node)
                self._nodes[key] = self._nodes.get(key, 0) + fact.chips_per_node
                if self._nodes[key] > chips:
                    found.append(f"node {node} of {fact.pool} carries {self._nodes[key]} of {chips} chips")
                if not 0 <= node < state.records.nodes[fact.pool]:
                    found.append(f"{fact.pool} has no node {node}")
        elif isinstance(fact, Accepted | Started):
            self._accepted.setdefault(fact.attempt, entry.at)
        elif isinstance(fact, Ended):
            found += self._ended(state, entry, fact)
        return found

    def _ended(self, state: State, entry: Entry, fact: Ended) -> list[str]:
        placed = self._placed.pop(fact.attempt, None)
        if placed is None:
            return [f"{fact.attempt} ends and does not run"]
        for node in placed.nodes:
            self._nodes[placed.pool, node] -= placed.chips_per_node
        began = self._accepted.get(fact.attempt)
        held_us = 0 if began is None else entry.at - began
        rate = placed.price_micro_usd_per_chip_hour * len(placed.nodes) * placed.chips_per_node
        found = []
        if abs(fact.cost_micro_usd * HOUR_US - rate * held_us) > HOUR_US:
            found.append(
                f"{fact.attempt} costs {fact.cost_micro_usd}; by its hours {rate * held_us // HOUR_US}"
            )
        work = placed.workload
        self._paid[work] = self._paid.get(work, 0) + fact.cost_micro_usd
        if self._paid[work] != state.records.workloads[work].cost_micro_usd:
            said = state.records.workloads[work].cost_micro_usd
            found.append(f"{work} has cost {said}, and its attempts {self._paid[work]}")
        return found

    def compare(self, machine: Machine) -> list[str]:
        """The machine that decided, its replica, and a snapshot of it say the same."""
        packed = self.replica.state.pack()
        found = []
        if machine.state.pack() != packed:
            found.append("a replay of the entries gives another state")
        if State.unpack(packed).pack() != packed:
            found.append("a snapshot gives another state than it was made of")
        return found

    def restart(self, *, snapshot: bool) -> Machine:
        """The machine after a crash: what the entries give. From a snapshot it may go on as well."""
        machine = self.replica
        self.replica = Machine(State.unpack(machine.state.pack()))
        if snapshot:
            machine, self.replica = self.replica, machine
        return machine
