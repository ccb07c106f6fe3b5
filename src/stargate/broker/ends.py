"""When what runs should be over: pool by pool, the soonest first."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stargate.base.time import Instant
    from stargate.broker.records import AttemptState

End = tuple["Instant", int, str]
"""When an attempt is expected to end, its chips, its id."""


class Ends:
    """A pool is put in order when somebody first asks for it, and kept in order from then on."""

    def __init__(self, live_on: Mapping[str, Mapping[str, AttemptState]]) -> None:
        self._live_on = live_on
        self._listed: dict[str, list[End]] = {}

    def on(self, pool: str) -> list[End]:
        """The ends on a pool. To be read only."""
        listed = self._listed.get(pool)
        if listed is None:
            live = self._live_on.get(pool, {}).values()
            listed = self._listed[pool] = sorted([(one.expected_end, one.chips, one.id) for one in live])
        return listed

    def add(self, attempt: AttemptState) -> None:
        """It runs."""
        listed = self._listed.get(attempt.pool)
        if listed is not None:
            insort(listed, (attempt.expected_end, attempt.chips, attempt.id))

    def remove(self, attempt: AttemptState) -> None:
        """It no longer does."""
        listed = self._listed.get(attempt.pool)
        if listed is not None:
            del listed[bisect_left(listed, (attempt.expected_end, attempt.chips, attempt.id))]
