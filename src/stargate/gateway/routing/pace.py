"""How soon an endpoint begins to answer, as far as this worker has seen: up at once, down with time.

A mean that heeds bad news at once and good news by and by (in the literature: peak EWMA). What was seen long ago is
believed less and less, so an endpoint that was slow is tried again, and one that has recovered is found out.
"""

from __future__ import annotations

from math import exp

FADES_US = 10_000_000
"""After so long without an answer, what is known of an endpoint counts for a third (1/e)."""
ALARM = 0.5
"""How much an answer that was slower than expected counts at least."""


class Pace:
    """Of one endpoint, for one kind of answer: streams begin soon, whole answers when they are done."""

    __slots__ = ("_at_us", "_mean_us")

    def __init__(self) -> None:
        self._mean_us = 0.0
        self._at_us = 0

    def saw(self, took_us: int, at_us: int) -> None:
        """It began to answer after so long."""
        if not self._at_us:
            self._mean_us, self._at_us = float(took_us), at_us
            return
        share = 1 - exp(min(0, self._at_us - at_us) / FADES_US)
        if took_us > self._mean_us:
            share = max(share, ALARM)
        self._mean_us += share * (took_us - self._mean_us)
        self._at_us = max(at_us, self._at_us)

    def expected_us(self) -> float:
        """As it was seen last; 0: it never was."""
        return self._mean_us

    def slowness(self, best_us: float, at_us: int) -> float:
        """How many times longer it takes than the best of those that it is compared with; 1 where that is not known."""
        mean = self._mean_us
        if mean <= best_us or best_us <= 0:
            return 1.0
        return 1 + (mean / best_us - 1) * exp(min(0, self._at_us - at_us) / FADES_US)
