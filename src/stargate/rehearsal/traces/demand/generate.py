"""Draws jobs from a calibrated law: a stream of any length, the same for the same record."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.errors import InputError, Problem
from stargate.base.faults import did_you_mean
from stargate.rehearsal.traces.demand.law import Law, grid
from stargate.rehearsal.traces.demand.published import Arrivals, Profile, shipped
from stargate.rehearsal.traces.job import MOST_CHIPS, Job, Status

HOUR, DAY = 3600, 86_400
CHIPS_PER_NODE = 8
"""As in the nodes of all four clusters."""


class Demand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which demand, how much of it, for how long. Second 0 is a Monday's midnight."""

    profile: str
    """`seren`, `kalos`, `philly` or `helios`."""
    days: Annotated[float, Meta(gt=0, le=36_500)]
    jobs_per_day: Annotated[float, Meta(gt=0, le=100_000_000)] | None = None
    """Not given, nor `busy_chips`: as many as the cluster had."""
    busy_chips: Annotated[int, Meta(ge=1, le=MOST_CHIPS)] | None = None
    """Instead: as many jobs a day as keep this many accelerators busy on average."""
    chips_times: Annotated[int, Meta(ge=1, le=100_000)] = 1
    """Every job this many times as large: an extrapolation, for sites larger than any that published."""
    most_chips: Annotated[int, Meta(ge=1, le=MOST_CHIPS)] = MOST_CHIPS
    """No job is larger."""
    arrivals: str = "philly"
    """`philly` (hours and weekdays of a real table) or `flat`."""
    users: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """Not calibrated: the k-th user submits 1/k as much as the first."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.jobs_per_day is not None and self.busy_chips is not None:
            raise ValueError("jobs_per_day and busy_chips say the same thing; give one of them")


def _profile(name: str) -> Profile:
    known = {profile.name: profile for profile in shipped().profiles}
    if name not in known:
        raise InputError(
            (Problem(f"there is no demand profile {name!r}", did_you_mean(name, known), path="profile"),)
        )
    return known[name]


def _arrivals(name: str) -> Arrivals:
    known = {arrivals.name: arrivals for arrivals in shipped().arrivals}
    if name not in known:
        raise InputError(
            (Problem(f"there are no arrivals {name!r}", did_you_mean(name, known), path="arrivals"),)
        )
    return known[name]


def jobs_per_day(demand: Demand) -> float:
    """How many jobs a day are drawn on average. Raises InputError for an unknown profile."""
    profile = _profile(demand.profile)
    if demand.jobs_per_day is not None:
        return demand.jobs_per_day
    if demand.busy_chips is not None:
        return demand.busy_chips * DAY / _chip_seconds(profile.law, demand)
    return profile.published.jobs / profile.published.days


def busy_chips(demand: Demand) -> float:
    """How many accelerators the demand keeps busy on average, if every job starts at once."""
    return jobs_per_day(demand) * _chip_seconds(_profile(demand.profile).law, demand) / DAY


def _chip_seconds(law: Law, demand: Demand) -> float:
    points = grid(law, demand.chips_times, demand.most_chips)
    return points.mean(points.chip_seconds)


def generated(demand: Demand) -> Iterator[Job]:
    """The jobs in order; constant memory. Raises InputError for an unknown profile or arrivals."""
    profile = _profile(demand.profile)
    chance = random.Random(demand.seed)  # noqa: S311 - reproducible, not secret
    law = profile.law
    bounds = law.bounds
    apart = math.sqrt(1 - law.correlation**2)
    users = list(accumulate(1 / rank for rank in range(1, demand.users + 1)))
    moments = _moments(demand, chance)
    for number, at in enumerate(moments, start=1):
        size, own = chance.gauss(0.0, 1.0), chance.gauss(0.0, 1.0)
        chips = min(demand.chips_times << bisect_right(bounds, size, hi=len(bounds) - 1), demand.most_chips)
        run = min(
            law.median_run_seconds * math.exp(law.sigma * (law.correlation * size + apart * own)),
            law.longest_run_seconds,
        )
        seconds = max(round(run), 1)
        user = bisect_right(users, chance.random() * users[-1], hi=len(users) - 1)
        yield Job(
            id=str(number),
            submit_seconds=at,
            run_seconds=seconds,
            chips=chips,
            requested_seconds=seconds,
            user=f"u{user + 1}",
            status=_ending(law, chips / demand.chips_times * run, chance),
            label=profile.name,
            nodes=-(-chips // CHIPS_PER_NODE),
            chips_per_node=min(chips, CHIPS_PER_NODE),
        )


def _ending(law: Law, chip_seconds: float, chance: random.Random) -> Status:
    cancelled, failed = law.endings(chip_seconds)
    point = chance.random()
    if point < cancelled:
        return "cancelled"
    return "failed" if point < cancelled + failed else "completed"


def _moments(demand: Demand, chance: random.Random) -> Iterator[int]:
    """Seconds of submission: a Poisson process whose rate changes every hour."""
    arrivals = _arrivals(demand.arrivals)
    hours, weekdays, jobs = sum(arrivals.hours), sum(arrivals.weekdays), jobs_per_day(demand)
    week = [
        7 * (weekday / weekdays) * (hour / hours) * jobs
        for weekday in arrivals.weekdays
        for hour in arrivals.hours
    ]
    end = demand.days * DAY
    wanted = chance.expovariate(1.0)
    hour = 0
    while hour * HOUR < end:
        rate = week[hour % len(week)]
        at = 0.0
        while rate > 0 and wanted < rate * (1 - at):
            at += wanted / rate
            second = int((hour + at) * HOUR)
            if second >= end:
                return
            yield second
            wanted = chance.expovariate(1.0)
        wanted -= rate * (1 - at)
        hour += 1
