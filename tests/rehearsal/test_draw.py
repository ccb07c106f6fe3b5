"""Chance by seed and name."""

from __future__ import annotations

import statistics

import pytest

from stargate.base.time import HOUR, MINUTE, Duration
from stargate.rehearsal.draw import LONGEST_US, Delay, stream


def test_streams_are_apart() -> None:
    first = [stream(1, "a").random() for _ in range(3)]
    assert first == [stream(1, "a").random()] * 3
    assert len({stream(seed, name).random() for seed in (1, 2) for name in ("a", "b", "1/a")}) == 6


@pytest.mark.parametrize(
    ("delay", "median"),
    [
        (Delay(fixed=Duration(HOUR)), HOUR),
        (Delay(mean=Duration(HOUR)), HOUR * 0.693),
        (Delay(median=Duration(HOUR), sigma=1.5), HOUR),
        (Delay(low=Duration(0), high=Duration(2 * HOUR)), HOUR),
    ],
)
def test_each_form_has_its_median(delay: Delay, median: float) -> None:
    chance = stream(3, "median")
    drawn = [delay.draw(chance) for _ in range(4_000)]
    assert statistics.median(drawn) == pytest.approx(median, rel=0.08)
    assert min(drawn) >= 0


def test_long_ones_are_cut() -> None:
    chance = stream(3, "cut")
    cut = Delay(median=Duration(HOUR), sigma=3.0, at_most=Duration(90 * MINUTE))
    assert max(cut.draw(chance) for _ in range(200)) == 90 * MINUTE
    assert Delay(median=Duration(LONGEST_US), sigma=5.0).draw(stream(1, "x")) <= LONGEST_US


def test_a_delay_has_one_form() -> None:
    for wrong in (
        {},
        {"fixed": Duration(1), "mean": Duration(1)},
        {"low": Duration(1)},
        {"low": Duration(2), "high": Duration(1)},
    ):
        with pytest.raises(ValueError, match=r"give one of them|exchange them"):
            Delay(**wrong)
