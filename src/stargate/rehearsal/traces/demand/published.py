"""Published statistics of clusters, what had to be assumed beside them, and the laws that were fitted to both."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.document import parse, typed
from stargate.rehearsal.traces.demand.law import Fraction, Law

Text = Annotated[str, Meta(min_length=1, max_length=2000)]
Positive = Annotated[float, Meta(gt=0)]


class Endings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Fractions that sum to 1 but for rounding."""

    completed: Fraction
    cancelled: Fraction
    failed: Fraction


class Statistics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a publisher says of the jobs of one cluster that hold accelerators."""

    jobs: Annotated[int, Meta(gt=0)]
    days: Positive
    """How long they were watched."""
    mean_run_seconds: Positive
    median_run_seconds: Positive
    longest_run_seconds: Annotated[int, Meta(gt=0)]
    mean_chips: Annotated[float, Meta(ge=1)]
    median_chips: Positive
    most_chips: Annotated[int, Meta(ge=1)]
    chip_seconds_per_job: Positive
    of_jobs: Endings
    """How jobs ended, by number."""
    of_chip_seconds: Endings
    """How jobs ended, by accelerator-seconds."""
    source: Text
    evidence: Text


class Assumption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What no figure says and the law needs."""

    single_fraction: Fraction
    """Of jobs with one accelerator."""
    evidence: Text


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One cluster."""

    name: Text
    published: Statistics
    assumed: Assumption
    law: Law


class Arrivals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When jobs come: fractions of a day's and a week's."""

    name: Text
    hours: Annotated[tuple[Fraction, ...], Meta(min_length=24, max_length=24)]
    weekdays: Annotated[tuple[Fraction, ...], Meta(min_length=7, max_length=7)]
    """From Monday."""
    source: Text
    evidence: Text


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    profiles: tuple[Profile, ...]
    arrivals: tuple[Arrivals, ...]


@cache
def shipped() -> Published:
    """What ships with the package: `data/demand.yaml`."""
    text = files("stargate.rehearsal.traces").joinpath("data/demand.yaml").read_text(encoding="utf-8")
    return typed(parse(text, "stargate/rehearsal/traces/data/demand.yaml")[0], Published)
