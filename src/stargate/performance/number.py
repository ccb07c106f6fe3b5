"""Numbers that are one value or a whole column of values: each formula is written once for both.

A formula takes a `Space` as its first argument, called `x`, and uses operators and the functions of
that space. With `SCALAR` it computes one configuration on Python floats, with `ARRAY` thousands at
once on NumPy columns. The numbers agree to the last few bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

Number = Any
"""A float, or an array of floats with one entry per configuration.

`Any`, because no type of Python says "the same formula on floats and on arrays" without a cast per line.
"""
Column = NDArray[np.float64]

S = TypeVar("S", bound=msgspec.Struct)


class Space(msgspec.Struct, frozen=True):
    """The functions that differ between one value and a column."""

    maximum: Callable[..., Any]
    minimum: Callable[..., Any]
    where: Callable[..., Any]
    log: Callable[..., Any]
    exp: Callable[..., Any]
    sqrt: Callable[..., Any]
    floor: Callable[..., Any]
    ceil: Callable[..., Any]


def _where(condition: Number, then: Number, otherwise: Number) -> Number:
    return then if condition else otherwise


def _maximum(one: Number, other: Number) -> Number:
    # A third of what the built-in takes: it need not look how many arguments there are.
    return one if one >= other else other  # noqa: FURB136


def _minimum(one: Number, other: Number) -> Number:
    return one if one <= other else other  # noqa: FURB136


SCALAR = Space(_maximum, _minimum, _where, math.log, math.exp, math.sqrt, math.floor, math.ceil)
"""One configuration, on Python floats. Both branches of `where` are computed: guard divisions."""
ARRAY = Space(np.maximum, np.minimum, np.where, np.log, np.exp, np.sqrt, np.floor, np.ceil)
"""Columns of configurations, on NumPy arrays."""


def stack(records: Sequence[S]) -> S:
    """One record whose numeric fields are columns, one entry per given record.

    Fields that are text are those of the first record: formulas read numbers alone. Raises
    AssertionError for an empty sequence.
    """
    assert records, "nothing to stack"
    first = records[0]
    columns: dict[str, Any] = {}
    for name in first.__struct_fields__:
        value = getattr(first, name)
        if isinstance(value, int | float):
            columns[name] = np.array([getattr(record, name) for record in records], dtype=np.float64)
        else:
            columns[name] = value
    return type(first)(**columns)
