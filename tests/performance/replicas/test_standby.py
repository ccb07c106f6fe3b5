"""Replicas that stand by, against the binomial distribution of SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from stargate.base.errors import InputError
from stargate.performance.replicas.standby import standby


@given(st.integers(1, 3_000), st.floats(1e-6, 0.5), st.floats(0.1, 0.99999))
def test_it_is_the_fewest_that_is_enough(needed: int, away: float, availability: float) -> None:
    extra = standby(needed, away, availability)
    assert binom.cdf(extra, needed + extra, away) >= availability - 1e-9
    if extra:
        assert binom.cdf(extra - 1, needed + extra - 1, away) <= availability + 1e-9


def test_replicas_that_never_fail_need_none() -> None:
    assert standby(1_000, 0.0, 0.999999) == 0


@pytest.mark.parametrize(("away", "availability"), [(1.0, 0.9), (0.1, 1.0)])
def test_nothing_is_always_enough(away: float, availability: float) -> None:
    with pytest.raises(InputError, match="availability below 1"):
        standby(3, away, availability)


def test_absurd_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="restart sooner"):
        standby(1_000_000, 0.5, 0.999)
