"""Figures of a rehearsal, taken from its entries as they are played. Each job leaves a few numbers behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stargate.base.time import Instant
from stargate.broker import Entry, State
from stargate.broker.evolve import evolve
from stargate.broker.fact import (
    Accepted,
    CapacitySet,
    Checkpointed,
    Declared,
    Ended,
    Placed,
    Repriced,
    Requeued,
    Started,
    Stopping,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)
from stargate.broker.sourcing.fact import (
    DeliveryFailed,
    LeaseActivated,
    LeaseEnded,
    LeaseResized,
    LeaseSigned,
    OfferEnded,
    OfferMade,
)
from stargate.rehearsal.report.binding import Bindings
from stargate.rehearsal.report.capacity import Capacity
from stargate.rehearsal.report.energy import Draws
from stargate.rehearsal.report.gait import Pace
from stargate.rehearsal.report.grid import Grid, Level, Sums
from stargate.rehearsal.report.job import Lines
from stargate.rehearsal.report.progress import Attempt, Progress
from stargate.rehearsal.report.rights import Rights
from stargate.rehearsal.report.stranded import Stranded
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.report.summing import summed

LOOKS_PER_PART = 8
"""Into so many pieces each part of the report's time is cut; free chips are looked at once in each at most."""


class Collector:
    """A sink of `Play`. It reads the facts, and of the state only who waits and what is free.

    `state` is the machine's own, which has taken in the entries when they come. What it holds already when the
    collector is made is adopted: its attempts run, its workloads wait, and count from then on. Without one, the
    collector follows the entries with a state of its own, as for a journal that is read from its first entry.

    `begins` is when time is counted from, if not with the state's last or the first entry. `lines` gets every
    workload as it ends. `pace` says how work goes on in a pool, where that is known.
    """

    def __init__(
        self, state: State | None = None, begins: Instant | None = None, lines: Lines | None = None,
        draws: Draws | None = None, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self._follows = state is None
        self._state = state = State() if state is None else state
        self.draws = draws or Draws()
        self._begins: Instant | None = begins
        self._lines = lines
        self._pace = pace
        self._at = Instant(0)
        self._looked = -1
        self.facts: dict[str, int] = {}
        if begins is None and state.records.seq:
            self._begins = state.records.at
        if self._begins is not None:
            self._begin(self._begins)

    def _begin(self, begins: Instant) -> None:
        self._begins = self._at = begins
        self.grid = grid = Grid(begins)
        self.progress = Progress(begins, self._lines, self._pace)
        self.capacity = Capacity(grid)
        self.rights = Rights()
        self.bindings = Bindings(grid)
        self.burned: dict[str, Sums] = {}
        self.committed: dict[str, int] = {}
        self.waiting = Level(grid, begins)
        self.stranded = Level(grid, begins)
        self.fragmented = Level(grid, begins)
        self._committed_seen: object = None
        self._free = Stranded(self._state)
        self._handlers = self._table()
        if self._state.records.seq:
            self.capacity.adopt(self._state, begins)
            self.progress.adopt(self._state)
            self.rights.adopt(self._state, begins)
            for attempt in self.progress.live.values():
                self.capacity.stands[attempt.pool].used.add(begins, attempt.chips)

    def _table(self) -> dict[type, Callable[[Any, Instant], None]]:
        progress, capacity, rights = self.progress, self.capacity, self.rights
        return {
            Declared: capacity.declared,
            CapacitySet: capacity.set_capacity,
            Repriced: capacity.reprice,
            SupplyMarked: capacity.mark,
            Submitted: progress.submitted_,
            Placed: self._placed,
            Accepted: progress.accepted,
            Started: progress.started,
            Checkpointed: progress.checkpointed,
            Stopping: progress.stopping,
            Ended: self._ended,
            Requeued: progress.requeued,
            WorkloadEnded: progress.workload_ended,
            OfferMade: rights.offered,
            OfferEnded: rights.answered,
            LeaseSigned: self._signed,
            LeaseActivated: capacity.lease_sized,
            LeaseResized: capacity.lease_sized,
            LeaseEnded: capacity.lease_ended,
            DeliveryFailed: capacity.delivery_failed,
        }

    def __call__(self, entries: tuple[Entry, ...]) -> None:
        """Take in entries, in order."""
        if not entries:
            return
        if self._begins is None:
            # The state has been through these already: nothing is adopted, all of it comes.
            self._begin_empty(entries[0].at)
        handlers = self._handlers
        for entry in entries:
            if self._follows:
                if entry.at > self._at:
                    self._look(self._at)
                    self._at = entry.at
                evolve(self._state, entry)
            fact, at = entry.fact, entry.at
            handler = handlers.get(type(fact))
            if handler is not None:
                handler(fact, at)
        self.note(entries)
        self._at = at
        self._look(at)

    def note(self, entries: tuple[Entry, ...]) -> None:
        """Count entries and the clauses they cite, and nothing else: what they did is in the state that was adopted."""
        facts, cite = self.facts, self.bindings.cite
        for entry in entries:
            fact = entry.fact
            tag: str = type(fact).__struct_config__.tag  # type: ignore[assignment]  # every fact has one, a text
            facts[tag] = facts.get(tag, 0) + 1
            if fact.grounds:
                cite(tag, fact.grounds, entry.at)

    def _begin_empty(self, begins: Instant) -> None:
        state, self._state = self._state, State()
        self._begin(begins)
        self._state, self._free = state, Stranded(state)

    def finish(self, identity: Identity, until: Instant | None = None) -> Summary:
        """The rehearsal is over, at `until` or with its last entry: the summary. Nothing may come after it."""
        if self._begins is None:
            self._begin_empty(self._state.clock)
        ends = max(self._at, until or self._at)
        for attempt in self.progress.live.values():
            self._burn(attempt, attempt.metered(ends), ends)
        self.progress.finish(ends)
        self.capacity.settle(ends)
        for level in (self.waiting, self.stranded, self.fragmented):
            level.settle(ends)
        return summed(self, identity, ends)

    @property
    def begins(self) -> Instant:
        """When the time that is counted begins."""
        assert self._begins is not None, "something has come"
        return self._begins

    def _placed(self, fact: Placed, at: Instant) -> None:
        attempt = self.progress.placed(fact, at)
        self.capacity.stands[attempt.pool].used.add(at, attempt.chips)

    def _ended(self, fact: Ended, at: Instant) -> None:
        attempt = self.progress.ended(fact, at)
        self.capacity.stands[attempt.pool].used.add(at, -attempt.chips)
        self._burn(attempt, fact.cost_micro_usd, at)

    def _signed(self, fact: LeaseSigned, at: Instant) -> None:
        self.capacity.lease_signed(fact, at)
        self.rights.signed(fact, at)

    def _burn(self, attempt: Attempt, cost: int, at: Instant) -> None:
        self.capacity.meter(attempt.pool, attempt.supply, cost)
        agreement = self.capacity.agreement_of(attempt.supply)
        if agreement and cost:
            if agreement not in self.burned:
                self.burned[agreement] = Sums(self.grid)
            self.burned[agreement].put(at, cost)

    def _look(self, at: Instant) -> None:
        """What only the state knows. It holds from now until the next look."""
        state = self._state
        self.waiting.set(at, len(state.queue))
        if state.committed is not self._committed_seen:
            self._committed_seen = state.committed
            for agreement, amount in state.committed.items():
                self.committed[agreement] = max(amount, self.committed.get(agreement, 0))
        if not state.queue:
            self.stranded.set(at, 0)
            self.fragmented.set(at, 0)
            return
        if at - self._looked < self.grid.part_us // LOOKS_PER_PART and self._looked >= 0:
            return
        self._looked = at
        free, scattered = self._free.look(at, self.capacity.changes)
        self.stranded.set(at, free)
        self.fragmented.set(at, scattered)
