"""Which clause bound when: the clauses that the grounds of facts cite, with the kinds of decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from stargate.base.time import Instant
from stargate.broker import Ground
from stargate.rehearsal.report.grid import Grid, Sums
from stargate.rehearsal.report.summary import Clause

CLAUSES_LIMIT = 2_000
"""Clauses that are told apart; more are counted together under OTHERS."""
OTHERS = "others/others"


class Bound(msgspec.Struct):
    """What rested on one clause."""

    first: Instant
    last: Instant
    says: str
    over_time: Sums
    decisions: Counter[str] = msgspec.field(default_factory=Counter)


class Bindings:
    """All clauses that were cited."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.bound: dict[str, Bound] = {}

    def cite(self, kind: str, grounds: Sequence[Ground], at: Instant) -> None:
        """A fact of that kind rests on these grounds; a clause counts once per fact."""
        cited: set[str] = set()
        for ground in grounds:
            clause = ground.clause
            if not clause or clause in cited:
                continue
            cited.add(clause)
            if clause not in self.bound and len(self.bound) >= CLAUSES_LIMIT:
                clause = OTHERS
            bound = self.bound.get(clause)
            if bound is None:
                bound = self.bound[clause] = Bound(at, at, ground.says, Sums(self._grid))
            bound.last = at
            bound.decisions[kind] += 1
            bound.over_time.put(at, 1)

    def figures(self) -> dict[str, tuple[Clause, ...]]:
        """By agreement."""
        found: dict[str, list[Clause]] = {}
        for name, bound in sorted(self.bound.items()):
            found.setdefault(name.partition("/")[0], []).append(
                Clause(
                    id=name,
                    decisions=dict(sorted(bound.decisions.items())),
                    first=bound.first,
                    last=bound.last,
                    says=bound.says,
                )
            )
        return {agreement: tuple(clauses) for agreement, clauses in found.items()}
