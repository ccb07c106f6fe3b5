"""What a sweep comes to: for each point the mean of each figure over the seeds, and where 10 and 90 % of them lie."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TextIO

import msgspec

from stargate.base.money import MICRO_PER_USD
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.sweep.grid import Value
from stargate.rehearsal.sweep.run import Ran

FIGURES: dict[str, Callable[[Summary], float]] = {
    "average_wait_seconds": lambda each: each.work.wait_seconds.average,
    "average_completion_seconds": lambda each: each.work.completion_seconds.average,
    "average_bounded_slowdown": lambda each: each.work.bounded_slowdown.average,
    "succeeded": lambda each: each.work.succeeded,
    "failed": lambda each: each.work.failed,
    "preempted": lambda each: each.work.stops.get("preempted", 0),
    "migrated": lambda each: each.work.stops.get("migrated", 0),
    "recoveries": lambda each: each.work.recoveries,
    "deadlines_missed": lambda each: each.work.deadlines_missed,
    "utilisation": lambda each: each.chip_time.utilisation,
    "goodput": lambda each: each.chip_time.goodput,
    "fragmented_chip_hours": lambda each: each.chip_time.fragmented_chip_hours,
    "metered_usd": lambda each: each.metered_micro_usd / MICRO_PER_USD,
    "owed_usd": lambda each: each.owed_micro_usd / MICRO_PER_USD,
    "energy_mwh": lambda each: each.energy_mwh,
    "largest_provider_share": lambda each: each.largest_provider_share,
    "offers": lambda each: sum(right.offers for right in each.rights),
}
"""The figures of a sweep, by name."""


class Spot(msgspec.Struct, frozen=True):
    """One figure at one point."""

    mean: float
    p10: float
    p90: float


class Result(msgspec.Struct, frozen=True):
    """One point."""

    overrides: dict[str, Value]
    seeds: int
    """Runs that came to a summary."""
    figures: dict[str, Spot]
    """Empty where no run did."""
    errors: tuple[str, ...] = ()
    """What was wrong with others, each once."""
    digests: tuple[str, ...] = ()
    """Of the final states, by seed."""


def results(ran: Sequence[Ran]) -> tuple[Result, ...]:
    """By point, in the order of the grid."""
    found = []
    for _, group in groupby(ran, key=lambda each: each.point.number):
        runs = list(group)
        whole = [each.summary for each in runs if each.summary is not None]
        found.append(
            Result(
                overrides=runs[0].point.overrides,
                seeds=len(whole),
                figures={
                    name: spot([float(figure(summary)) for summary in whole])
                    for name, figure in FIGURES.items()
                }
                if whole
                else {},
                errors=tuple(dict.fromkeys(each.error for each in runs if each.error)),
                digests=tuple(summary.identity.state_digest for summary in whole),
            )
        )
    return tuple(found)


def spot(values: Sequence[float]) -> Spot:
    """Mean, and the 10th and 90th of a hundred between the values that are nearest (linear). There must be one."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 6)

    return Spot(round(math.fsum(ordered) / len(ordered), 6), at(0.1), at(0.9))


def write(found: Sequence[Result], out: TextIO) -> None:
    """As CSV: a row for each point and figure."""
    names = list(dict.fromkeys(name for result in found for name in result.overrides))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*names, "figure", "seeds", "mean", "p10", "p90"))
    for result in found:
        point = [result.overrides.get(name, "") for name in names]
        for name, each in result.figures.items():
            writer.writerow((*point, name, result.seeds, each.mean, each.p10, each.p90))
