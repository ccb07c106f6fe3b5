"""Times, counted into buckets."""

from __future__ import annotations

from bisect import bisect_left


class Histogram:
    """Plain numbers: noting a time takes a search among a few bounds and two additions."""

    __slots__ = ("_bounds_us", "counts", "sum_us")

    def __init__(self, bounds_us: tuple[int, ...]) -> None:
        self._bounds_us = bounds_us
        self.counts = [0] * (len(bounds_us) + 1)
        """Of each bucket alone; the last is what is beyond all bounds."""
        self.sum_us = 0

    def note(self, time_us: int) -> None:
        """One more. A bound belongs to the bucket below it."""
        self.counts[bisect_left(self._bounds_us, time_us)] += 1
        self.sum_us += time_us
