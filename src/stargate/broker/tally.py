"""What runs, counted by team and priority: how much preemption could free at most, without asking every attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stargate.broker.records import AttemptState
    from stargate.workloads import Workload

KeyT = TypeVar("KeyT")
Group = tuple[str, int]
"""A team and a priority."""


class Tally:
    """Counts of attempts that hold nodes."""

    def __init__(self) -> None:
        self.teams: dict[str, dict[str, AttemptState]] = {}
        """Those of a team, by id."""
        self._on_pool: dict[str, dict[Group, int]] = {}
        self._of_team: dict[str, dict[int, dict[str, int]]] = {}
        """Team, then priority, then pool."""

    def add(self, attempt: AttemptState, work: Workload) -> None:
        """An attempt holds nodes."""
        self.teams.setdefault(work.team, {})[attempt.id] = attempt
        self._count(attempt, work, attempt.chips)

    def remove(self, attempt: AttemptState, work: Workload) -> None:
        """It no longer does."""
        del self.teams[work.team][attempt.id]
        self._count(attempt, work, -attempt.chips)

    def groups(self, pool: str) -> dict[Group, int]:
        """Chips that preemptible attempts hold on a pool."""
        return self._on_pool.get(pool, {})

    def below(self, team: str, priority: int) -> Iterator[tuple[str, int]]:
        """Pools, and the chips that preemptible attempts of a team and of lower priority hold there."""
        for of, pools in self._of_team.get(team, {}).items():
            if of < priority:
                yield from pools.items()

    def _count(self, attempt: AttemptState, work: Workload, chips: int) -> None:
        if not work.preemptible:
            return
        _add(self._on_pool.setdefault(attempt.pool, {}), (work.team, work.priority), chips)
        _add(self._of_team.setdefault(work.team, {}).setdefault(work.priority, {}), attempt.pool, chips)


def _add(counts: dict[KeyT, int], key: KeyT, chips: int) -> None:
    """Nothing is kept of what is down to nothing."""
    counts[key] = counts.get(key, 0) + chips
    if not counts[key]:
        del counts[key]
