"""A desk with several replicas, simulated request by request: the judge of the formulas for queues."""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any, NamedTuple

import numpy as np


class Seen(NamedTuple):
    """What the requests of a simulation met."""

    waits: np.ndarray
    """Seconds, of every request after the first tenth."""
    found: np.ndarray
    """Requests in service in the replica that took it, with itself, as it was taken."""
    in_service: float
    """Requests in service, over time."""

    @property
    def mean_wait_seconds(self) -> float:
        return float(self.waits.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean wait."""
        return _error(self.waits)

    @property
    def waiting_error(self) -> float:
        """Standard error of the share that waits."""
        return _error(self.waits > 0)

    @property
    def waiting(self) -> float:
        return float((self.waits > 0).mean())

    def wait_seconds(self, share: float) -> float:
        return float(np.quantile(self.waits, share))


def _error(values: np.ndarray) -> float:
    """By the spread over 20 stretches: neighbours in a queue wait alike."""
    means = [part.mean() for part in np.array_split(values, 20)]
    return float(np.std(means, ddof=1) / 20**0.5)


def work(random: np.random.Generator, variation: float, count: int) -> np.ndarray:
    """Amounts of work of mean 1: all alike, or log-normal."""
    if variation == 0:
        return np.ones(count)
    sigma = np.log1p(variation) ** 0.5
    return random.lognormal(-0.5 * sigma**2, sigma, count)


class Replica:
    """Holds requests that progress alike; its clock counts the work that each of them got."""

    def __init__(self, rates: Any) -> None:
        self.speeds: list[float] = [0.0, *(rate / held for held, rate in enumerate(rates, start=1))]
        self.places, self.clock, self.at = len(rates), 0.0, 0.0
        self.ends: list[float] = []
        """What the clock shows as each request is done."""

    def advance(self, now: float) -> None:
        self.clock += (now - self.at) * self.speeds[len(self.ends)]
        self.at = now

    def next_end(self) -> float:
        if not self.ends:
            return float("inf")
        return self.at + (self.ends[0] - self.clock) / self.speeds[len(self.ends)]


def simulate(
    arrivals: float, rates: Any, variation: float, replicas: int = 1, count: int = 60_000, seed: int = 11
) -> Seen:
    """Poisson arrivals to the replica with most room; those that find none wait in one line."""
    random = np.random.default_rng(seed)
    times = np.cumsum(random.exponential(1.0 / arrivals, count))
    return replay(times, work(random, variation, count), rates, replicas)


def replay(times: np.ndarray, amounts: np.ndarray, rates: Any, replicas: int = 1) -> Seen:
    """The same for requests that came at these times, ascending, with these amounts of work, of mean 1."""
    count = len(times)
    desks = [Replica(rates) for _ in range(replicas)]
    line: deque[int] = deque()
    waits, found = np.zeros(count), np.zeros(count)
    held = now = 0.0
    arrived = taken = 0
    while taken < count:
        ends = [desk.next_end() for desk in desks]
        first = min(range(replicas), key=ends.__getitem__)
        coming = times[arrived] if arrived < count else float("inf")
        then = min(ends[first], coming)
        held += (then - now) * sum(len(desk.ends) for desk in desks)
        now = then
        if coming <= ends[first]:
            line.append(arrived)
            arrived += 1
        else:
            desks[first].advance(now)
            desks[first].clock = heapq.heappop(desks[first].ends)
        desk = min(desks, key=lambda desk: len(desk.ends))
        if line and len(desk.ends) < desk.places:
            request = line.popleft()
            desk.advance(now)
            heapq.heappush(desk.ends, desk.clock + amounts[request])
            waits[request], found[request] = now - times[request], len(desk.ends)
            taken += 1
    skipped = count // 10
    return Seen(waits[skipped:], found[skipped:], held / now)
