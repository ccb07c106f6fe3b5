"""Quantiles by hand, and in whatever order values come."""

from __future__ import annotations

import random

from stargate.rehearsal.report.spread import Spread, spread


def test_nothing_is_zero() -> None:
    assert spread([]) == Spread()


def test_ten_values_by_hand() -> None:
    found = spread([1, 2, 3, 4, 5, 6, 7, 8, 9, 100])
    assert (found.count, found.average, found.median) == (10, 14.5, 5.5)
    assert (found.p90, found.p99, found.most) == (9, 100, 100)
    assert found.quantiles[0] == 1
    assert found.quantiles[50] == 5
    assert found.quantiles[100] == 100


def test_the_unit_divides_exactly() -> None:
    assert spread([1_500_000, 2_500_000], 1_000_000).average == 2.0
    assert spread([1, 1, 2], 1_000_000).average == 0.000001


def test_the_order_does_not_matter() -> None:
    draw = random.Random(3)
    values = [draw.random() * 10 ** draw.randint(-8, 8) for _ in range(999)]
    mixed = values.copy()
    draw.shuffle(mixed)
    assert spread(values) == spread(mixed)
