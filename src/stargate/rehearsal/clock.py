"""The simulated clock: a heap of events. Time passes from one event to the next, and never otherwise."""

from __future__ import annotations

import heapq
from typing import Literal

from stargate.base.time import FOREVER, Instant
from stargate.broker.command import Command

Turn = Literal[0, 1, 2]
"""Of events at one instant: what ends or fails comes first (0), then what people change (1), then new work (2)."""

Event = tuple[Instant, Command]
"""A command, and when it is said."""


class Clock:
    """Events to come. At one instant they come by turn, then in the order in which they were set."""

    def __init__(self, now: Instant) -> None:
        self.now = now
        """It does not run backwards: an event set for earlier comes now."""
        self._heap: list[tuple[Instant, int, int, Command]] = []
        self._count = 0

    def set(self, at: Instant, command: Command, turn: Turn = 0) -> None:
        """Let a command be said at a moment."""
        self._count += 1
        heapq.heappush(self._heap, (max(at, self.now), turn, self._count, command))

    def next(self) -> Instant:
        """When the next event comes; FOREVER: nothing is to come."""
        return self._heap[0][0] if self._heap else FOREVER

    def pop(self, at: Instant) -> list[Command]:
        """Move on to a moment, and take what is said then and was said until then."""
        assert at >= self.now, "time does not run backwards"
        self.now = at
        heap, said = self._heap, []
        while heap and heap[0][0] <= at:
            said.append(heapq.heappop(heap)[3])
        return said
