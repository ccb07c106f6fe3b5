"""What runs, counted by team and priority, and listed by what it costs: few attempts have to be asked one by one."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stargate.broker.records import AttemptState
    from stargate.broker.supply import Supply, SupplyIndex
    from stargate.workloads import Workload

KeyT = TypeVar("KeyT")
Group = tuple[str, int]
"""A team and a priority."""


class Tally:
    """Counts of attempts that hold nodes."""

    def __init__(self) -> None:
        self.teams: dict[str, dict[int, dict[str, AttemptState]]] = {}
        """Those of a team that are preemptible, by priority and id."""
        self._on_pool: dict[str, dict[Group, dict[str, AttemptState]]] = {}
        """Those that are preemptible, by id."""
        self._chips: dict[str, dict[Group, int]] = {}
        """What they hold."""
        self._of_team: dict[str, dict[int, dict[str, int]]] = {}
        """Team, then priority, then pool."""
        self._dear: list[tuple[int, str]] | None = None
        """What each costs by the hour, the dearest first; None: nobody has asked since prices changed."""
        self._changes = -1

    def add(self, attempt: AttemptState, work: Workload, supply: Supply | None) -> None:
        """An attempt holds nodes."""
        if work.preemptible:
            self.teams.setdefault(work.team, {}).setdefault(work.priority, {})[attempt.id] = attempt
            group = (work.team, work.priority)
            self._on_pool.setdefault(attempt.pool, {}).setdefault(group, {})[attempt.id] = attempt
            self._count(attempt, group, attempt.chips)
        if self._dear is not None and supply is not None and supply.marginal > 0:
            insort(self._dear, (-supply.marginal * attempt.chips, attempt.id))

    def remove(self, attempt: AttemptState, work: Workload, supply: Supply | None) -> None:
        """It no longer does."""
        if work.preemptible:
            del self.teams[work.team][work.priority][attempt.id]
            group = (work.team, work.priority)
            del self._on_pool[attempt.pool][group][attempt.id]
            self._count(attempt, group, -attempt.chips)
        if self._dear is not None and supply is not None and supply.marginal > 0:
            key = (-supply.marginal * attempt.chips, attempt.id)
            at = bisect_left(self._dear, key)
            if self._dear[at : at + 1] == [key]:
                del self._dear[at]
            else:
                self._dear = None  # it was listed at another price

    def dearest(self, live: Mapping[str, AttemptState], supplies: SupplyIndex) -> Iterator[AttemptState]:
        """Attempts that are paid by use, those that cost most by the hour first."""
        if self._dear is None or self._changes != supplies.changes:
            self._changes = supplies.changes
            self._dear = sorted(
                (-supply.marginal * attempt.chips, attempt.id)
                for attempt in live.values()
                if (supply := supplies.by_id.get(attempt.supply)) is not None and supply.marginal > 0
            )
        for _, name in self._dear:
            yield live[name]

    def groups(self, pool: str) -> dict[Group, int]:
        """Chips that preemptible attempts hold on a pool."""
        return self._chips.get(pool, {})

    def on_pool(self, pool: str) -> Mapping[Group, Mapping[str, AttemptState]]:
        """Preemptible attempts on a pool, by id."""
        return self._on_pool.get(pool, {})

    def below(self, team: str, priority: int) -> Iterator[tuple[str, int]]:
        """Pools, and the chips that preemptible attempts of a team and of lower priority hold there."""
        for of, pools in self._of_team.get(team, {}).items():
            if of < priority:
                yield from pools.items()

    def _count(self, attempt: AttemptState, group: Group, chips: int) -> None:
        team, priority = group
        _add(self._chips.setdefault(attempt.pool, {}), group, chips)
        _add(self._of_team.setdefault(team, {}).setdefault(priority, {}), attempt.pool, chips)


def _add(counts: dict[KeyT, int], key: KeyT, chips: int) -> None:
    """Nothing is kept of what is down to nothing."""
    counts[key] = counts.get(key, 0) + chips
    if not counts[key]:
        del counts[key]
