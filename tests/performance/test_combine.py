"""Products of ranges: against random draws, and their limits."""

from __future__ import annotations

import numpy as np
import pytest

from stargate.performance.combine import exactly, product, quotient
from stargate.performance.estimate import Range


def test_the_bounds_hold_eight_of_ten_products() -> None:
    """Log-normal factors: 10 % lie below exp(-1.2816 sigma)."""
    factors = [(2.0, 0.1), (5.0, 0.3), (0.5, 0.05)]
    ranges = [Range(mid, mid * np.exp(-1.28155 * s), mid * np.exp(1.28155 * s)) for mid, s in factors]
    random = np.random.default_rng(1)
    draws = np.prod([mid * np.exp(s * random.standard_normal(200_000)) for mid, s in factors], axis=0)
    found = product(*ranges)
    assert found.point == pytest.approx(5.0)
    assert np.mean(draws < found.low) == pytest.approx(0.1, abs=0.004)
    assert np.mean(draws > found.high) == pytest.approx(0.1, abs=0.004)


def test_a_known_factor_scales() -> None:
    wide = Range(4.0, 3.0, 6.0)
    for found in (product(wide, exactly(2.0)), quotient(wide, exactly(0.5))):
        assert (found.point, found.low, found.high) == pytest.approx((8.0, 6.0, 12.0))


def test_of_ratios_the_bounds_change_sides() -> None:
    found = quotient(exactly(10.0), Range(5.0, 4.0, 10.0))
    assert (found.point, found.low, found.high) == pytest.approx((2.0, 1.0, 2.5))


def test_a_factor_that_is_nothing_has_no_range() -> None:
    with pytest.raises(AssertionError):
        product(exactly(0.0))
