"""One pass over the queue: who starts now, who holds the reservation, who is preempted, what must be sourced.

1. Slots in the order of policy; those that must wait for a moment or for quota are passed over.
2. Place each that fits. The first that is blocked gets the EASY reservation, and may preempt.
3. Those behind it may start where they cannot delay it.
4. A slot that nothing held could ever serve, or not in time, opens a sourcing.
5. With nobody left to place, running work may move to where it costs less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker import preempt, quota, shortage
from stargate.broker.ask import Ask, ask_of, least_chips
from stargate.broker.backlog import Room
from stargate.broker.budget import over_budget
from stargate.broker.fact import Fact, Placed, Stopping
from stargate.broker.ground import Ground
from stargate.broker.place import Choice, Survey, place, placed
from stargate.broker.quiet import ANY_SIZE, Quiet, Shut
from stargate.broker.reserve import Reservation, Rest, earliest
from stargate.broker.trial import Trial

if TYPE_CHECKING:
    from stargate.broker.ask import Option
    from stargate.broker.records import Slot, WorkloadState
    from stargate.broker.state import State, Waiting
    from stargate.broker.supply import Supply
    from stargate.workloads import Workload

PLACEMENTS_PER_PASS = 1_000
"""A pass ends here; the next one begins at once."""


def decide_queue(state: State, at: Instant) -> tuple[Fact, ...]:
    """What one pass decides. Empty when nothing can change until something happens."""
    found = _Pass(state, at)
    facts: list[Fact] = []
    with Trial(state) as trial:
        for fact in found.steps():
            facts.append(fact)
            if isinstance(fact, Placed):
                trial.occupy(fact)
    state.at_rest = None if facts else found.rest()
    return tuple(facts)


def has_turns(state: State) -> bool:
    """Whether anything has happened since the last pass that may let somebody start."""
    return bool(state.queue) and (state.at_rest is None or bool(state.at_rest.newcomers))


def queue_steps(state: State, at: Instant) -> Iterator[Fact]:
    """The same, each fact to be applied before the next is asked for: nothing has to be tried and taken back."""
    return _Pass(state, at).steps(applied=True)


class _Pass(msgspec.Struct, gc=False):
    """The state of one pass: its reservation and what it knows to be blocked."""

    _state: State
    _at: Instant
    reservation: Reservation | None = None
    head: Waiting | None = None
    _placed: set[str] = set()
    _beside: int | None = None
    """Free chips of the roomiest pool but the one in which room is kept."""
    _shut: Shut | None = None
    """Once room is kept for the first in line."""
    _blocked_shapes: dict[bytes, Survey] = {}
    _unshaped: list[tuple[Ask, Survey]] = []
    """Those that were blocked last: their shapes are needed only if somebody comes after them."""
    _blocked: int = 0
    _stopping: set[str] = set()
    _sourced: bool = False
    _spent: dict[str, int] = {}
    """The least that was too much for a team."""
    _within: dict[str, tuple[int, int]] = {}
    """When so many slots had been placed, so much was not."""
    _clears: bool = False
    """Quota is kept for a slot for which others are stopped."""
    _yielded: set[str] = set()
    """Teams whose most urgent slot over quota has looked for room among its own."""

    def steps(self, *, applied: bool = False) -> Iterator[Fact]:
        """Every decision. Once a slot is placed, its gang must hold its nodes before the pass goes on.

        `applied`: each fact has happened when the next is asked for.
        """
        state, policy, since = self._state, self._state.records.policy, self._state.records.seq
        for waiting in self._turns():
            if self._blocked > policy.backfill_depth:
                break
            if len(self._placed) >= PLACEMENTS_PER_PASS:
                return
            holder = state.records.workloads[waiting.workload]
            slot = holder.slots[waiting.slot]
            if slot.not_before > self._at or holder.status != "active" or self._over_budget(holder, slot):
                continue
            if state.teams and self._over_quota(holder.workload.team, least_chips(holder.workload)):
                yield from self._yield_own(waiting, holder.workload.team)
                continue
            if not state.teams and self._is_hopeless(waiting):
                self._blocked += 1
                continue
            ask = self._ask(waiting, holder, slot)
            survey = self._known_blocked(ask) if self._blocked_shapes or self._unshaped else None
            if survey is None:
                survey = place(state, ask, self._at, self.reservation)
            if survey.choice is None:
                yield from self._block(waiting, ask, survey)
            elif policy.backfill == "easy" or self.head is None:
                fact = self._start(waiting, ask, slot, survey, survey.choice)
                yield fact
                kept = self.reservation
                if kept is not None:
                    kept.take(fact.supply, fact.pool, fact.nodes, fact.chips_per_node, fact.expected_end)
        if (
            applied
            and state.records.seq - since == len(self._placed)
            and (not self._placed or self._settled())
        ):
            # Who has started left less room to the others: none of them need be asked again.
            state.at_rest = self.rest()

    def rest(self) -> Rest:
        """What is known when nothing is left to do."""
        return Rest(self.head, self.reservation, self._at, clears=self._clears)

    def _ask(self, waiting: Waiting, holder: WorkloadState, slot: Slot) -> Ask:
        """What a slot asks for, as far as its team may have it.

        While it waits nothing of it changes but what its workload has left to spend.
        """
        if self._state.teams:
            return self._within_quota(ask_of(self._state, holder, slot))
        asks = self._state.asks
        known = asks.get(waiting) if asks else None
        return ask_of(self._state, holder, slot) if known is None else known

    def _known_blocked(self, ask: Ask) -> Survey | None:
        """Within a pass capacity only shrinks: what one slot could not have, its like cannot have either."""
        for blocked, survey in self._unshaped:
            self._blocked_shapes[blocked.shape] = survey
        self._unshaped.clear()
        return self._blocked_shapes.get(ask.shape)

    def _is_hopeless(self, waiting: Waiting) -> bool:
        """Whether a slot behind the first in line is known to wait for nothing but room, and there is none for it."""
        quiet = self._state.quiet.get(waiting)
        if quiet is None or self.reservation is None:
            return False
        shut = self._shut
        if shut is None:
            shut = self._shut = Shut(self._state, self.reservation, self._at)
        return shut.is_hopeless(quiet)

    def _note_quiet(self, waiting: Waiting, ask: Ask, survey: Survey) -> None:
        """Remember what can only wait for room: nothing is bought for it, and it asks for the same every time."""
        work, (option, supply) = ask.workload, survey.busy[0]
        gangs = {(one.gang_chips, one.duration) for one in ask.options}
        if (
            len(gangs) > 1
            or work.deadline is not None
            or work.sizes
            or ask.budget_micro_usd is not None
            or supply.until < FOREVER
            or "pool" in self._state.book.fields
            or supply.kind.provider in ask.avoid  # found only because nobody else could serve
            or (ask.avoid and work.kind == "serve")  # it is tried there as well
        ):
            return
        permits = self._state.permits
        self._state.quiet[waiting] = Quiet(
            permits.epoch(self._state, self._at),
            permits.door(self._state, ask, self._at),
            option.nodes,
            option.gang_chips,
            FOREVER if work.kind == "serve" else option.duration,
            supply.kind.provider,
        )

    # -- whose turn it is --------------------------------------------------------------------------------------

    def _turns(self) -> Iterable[Waiting]:
        """The slots to try, in order; of those behind the first that is blocked, only whom the room may serve."""
        newcomers = self._newcomers()
        return self._all() if newcomers is None else newcomers

    def _all(self) -> Iterator[Waiting]:
        if self._state.records.policy.teams:
            yield from self._with_quotas()
            return
        for waiting in self._in_order():
            yield waiting
            if waiting is self.head and self._may_skip():
                yield from self._behind(waiting)
                return

    def _newcomers(self) -> list[Waiting] | None:
        """Those who came since nothing more could be done, if they stand behind the first in line; None: look at all.

        Nobody else's chances have changed, and what is kept for the first in line is known.
        """
        rest = self._state.at_rest
        if rest is None:
            return None
        if rest.newcomers and not rest.holds(self._at):
            return None
        places = sorted(rest.newcomers) if len(rest.newcomers) > 1 else rest.newcomers
        head = rest.head
        if head is not None and any(place < head or self._overtakes(place, head) for place in places):
            return None
        self.head, self.reservation = head, rest.reservation
        if head is not None and self._state.records.policy.backfill == "none" and self._may_skip():
            return []
        return places

    def _overtakes(self, place: Waiting, head: Waiting) -> bool:
        """With quotas, who uses its own goes before who borrows."""
        if not self._state.teams or place.order != head.order:
            return False
        work = self._state.records.workloads[place.workload].workload
        return quota.may_reclaim(self._state, work.team, least_chips(work))

    def _in_order(self) -> Iterator[Waiting]:
        """The queue."""
        queue, place = self._state.queue, 0
        while place < len(queue):
            waiting = queue[place]
            yield waiting
            # Who has started may have left the queue by now.
            if place < len(queue) and queue[place] is waiting:
                place += 1

    def _with_quotas(self) -> Iterator[Waiting]:
        """The queue; at equal rank those who would borrow quota come after those who use their own.

        What is too much for a team is not looked at slot by slot: of those alike the first has been refused. Those
        for whom there is no room are blocked, and not looked at either.
        """
        depth = self._state.records.policy.backfill_depth
        lines = [
            (team, chips, line)
            for team, sizes in self._state.backlog.lines.items()
            for chips, line in sizes.items()
        ]
        heads = [
            (line[0].order, self._borrows(team, chips), line[0].seq, line[0], number, 0)
            for number, (team, chips, line) in enumerate(lines)
        ]
        heapify(heads)
        while heads:
            order, borrows, seq, waiting, number, place = heads[0]
            team, chips, line = lines[number]
            if chips >= self._spent.get(team, ANY_SIZE):
                heappop(heads)
                continue
            if not borrows and self._borrows(team, chips):
                heapreplace(heads, (order, True, seq, waiting, number, place))
                continue
            if self._is_hopeless(waiting) and not self._over_quota(team, chips):
                self._blocked += 1
                if self._blocked > depth:
                    return
            else:
                yield waiting
            # Who has started has left the line by now.
            place += place < len(line) and line[place] is waiting
            if place < len(line):
                waiting = line[place]
                heapreplace(heads, (waiting.order, borrows, waiting.seq, waiting, number, place))
            else:
                heappop(heads)

    def _borrows(self, team: str, chips: int) -> bool:
        return not quota.may_reclaim(self._state, team, chips)

    def _only_starts(self) -> bool:
        """Whether nothing but a start can come of a look at a slot: nobody yields to its own team, nobody buys."""
        policy = self._state.records.policy
        return not policy.teams and not (policy.sourcing.automatic and policy.lab)

    def _settled(self) -> bool:
        """Whether those who were blocked could do no more now that others have started than when they were asked."""
        return self._only_starts() and not (self._blocked and self._state.records.policy.preemption)

    def _may_skip(self) -> bool:
        """Whether those behind the first in line need to be asked only if there may be room for them."""
        none = self._state.records.policy.backfill == "none"
        return self._only_starts() and (none or self.reservation is not None)

    def _behind(self, place: Waiting) -> Iterator[Waiting]:
        """Those behind the first in line for whom there may be room, in order."""
        if self.reservation is None or self._state.records.policy.backfill == "none":
            return
        queue, depth = self._state.queue, self._state.records.policy.backfill_depth
        first, last, started = bisect_left(queue, place), place, -1
        while len(self._placed) > started:
            # Whoever has started leaves less room to those after it.
            started = len(self._placed)
            for waiting in self._state.backlog.behind(last, self._room(self.reservation)):
                if bisect_left(queue, waiting) - first > depth:
                    return
                yield waiting
                last = waiting
                if len(self._placed) > started:
                    break

    def _room(self, kept: Reservation) -> Room:
        pool, pools = kept.supply.pool, self._state.nodes
        if self._beside is None:
            # As it was at first: what has started since has only taken of it.
            self._beside = max((pools[name].free_chips for name in pools if name != pool), default=0)
        return Room(self._beside, pools[pool].free_chips, kept.spare_chips, kept.starts - self._at)

    # -- budget and quota --------------------------------------------------------------------------------------

    def _over_budget(self, holder: WorkloadState, slot: Slot) -> bool:
        state = self._state
        return bool(state.spent_up) and over_budget(state, holder, slot, self._at) is not None

    def _over_quota(self, team: str, chips: int) -> bool:
        # Within a pass teams only use more: what was too much stays too much.
        spent = self._spent.get(team)
        if spent is not None and chips >= spent:
            return True
        placed, within = self._within.get(team, (0, 0))
        if placed == len(self._placed) and chips <= within:
            return False
        if quota.over_quota(self._state, team, chips) is None:
            self._within[team] = (len(self._placed), chips)
            return False
        self._spent[team] = chips
        return True

    def _keep_quota(self, work: Workload) -> None:
        """While room is made for a slot, those behind it in its team do not take what it may have of the quota."""
        state, chips = self._state, least_chips(work)
        if not state.teams:
            return
        more = range(1, state.nominal_chips + 2)
        least = more[
            bisect_left(more, x=True, key=lambda one: bool(quota.over_quota(state, work.team, chips + one)))
        ]
        self._spent[work.team] = min(self._spent.get(work.team, least), least)
        self._clears = True

    def _yield_own(self, waiting: Waiting, team: str) -> Iterator[Fact]:
        """Within a team the urgent goes first: at its quota, it takes the place of what is less urgent."""
        if team in self._yielded or not self._state.records.policy.preemption:
            return
        self._yielded.add(team)
        ask = ask_of(self._state, *self._state.slot(waiting))
        chips = least_chips(ask.workload)
        victims = preempt.own_victims(self._state, ask, waiting.order, chips, self._at)
        if victims is None:
            return
        # Room is being made: what becomes free of the quota is for this slot, and not for those behind it.
        self._spent[team] = 0
        self._clears = True
        for attempt in () if self._stopping else victims:
            self._stopping.add(attempt.id)
            says = f"{self._named(waiting)} is more urgent, and its team is at its quota"
            yield Stopping(attempt.id, "preempted", (Ground(says),))

    def _within_quota(self, ask: Ask) -> Ask:
        """The wish without the alternatives that want more than the team may have."""
        allowed = tuple(
            option
            for option in ask.options
            if quota.over_quota(self._state, ask.workload.team, option.gang_chips) is None
        )
        return replace(ask, options=allowed)

    # -- what becomes of it ------------------------------------------------------------------------------------

    def _start(self, waiting: Waiting, ask: Ask, slot: Slot, survey: Survey, choice: Choice) -> Placed:
        grounds = survey.grounds()
        kept = self.reservation
        if kept is not None:
            says = f"backfilled: it cannot delay {kept.holder}, due on {kept.supply.pool}"
            grounds += (Ground(says),)
        fact = placed(ask, waiting.slot, slot, choice, self._at, grounds)
        self._placed.add(fact.attempt)
        return fact

    def _block(self, waiting: Waiting, ask: Ask, survey: Survey) -> Iterator[Fact]:
        # What nothing held could ever serve stands in nobody's way.
        self._blocked += bool(survey.busy)
        self._unshaped.append((ask, survey))
        if (
            survey.busy and not self._only_starts()
        ):  # else those with room are found without asking the others
            self._note_quiet(waiting, ask, survey)
        if ask.budget_micro_usd is None and not self._state.teams:
            self._state.asks[waiting] = ask
        easy = self._state.records.policy.backfill == "easy"
        first = bool(survey.busy) and (self.reservation if easy else self.head) is None
        asks = not self._sourced and shortage.may_open(self._state, waiting, self._at)
        busy = survey.busy
        if first:
            cleared = yield from self._preempt(waiting, ask, survey)
            # Room that is being made is waited for: what seems free sooner elsewhere may be overdue, and run on.
            if cleared is not None:
                busy = [cleared]
                self._keep_quota(ask.workload)
        start = None
        if (first and easy) or (asks and survey.busy and ask.workload.deadline is not None):
            start = earliest(self._state, ask, busy, self._at, frozenset(self._stopping))
        if first and easy and start is not None:
            self.reservation = Reservation(self._state, ask, waiting.slot, start)
        if first and (self.reservation is not None or not easy):
            self.head = waiting
        if asks:
            # One need a pass: the next is judged against what this one leaves on the market.
            facts = shortage.decide_shortage(self._state, waiting, ask, survey, start, self._at)
            self._sourced = bool(facts)
            yield from facts

    def _preempt(
        self, waiting: Waiting, ask: Ask, survey: Survey
    ) -> Generator[Fact, None, tuple[Option, Supply] | None]:
        """Have others stopped; the place that is being cleared."""
        policy = self._state.records.policy
        if self._stopping or not policy.preemption:
            return None
        found = preempt.victims(self._state, ask, waiting.order, survey.busy, self._at, self._placed)
        if found is None:
            return None
        option, supply, chosen = found
        for attempt in chosen:
            self._stopping.add(attempt.id)
            lost = preempt.lost_work(self._state, attempt, self._at)
            says = (
                f"{self._named(waiting)} needs {supply.pool}; of those that may be stopped"
                f" {attempt.workload} loses little: {lost} micro-USD of work"
            )
            yield Stopping(attempt.id, "preempted", (Ground(says),))
        return option, supply

    def _named(self, waiting: Waiting) -> str:
        """A waiting slot with its rank in words."""
        said = {
            "priority": f" (priority {-waiting.order})",
            "sjf": f" (expected to run for {Duration(waiting.order)})",
            "srtf": f" (with {Duration(waiting.order)} left to run)",
        }
        return waiting.workload + said.get(self._state.records.policy.order, "")
