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
        self._withdrawn: set[int] = set()

    def set(self, at: Instant, command: Command, turn: Turn = 0) -> int:
        """Let a command be said at a moment; the number under which that can be withdrawn, above 0."""
        self._count += 1
        heapq.heappush(self._heap, (max(at, self.now), turn, self._count, command))
        return self._count

    def withdraw(self, number: int) -> None:
        """What was set under this number, and has not come yet, does not come."""
        self._withdrawn.add(number)

    def next(self) -> Instant:
        """When the next event comes; FOREVER: nothing is to come."""
        heap, withdrawn = self._heap, self._withdrawn
        while withdrawn and heap and heap[0][2] in withdrawn:
            withdrawn.remove(heapq.heappop(heap)[2])
        return heap[0][0] if heap else FOREVER

    def pop(self, at: Instant) -> list[Command]:
        """Move on to a moment, and take what is said then and was said until then."""
        assert at >= self.now, "time does not run backwards"
        self.now = at
        heap, withdrawn, said = self._heap, self._withdrawn, []
        while heap and heap[0][0] <= at:
            _, _, number, command = heapq.heappop(heap)
            if withdrawn and number in withdrawn:
                withdrawn.remove(number)
            else:
                said.append(command)
        return said
