"""Amounts over time: nothing is lost when parts grow, and each part has what a naive count gives it."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.time import Instant
from stargate.rehearsal.report.grid import Grid, Level, Sums

BEGINS = 1_000


def naive(changes: list[tuple[int, int]], until: int, part: int) -> list[int]:
    """Level x time of each part, microsecond by microsecond."""
    parts = [0] * -(-(until - BEGINS) // part)
    for at in range(BEGINS, until):
        level = next((value for moment, value in reversed(changes) if moment <= at), 0)
        parts[(at - BEGINS) // part] += level
    return parts


@settings(max_examples=200, deadline=None)
@given(gaps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=12), tail=st.integers(0, 60))
def test_every_part_has_what_a_naive_count_gives_it(gaps: list[tuple[int, int]], tail: int) -> None:
    grid, changes, at = Grid(Instant(BEGINS), part_us=2, limit=8), [], BEGINS
    level = Level(grid, BEGINS)
    for gap, value in gaps:
        at += gap
        level.set(at, value)
        changes.append((at, value))
    until = at + tail
    amounts = level.amounts(until)
    assert amounts == naive(changes, until, grid.part_us)
    assert sum(amounts) == level.whole
    assert len(amounts) <= grid.limit
    assert level.most == max((value for _, value in changes), default=0)


def test_a_level_that_began_before_parts_grew_is_not_moved() -> None:
    grid = Grid(Instant(0), part_us=1, limit=4)
    early, late = Level(grid, 0), Level(grid, 0)
    early.set(0, 3)
    early.set(2, 0)
    late.set(30, 1)
    late.settle(32)
    assert grid.part_us == 8
    assert early.amounts(32) == [6, 0, 0, 0]
    assert late.amounts(32) == [0, 0, 0, 2]


def test_what_happens_at_a_border_belongs_to_the_part_that_begins() -> None:
    grid = Grid(Instant(0), part_us=10, limit=4)
    sums = Sums(grid)
    for at in (0, 9, 10, 39):
        sums.put(at, 1)
    assert sums.amounts(40) == [2, 1, 0, 1]
    sums.put(40, 1)
    assert grid.part_us == 20
    assert sums.amounts(41) == [3, 1, 1]


def test_amounts_beyond_any_machine_word_are_exact() -> None:
    grid = Grid(Instant(0))
    level = Level(grid, 0)
    year, chips = 31_536_000 * 10**6, 4 * 10**6
    level.set(0, chips)
    assert sum(level.amounts(30 * year)) == 30 * year * chips
    assert Fraction(level.whole, year) == 30 * chips
