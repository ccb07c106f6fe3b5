"""The figures that stand first wherever rehearsals stand side by side: in a comparison and in a sweep."""

from __future__ import annotations

from collections.abc import Callable

from stargate.base.money import MICRO_PER_USD
from stargate.rehearsal.report.summary import Summary

HEADLINES: dict[str, Callable[[Summary], float]] = {
    "average_wait_seconds": lambda each: each.work.wait_seconds.average,
    "average_completion_seconds": lambda each: each.work.completion_seconds.average,
    "average_bounded_slowdown": lambda each: each.work.bounded_slowdown.average,
    "succeeded": lambda each: each.work.succeeded,
    "failed": lambda each: each.work.failed,
    "unfinished": lambda each: each.work.unfinished,
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
    "leases": lambda each: len(each.deals),
}
"""By name."""


def headlines(summary: Summary) -> dict[str, float]:
    """All of them."""
    return {name: float(figure(summary)) for name, figure in HEADLINES.items()}
