"""What must hold after every entry: invariants, promises, chips and money, and that a replay gives the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from stargate.base.time import Instant
from stargate.broker import Entry, Machine
from stargate.broker.fact import CapacitySet, Declared, SupplyMarked
from stargate.broker.invariants import violations
from stargate.broker.state import State
from stargate.rehearsal.swarm.marks import answers_of, marks_of, moves_of
from stargate.rehearsal.swarm.naive import Judge
from stargate.rehearsal.swarm.tally import Tally

EVERY = 64
"""Entries between two looks at everything, beside the one that looks at what each entry touches."""
COMPARE_EVERY = 16
"""Of these looks one in so many compares the machines as well, byte for byte, and a snapshot of them."""


class Checker:
    """Replays every entry on a machine of its own, and looks at what comes of it."""

    def __init__(self) -> None:
        self.replica = Machine()
        self.marks: Counter[str] = Counter()
        self._judge = Judge()
        self._tally = Tally()
        self._looked = 0
        self._compared = 0

    @property
    def asked_to_stop(self) -> Mapping[str, Instant]:
        """When each attempt that stops was asked to."""
        return self._tally.asked_to_stop

    def see(self, entry: Entry) -> list[str]:
        """One more entry; every violation in a sentence."""
        state, fact = self.replica.state, entry.fact
        self.marks.update(moves_of(state, fact))
        self.replica.apply(entry)
        self.marks.update(marks_of(state, fact))
        found = self._judge.see(state, entry) + self._tally.see(state, entry)
        if isinstance(fact, Declared | SupplyMarked | CapacitySet):
            found += violations(state)
        return found

    def look(self, machine: Machine) -> list[str]:
        """Between two commands: every so often all invariants of all records, on both machines."""
        seq = machine.state.records.seq
        if seq - self._looked < EVERY:
            return []
        self._looked = seq
        self._compared += 1
        self.marks.update(answers_of(machine.state))
        if self._compared % COMPARE_EVERY == 0:
            return self.compare(machine)
        return violations(machine.state) + violations(self.replica.state)

    def compare(self, machine: Machine) -> list[str]:
        """All invariants hold; the machine that decided, its replica, and a snapshot of it say the same."""
        self.marks.update(answers_of(machine.state))
        packed = self.replica.state.pack()
        found = violations(machine.state) + violations(self.replica.state)
        if machine.state.pack() != packed:
            found.append("a replay of the entries gives another state")
        again = State.unpack(packed)
        if again.pack() != packed:
            found.append("a snapshot gives another state than it was made of")
        return found + violations(again)

    def compare_after_crash(self, machine: Machine) -> list[str]:
        """The same for a machine that was itself made from what is on record."""
        found = violations(machine.state) + violations(self.replica.state)
        if machine.state.pack() != self.replica.state.pack():
            found.append("a restart gives another state than the entries")
        return found

    def restart(self, *, snapshot: bool) -> Machine:
        """The machine after a crash: what the entries give. From a snapshot it may go on as well."""
        machine = self.replica
        self.replica = Machine(State.unpack(machine.state.pack()))
        if snapshot:
            machine, self.replica = self.replica, machine
        return machine
