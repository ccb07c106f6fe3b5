"""Whole runs: published chip-hours, energy and emissions, and how ranges reach the totals."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.performance.combine import exactly
from stargate.performance.energy import Power
from stargate.performance.estimate import Range
from stargate.performance.number import ARRAY, SCALAR
from stargate.performance.runs.failures import interruptions_per_chip_hour
from stargate.performance.runs.goodput import Conditions, goodput
from stargate.performance.runs.run import Prices, totals, whole_run

LLAMA = Conditions(chips=16_384)
LLAMA_RATE = 400e12 / 2.52e12
"""Tokens a second and chip: 400 TFLOP/s were reported on 16,384 chips, 2.52e12 FLOPs a token."""


def test_llama_3_took_the_hours_that_goodput_says() -> None:
    """The model card says 30.84 million H100-hours for 15.6e12 tokens."""
    run = whole_run(tokens=15.6e12, tokens_per_second_per_chip=exactly(LLAMA_RATE), conditions=LLAMA)
    assert run.chip_hours.point == pytest.approx(30.84e6, rel=0.05)
    assert run.wall_seconds.point / 86_400 == pytest.approx(75.6, abs=0.5)
    assert run.interruptions == pytest.approx(run.chip_hours.point / 50_677, rel=0.001)


def test_bloom_took_somewhat_more_than_the_hours_that_goodput_says() -> None:
    """1,082,990 hours for 366e9 tokens at 105 s a step; hangs and the ramp of the batch size are not in here."""
    conditions = Conditions(
        chips=384,
        interruptions_per_chip_hour=1 / 43_008,
        stall_seconds=40.0,
        interval_seconds=10_800.0,
        restart_seconds=900.0,
    )
    rate = exactly(2_048 * 2_048 / 105.0 / 384)
    run = whole_run(tokens=366e9, tokens_per_second_per_chip=rate, conditions=conditions)
    assert 0.90 < run.chip_hours.point / 1_082_990 < 0.95


@pytest.mark.parametrize(("hours", "tonnes"), [(1.46e6, 420), (7.0e6, 2_040), (30.84e6, 8_930)])
def test_llamas_emissions_are_rated_power_times_one_factor(hours: float, tonnes: float) -> None:
    """Its card takes each chip at its rated 700 W, no hosts. This checks sums, not what was drawn."""
    nothing = Range(0.0, 0.0, 0.0)
    power = Power(
        rated_w=700.0, busy_share=exactly(1.0), host_share=nothing, idle_share=exactly(1.0), pue=exactly(1.08)
    )
    run = whole_run(
        tokens=hours * 3_600,
        tokens_per_second_per_chip=exactly(1.0),
        conditions=Conditions(chips=1, interruptions_per_chip_hour=0.0),
        power=power,
        grid_kg_per_kwh=0.383,
    )
    assert run.emissions_tonnes
    assert run.emissions_tonnes.point == pytest.approx(tonnes, rel=0.01)


def test_blooms_energy_lies_in_the_range() -> None:
    """433 MWh of chips at their rated 400 W and 257 MWh of the machines around them (arXiv 2211.02001)."""
    run = whole_run(
        tokens=1_082_990 * 3_600,
        tokens_per_second_per_chip=exactly(1.0),
        conditions=Conditions(chips=1, interruptions_per_chip_hour=0.0),
        power=Power(rated_w=400.0, busy_share=Range(0.85, 0.75, 0.95)),
    )
    assert run.energy_mwh
    assert run.energy_mwh.low < 433.196 + 256.646 < run.energy_mwh.high


def test_cost_counts_spares_and_moves() -> None:
    conditions = Conditions(
        chips=1_000, losses_per_provider_hour=0.001, moves=1.0, move_seconds=3_600.0, copy_age_seconds=600.0
    )
    prices = Prices(usd_per_chip_hour=Decimal("2.50"), usd_per_move=Decimal(10_000))
    run = whole_run(
        tokens=1e12,
        tokens_per_second_per_chip=exactly(300.0),
        conditions=conditions,
        spare_chips=64,
        prices=prices,
    )
    assert run.cost_usd
    assert run.paid_chip_hours.point == pytest.approx(run.chip_hours.point * 1.064)
    assert run.moves == pytest.approx(run.wall_seconds.point / 3_600 * 0.001, rel=0.02)
    assert run.cost_usd.point == pytest.approx(run.paid_chip_hours.point * 2.5 + run.moves * 10_000)


def test_ranges_reach_the_totals() -> None:
    throughput = Range(100.0, 90.0, 112.0)
    rates = interruptions_per_chip_hour("H100-SXM")
    run = whole_run(
        tokens=1e12,
        tokens_per_second_per_chip=throughput,
        conditions=LLAMA,
        interruptions_per_chip_hour=rates,
        prices=Prices(
            usd_per_chip_hour=Decimal(2),
            low_usd_per_chip_hour=Decimal("1.5"),
            high_usd_per_chip_hour=Decimal(4),
        ),
        power=Power(rated_w=700.0, busy_share=Range(0.85, 0.75, 0.95)),
        grid_kg_per_kwh=0.4,
    )
    assert run.goodput_fraction.low < run.goodput.fraction < run.goodput_fraction.high
    assert run.cost_usd
    assert run.energy_mwh
    assert run.emissions_tonnes
    for found in (run.wall_seconds, run.chip_hours, run.cost_usd, run.energy_mwh, run.emissions_tonnes):
        assert found.low < found.point < found.high
    slow = run.wall_seconds.high / run.wall_seconds.point
    assert 100 / 90 < slow < 100 / 90 * run.goodput.fraction / run.goodput_fraction.low
    assert run.cost_usd.high / run.cost_usd.point > 2.0
    assert run.emissions_tonnes.point == pytest.approx(run.energy_mwh.point * 0.4)


def test_what_is_not_handed_in_is_not_made_up() -> None:
    run = whole_run(
        tokens=1e9, tokens_per_second_per_chip=exactly(100.0), conditions=LLAMA, grid_kg_per_kwh=0.4
    )
    assert run.cost_usd is None
    assert run.energy_mwh is None
    assert run.emissions_tonnes is None


def test_power_that_is_paid_for_costs_nothing_more() -> None:
    run = whole_run(
        tokens=1e9,
        tokens_per_second_per_chip=exactly(100.0),
        conditions=LLAMA,
        prices=Prices(usd_per_chip_hour=Decimal(0)),
    )
    assert run.cost_usd == exactly(0.0)


def test_a_run_that_never_ends_is_refused() -> None:
    with pytest.raises(InputError, match="makes no progress"):
        whole_run(
            tokens=1e12,
            tokens_per_second_per_chip=exactly(100.0),
            conditions=Conditions(chips=1_000_000, interval_seconds=86_400.0),
        )


@given(st.integers(8, 100_000), st.integers(8, 100_000))
def test_more_chips_are_never_slower_until_failures_eat_them(few: int, many: int) -> None:
    chips = np.array(sorted((few, many)), dtype=np.float64)
    column = totals(1e12, chips, 100.0, goodput(ARRAY, Conditions(chips=chips)))
    assert column.wall_seconds[0] >= column.wall_seconds[1]
    assert column.chip_hours[0] <= column.chip_hours[1]
    single = totals(1e12, chips[0], 100.0, goodput(SCALAR, Conditions(chips=chips[0])))
    assert single.wall_seconds == pytest.approx(column.wall_seconds[0])
