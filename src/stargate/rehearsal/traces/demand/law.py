"""The law that jobs are drawn from, and what it gives in expectation.

Two standard normal variables with a correlation: one makes the run time (lognormal, cut at the longest), the
other the size (its fraction of a distribution over powers of two). How a job ends depends on its
accelerator-seconds g: the odds of being cancelled or failed against completed are exp(offset + slope * (ln g - 8)).
"""

from __future__ import annotations

import math
from itertools import accumulate
from statistics import NormalDist
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from stargate.rehearsal.traces.job import FARTHEST_SECONDS

PIVOT = 8.0
"""Where the odds of an ending are their offset: ln of accelerator-seconds."""
SLICES = 400
"""Points that stand for one size when expectations are computed."""
REACH = 7.0
"""Standard deviations of the run time that are looked at."""

_NORMAL = NormalDist()
Fraction = Annotated[float, Meta(ge=0, le=1)]
Numbers = NDArray[np.float64]


class Odds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Odds of one ending against completion, as the logarithm at `PIVOT` and its slope."""

    offset: float
    slope: float


class Law(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that was fitted."""

    median_run_seconds: Annotated[float, Meta(gt=0, le=FARTHEST_SECONDS)]
    sigma: Annotated[float, Meta(gt=0, le=10)]
    """Standard deviation of the logarithm of the run time."""
    longest_run_seconds: Annotated[int, Meta(ge=1, le=FARTHEST_SECONDS)]
    size_fractions: Annotated[tuple[Fraction, ...], Meta(min_length=1, max_length=24)]
    """Of jobs with 1, 2, 4, 8 … accelerators."""
    correlation: Annotated[float, Meta(gt=-1, lt=1)]
    """Between run time and size, of the normal variables behind them."""
    cancelled: Odds
    failed: Odds

    @property
    def bounds(self) -> tuple[float, ...]:
        """The standard normal value up to which a job has 1, 2, 4 … accelerators; the last is infinity."""
        total = sum(self.size_fractions)
        reached = (part / total for part in accumulate(self.size_fractions))
        return tuple(_NORMAL.inv_cdf(part) if 0 < part < 1 - 1e-12 else math.inf for part in reached)

    def endings(self, chip_seconds: float) -> tuple[float, float]:
        """The chances of being cancelled and of failing."""
        beyond = math.log(max(chip_seconds, 1.0)) - PIVOT
        cancelled = math.exp(self.cancelled.offset + self.cancelled.slope * beyond)
        failed = math.exp(self.failed.offset + self.failed.slope * beyond)
        whole = 1.0 + cancelled + failed
        return cancelled / whole, failed / whole


class Grid(msgspec.Struct, frozen=True):
    """Jobs of a law as points with weights: sizes down, run times across."""

    weights: Numbers
    chips: Numbers
    runs: Numbers

    @property
    def chip_seconds(self) -> Numbers:
        """Of each point."""
        return self.chips * self.runs

    def mean(self, values: Numbers) -> float:
        """The expectation of something known at each point."""
        return float((values * self.weights).sum())


def grid(law: Law, times: int = 1, most_chips: int = 2**62) -> Grid:
    """The law's points; sizes `times` as large and at most `most_chips`."""
    total = sum(law.size_fractions)
    below, sizes, shares, places = 0.0, [], [], []
    for power, fraction in enumerate(law.size_fractions):
        part = fraction / total
        for slice_ in range(SLICES):
            within = below + part * (slice_ + 0.5) / SLICES
            places.append(_NORMAL.inv_cdf(min(max(within, 1e-15), 1 - 1e-15)))
            shares.append(part / SLICES)
            sizes.append(min(times * 2**power, most_chips))
        below += part
    own = np.linspace(-REACH, REACH, 141)
    weight = np.exp(-own * own / 2)
    weight /= weight.sum()
    place = np.array(places)[:, None]
    other = law.correlation * place + math.sqrt(1 - law.correlation**2) * own[None, :]
    runs = np.minimum(law.median_run_seconds * np.exp(law.sigma * other), float(law.longest_run_seconds))
    weights = np.array(shares)[:, None] * weight[None, :]
    return Grid(weights, np.broadcast_to(np.array(sizes, dtype=np.float64)[:, None], runs.shape), runs)
