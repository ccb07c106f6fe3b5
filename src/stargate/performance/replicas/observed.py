"""Traffic as a log of requests shows it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from stargate.base.errors import InputError, Problem
from stargate.performance.number import Column
from stargate.performance.replicas.serving import Traffic

FEWEST_IN_A_WINDOW = 10
"""With fewer requests, a window says nothing of how they come."""


def observed(arrival_seconds: Column, output_tokens: Column, window_seconds: float = 60.0) -> Traffic:
    """The traffic of a log: one time of arrival and one length of answer per request, in any order.

    `peak_factor` is the busiest window over the mean, `arrival_variation` the mean over windows of the squared
    coefficient of variation of the gaps between requests. Queues are computed for a steady rate, so the
    window is to be short against the swings of the rate: a minute where people chat (Mooncake's
    conversations), ten seconds where editors ask for code (Azure's trace of 2023), whose rate rises fivefold
    within a minute. Raises InputError for fewer than two requests, or for requests of one moment.
    """
    times = np.sort(np.asarray(arrival_seconds, dtype=np.float64))
    lengths = np.asarray(output_tokens, dtype=np.float64)
    span = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    if span <= 0.0 or len(lengths) != len(times):
        raise InputError(
            (
                Problem(
                    "the log has no rate of requests",
                    "Give requests of different times, each with its time and its output tokens.",
                ),
            )
        )
    edges = np.append(np.searchsorted(times, np.arange(times[0], times[-1], window_seconds)), len(times))
    counts = np.diff(edges)
    gaps = [np.diff(times[start:end]) for start, end in pairwise(edges) if end - start >= FEWEST_IN_A_WINDOW]
    swings = [float(part.var() / part.mean() ** 2) for part in gaps if part.mean() > 0.0]
    # The last window is cut short; it may count for the peak, never against the mean.
    mean = len(times) * min(window_seconds, span) / span
    return Traffic(
        requests_per_second=len(times) / span,
        output_tokens=float(lengths.mean()),
        output_variation=float(lengths.var() / lengths.mean() ** 2),
        arrival_variation=float(np.mean(swings)) if swings else 1.0,
        peak_factor=max(1.0, float(counts.max()) / mean),
    )
