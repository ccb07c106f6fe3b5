"""Which clauses are in force over a period, as spans between the instants at which anything changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stargate.agreements.book import Book
from stargate.agreements.period import Period
from stargate.agreements.present import Present
from stargate.agreements.version import Version
from stargate.agreements.world import WorldFact
from stargate.base.time import Instant

CHANGES_LIMIT = 100_000
"""More changes than this within one period are a mistake."""


class Stretch(NamedTuple):
    """A span without change."""

    period: Period
    present: Present
    in_force: frozenset[int]
    """`id` of each version in force."""


class Timeline:
    """The stretches of a period, with what is known at `known_at` (default: its end)."""

    def __init__(
        self, book: Book, facts: Sequence[WorldFact], period: Period, known_at: Instant | None = None
    ) -> None:
        self.book = book
        self.period = period
        self.known_at = period.end if known_at is None else known_at
        self.world = book.world(facts)
        self.stretches: list[Stretch] = []
        self._spans: dict[int, list[Period]] = {}
        start = period.start
        while start < period.end and len(self.stretches) < CHANGES_LIMIT:
            present = book.present(facts, start, self.known_at)
            live = frozenset(id(item) for item in book.chart.versions if present.in_force(item))
            end = min(present.horizon.before, period.end)
            self.stretches.append(Stretch(Period(start, end), present, live))
            start = end
        self.last = book.present(facts, Instant(period.end - 1), self.known_at)
        """How things stand at the last instant of the period."""

    def spans(self, version: Version) -> list[Period]:
        """Where a version is in force, adjoining stretches joined."""
        kept = self._spans.get(id(version))
        if kept is not None:
            return kept
        found: list[Period] = []
        for stretch in self.stretches:
            if id(version) not in stretch.in_force:
                continue
            if found and found[-1].end == stretch.period.start:
                found[-1] = Period(found[-1].start, stretch.period.end)
            else:
                found.append(stretch.period)
        self._spans[id(version)] = found
        return found
