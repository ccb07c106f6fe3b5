"""Figures with error bars, and series of figures in time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.time import FOREVER, Instant
from stargate.catalog.dated import DatedCount, DatedPower, EnergyPrice, Figure, Price, covers, in_force


def day(text: str) -> Instant:
    return Instant.parse(text)


@pytest.mark.parametrize(
    ("figure", "central"),
    [
        (Figure(value=Decimal(3), low=Decimal(1), high=Decimal(9)), Decimal(3)),
        (Figure(low=Decimal(1), high=Decimal(2)), Decimal("1.5")),
        (Figure(high=Decimal(2)), Decimal(2)),
    ],
)
def test_the_best_single_number(figure: Figure, central: Decimal) -> None:
    assert figure.central == central


def test_a_figure_holds_something_in_order() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        Figure()
    with pytest.raises(ValueError, match="out of order"):
        Figure(low=Decimal(2), value=Decimal(1))


def test_a_series_is_a_step_function() -> None:
    series = [DatedCount(from_=day("2025-01-01"), nodes=1), DatedCount(from_=day("2026-01-01"), nodes=5)]
    assert in_force(series, day("2024-12-31")) is None
    assert in_force(series, day("2025-01-01")) == series[0]
    assert in_force(series, Instant(day("2026-01-01") - 1)) == series[0]
    assert in_force(series, FOREVER) == series[1]
    assert in_force(reversed(series), FOREVER) == series[1]


def test_of_two_that_begin_together_the_later_one_counts() -> None:
    at = day("2025-01-01")
    assert in_force([DatedCount(from_=at, nodes=1), DatedCount(from_=at, nodes=2)], at) == DatedCount(
        from_=at, nodes=2
    )


def test_what_has_no_date_is_never_in_force() -> None:
    assert in_force([DatedPower(power_mw=Decimal(5), status="planned")], FOREVER) is None


def test_prices_are_half_open() -> None:
    price = Price(from_=day("2025-01-01"), until=day("2026-01-01"), usd_per_chip_hour=Decimal(2))
    assert covers(price, day("2025-01-01"))
    assert not covers(price, day("2026-01-01"))
    assert not covers(price, day("2024-12-31"))
    assert covers(Price(from_=day("2025-01-01"), usd_per_chip_hour=Decimal(2)), day("2200-01-01"))


def test_impossible_figures_are_refused() -> None:
    at = day("2025-01-01")
    with pytest.raises(ValueError, match="no date"):
        DatedPower(power_mw=Decimal(5))
    with pytest.raises(ValueError, match="negative"):
        DatedPower(power_mw=Decimal(-5), status="planned")
    with pytest.raises(ValueError, match="negative"):
        Price(from_=at, usd_per_chip_hour=Decimal(-1))
    with pytest.raises(ValueError, match="ends before"):
        Price(from_=at, until=at, usd_per_chip_hour=Decimal(1))
    with pytest.raises(ValueError, match="ends before"):
        EnergyPrice(from_=at, until=at, usd_per_mwh=Decimal(1))
    assert EnergyPrice(from_=at, usd_per_mwh=Decimal(-10)).usd_per_mwh == -10, (
        "energy does have negative prices"
    )
