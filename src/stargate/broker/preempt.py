"""Preemption: the cheapest set of lower-ranked attempts whose going makes room for a gang.

Nobody is stopped who would then stand before the asker in line: what waits and what runs are ranked by one order. The
queue keeps the room that is being made for whom it is made. So nobody is stopped in circles.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection
from heapq import heapify, heappop
from types import TracebackType
from typing import TYPE_CHECKING, Self

from stargate.base.money import cost_micro_usd
from stargate.base.time import Instant
from stargate.broker import quota
from stargate.broker.ask import required
from stargate.broker.order import gives_way, running_rank
from stargate.broker.place import place

if TYPE_CHECKING:
    from stargate.broker.ask import Ask, Option
    from stargate.broker.records import AttemptState
    from stargate.broker.state import State
    from stargate.broker.supply import Supply


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
    best: tuple[int, int, str, Option, Supply, tuple[AttemptState, ...]] | None = None
    leaving: dict[str, int] = {}
    for attempt in state.stopping.values():
        leaving[attempt.pool] = leaving.get(attempt.pool, 0) + attempt.chips
    for option, supply in busy:
        if leaving.get(supply.pool, 0) + _most(state, ask, rank, option, supply) < option.gang_chips:
            continue
        chosen = _on_supply(state, ask, rank, option, supply, at, spared)
        if chosen is None:
            continue
        if not chosen:
            return option, supply, ()  # room is being made already: wait for it, wherever it is
        key = (sum(lost_work(state, attempt, at) for attempt in chosen), len(chosen), supply.id)
        if best is None or key < best[:3]:
            best = (*key, option, supply, chosen)
    return None if best is None else best[3:]


def _most(state: State, ask: Ask, rank: int, option: Option, supply: Supply) -> int:
    """At most so many chips of a supply's pool are free, or held by attempts that would have to give way."""
    free = state.nodes[supply.pool].free_chips
    groups = state.tally.groups(supply.pool)
    if state.records.policy.order != "priority":
        return free + sum(groups.values())
    work = ask.workload
    reclaim = quota.may_reclaim(state, work.team, option.gang_chips)
    for (team, priority), chips in groups.items():
        if -priority > rank or (
            reclaim and priority == work.priority and team != work.team and quota.borrows(state, team)
        ):
            free += chips
    return free


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
    mine = state.tally.teams.get(team, {})
    key = _cheapest_of_the_lowest(state, at)
    lower = [(key(attempt), attempt) for attempt in mine.values() if _is_lower(state, rank, attempt, at)]
    heapify(lower)  # often a few are enough: they are not all sorted
    chosen: list[AttemptState] = []
    while quota.over_quota(state, team, chips - freed) is not None:
        if not lower:
            return None
        chosen.append(heappop(lower)[1])
        freed += chosen[-1].chips
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


def _cheapest_of_the_lowest(state: State, at: Instant) -> Callable[[AttemptState], tuple[int, int, str]]:
    return lambda attempt: (-running_rank(state, attempt, at), lost_work(state, attempt, at), attempt.id)


def _is_lower(state: State, rank: int, attempt: AttemptState, at: Instant) -> bool:
    work = state.records.workloads[attempt.workload].workload
    return attempt.status != "stopping" and work.preemptible and gives_way(state, attempt, rank, at)


def lost_work(state: State, attempt: AttemptState, at: Instant) -> int:
    """What stopping an attempt throws away, in micro-USD of its price (at least one per chip-second)."""
    work = state.records.workloads[attempt.workload].workload
    safe_at = attempt.safe_at if work.checkpoint is not None else None
    since = safe_at or attempt.started_at or at
    price = max(attempt.price_micro_usd_per_chip_hour, 3_600)
    return cost_micro_usd(price, attempt.chips, max(0, at - since))


def _on_supply(
    state: State,
    ask: Ask,
    rank: int,
    option: Option,
    supply: Supply,
    at: Instant,
    spared: Collection[str],
) -> tuple[AttemptState, ...] | None:
    reclaim = quota.may_reclaim(state, ask.workload.team, option.gang_chips)
    pool = state.live_on.get(supply.pool, {})
    allowed = sorted(
        (
            attempt
            for attempt in pool.values()
            if attempt.id not in spared and _may_stop(state, ask, rank, attempt, at, reclaim=reclaim)
        ),
        key=_cheapest_of_the_lowest(state, at),
    )
    with _Clearing(state, ask, rank, option, supply, at) as clearing:
        # What is stopping already makes room by itself: if that is enough, wait for it.
        for attempt in [a for a in pool.values() if a.status == "stopping"]:
            clearing.remove(attempt)
        if clearing.enough():
            return ()
        chosen: list[AttemptState] = []
        for attempt in allowed:
            if not clearing.may_lose(attempt):
                continue
            clearing.remove(attempt)
            chosen.append(attempt)
            if clearing.enough():
                break
        else:
            return None
        # Some may prove needless once later ones are out: the dearest are spared first.
        for attempt in reversed(tuple(chosen)):
            clearing.restore(attempt)
            if clearing.enough():
                chosen.remove(attempt)
            else:
                clearing.remove(attempt)
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


def _may_stop(
    state: State, ask: Ask, rank: int, attempt: AttemptState, at: Instant, *, reclaim: bool
) -> bool:
    if attempt.status == "stopping" or attempt.workload == ask.workload_id:
        return False
    work = state.records.workloads[attempt.workload].workload
    if not work.preemptible:
        return False
    if gives_way(state, attempt, rank, at):
        return True
    return (
        reclaim
        and running_rank(state, attempt, at) >= rank
        and work.team != ask.workload.team
        and quota.borrows(state, work.team)
    )
