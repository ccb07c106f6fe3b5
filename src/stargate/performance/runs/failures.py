"""How often a chip interrupts the run it is part of: public reports, and the rate they give for a kind of chip.

The reports that ship with the package are `data/failures.yaml`.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from stargate.base.document import parse, typed
from stargate.performance.estimate import Range

DEFAULT_REPORT = "llama-3-405b"
"""The largest run whose interruptions were published; stands for chips without a report."""

Text = Annotated[str, Meta(max_length=2_048)]
Above = Annotated[int, Meta(ge=1)]


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What was published of one run or fleet. None: not said."""

    id: Annotated[str, Meta(max_length=128)]
    fleet: Text
    chip: Annotated[str, Meta(max_length=128)]
    chips: Above | None = None
    days: Above | None = None
    interruptions: Above | None = None
    """Unexpected ones."""
    planned: Above | None = None
    chip_hours_per_interruption: Above | None = None
    """Unexpected ones, as published or as chips, days and count give it."""
    interval_seconds: Above | None = None
    """Between two checkpoints."""
    stall_seconds: Above | None = None
    """For which a checkpoint stops the run."""
    effective_percent: Annotated[int, Meta(ge=0, le=100)] | None = None
    """Share of time that made progress which was kept; often published as a bound."""
    counted: bool = True
    """Enters the rates; false for assumptions and for what has no rate."""
    source: Text
    as_of: Annotated[str, Meta(max_length=10)]
    evidence: Literal["seen", "mixed", "memory"]
    note: Text = ""

    def __post_init__(self) -> None:
        if self.counted and self.chip_hours_per_interruption is None:
            raise ValueError(
                "a counted report has no chip_hours_per_interruption; add it, or write `counted: false`"
            )


@cache
def builtin_reports() -> tuple[Report, ...]:
    """The reports that ship with the package."""
    text = files("stargate.performance").joinpath("data/failures.yaml").read_text(encoding="utf-8")
    (document,) = parse(text, "stargate/performance/data/failures.yaml")
    return typed(document, tuple[Report, ...], "failures")


def interruptions_per_chip_hour(chip: str = "", reports: tuple[Report, ...] | None = None) -> Range:
    """Unexpected interruptions of a run for each hour of one of its chips.

    The geometric mean over the counted reports of that chip: fleets differ by more than their counts can
    explain, so each report weighs alike. The range spans the fleets. A chip with one report, and a chip
    with none (which gets the rate of `DEFAULT_REPORT`), has the widest spread that any chip shows.
    """
    known = builtin_reports() if reports is None else reports
    rates: dict[str, list[float]] = {}
    fallback = 0.0
    for report in known:
        if report.counted and report.chip_hours_per_interruption is not None:
            rates.setdefault(report.chip, []).append(1.0 / report.chip_hours_per_interruption)
            if report.id == DEFAULT_REPORT or not fallback:
                fallback = rates[report.chip][-1]
    assert fallback, "no report counts: there is no rate to give"
    ranges = {name: _spread(found) for name, found in rates.items()}
    own = ranges.get(chip, Range(fallback, fallback, fallback))
    below = min(found.low / found.point for found in ranges.values())
    above = max(found.high / found.point for found in ranges.values())
    if len(rates.get(chip, ())) > 1:
        return own
    return Range(own.point, own.point * below, own.point * above)


def _spread(rates: list[float]) -> Range:
    mean = math.exp(sum(math.log(rate) for rate in rates) / len(rates))
    return Range(mean, min(mean, *rates), max(mean, *rates))
