"""Amounts over time in bounded memory: a few hundred equal parts, which grow longer as time goes on."""

from __future__ import annotations

from stargate.base.time import SECOND, Instant

PARTS_LIMIT = 360
"""Parts of the time that a report is about; half as many at least once it is long."""


class Grid:
    """Time from a beginning on, in at most PARTS_LIMIT parts of one length, which doubles when they are used up."""

    __slots__ = ("begins", "limit", "part_us")

    def __init__(self, begins: Instant, part_us: int = SECOND, limit: int = PARTS_LIMIT) -> None:
        assert part_us > 0, "a part has a length"
        assert limit > 1, "there are parts"
        self.begins = begins
        self.part_us = part_us
        self.limit = limit

    def reach(self, at: int) -> int:
        """Make the parts long enough that time up to `at` is in one; their length in microseconds."""
        while at - self.begins > self.part_us * self.limit:
            self.part_us *= 2
        return self.part_us

    def parts(self, until: int) -> int:
        """Parts that have begun before `until`."""
        return -(-max(0, until - self.begins) // self.part_us)


class Sums:
    """An amount for each part of a grid. Amounts are integers: nothing is lost when parts are put together."""

    __slots__ = ("_grid", "_part_us", "_sums", "whole")

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._part_us = grid.part_us
        self._sums: list[int] = []
        self.whole = 0
        """All of it."""

    def put(self, at: int, amount: int) -> None:
        """Something happened at a moment."""
        self._fit(at + 1)
        self.whole += amount
        place = (at - self._grid.begins) // self._part_us
        self._reach(place)
        self._sums[place] += amount

    def spread(self, since: int, until: int, level: int) -> None:
        """Something lasted: `level` x microseconds."""
        if until <= since or not level:
            return
        self._fit(until)
        self.whole += level * (until - since)
        begins, part = self._grid.begins, self._part_us
        assert since >= begins, "nothing lasts from before the beginning"
        first, last = (since - begins) // part, (until - 1 - begins) // part
        self._reach(last)
        sums = self._sums
        if first == last:
            sums[first] += level * (until - since)
            return
        sums[first] += level * (begins + (first + 1) * part - since)
        for place in range(first + 1, last):
            sums[place] += level * part
        sums[last] += level * (until - begins - last * part)

    def amounts(self, until: int) -> list[int]:
        """The amount of every part that has begun before `until`."""
        self._fit(until)
        parts = self._grid.parts(until)
        return self._sums[:parts] + [0] * (parts - len(self._sums))

    def _fit(self, at: int) -> None:
        wanted = self._grid.reach(at)
        while self._part_us < wanted:
            sums = self._sums
            if len(sums) % 2:
                sums.append(0)
            self._sums = [sums[place] + sums[place + 1] for place in range(0, len(sums), 2)]
            self._part_us *= 2

    def _reach(self, place: int) -> None:
        missing = place + 1 - len(self._sums)
        if missing > 0:
            self._sums.extend([0] * missing)


class Level:
    """Something that has a level at any time, as chips in use; over each part its level x microseconds."""

    __slots__ = ("_since", "_sums", "most", "value")

    def __init__(self, grid: Grid, at: int) -> None:
        self._sums = Sums(grid)
        self._since = at
        self.value = 0
        self.most = 0
        """Its highest level."""

    def set(self, at: int, value: int) -> None:
        """Its level from now on."""
        if value != self.value:
            self.settle(at)
            self.value = value
            self.most = max(self.most, value)

    def add(self, at: int, change: int) -> None:
        """It rises or falls now."""
        self.set(at, self.value + change)

    def settle(self, at: int) -> None:
        """Count it up to now."""
        if at > self._since:
            self._sums.spread(self._since, at, self.value)
            self._since = at

    @property
    def whole(self) -> int:
        """Level x microseconds up to the last settling."""
        return self._sums.whole

    def amounts(self, until: int) -> list[int]:
        """Level x microseconds of every part that has begun before `until`."""
        self.settle(until)
        return self._sums.amounts(until)
