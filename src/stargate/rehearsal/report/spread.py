"""How a quantity is spread over many jobs."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import msgspec

QUANTILES = 100


class Spread(msgspec.Struct, frozen=True):
    """Average and quantiles. All zero where there is nothing."""

    count: int = 0
    average: float = 0.0
    median: float = 0.0
    p90: float = 0.0
    """Nine of ten are at most this."""
    p99: float = 0.0
    most: float = 0.0
    quantiles: tuple[float, ...] = ()
    """The 0th to the 100th of a hundred; empty where there is nothing."""


def spread(values: Sequence[int] | Sequence[float] | array[int] | array[float], unit: int = 1) -> Spread:
    """Of values in `unit`s, rounded to the millionth. The order of the values does not matter.

    The median of an even number is between the middle two; other quantiles are values that occurred, the least
    that so many do not exceed (nearest rank).
    """
    if not values:
        return Spread()
    ordered = sorted(values)
    count = len(ordered)
    whole = sum(ordered) if isinstance(ordered[0], int) else math.fsum(ordered)
    return Spread(
        count=count,
        average=round(whole / (count * unit), 6),
        median=round((ordered[(count - 1) // 2] + ordered[count // 2]) / 2 / unit, 6),
        p90=round(_rank(ordered, 90) / unit, 6),
        p99=round(_rank(ordered, 99) / unit, 6),
        most=round(ordered[-1] / unit, 6),
        quantiles=tuple([round(_rank(ordered, percent) / unit, 6) for percent in range(QUANTILES + 1)]),
    )


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(0, -(-len(ordered) * percent // QUANTILES) - 1)]
