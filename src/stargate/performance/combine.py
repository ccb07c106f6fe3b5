"""Ranges that are multiplied: independent factors whose errors partly cancel."""

from __future__ import annotations

import math

from stargate.performance.estimate import Range


def exactly(value: float) -> Range:
    """A factor that is known."""
    return Range(value, value, value)


def product(*factors: Range) -> Range:
    """The range of a product of independent factors above 0.

    The distances of the bounds from the point, as logarithms, add like standard deviations, each side for
    itself: exact for log-normal errors. Adding them outright would say that every factor errs the same way
    at once.
    """
    assert all(0 < factor.low <= factor.point <= factor.high for factor in factors), "a factor is not above 0"
    point = math.prod(factor.point for factor in factors)
    below = math.hypot(*(math.log(factor.point / factor.low) for factor in factors))
    above = math.hypot(*(math.log(factor.high / factor.point) for factor in factors))
    return Range(point, point * math.exp(-below), point * math.exp(above))


def quotient(over: Range, under: Range) -> Range:
    """The range of a ratio of independent ranges above 0."""
    return product(over, under.inverse())
