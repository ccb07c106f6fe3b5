"""Preemption: the cheapest set of lower-ranked attempts whose going makes room for a gang.

Nobody is stopped who would then stand before the asker in line: what waits and what runs are ranked by one order. The
queue keeps the room that is being made for whom it is made. So nobody is stopped in circles.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Iterator
from heapq import heapify, heappop
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from stargate.base.time import HOUR, Instant
from stargate.broker import quota
from stargate.broker.ask import required
from stargate.broker.order import PREEMPTIVE, gives_way, running_rank
from stargate.broker.place import place

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.broker.supply import Supply
    from stargate.broker.tally import Group

    Offer = tuple[int, int, Option, Supply, list[AttemptState]]
    """What it loses at least, its place among the busy, and who may be stopped there."""


def victims(
    state: State,
    ask: Ask,
    rank: int,
    busy: list[tuple[Option, Supply]],
    at: Instant,
    spared: Collection[str] = (),
) -> tuple[Option, Supply, tuple[AttemptState, ...]] | None:
    """The supply to clear for an option, and whom to stop there; None if nothing allowed would be enough.

    Nobody: what stops there already is enough, and is waited for. Allowed victims: preemptible attempts that rank lower
    under policy's order, and those that rank no higher and run on quota which their team borrowed and the asking team
    reclaims, as far as it borrows; never those `spared`. Cost of a victim: the chip-hours it would have to do again.
    `rank` is the asker's.
    """
    leaving: dict[str, int] = {}
    for attempt in state.stopping.values():
        leaving[attempt.pool] = leaving.get(attempt.pool, 0) + attempt.chips
    for option, supply in busy:
        if supply.pool in leaving:
            with _Clearing(state, ask, rank, option, supply, at) as clearing:
                if clearing.enough():
                    return option, supply, ()  # room is being made already: wait for it, wherever it is
    offers: list[Offer] = []
    groups: _Groups | None = None
    for number, (option, supply) in enumerate(busy):
        if groups is None or groups.option is not option:
            groups = _Groups(state, ask, rank, option)
        gone = leaving.get(supply.pool, 0)
        if gone + _most(state, groups, supply) < option.gang_chips:
            continue
        allowed = groups.allowed(supply.pool, at, spared)
        missing = option.gang_chips - gone - state.nodes[supply.pool].free_chips
        least = _least_loss(state, allowed, missing, at)
        if least is not None:
            offers.append((least, number, option, supply, allowed))
    return _cheapest(state, ask, rank, offers, at)


def _cheapest(
    state: State, ask: Ask, rank: int, offers: list[Offer], at: Instant
) -> tuple[Option, Supply, tuple[AttemptState, ...]] | None:
    """The offer that loses least. Those that could lose least are looked at first, and the others not at all."""
    best: tuple[int, int, str, int, Option, Supply, tuple[AttemptState, ...]] | None = None
    for least, number, option, supply, allowed in sorted(offers, key=lambda offer: offer[:2]):
        if best is not None and best[0] < least:
            break
        chosen = _on_supply(state, ask, rank, option, supply, allowed, at)
        if chosen is None:
            continue
        key = (sum(victim.lost for victim in chosen), len(chosen), supply.id, number)
        if best is None or key < best[:4]:
            best = (*key, option, supply, tuple(victim.attempt for victim in chosen))
    return None if best is None else best[4:]


def _least_loss(state: State, allowed: list[AttemptState], missing: int, at: Instant) -> int | None:
    """Nobody makes so many chips free for less: as if attempts could go in part. None: all are too few."""
    loss = 0
    for rate, chips in sorted([(_lost_rate(state, attempt, at), attempt.chips) for attempt in allowed]):
        if missing <= 0:
            break
        loss += rate * min(chips, missing)
        missing -= chips
    return None if missing > 0 else loss // HOUR


class Victim(NamedTuple):
    """An attempt that may be stopped; in the order in which they are."""

    order: int
    """The last in line goes first."""
    lost: int
    id: str
    attempt: AttemptState


def _victim(state: State, attempt: AttemptState, at: Instant) -> Victim:
    return Victim(-running_rank(state, attempt, at), lost_work(state, attempt, at), attempt.id, attempt)


class _Groups:
    """Who may be stopped for a gang. Where priority decides, that is one answer for a team's work of one priority."""

    def __init__(self, state: State, ask: Ask, rank: int, option: Option) -> None:
        self._state, self._ask, self._rank = state, ask, rank
        self.option = option
        self._reclaims = quota.may_reclaim(state, ask.workload.team, option.gang_chips)
        self._by_priority = state.records.policy.order == "priority"
        self._known: dict[Group, bool] = {}

    def may_go(self, group: Group) -> bool:
        """Whether what is preemptible of a team and a priority may be stopped, if there is no other order."""
        found = self._known.get(group)
        if found is None:
            found = self._known[group] = not self._by_priority or self._gives_way(-group[1], group[0])
        return found

    def allowed(self, pool: str, at: Instant, spared: Collection[str]) -> list[AttemptState]:
        """The attempts on a pool that may be stopped, but for those spared."""
        found = [
            attempt
            for group, held in self._state.tally.on_pool(pool).items()
            if self.may_go(group)
            for attempt in held.values()
            if attempt.status != "stopping" and attempt.workload != self._ask.workload_id
        ]
        if spared:
            found = [attempt for attempt in found if attempt.id not in spared]
        return found if self._by_priority else [one for one in found if self._may_stop(one, at)]

    def _may_stop(self, attempt: AttemptState, at: Instant) -> bool:
        work = self._state.records.workloads[attempt.workload].workload
        return self._gives_way(running_rank(self._state, attempt, at), work.team)

    def _gives_way(self, running: int, team: str) -> bool:
        """Whether it ranks lower, or no higher while its team borrows what the asking team reclaims."""
        if running > self._rank and self._state.records.policy.order in PREEMPTIVE:
            return True
        return (
            self._reclaims
            and running >= self._rank
            and team != self._ask.workload.team
            and quota.borrows(self._state, team)
        )


def _most(state: State, groups: _Groups, supply: Supply) -> int:
    """At most so many chips of a supply's pool are free, or held by attempts that would have to give way."""
    counted = state.tally.groups(supply.pool).items()
    return state.nodes[supply.pool].free_chips + sum(
        chips for group, chips in counted if groups.may_go(group)
    )


def own_victims(
    state: State, ask: Ask, rank: int, chips: int, at: Instant
) -> tuple[AttemptState, ...] | None:
    """Whom of its own team, of lower rank, an ask that is over quota sends away; None if that would not help.

    The cheapest of the lowest first, only if the quota then has room for `chips` and the gang has a place. Empty if
    what is stopping already makes that room.
    """
    team = ask.workload.team
    stopping = [attempt for attempt in state.stopping.values() if _team(state, attempt) == team]
    freed = sum(attempt.chips for attempt in stopping)
    if state.records.policy.order == "priority" and not _may_help(state, team, -rank, chips, stopping):
        return None
    lower = _lowest_first(state, team, rank, at)
    chosen: list[AttemptState] = []
    while quota.over_quota(state, team, chips - freed) is not None:
        attempt = next(lower, None)
        if attempt is None:
            return None
        chosen.append(attempt)
        freed += attempt.chips
    leaving = [*chosen, *stopping]
    return (
        tuple(chosen)
        if _may_have_place(state, chips, leaving) and _has_place(state, ask, leaving, at)
        else None
    )


def _may_help(state: State, team: str, priority: int, chips: int, stopping: list[AttemptState]) -> bool:
    """Whether quota, and a pool with so many chips, could be free if all that is less urgent went: no is certain."""
    going: dict[str, int] = {}
    for attempt in stopping:
        going[attempt.pool] = going.get(attempt.pool, 0) + attempt.chips
    freed = sum(going.values())
    for pool, held in state.tally.below(team, priority):
        going[pool] = going.get(pool, 0) + held
        freed += held
    return quota.over_quota(state, team, chips - freed) is None and _is_room(state, chips, going)


def _may_have_place(state: State, chips: int, leaving: list[AttemptState]) -> bool:
    """Whether some pool would have so many chips free without them."""
    going: dict[str, int] = {}
    for attempt in leaving:
        going[attempt.pool] = going.get(attempt.pool, 0) + attempt.chips
    return _is_room(state, chips, going)


def _is_room(state: State, chips: int, going: dict[str, int]) -> bool:
    """Whether so many chips are free in one pool, or would be when so many go from each."""
    return any(listed.most_free() >= chips for listed in state.supplies.by_chip.values()) or any(
        state.nodes[pool].free_chips + more >= chips for pool, more in going.items()
    )


def _has_place(state: State, ask: Ask, leaving: list[AttemptState], at: Instant) -> bool:
    for attempt in leaving:
        state.nodes[attempt.pool].give(attempt.nodes, attempt.chips_per_node)
        state.supplies.note(attempt.pool)
        _draw(state, attempt, -attempt.chips)
    try:
        return place(state, ask, at).choice is not None
    finally:
        for attempt in reversed(leaving):
            state.nodes[attempt.pool].restore(attempt.nodes, attempt.chips_per_node)
            state.supplies.note(attempt.pool)
            _draw(state, attempt, attempt.chips)


def _draw(state: State, attempt: AttemptState, chips: int) -> None:
    supply = state.supplies.by_id.get(attempt.supply)
    if supply is not None:
        supply.used += chips


def _team(state: State, attempt: AttemptState) -> str:
    return state.records.workloads[attempt.workload].workload.team


def _lowest_first(state: State, team: str, rank: int, at: Instant) -> Iterator[AttemptState]:
    """What gives way of a team's work: the lowest first, and of these the cheapest."""
    mine = state.tally.teams.get(team, {})
    if state.records.policy.order == "priority":
        groups = [list(mine[priority].values()) for priority in sorted(mine) if -priority > rank]
    else:
        every = [attempt for held in mine.values() for attempt in held.values()]
        groups = [[attempt for attempt in every if gives_way(state, attempt, rank, at)]]
    for group in groups:
        found = [_victim(state, attempt, at) for attempt in group if attempt.status != "stopping"]
        heapify(found)  # often a few are enough: they are not all sorted
        while found:
            yield heappop(found).attempt


def lost_work(state: State, attempt: AttemptState, at: Instant) -> int:
    """What stopping an attempt throws away, in micro-USD of its price (at least one per chip-second)."""
    return -(-_lost_rate(state, attempt, at) * attempt.chips // HOUR)


def _lost_rate(state: State, attempt: AttemptState, at: Instant) -> int:
    """What each chip of it loses: micro-USD an hour x microseconds."""
    work = state.records.workloads[attempt.workload].workload
    safe_at = attempt.safe_at if work.checkpoint is not None else None
    since = safe_at or attempt.started_at or at
    return max(attempt.price_micro_usd_per_chip_hour, 3_600) * max(0, at - since)


def _on_supply(
    state: State,
    ask: Ask,
    rank: int,
    option: Option,
    supply: Supply,
    allowed: list[AttemptState],
    at: Instant,
) -> tuple[Victim, ...] | None:
    with _Clearing(state, ask, rank, option, supply, at) as clearing:
        chosen: list[Victim] = []
        for victim in sorted(_victim(state, attempt, at) for attempt in allowed):
            if not clearing.may_lose(victim.attempt):
                continue
            clearing.remove(victim.attempt)
            chosen.append(victim)
            if clearing.enough():
                break
        else:
            return None
        # Some may prove needless once later ones are out: the dearest are spared first.
        for victim in reversed(tuple(chosen)):
            clearing.restore(victim.attempt)
            if clearing.enough():
                chosen.remove(victim)
            else:
                clearing.remove(victim.attempt)
        return tuple(chosen)


class _Clearing:
    """What-if: attempts leave a pool, and all are back when the block ends."""

    def __init__(
        self, state: State, ask: Ask, rank: int, option: Option, supply: Supply, at: Instant
    ) -> None:
        self._state = state
        self._rank, self._at = rank, at
        self._nodes = state.nodes[supply.pool]
        self._ask = ask
        self._option = option
        self._supply = supply
        self._gone: dict[str, AttemptState] = {}
        self._leaving: dict[str, int] = {}
        """By team: chips of those that stop anywhere, and of those gone here."""
        self._reclaimed: dict[str, list[int]] = {}
        """By team: chips of each of these that does not rank below the asker, in order."""
        for attempt in state.stopping.values():
            self._leave(attempt)

    def __enter__(self) -> Self:
        """What is stopping there makes room by itself."""
        for attempt in self._state.stopping.values():
            if attempt.pool == self._supply.pool:
                self.remove(attempt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for attempt in tuple(self._gone.values()):
            self.restore(attempt)

    def remove(self, attempt: AttemptState) -> None:
        """As if it had left."""
        self._nodes.give(attempt.nodes, attempt.chips_per_node)
        self._gone[attempt.id] = attempt
        if attempt.status != "stopping":
            self._leave(attempt)

    def restore(self, attempt: AttemptState) -> None:
        """It stays after all."""
        self._nodes.restore(attempt.nodes, attempt.chips_per_node)
        del self._gone[attempt.id]
        if attempt.status != "stopping":
            team, chips = _team(self._state, attempt), attempt.chips
            self._leaving[team] -= chips
            if not gives_way(self._state, attempt, self._rank, self._at):
                self._reclaimed[team].remove(chips)

    def _leave(self, attempt: AttemptState) -> None:
        team, chips = _team(self._state, attempt), attempt.chips
        self._leaving[team] = self._leaving.get(team, 0) + chips
        if not gives_way(self._state, attempt, self._rank, self._at):
            insort(self._reclaimed.setdefault(team, []), chips)

    def may_lose(self, attempt: AttemptState) -> bool:
        """Whether the attempt ranks below the asker, or runs on borrowed quota.

        It does if each of those whose quota is reclaimed would have to borrow to come back once all are gone: else it
        would be its team's own, and stand before the asker again.
        """
        if gives_way(self._state, attempt, self._rank, self._at):
            return True
        team, chips = _team(self._state, attempt), attempt.chips
        others = self._reclaimed.get(team)
        least = min(others[0], chips) if others else chips
        return quota.borrows(self._state, team, self._leaving.get(team, 0) + chips - least)

    def enough(self) -> bool:
        """Whether the gang would fit now."""
        spare = self._supply.spare
        if spare is not None:
            spare += sum(a.chips for a in self._gone.values() if a.supply == self._supply.id)
            if spare < self._option.gang_chips:
                return False
        work = self._ask.workload
        return self._nodes.fits(self._option.nodes, self._option.chips_per_node, required(work))
