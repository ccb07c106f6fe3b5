"""What served tokens cost and draw."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.performance.replicas.service import service
from stargate.performance.replicas.serving import Replicas, Traffic
from stargate.performance.runs.run import Prices

FOUND = Replicas(
    serving=9,
    standby=1,
    concurrency=64,
    mean_concurrency=40.0,
    load=0.8,
    waiting=0.01,
    ttft_seconds=0.5,
    tpot_seconds=0.04,
)
TRAFFIC = Traffic(requests_per_second=20.0, output_tokens=250.0, peak_factor=2.0)
PRICES = Prices(
    usd_per_chip_hour=Decimal(2), low_usd_per_chip_hour=Decimal("1.5"), high_usd_per_chip_hour=Decimal(4)
)


def test_standby_is_paid_and_tokens_come_at_the_mean_rate() -> None:
    found = service(FOUND, TRAFFIC, 8, PRICES)
    assert (found.chips, found.output_tokens_per_second) == (80, 5_000.0)
    assert found.cost_usd_per_hour
    assert found.cost_usd_per_hour.point == 160.0
    assert found.cost_usd_per_million_tokens
    assert found.cost_usd_per_million_tokens.point == pytest.approx(160 / 18)
    assert found.cost_usd_per_million_tokens.high == pytest.approx(320 / 18)
    assert found.power_kw is None
    assert found.energy_kwh_per_million_tokens is None


def test_power_is_that_of_what_each_replica_decodes() -> None:
    """18 requests each: between one's power and a full batch's, with hosts and the hall."""
    found = service(FOUND, TRAFFIC, 8, rated_w=700.0)
    assert found.cost_usd_per_hour is None
    assert found.power_kw
    assert found.energy_kwh_per_million_tokens
    assert 80 * 0.7 * (0.4 + 0.5) * 1.2 < found.power_kw.point < 80 * 0.7 * (0.7 + 0.5) * 1.2
    assert found.energy_kwh_per_million_tokens.point == pytest.approx(found.power_kw.point / 18)


def test_idle_hours_draw_less() -> None:
    quiet = Traffic(requests_per_second=0.5, output_tokens=250.0, peak_factor=80.0)
    found, busy = (service(FOUND, traffic, 8, rated_w=700.0).power_kw for traffic in (quiet, TRAFFIC))
    assert found
    assert busy
    assert found.point < busy.point
