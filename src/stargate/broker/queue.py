"""One pass over the queue: who starts now, who holds the reservation, who is preempted, what must be sourced.

1. Slots in order of priority, then arrival; those that must wait for a moment or for quota are passed over.
2. Place each that fits. The first that is blocked gets the EASY reservation, and may preempt.
3. Those behind it may start where they cannot delay it.
4. A slot that nothing held could ever serve, or not in time, opens a sourcing.
5. With nobody left to place, running work may move to where it costs less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from stargate.base.time import Instant
from stargate.broker import preempt, quota, shortage
from stargate.broker.ask import Ask, ask_of, least_chips
from stargate.broker.fact import Fact, Stopping
from stargate.broker.ground import Ground
from stargate.broker.place import Choice, Survey, place, placed
from stargate.broker.reserve import Reservation, Rest, earliest
from stargate.broker.trial import Trial

if TYPE_CHECKING:
    from stargate.broker.state import State, Waiting
    from stargate.workloads import Workload

PLACEMENTS_PER_PASS = 1_000
"""A pass ends here; the next one begins at once."""


def decide_queue(state: State, at: Instant) -> tuple[Fact, ...]:
    """What one pass decides. Empty when nothing can change until something happens."""
    facts: list[Fact] = []
    with Trial(state) as trial:
        found = _Pass(state, at, trial, facts)
        found.run()
    state.at_rest = None if facts else Rest(found.reservation)
    return tuple(facts)


class _Pass:
    """The state of one pass: its reservation and what it knows to be blocked."""

    def __init__(self, state: State, at: Instant, trial: Trial, facts: list[Fact]) -> None:
        self._state = state
        self._at = at
        self._trial = trial
        self._facts = facts
        self.reservation: Reservation | None = None
        self._blocked_shapes: dict[bytes, Survey] = {}
        self._blocked = 0
        self._stopping: set[str] = set()
        self._sourced = False
        self._spent: dict[str, int] = {}
        """The least that was too much for a team."""
        self._yielded: set[str] = set()
        """Teams whose most urgent slot over quota has looked for room among its own."""

    def run(self) -> None:
        policy = self._state.records.policy
        started = 0
        for waiting in self._newcomers() or self._in_order():
            if self._blocked > policy.backfill_depth or started >= PLACEMENTS_PER_PASS:
                return
            holder, slot = self._state.slot(waiting)
            if slot.not_before > self._at or holder.status != "active":
                continue
            if self._over_quota(holder.workload):
                self._yield_own(waiting, holder.workload.team)
                continue
            ask = self._within_quota(ask_of(self._state, holder, slot))
            # Within a pass capacity only shrinks: what one slot could not have, its like cannot have either.
            survey = self._blocked_shapes.get(ask.shape)
            if survey is None:
                survey = place(self._state, ask, self._at, self.reservation)
            if survey.choice is not None:
                self._start(waiting, ask, survey, survey.choice)
                started += 1
            else:
                self._block(waiting, ask, survey)

    def _newcomers(self) -> list[Waiting] | None:
        """Those who came since nothing more could be done, if they stand behind the first in line; None: look at all.

        Nobody else's chances have changed, and what is kept for the first in line is known.
        """
        rest = self._state.at_rest
        if rest is None or not rest.newcomers:
            return None
        places = sorted(self._state.place_of(*name) for name in rest.newcomers)
        first = rest.reservation
        if first is not None:
            head = self._state.place_of(first.holder, first.slot)
            if any(place < head or self._overtakes(place, head) for place in places):
                return None
        self.reservation = first
        return places

    def _overtakes(self, place: Waiting, head: Waiting) -> bool:
        """With quotas, who uses its own goes before who borrows."""
        work = self._state.records.workloads[place.workload].workload
        return place.order == head.order and quota.may_reclaim(self._state, work.team, least_chips(work))

    def _in_order(self) -> Iterator[Waiting]:
        """The queue; at equal priority those who would borrow quota come after those who use their own."""
        queue = tuple(self._state.queue)
        if not self._state.records.policy.teams:
            yield from queue
            return
        for _, level in groupby(queue, key=lambda waiting: waiting.order):
            borrowers: list[Waiting] = []
            for waiting in level:
                holder, _ = self._state.slot(waiting)
                chips = least_chips(holder.workload)
                if quota.may_reclaim(self._state, holder.workload.team, chips):
                    yield waiting
                else:
                    borrowers.append(waiting)
            yield from borrowers

    def _over_quota(self, work: Workload) -> bool:
        # Within a pass teams only use more: what was too much stays too much.
        chips, spent = least_chips(work), self._spent.get(work.team)
        if spent is not None and chips >= spent:
            return True
        if quota.over_quota(self._state, work.team, chips) is None:
            return False
        self._spent[work.team] = chips
        return True

    def _yield_own(self, waiting: Waiting, team: str) -> None:
        """Within a team the urgent goes first: at its quota, it takes the place of what is less urgent."""
        if team in self._yielded or self._stopping or not self._state.records.policy.preemption:
            return
        self._yielded.add(team)
        ask = ask_of(self._state, *self._state.slot(waiting))
        for attempt in preempt.own_victims(self._state, ask, least_chips(ask.workload), self._at):
            self._stopping.add(attempt.id)
            says = (
                f"{waiting.workload} (priority {-waiting.order}) is more urgent, and its team is at its quota"
            )
            self._facts.append(Stopping(attempt.id, "preempted", (Ground(says),)))

    def _within_quota(self, ask: Ask) -> Ask:
        """The wish without the alternatives that want more than the team may have."""
        if not self._state.teams:
            return ask
        allowed = tuple(
            option
            for option in ask.options
            if quota.over_quota(self._state, ask.workload.team, option.gang_chips) is None
        )
        return replace(ask, options=allowed)

    def _start(self, waiting: Waiting, ask: Ask, survey: Survey, choice: Choice) -> None:
        _, slot = self._state.slot(waiting)
        grounds = survey.grounds()
        reserved = self.reservation
        if reserved is not None:
            says = f"backfilled: it cannot delay {reserved.holder}, due on {reserved.supply.pool}"
            grounds += (Ground(says),)
        fact = placed(ask, waiting.slot, slot, choice, self._at, grounds)
        self._facts.append(fact)
        self._trial.occupy(fact)
        if reserved is not None:
            reserved.take(fact.supply, fact.pool, fact.nodes, fact.chips_per_node, fact.expected_end)

    def _block(self, waiting: Waiting, ask: Ask, survey: Survey) -> None:
        # What nothing held could ever serve stands in nobody's way.
        self._blocked += bool(survey.busy)
        self._blocked_shapes[ask.shape] = survey
        first = self.reservation is None and bool(survey.busy)
        asks = not self._sourced and shortage.may_open(self._state, waiting, self._at)
        if first:
            self._preempt(waiting, ask, survey)
        start = None
        if first or (asks and survey.busy and ask.workload.deadline is not None):
            start = earliest(self._state, ask, survey.busy, self._at, frozenset(self._stopping))
        if first and start is not None:
            self.reservation = Reservation(
                self._state, ask, waiting.slot, start, frozenset(self._stopping), self._at
            )
        if asks:
            # One need a pass: the next is judged against what this one leaves on the market.
            facts = shortage.decide_shortage(self._state, waiting, ask, survey, start, self._at)
            self._sourced = bool(facts)
            self._facts.extend(facts)

    def _preempt(self, waiting: Waiting, ask: Ask, survey: Survey) -> None:
        if self._stopping or not self._state.records.policy.preemption:
            return
        found = preempt.victims(self._state, ask, survey.busy, self._at)
        if found is None:
            return
        supply, chosen = found
        for attempt in chosen:
            self._stopping.add(attempt.id)
            lost = preempt.lost_work(self._state, attempt, self._at)
            says = (
                f"{waiting.workload} (priority {-waiting.order}) needs {supply.pool}; of those that may be stopped"
                f" {attempt.workload} loses little: {lost} micro-USD of work"
            )
            self._facts.append(Stopping(attempt.id, "preempted", (Ground(says),)))
