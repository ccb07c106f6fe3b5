"""What runs, counted by team and priority: how much preemption could free at most, without asking every attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stargate.broker.records import AttemptState
    from stargate.workloads import Workload

Group = tuple[str, int]
"""A team and a priority."""


class Tally:
    """Counts of attempts that hold nodes."""

    def __init__(self) -> None:
        self.teams: dict[str, dict[str, AttemptState]] = {}
        """Those of a team, by id."""
        self._on_pool: dict[str, dict[Group, int]] = {}
        self._of_team: dict[str, dict[int, int]] = {}

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

    def below(self, team: str, priority: int) -> int:
        """Chips that preemptible attempts of a team and of lower priority hold."""
        held = self._of_team.get(team, {})
        return sum(chips for of, chips in held.items() if of < priority)

    def _count(self, attempt: AttemptState, work: Workload, chips: int) -> None:
        if not work.preemptible:
            return
        groups = self._on_pool.setdefault(attempt.pool, {})
        group = (work.team, work.priority)
        groups[group] = groups.get(group, 0) + chips
        if not groups[group]:
            del groups[group]
        held = self._of_team.setdefault(work.team, {})
        held[work.priority] = held.get(work.priority, 0) + chips
