"""The best interval: against Daly's published figures, against a search, and in both spaces."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.number import ARRAY, SCALAR
from stargate.performance.runs.checkpoint import best_interval, first_order_interval

stalls = st.floats(1e-3, 1e5)
rates = st.floats(1e-10, 1.0)


@pytest.mark.parametrize(("hours", "minutes"), [(24.0, 116.7), (6.0, 56.7), (0.25, 9.15)])
def test_dalys_figures(hours: float, minutes: float) -> None:
    """His figures 3 to 5, at 5 min of stall, print them as 117, 57 and (by his series) 9.1 min."""
    found = best_interval(SCALAR, 300.0, 1.0 / (hours * 3_600.0)) / 60.0
    assert found == pytest.approx(minutes, rel=0.005)


@given(stalls, rates)
def test_the_optimum_solves_its_equation(stall: float, rate: float) -> None:
    y, missed = rate * best_interval(SCALAR, stall, rate), rate * stall
    assert 0 < y <= 1
    # Both sides lie near 1 where failures are rare, so what they differ from it is compared.
    assert -math.expm1(-(y + missed)) == pytest.approx(y, rel=1e-9, abs=1e-13)


@given(stalls, rates)
def test_young_is_the_limit_of_short_stalls_and_never_shorter(stall: float, rate: float) -> None:
    young = first_order_interval(SCALAR, stall, rate)
    best = best_interval(SCALAR, stall, rate)
    assert best <= young * (1 + 1e-9)
    if rate * stall < 1e-6:
        assert best == pytest.approx(young, rel=1e-3)


def test_the_series_meets_the_solution() -> None:
    below, above = (best_interval(SCALAR, 1.0, rate) * rate for rate in (0.999_999e-6, 1.000_001e-6))
    assert above / below == pytest.approx(1.0, abs=2e-6)


@given(st.lists(st.tuples(stalls, rates), min_size=1, max_size=8))
def test_columns_hold_what_single_values_do(pairs: list[tuple[float, float]]) -> None:
    stall, rate = (np.array(part) for part in zip(*pairs, strict=True))
    column = best_interval(ARRAY, stall, rate)
    assert column == pytest.approx([best_interval(SCALAR, *pair) for pair in pairs], rel=1e-9)


def test_without_failures_or_stalls_it_stays_finite() -> None:
    assert math.isfinite(best_interval(SCALAR, 10.0, 0.0))
    assert best_interval(SCALAR, 0.0, 1e-4) == 0.0
