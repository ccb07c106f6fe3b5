"""One formula on one value and on a column gives the same."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.performance.number import ARRAY, SCALAR, Number, Space, stack

VALUES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20)


def formula(x: Space, a: Number, b: Number) -> Number:
    larger = x.maximum(a, b)
    return (
        x.where(a > 10, x.log(larger) + x.sqrt(a), x.exp(-b / larger)) + x.floor(a) - x.ceil(x.minimum(a, b))
    )


@given(VALUES, st.floats(0.01, 1e6))
def test_both_spaces_agree(values: list[float], other: float) -> None:
    column = formula(ARRAY, np.array(values), other)
    assert column == pytest.approx([formula(SCALAR, value, other) for value in values], rel=1e-12)


class Pair(msgspec.Struct, frozen=True):
    name: str
    size: Number
    count: Number


def test_records_stack_into_columns() -> None:
    both = stack([Pair("a", 1.5, 2), Pair("b", 2.5, 3)])
    assert list(both.size) == [1.5, 2.5]
    assert both.count.dtype == np.float64
    assert both.name == "a"


def test_nothing_does_not_stack() -> None:
    with pytest.raises(AssertionError):
        stack([])
