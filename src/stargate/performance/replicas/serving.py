"""Replicas for a traffic: the largest batch that keeps the latencies asked for, the queue before it, and spares."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from stargate.base.errors import InputError, Problem
from stargate.performance.number import Column, Number
from stargate.performance.replicas.queueing import Queue, queue
from stargate.performance.replicas.standby import standby

Routing = Literal["shared", "random"]
"""`shared`: a request goes to the replica with most room, and waits before all of them. `random`: to any replica,
and waits there."""

STATES_LIMIT = 1 << 17
"""Places of one shared queue; above, replicas are taken to stand behind several queues."""
REPLICAS_LIMIT = 10_000_000


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Requests, at the rate that counts."""

    requests_per_second: float
    output_tokens: float
    """Of one request, on average."""
    output_variation: float = 1.0
    """Squared coefficient of variation of the output tokens; 0: all alike, 1: exponential. See `variation`."""
    input_variation: float = 1.0
    """The same of the input tokens; matters where prompts take much of the time."""
    arrival_variation: float = 1.0
    """The same of the time between two requests; 1: Poisson, above: they come in swarms."""
    peak_factor: float = 1.0
    """The rate to carry over `requests_per_second`."""

    @property
    def peak_requests_per_second(self) -> float:
        """What is to be carried."""
        return self.requests_per_second * self.peak_factor


def of_tokens(output_tokens_per_second: float, output_tokens: float) -> Traffic:
    """Traffic that is known by the tokens it asks for."""
    return Traffic(requests_per_second=output_tokens_per_second / output_tokens, output_tokens=output_tokens)


def variation(mean: float, value: float, share: float = 0.95) -> float:
    """The squared coefficient of variation of a log-normal length of this mean, of which `share` lie below `value`.

    Raises InputError where no log-normal length is so: `value` below the mean, or too far above it.
    """
    z = _normal_quantile(share)
    # ln(value / mean) = z s - s^2 / 2, the smaller root of a quadratic in s.
    inside = z * z - 2.0 * math.log(value / mean)
    if inside < 0 or value < mean:
        raise InputError(
            (
                Problem(
                    f"no log-normal length has the mean {mean:g} and {share:.0%} below {value:g}",
                    f"Give a percentile between the mean and {mean * math.exp(0.5 * z * z):g}.",
                ),
            )
        )
    return math.expm1((z - math.sqrt(inside)) ** 2)


def _normal_quantile(share: float) -> float:
    """By bisection on the error function; enough digits for lengths of texts."""
    low, high = -8.0, 8.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if 0.5 * (1.0 + math.erf(middle / math.sqrt(2.0))) < share:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What requests are promised. None: nothing is promised, then the queue need only not grow for ever."""

    ttft_seconds: float | None = None
    """From a request to its first token, waiting included."""
    tpot_seconds: float | None = None
    """Between two tokens."""
    share: float = 0.95
    """Of requests whose first token comes in time."""


class Curve(msgspec.Struct, frozen=True):
    """What one replica does at 1 and more requests in service. Between its points, lines."""

    concurrency: tuple[float, ...]
    """Ascending, from 1 to the most that the replica's memory holds."""
    ttft_seconds: tuple[float, ...]
    tpot_seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        assert self.concurrency, "a curve has at least one point"
        assert len(self.concurrency) == len(self.ttft_seconds) == len(self.tpot_seconds)
        assert all(one < two for one, two in zip(self.concurrency, self.concurrency[1:], strict=False))

    @property
    def most(self) -> int:
        """The largest concurrency it speaks of."""
        return int(self.concurrency[-1])

    def at(self, concurrency: Number) -> tuple[Number, Number]:
        """TTFT and TPOT in seconds, of one concurrency or a column of them."""
        return (
            np.interp(concurrency, self.concurrency, self.ttft_seconds),
            np.interp(concurrency, self.concurrency, self.tpot_seconds),
        )


def sampled(latencies: Callable[[float], tuple[float, float]], most: int) -> Curve:
    """A curve through a model, `latencies(concurrency)` -> (TTFT, TPOT) in seconds, each point 15 % beyond the last."""
    points = [1.0]
    while points[-1] < most:
        points.append(float(min(most, max(points[-1] + 1.0, math.floor(points[-1] * 1.15)))))
    ttft, tpot = zip(*(latencies(point) for point in points), strict=True)
    return Curve(tuple(points), tuple(ttft), tuple(tpot))


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """How replicas fail, and how surely enough of them are to be up."""

    chips_per_replica: float
    interruptions_per_chip_hour: float
    restart_hours: float
    """Until a failed replica serves again, a repair or the move to a spare included."""
    availability: float = 0.999
    """Share of time in which as many replicas as the traffic needs are up."""
    providers: int = 1
    """Among which replicas are spread evenly."""
    lost_providers: int = 0
    """How many of them may be away at once without harm."""


class Unattainable(msgspec.Struct, frozen=True, kw_only=True):
    """No concurrency keeps the promise: an answer, not a failure. More replicas do not help."""

    best_ttft_seconds: float
    """Of a replica that nobody waits for."""
    best_tpot_seconds: float
    objective: Objective

    def __str__(self) -> str:
        wanted = (
            ("the first token", self.best_ttft_seconds, self.objective.ttft_seconds),
            ("each further token", self.best_tpot_seconds, self.objective.tpot_seconds),
        )
        misses = [
            f"{what} takes {best * 1e3:.3g} ms at best, {bound * 1e3:.3g} ms are asked for"
            for what, best, bound in wanted
            if bound is not None and best > bound
        ]
        return "; ".join(misses) or "no concurrency keeps both bounds at once"


class Replicas(msgspec.Struct, frozen=True, kw_only=True):
    """How many replicas carry the traffic, and what requests meet then, at the peak and without failures."""

    serving: int
    """Needed up."""
    standby: int
    """Beyond those, for replicas and providers that fail."""
    concurrency: int
    """Requests that a replica takes at once at most; the others wait."""
    mean_concurrency: float
    load: float
    """Requests over what the serving replicas can finish."""
    waiting: float
    """Share of requests that wait for a place."""
    ttft_seconds: float
    """Kept by the share that was promised."""
    tpot_seconds: float
    """At the mean concurrency; at most the promised one at full batches."""

    @property
    def total(self) -> int:
        """Replicas to run."""
        return self.serving + self.standby


def replicas(
    traffic: Traffic,
    objective: Objective,
    curve: Curve,
    outages: Outages | None = None,
    routing: Routing = "shared",
) -> Replicas | Unattainable:
    """The fewest replicas that keep the promise, or why none do.

    The replica's batch is limited to the concurrency of most throughput among those that keep both bounds.
    Requests in service share the replica, whose speed at n of them is the curve's; those beyond the limit
    wait in order. See `queueing.queue` for what is exact in this and what is approximate. A request that
    waits finds a full batch, so its first token comes after the wait and the TTFT of a full batch.
    Raises InputError for more than `REPLICAS_LIMIT` replicas, AssertionError for a share outside 0 to 1.
    """
    assert 0 < objective.share < 1, "a share of requests lies between 0 and 1"
    limit = _limit(traffic, objective, curve)
    if limit is None:
        best_ttft, best_tpot = min(curve.ttft_seconds), min(curve.tpot_seconds)
        return Unattainable(best_ttft_seconds=best_ttft, best_tpot_seconds=best_tpot, objective=objective)
    replica = _Replica(traffic, objective, curve, limit, routing)
    few = max(1, math.floor(traffic.peak_requests_per_second / replica.most_per_second))
    many = few
    while many <= REPLICAS_LIMIT and not replica.keeps(many):
        few, many = many + 1, many * 2
    if many > REPLICAS_LIMIT:
        raise InputError(
            (Problem(f"this traffic takes {few} replicas or more", "Check the rate of requests."),)
        )
    while few < many:
        middle = (few + many) // 2
        few, many = (few, middle) if replica.keeps(middle) else (middle + 1, many)
    return replica.described(many, 0 if outages is None else _standby(many, outages))


def _standby(serving: int, outages: Outages) -> int:
    away = outages.chips_per_replica * outages.interruptions_per_chip_hour * outages.restart_hours
    total = serving + standby(serving, away / (1.0 + away), outages.availability)
    assert 0 <= outages.lost_providers < outages.providers, "no provider is left"
    left = outages.providers - outages.lost_providers
    return -(-total * outages.providers // left) - serving


def _limit(traffic: Traffic, objective: Objective, curve: Curve) -> int | None:
    """The concurrency of most throughput that keeps both bounds, the largest of equals; None: none does."""
    held = np.arange(1.0, curve.most + 1.0)
    ttft, tpot = curve.at(held)
    keeps = np.ones(len(held), dtype=np.bool_)
    if objective.ttft_seconds is not None:
        keeps &= ttft <= objective.ttft_seconds
    if objective.tpot_seconds is not None:
        keeps &= tpot <= objective.tpot_seconds
    if not keeps.any():
        return None
    rates = np.where(keeps, held / _stay_seconds(traffic, ttft, tpot), 0.0)
    return int(len(rates) - np.argmax(rates[::-1]))


def _stay_seconds(traffic: Traffic, ttft: Column, tpot: Column) -> Column:
    """In service: to the first token, then one interval for each further token."""
    return ttft + max(traffic.output_tokens - 1.0, 0.0) * tpot


class _Replica:
    """One replica at its limit, and the queue before several of them."""

    def __init__(
        self, traffic: Traffic, objective: Objective, curve: Curve, limit: int, routing: Routing
    ) -> None:
        self.traffic, self.objective, self.curve = traffic, objective, curve
        self.limit, self.routing = limit, routing
        held = np.arange(1.0, limit + 1.0)
        ttft, tpot = curve.at(held)
        stay = _stay_seconds(traffic, ttft, tpot)
        self.rates = held / stay
        self.most_per_second = float(self.rates[-1])
        self.full_ttft_seconds = float(ttft[-1])
        prompts = float(ttft[-1] / stay[-1])
        self.variation = (
            traffic.input_variation * prompts**2 + traffic.output_variation * (1.0 - prompts) ** 2
        )

    def queue(self, count: int) -> tuple[Queue | None, int]:
        """The queue that a request meets, and how many replicas stand behind it."""
        behind = 1 if self.routing == "random" else max(1, min(count, STATES_LIMIT // self.limit))
        arrivals = self.traffic.peak_requests_per_second * behind / count
        # A part of a stream, drawn at random, is nearer to Poisson than the whole.
        scatter = 1.0 + (self.traffic.arrival_variation - 1.0) * behind / count
        each = np.arange(1.0, behind * self.limit + 1.0) / behind
        alone = np.minimum(each, 1.0) * self.rates[0]
        shared = np.interp(each, np.arange(1.0, self.limit + 1.0), self.rates)
        rates = behind * np.where(each < 1.0, alone, shared)
        return queue(arrivals, rates, self.variation, scatter), behind

    def keeps(self, count: int) -> bool:
        """Whether so many replicas keep the promise."""
        found, _ = self.queue(count)
        bound = self.objective.ttft_seconds
        if found is None or bound is None:
            return found is not None
        return found.waits_longer(bound - self.full_ttft_seconds) <= 1.0 - self.objective.share

    def described(self, count: int, spare: int) -> Replicas:
        """What requests meet at so many replicas."""
        found, behind = self.queue(count)
        assert found is not None, "a queue that grows for ever was chosen"
        mean = found.in_service / behind
        share = self.objective.share
        if found.waiting > 1.0 - share:
            ttft = self.full_ttft_seconds + found.wait_seconds(share)
        else:
            ttft = float(self.curve.at(min(found.held(share) / behind + 1.0, self.limit))[0])
        return Replicas(
            serving=count,
            standby=spare,
            concurrency=self.limit,
            mean_concurrency=mean,
            load=self.traffic.peak_requests_per_second / (count * self.most_per_second),
            waiting=found.waiting,
            ttft_seconds=ttft,
            tpot_seconds=float(self.curve.at(max(mean, 1.0))[1]),
        )
