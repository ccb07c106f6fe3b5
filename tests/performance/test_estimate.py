"""Ranges keep their order under what is done with them, and a refusal says by how much."""

from __future__ import annotations

import pytest

from stargate.performance.estimate import DoesNotFit, Range


def test_a_time_turns_into_a_rate_with_its_bounds_exchanged() -> None:
    rate = Range(2.0, 1.0, 4.0).inverse(100.0)
    assert (rate.low, rate.point, rate.high) == (25.0, 50.0, 100.0)


def test_a_range_scales() -> None:
    assert Range(2.0, 1.0, 4.0).scaled(3) == Range(6.0, 3.0, 12.0)
    with pytest.raises(AssertionError):
        Range(2.0, 1.0, 4.0).scaled(-1)


def test_what_does_not_fit_says_by_how_much() -> None:
    refusal = DoesNotFit(needed_bytes=100e9, available_bytes=80e9, largest="optimizer")
    assert refusal.missing_bytes == 20e9
    assert str(refusal) == (
        "needs 100.0 GB a chip where 80.0 GB are free: 20.0 GB too much, mostly optimizer"
    )
