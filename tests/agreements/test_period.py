"""Calendar arithmetic of money: months of the calendar, half-open spans."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.agreements.clause import Interval
from stargate.agreements.period import Period, add_months, intervals, months_between
from stargate.base.time import DAY, HOUR, Instant

instants = st.integers(Instant.parse("2000-01-01"), Instant.parse("2060-01-01")).map(Instant)


@pytest.mark.parametrize(
    ("start", "months", "expected"),
    [
        ("2025-01-31", 1, "2025-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2025-01-31", 2, "2025-03-31"),
        ("2025-11-15", 3, "2026-02-15"),
        ("2025-03-15", -3, "2024-12-15"),
        ("2024-02-29", 12, "2025-02-28"),
    ],
)
def test_months(start: str, months: int, expected: str) -> None:
    assert add_months(Instant.parse(start), months) == Instant.parse(expected)


def test_a_period_runs_forward() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        Period(Instant(5), Instant(5))


@given(instants, st.integers(0, 400))
def test_months_between_undoes_add_months(start: Instant, months: int) -> None:
    at = add_months(start, months)
    assert add_months(start, months_between(start, at)) <= at
    assert months_between(start, at) == months


@given(
    instants,
    st.integers(1, 800 * DAY),
    st.sampled_from(["Daily", "Weekly", "Monthly", "Quarterly", "Annual"]),
)
def test_intervals_cover_the_span_without_gap(start: Instant, length: int, interval: Interval) -> None:
    end = start.plus(length)
    parts = list(intervals(start, end, interval))
    assert parts[0].start == start
    assert parts[-1].end == end
    assert all(one.end == other.start for one, other in pairwise(parts))


def test_full_period_is_one() -> None:
    start = Instant.parse("2025-01-01")
    assert list(intervals(start, start.plus(3 * HOUR), "Full Period")) == [
        Period(start, start.plus(3 * HOUR))
    ]
