"""What a schedule comes to: waits, completion times, slowdown, utilisation. Pure functions of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from stargate.rehearsal.schedule import Row

SHORT_SECONDS = 10
"""The bound of the slowdown: jobs that run for less count as if they ran so long."""


class Figures(msgspec.Struct, frozen=True):
    """Averages are over jobs, in seconds."""

    jobs: int
    average_wait_seconds: float
    median_wait_seconds: float
    most_wait_seconds: int
    average_completion_seconds: float
    """From submission to end (JCT)."""
    average_bounded_slowdown: float
    makespan_seconds: int
    """From the first submission to the last end."""
    utilisation: float
    """Chip-seconds that jobs ran, of all there were in the makespan."""


def figures(rows: Sequence[Row], chips: int) -> Figures:
    """The figures of a schedule on `chips`; all zero where it is empty. Rounded to the millionth."""
    if not rows:
        return Figures(0, 0.0, 0.0, 0, 0.0, 0.0, 0, 0.0)
    waits = sorted(row.start - row.submit for row in rows)
    makespan = max(row.end for row in rows) - min(row.submit for row in rows)
    busy = sum(row.run * row.procs for row in rows)
    return Figures(
        jobs=len(rows),
        average_wait_seconds=_rounded(Fraction(sum(waits), len(rows))),
        median_wait_seconds=_rounded(Fraction(waits[(len(waits) - 1) // 2] + waits[len(waits) // 2], 2)),
        most_wait_seconds=waits[-1],
        average_completion_seconds=_rounded(Fraction(sum(row.end - row.submit for row in rows), len(rows))),
        average_bounded_slowdown=round(sum(map(bounded_slowdown, rows)) / len(rows), 6),
        makespan_seconds=makespan,
        utilisation=_rounded(Fraction(busy, chips * makespan)) if makespan else 0.0,
    )


def bounded_slowdown(row: Row) -> float:
    """Completion time over run time, at least 1; a short job counts as one of ten seconds.

    Source: D. G. Feitelson, L. Rudolph, "Metrics and benchmarking for parallel job scheduling", 1998.
    """
    return max(1.0, (row.end - row.submit) / max(row.run, SHORT_SECONDS))


def _rounded(value: Fraction) -> float:
    return round(float(value), 6)
