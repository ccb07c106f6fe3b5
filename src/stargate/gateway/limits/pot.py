"""What there is to give of a limit of one application: so much in any minute, so much at a time, so much money."""

from __future__ import annotations

from collections import deque
from typing import Literal, Protocol

Kind = Literal["requests", "tokens", "slots", "money"]
"""Requests a minute, tokens a minute, requests at a time, micro-USD of the month."""
KINDS: tuple[Kind, ...] = ("requests", "tokens", "slots", "money")

STEP_US = 250_000
SLICE_US = STEP_US
"""How long a worker may spend what it was given for a minute."""
WINDOW_STEPS = 60_000_000 // STEP_US + 2
"""What was given so long ago no longer counts: a minute, the step in which it may be spent, and a beginning."""


class Pot(Protocol):
    """All methods take microseconds since 1970; time that goes backwards stands still."""

    limit: int

    def left(self, at_us: int) -> int:
        """What could be given now; below zero where more was used than given."""

    def take(self, amount: int, at_us: int) -> None:
        """It was given."""

    def put_back(self, amount: int, given_us: int) -> None:
        """It was given at an instant and not used; below zero: so much more was used."""

    def more_us(self, amount: int, at_us: int) -> int | None:
        """When so much may be left; None: when somebody gives back."""


class Window:
    """So much in any minute, exactly: the steps of the past minute with what was given in each."""

    __slots__ = ("_given", "_step", "_sum", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._given: deque[tuple[int, int]] = deque()
        """(step, amount), oldest first."""
        self._sum = 0
        self._step = 0

    def left(self, at_us: int) -> int:
        """See `Pot`."""
        self._pass(at_us)
        return self.limit - self._sum

    def take(self, amount: int, at_us: int) -> None:
        """See `Pot`."""
        self._pass(at_us)
        self._add(self._step, amount)

    def put_back(self, amount: int, given_us: int) -> None:
        """See `Pot`. What has left the window already changes nothing; what was used beyond counts from now on."""
        step = given_us // STEP_US
        if amount < 0:
            self._add(self._step, -amount)
            return
        for place in range(len(self._given) - 1, -1, -1):
            found, given = self._given[place]
            if found == step:
                back = min(amount, given)
                self._given[place] = (found, given - back)
                self._sum -= back
                return
            if found < step:
                return

    def more_us(self, amount: int, at_us: int) -> int | None:
        """See `Pot`."""
        self._pass(at_us)
        over = self._sum + min(amount, self.limit) - self.limit
        for step, given in self._given:
            if over <= 0:
                break
            over -= given
            at_us = (step + WINDOW_STEPS) * STEP_US
        return at_us

    def _add(self, step: int, amount: int) -> None:
        self._sum += amount
        if self._given and self._given[-1][0] == step:
            self._given[-1] = (step, self._given[-1][1] + amount)
        else:
            self._given.append((step, amount))

    def _pass(self, at_us: int) -> None:
        self._step = max(self._step, at_us // STEP_US)
        while self._given and self._given[0][0] <= self._step - WINDOW_STEPS:
            self._sum -= self._given.popleft()[1]


class Sum:
    """So much in all: requests at a time, or money of a month."""

    __slots__ = ("_given", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._given = 0

    def left(self, at_us: int) -> int:
        """See `Pot`."""
        return self.limit - self._given

    def take(self, amount: int, at_us: int) -> None:
        """See `Pot`."""
        self._given += amount

    def put_back(self, amount: int, given_us: int) -> None:
        """See `Pot`."""
        self._given -= amount

    def more_us(self, amount: int, at_us: int) -> int | None:
        """See `Pot`: nothing comes back by itself."""
        return None
