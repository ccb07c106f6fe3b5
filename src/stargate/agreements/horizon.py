"""From where one looks at agreements: an instant, what was known, and for how long the view stays the same.

Every comparison of a date with the present goes through `reached`, which notes the nearest dates before
and after. What was seen is therefore exact for every instant in [since, before), and can be kept.
"""

from __future__ import annotations

from stargate.base.time import FOREVER, Instant

EVER = Instant(-(2**62))
"""A beginning before all dates."""


class Horizon:
    """An instant to look from, and the span around it in which nothing that was asked changes."""

    __slots__ = ("at", "before", "known_at", "since")

    def __init__(self, at: Instant, known_at: Instant | None = None) -> None:
        self.at = at
        self.known_at = known_at
        """What was on record by then counts; None: by `at` itself."""
        self.since = EVER
        self.before = FOREVER

    def reached(self, instant: Instant) -> bool:
        """Whether `instant` has come: dates are half-open, so it has when it equals `at`."""
        if instant <= self.at:
            self.since = max(self.since, instant)
            return True
        self.before = min(self.before, instant)
        return False

    def knows(self, recorded_at: Instant) -> bool:
        """Whether something recorded then is on record."""
        return self.reached(recorded_at) if self.known_at is None else recorded_at <= self.known_at

    def covers(self, at: Instant) -> bool:
        """Whether the view from here is the view from `at`."""
        return self.since <= at < self.before
