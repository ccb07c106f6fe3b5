"""Spares: Erlang's formula against its recursion, and against nodes that break one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.number import ARRAY, SCALAR
from stargate.performance.runs.spares import blocking, enough_spares, shortage


def recursion(servers: int, load: float) -> float:
    """The textbook's: B(0) = 1, B(n) = load B(n-1) / (n + load B(n-1))."""
    found = 1.0
    for number in range(1, servers + 1):
        found = load * found / (number + load * found)
    return found


@given(st.integers(0, 95), st.floats(1e-3, 500.0))
def test_the_integral_is_the_recursion(servers: int, load: float) -> None:
    assert blocking(SCALAR, servers, load) == pytest.approx(recursion(servers, load), rel=1e-6, abs=1e-200)


@pytest.mark.parametrize(("servers", "load"), [(200, 144.0), (400, 380.0), (1_100, 1_050.0)])
def test_hundreds_of_spares(servers: int, load: float) -> None:
    assert blocking(SCALAR, servers, load) == pytest.approx(recursion(servers, load), rel=1e-3)


@given(st.integers(0, 60), st.floats(0.0, 5.0), st.floats(0.1, 100.0))
def test_another_spare_never_hurts(spares: int, faults: float, repair: float) -> None:
    waits = shortage(SCALAR, spares, faults, repair)
    assert 0 <= shortage(SCALAR, spares + 1, faults, repair) <= waits <= 1


def test_without_faults_nothing_is_short() -> None:
    assert shortage(SCALAR, 0, 0.0, 24.0) < 1e-6


def test_columns_hold_what_single_values_do() -> None:
    spares, faults = np.array([0.0, 2.0, 40.0]), np.array([0.01, 0.3, 1.0])
    column = shortage(ARRAY, spares, faults, 12.0)
    assert column == pytest.approx(
        [shortage(SCALAR, *pair, 12.0) for pair in zip(spares, faults, strict=True)]
    )


@pytest.mark.parametrize("spread", [(1.0, 1.0), (0.2, 1.8)], ids=["always as long", "short or long"])
def test_it_depends_on_the_mean_repair_alone(spread: tuple[float, float]) -> None:
    """A run that loses a node every 3 h to repairs of 15 h on average, with 5 spares: it stops at the sixth."""
    random = np.random.default_rng(5)
    now = stopped = 0.0
    repairs: list[float] = []
    for _ in range(40_000):
        now += random.exponential(3.0)
        repairs = sorted(end for end in repairs if end > now)
        repairs = sorted([*repairs, now + 15.0 * random.choice(spread)])
        if len(repairs) > 5:
            stopped += repairs[0] - now
            now = repairs.pop(0)
    assert shortage(SCALAR, 5, 1 / 3, 15.0) == pytest.approx(stopped / now, rel=0.03)


@given(st.floats(1e-4, 1.0), st.floats(0.0, 2.0), st.floats(0.1, 40.0))
def test_enough_spares_are_the_fewest(short: float, faults: float, repair: float) -> None:
    spares = enough_spares(short, faults, repair)
    assert shortage(SCALAR, spares, faults, repair) <= short * (1 + 1e-3)
    if spares:
        assert shortage(SCALAR, spares - 1, faults, repair) >= short * (1 - 1e-3)


def test_a_run_as_llama_3_needs_fourteen_spares() -> None:
    """One node in 3.09 h, repairs of a day: nearly 8 of 2,048 are out at any time."""
    assert enough_spares(0.01, 16_384 / 50_677, 24.0) == 14
