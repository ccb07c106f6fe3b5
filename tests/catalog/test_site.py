"""Power, planned and operational apart."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stargate.base.time import Instant
from stargate.catalog import DatedPower, EnergyPrice, Figure, Site


def day(text: str) -> Instant:
    return Instant.parse(text)


SITE = Site(
    id="a",
    jurisdiction="US-TX",
    power=(
        DatedPower(from_=day("2025-01-01"), power_mw=Decimal(100)),
        DatedPower(from_=day("2026-01-01"), power_mw=Decimal(300)),
        DatedPower(from_=day("2025-06-01"), power_mw=Decimal(900), status="planned"),
        DatedPower(power_mw=Decimal(1200), status="planned"),
    ),
    energy_prices=(
        EnergyPrice(from_=day("2025-01-01"), until=day("2025-07-01"), usd_per_mwh=Decimal(60)),
        EnergyPrice(from_=day("2025-09-01"), usd_per_mwh=Decimal(70)),
    ),
)


def test_operational_power_is_never_guessed_from_plans() -> None:
    assert SITE.power_mw_at(day("2024-01-01")) is None
    assert SITE.power_mw_at(day("2025-12-31")) == 100
    assert SITE.power_mw_at(day("2030-01-01")) == 300
    assert SITE.power_mw_at(day("2025-12-31"), "planned") == 900
    assert SITE.planned_mw() == 1200
    assert Site(id="b", jurisdiction="AE").planned_mw() is None


def test_energy_prices_may_have_gaps() -> None:
    assert SITE.energy_usd_per_mwh_at(day("2025-06-30")) == 60
    assert SITE.energy_usd_per_mwh_at(day("2025-07-01")) is None
    assert SITE.energy_usd_per_mwh_at(day("2026-01-01")) == 70


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"latitude": Decimal(5)}, "one coordinate is missing"),
        ({"latitude": Decimal(91), "longitude": Decimal(0)}, "latitude is out of range"),
        ({"latitude": Decimal(0), "longitude": Decimal(-181)}, "longitude is out of range"),
        ({"pue": Decimal("0.9")}, "pue is below 1"),
        ({"pue": Figure(low=Decimal("0.5"), high=Decimal("1.2"))}, "pue is below 1"),
    ],
)
def test_impossible_sites_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Site(id="a", jurisdiction="AE", **fields)
