"""Money: exact, and never understated."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.base.money import cost_micro_usd, format_usd, micro_usd, usd
from stargate.base.time import HOUR


@given(st.integers(-(10**18), 10**18))
def test_micro_usd_are_exact(micro: int) -> None:
    """There and back."""
    assert micro_usd(usd(micro)) == micro


def test_halves_go_to_the_even_neighbour() -> None:
    """Rounding has no drift."""
    assert [micro_usd(Decimal(text)) for text in ("0.0000005", "0.0000015", "2.5")] == [0, 2, 2_500_000]


@given(st.integers(0, 10**8), st.integers(0, 10**6), st.integers(0, 10**12))
def test_a_cost_is_rounded_up(price: int, chips: int, length: int) -> None:
    """Less than one micro-USD above the exact figure, never below it."""
    exact = Decimal(price) * chips * length / HOUR
    assert 0 <= cost_micro_usd(price, chips, length) - exact < 1


@pytest.mark.parametrize(
    ("micro", "text"), [(1_234_560_000, "$1,234.56"), (5, "$0.000005"), (0, "$0.00"), (-2_000_000, "-$2.00")]
)
def test_money_for_people(micro: int, text: str) -> None:
    """Small amounts keep the digits that say something."""
    assert format_usd(micro) == text
