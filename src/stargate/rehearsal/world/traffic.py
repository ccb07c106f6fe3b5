"""Traffic on a service, as numbers of replicas over time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.base.time import HOUR, SECOND, Duration, Instant
from stargate.broker.command import Scale
from stargate.rehearsal.clock import Event
from stargate.rehearsal.traces import Request

MOST_REPLICAS = 100_000


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many replicas from then on."""

    after: Duration
    """From the submission of the service."""
    replicas: Annotated[int, Meta(ge=0, le=MOST_REPLICAS)]


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What drives the number of replicas: one of `steps`, `requests` and `hours`."""

    steps: Annotated[tuple[Step, ...], Meta(max_length=100_000)] = ()
    requests: str = ""
    """A trace of requests."""
    hours: Annotated[tuple[float, ...], Meta(max_length=24)] = ()
    """Requests a second in each hour of every day."""
    requests_per_s_and_replica: Annotated[float, Meta(gt=0)] = 1.0
    """What one replica serves."""
    window: Duration = Duration(HOUR)
    """`requests`: how long is looked at for one number."""
    least: Annotated[int, Meta(ge=0, le=MOST_REPLICAS)] = 1
    most: Annotated[int, Meta(ge=1, le=MOST_REPLICAS)] = MOST_REPLICAS

    def __post_init__(self) -> None:
        if sum(map(bool, (self.steps, self.requests, self.hours))) != 1:
            raise ValueError("traffic is steps, requests or hours; give one of them")
        if self.hours and (len(self.hours) != 24 or min(self.hours) < 0):
            raise ValueError("a day has 24 hours, each with 0 or more requests a second; list them all")
        if self.window < SECOND:
            raise ValueError("the window is shorter than a second; make it longer")

    def replicas(self, per_second: float) -> int:
        """For so many requests a second."""
        return max(self.least, min(self.most, math.ceil(per_second / self.requests_per_s_and_replica)))


def scalings(
    traffic: Traffic, workload: str, begin: Instant, until: Instant, requests: Iterable[Request] = ()
) -> Iterator[Event]:
    """The commands that follow the traffic from `begin` to `until`, in order; only where the number changes."""
    last = -1
    for at, replicas in _numbers(traffic, begin, until, requests):
        if at >= until:
            return
        if replicas != last:
            last = replicas
            yield at, Scale(workload, replicas, "traffic")


def _numbers(
    traffic: Traffic, begin: Instant, until: Instant, requests: Iterable[Request]
) -> Iterator[tuple[Instant, int]]:
    if traffic.steps:
        for step in sorted(traffic.steps, key=lambda one: one.after):
            yield begin.plus(step.after), step.replicas
    elif traffic.hours:
        at = begin
        while at < until:
            yield at, traffic.replicas(traffic.hours[at // HOUR % 24])
            at = Instant((at // HOUR + 1) * HOUR)
    else:
        counts = Counter(int(one.at_seconds * SECOND) // traffic.window for one in requests)
        for window in range(max(counts, default=-1) + 1):
            rate = counts[window] * SECOND / traffic.window
            yield begin.plus(window * traffic.window), traffic.replicas(rate)
