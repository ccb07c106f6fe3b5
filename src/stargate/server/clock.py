"""The one place of the server that reads a clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from stargate.base.time import Instant

Clock = Callable[[], Instant]
"""Gives the present; may jump in either direction, as system clocks do."""


def system_clock() -> Instant:
    """Now, UTC, to the microsecond."""
    return Instant(time.time_ns() // 1_000)


class Stamps:
    """Times for commands: never earlier than the journal's last entry, and no two the same."""

    def __init__(self, clock: Clock, last: Instant) -> None:
        self._clock = clock
        self._last = last

    def next(self) -> Instant:
        """The present, or the instant after the last stamp where the clock was set back."""
        self._last = Instant(max(self._clock(), self._last + 1))
        return self._last

    def present(self) -> Instant:
        """The present as far as the journal is concerned, without using it up."""
        return Instant(max(self._clock(), self._last))
