"""One pass over the queue: who starts now, who holds the reservation, who is preempted, what must be sourced.

1. Slots in order of priority, then arrival; those that must wait for a moment or for quota are passed over.
2. Place each that fits. The first that is blocked gets the EASY reservation, and may preempt.
3. Those behind it may start where they cannot delay it.
4. A slot that nothing held could ever serve, or not in time, opens a sourcing.
5. With nobody left to place, running work may move to where it costs less.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from stargate.base.ids import attempt_id
from stargate.base.time import Instant
from stargate.broker import preempt, quota, shortage
from stargate.broker.ask import Ask, ask_of, expected_end, least_chips
from stargate.broker.fact import Fact, Placed, Stopping
from stargate.broker.filters import Reservation
from stargate.broker.ground import Ground
from stargate.broker.place import Choice, Survey, place
from stargate.broker.reserve import reserve
from stargate.broker.trial import Trial

if TYPE_CHECKING:
    from stargate.broker.state import State, Waiting

PLACEMENTS_PER_PASS = 1_000
"""A pass ends here; the next one begins at once."""


def decide_queue(state: State, at: Instant) -> tuple[Fact, ...]:
    """What one pass decides. Empty when nothing can change until something happens."""
    facts: list[Fact] = []
    with Trial(state) as trial:
        _Pass(state, at, trial, facts).run()
    return tuple(facts)


class _Pass:
    """The state of one pass: its reservation and what it knows to be blocked."""

    def __init__(self, state: State, at: Instant, trial: Trial, facts: list[Fact]) -> None:
        self._state = state
        self._at = at
        self._trial = trial
        self._facts = facts
        self._reservation: Reservation | None = None
        self._blocked_shapes: dict[bytes, Survey] = {}
        self._blocked = 0
        self._stopping: set[str] = set()
        self._sourced = False

    def run(self) -> None:
        policy = self._state.records.policy
        placed = 0
        for waiting in self._in_order():
            if self._blocked > policy.backfill_depth or placed >= PLACEMENTS_PER_PASS:
                return
            holder, slot = self._state.slot(waiting)
            if slot.not_before > self._at or holder.status != "active":
                continue
            ask = ask_of(self._state, holder, slot)
            if self._over_quota(ask):
                continue
            # Within a pass capacity only shrinks: what one slot could not have, its like cannot have either.
            survey = self._blocked_shapes.get(ask.shape)
            if survey is None:
                survey = place(self._state, ask, self._at, self._reservation)
            if survey.choice is not None:
                self._start(waiting, ask, survey, survey.choice)
                placed += 1
            else:
                self._block(waiting, ask, survey)

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

    def _over_quota(self, ask: Ask) -> bool:
        return quota.over_quota(self._state, ask.workload.team, least_chips(ask.workload)) is not None

    def _start(self, waiting: Waiting, ask: Ask, survey: Survey, choice: Choice) -> None:
        _, slot = self._state.slot(waiting)
        number = slot.number + 1
        grounds = survey.grounds()
        if self._reservation is not None:
            reserved = self._reservation
            grounds += (Ground(f"backfilled: it cannot delay {reserved.holder}, due on {reserved.pool}"),)
        placed = Placed(
            attempt=attempt_id(waiting.workload, waiting.slot, number),
            workload=waiting.workload,
            slot=waiting.slot,
            number=number,
            supply=choice.supply.id,
            pool=choice.supply.pool,
            provider=choice.supply.kind.provider,
            nodes=choice.nodes,
            chips_per_node=choice.option.chips_per_node,
            price_micro_usd_per_chip_hour=choice.supply.price,
            expected_end=expected_end(self._at, ask),
            score_micro_usd=choice.score,
            grounds=grounds,
        )
        self._facts.append(placed)
        self._trial.occupy(placed)
        reserved = self._reservation
        if reserved is not None and reserved.pool == placed.pool and placed.expected_end > reserved.starts:
            self._reservation = Reservation(
                reserved.pool, reserved.starts, reserved.spare_nodes - len(placed.nodes), reserved.holder
            )

    def _block(self, waiting: Waiting, ask: Ask, survey: Survey) -> None:
        self._blocked += 1
        self._blocked_shapes[ask.shape] = survey
        starts = None
        if survey.busy and (self._reservation is None or ask.workload.deadline is not None):
            if self._reservation is None:
                self._preempt(waiting, ask, survey)
            earliest = reserve(self._state, ask, survey.busy, self._at, frozenset(self._stopping))
            starts = None if earliest is None else earliest.starts
            self._reservation = self._reservation or earliest
        if not self._sourced:
            # One need a pass: the next is judged against what this one leaves on the market.
            facts = shortage.decide_shortage(self._state, waiting, ask, survey, starts, self._at)
            self._sourced = bool(facts)
            self._facts.extend(facts)

    def _preempt(self, waiting: Waiting, ask: Ask, survey: Survey) -> None:
        if not self._state.records.policy.preemption:
            return
        found = preempt.victims(self._state, ask, survey.busy, self._at)
        if found is None:
            return
        supply, chosen = found
        for attempt in chosen:
            if attempt.id in self._stopping or not self._exists(attempt.id):
                continue
            self._stopping.add(attempt.id)
            lost = preempt.lost_work(self._state, attempt, self._at)
            says = (
                f"{waiting.workload} (priority {-waiting.order}) needs {supply.pool}; of those that may be stopped"
                f" {attempt.workload} loses little: {lost} micro-USD of work"
            )
            self._facts.append(Stopping(attempt.id, "preempted", (Ground(says),)))

    def _exists(self, attempt: str) -> bool:
        """Placed before this pass: what the pass itself placed is not yet there to be stopped."""
        return attempt in self._state.records.attempts
