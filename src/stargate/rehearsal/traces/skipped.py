"""The tally of rows that a reader left out, with the reason and the place of each kind."""

from __future__ import annotations

import msgspec

from stargate.base.errors import Problem

MOST_REASONS = 100
"""Reasons that are told apart; whatever comes later is one reason more."""
OTHER = "another reason"


class Skip(msgspec.Struct, frozen=True):
    """One reason for leaving rows out."""

    reason: str
    count: int
    first_line: int
    """1-based line of the first such row; 0 where the file has no lines."""


class Skipped:
    """Rows left out, by reason. It grows while the trace is read: look at it when the reading is over."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lines: dict[str, int] = {}

    def count(self, reason: str, line: int = 0, rows: int = 1) -> None:
        """Count rows that were left out at a line (1-based; 0: none) for a reason."""
        if reason not in self._counts and len(self._counts) >= MOST_REASONS:
            reason = OTHER
        self._counts[reason] = self._counts.get(reason, 0) + rows
        self._lines.setdefault(reason, line)

    @property
    def rows(self) -> int:
        """How many rows were left out."""
        return sum(self._counts.values())

    def reasons(self) -> tuple[Skip, ...]:
        """Every reason, the most frequent first."""
        ranked = sorted(self._counts, key=lambda reason: (-self._counts[reason], reason))
        return tuple(Skip(reason, self._counts[reason], self._lines[reason]) for reason in ranked)

    def problems(self, file: str) -> tuple[Problem, ...]:
        """The reasons as problems of a file, for whoever wants every row or none."""
        remedy = "Mend the rows, or leave them out."
        return tuple(
            Problem(f"{skip.count} rows left out: {skip.reason}", remedy, file=file, line=skip.first_line)
            for skip in self.reasons()
        )
