"""Fits a law to published statistics. Deterministic; done once per cluster, and its result is kept as data."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import brentq, root

from stargate.base.errors import InputError, Problem
from stargate.rehearsal.traces.demand.law import PIVOT, Grid, Law, Numbers, Odds, grid
from stargate.rehearsal.traces.demand.published import Endings, Statistics

CLOSE = 1e-6
"""How far the shares of endings may be off."""


def fitted(published: Statistics, single_fraction: float) -> Law:
    """The law that meets the statistics, with this fraction of jobs on one accelerator.

    Raises InputError where no law of this form can.
    """
    sizes = _size_fractions(published, single_fraction)
    law = Law(
        median_run_seconds=published.median_run_seconds,
        sigma=_solved(
            lambda sigma: _mean_run(published, sigma) - published.mean_run_seconds, 0.01, 8.0, "run"
        ),
        longest_run_seconds=published.longest_run_seconds,
        size_fractions=sizes,
        correlation=0.0,
        cancelled=Odds(0.0, 0.0),
        failed=Odds(0.0, 0.0),
    )
    correlation = _solved(
        lambda value: _chip_seconds(law, value) - published.chip_seconds_per_job, -0.99, 0.999, "chip_seconds"
    )
    law = _with(law, correlation)
    cancelled, failed = _odds(grid(law), published)
    return Law(
        law.median_run_seconds, law.sigma, law.longest_run_seconds, sizes, correlation, cancelled, failed
    )


def _solved(gap: Callable[[float], float], low: float, high: float, what: str) -> float:
    try:
        return float(brentq(gap, low, high, xtol=1e-12))
    except ValueError:
        problem = Problem(
            f"no law meets the published {what}",
            "Check that mean, median and largest belong together.",
            path=what,
        )
        raise InputError((problem,)) from None


def _mean_run(published: Statistics, sigma: float) -> float:
    """The mean of a lognormal with this median, cut at the longest."""
    middle, longest = math.log(published.median_run_seconds), float(published.longest_run_seconds)
    at = (math.log(longest) - middle) / sigma
    below = 0.5 * (1 + math.erf((at - sigma) / math.sqrt(2)))
    beyond = 0.5 * (1 - math.erf(at / math.sqrt(2)))
    return math.exp(middle + sigma * sigma / 2) * below + longest * beyond


def _size_fractions(published: Statistics, single: float) -> tuple[float, ...]:
    """Fractions that fall by one factor from each power of two to the next, above those on one."""
    powers = range(1, max(published.most_chips.bit_length(), 2))

    def fractions(factor: float) -> tuple[float, ...]:
        weights = [math.pow(factor, power) for power in powers]
        return (single, *((1 - single) * weight / sum(weights) for weight in weights))

    def gap(factor: float) -> float:
        mean = sum(part * float(2**power) for power, part in enumerate(fractions(factor)))
        return mean - published.mean_chips

    return fractions(_solved(gap, 1e-3, 8.0, "chips"))


def _with(law: Law, correlation: float) -> Law:
    return Law(
        law.median_run_seconds,
        law.sigma,
        law.longest_run_seconds,
        law.size_fractions,
        correlation,
        law.cancelled,
        law.failed,
    )


def _chip_seconds(law: Law, correlation: float) -> float:
    points = grid(_with(law, correlation))
    return points.mean(points.chip_seconds)


def _odds(points: Grid, published: Statistics) -> tuple[Odds, Odds]:
    held = points.chip_seconds
    beyond, total = np.log(np.maximum(held, 1.0)) - PIVOT, points.mean(held)
    by_number, by_held = _normal(published.of_jobs), _normal(published.of_chip_seconds)

    def gap(values: Numbers) -> list[float]:
        odds = [np.exp(values[at] + values[at + 1] * beyond) for at in (0, 2)]
        whole = 1.0 + odds[0] + odds[1]
        shares = [one / whole for one in odds]
        return [points.mean(share) - by_number[at] for at, share in enumerate(shares, start=1)] + [
            points.mean(share * held) / total - by_held[at] for at, share in enumerate(shares, start=1)
        ]

    start = [math.log(by_number[1] / by_number[0]), 0.1, math.log(by_number[2] / by_number[0]), -0.1]
    found = root(gap, start)
    if max(abs(value) for value in found.fun) > CLOSE:
        problem = Problem(
            "no law meets the published endings", "Check that the fractions sum to 1.", path="of_chip_seconds"
        )
        raise InputError((problem,))
    values = [float(value) for value in found.x]
    return Odds(values[0], values[1]), Odds(values[2], values[3])


def _normal(endings: Endings) -> tuple[float, float, float]:
    total = endings.completed + endings.cancelled + endings.failed
    return endings.completed / total, endings.cancelled / total, endings.failed / total
