"""Waiting for a place: servers whose speed depends on how many requests they hold at once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from stargate.performance.number import Column


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A queue in its steady state: `places` requests in service at most, the others wait in order."""

    arrivals_per_second: float
    waiting: float
    """Share of requests that find every place taken."""
    drain_per_second: float
    """Rate at which the tail of the waiting time decays."""
    states: Column
    """Probability of 0, 1, …, `places` requests in service; the last holds all longer queues."""

    @property
    def in_service(self) -> float:
        """Requests in service, on average."""
        return float(np.dot(self.states, np.arange(len(self.states))))

    @property
    def mean_wait_seconds(self) -> float:
        """Over all requests, also those that do not wait."""
        return self.waiting / self.drain_per_second

    def waits_longer(self, seconds: float) -> float:
        """Share of requests that wait longer than this."""
        return self.waiting * math.exp(-self.drain_per_second * seconds) if seconds >= 0 else 1.0

    def wait_seconds(self, share: float) -> float:
        """What this share of requests does not exceed; 0 where so many do not wait at all."""
        assert 0 <= share < 1, "a share of all requests waits without bound"
        return (
            max(0.0, math.log(self.waiting / (1.0 - share)) / self.drain_per_second) if self.waiting else 0.0
        )

    def held(self, share: float) -> int:
        """Requests in service that this share of arrivals finds at most, without their own."""
        return int(np.searchsorted(np.cumsum(self.states), share))


def queue(
    arrivals_per_second: float,
    rates: Sequence[float] | Column,
    variation: float = 1.0,
    arrival_variation: float = 1.0,
) -> Queue | None:
    """The steady state, or None where requests come as fast as they can leave, or faster.

    `rates[n - 1]` is the rate at which requests leave while n are in service, for n = 1 to the number of
    places; a batch that slows down as it fills has rates that grow less than n does. `variation` and
    `arrival_variation` are squared coefficients of variation, of what one request asks for and of the time
    between two requests.

    A birth-and-death process: exact for Poisson arrivals and exponential work, and where nobody waits for
    any work, as requests share a server then (Kelly, "Reversibility and stochastic networks", 1979, chapter
    3). With equal speeds it is the M/M/c queue and `waiting` is Erlang's C formula. For other work, waits
    are those of M/M/c times half the sum of the two variations (Allen and Cunneen; Allen, "Probability,
    statistics, and queueing theory", 1990, section 5.3; limits on how many share a server: Gupta and Zhang,
    "Approximations and optimal control for state-dependent limited processor sharing queues", 2014). The tail is
    exponential.
    """
    leaving = np.asarray(rates, dtype=np.float64)
    assert len(leaving), "a queue has at least one place"
    last = float(leaving[-1])
    load = arrivals_per_second / last
    if load >= 1.0:
        return None
    if arrivals_per_second <= 0.0:
        empty = np.zeros(len(leaving) + 1)
        empty[0] = 1.0
        return Queue(arrivals_per_second=0.0, waiting=0.0, drain_per_second=last, states=empty)
    logs = np.concatenate(([0.0], np.cumsum(math.log(arrivals_per_second) - np.log(leaving))))
    logs[-1] -= math.log1p(-load)
    states = np.exp(logs - logs.max())
    states /= states.sum()
    scatter = max(0.5 * (variation + arrival_variation), 1e-3)
    return Queue(
        arrivals_per_second=arrivals_per_second,
        waiting=float(states[-1]),
        drain_per_second=(last - arrivals_per_second) / scatter,
        states=states,
    )
