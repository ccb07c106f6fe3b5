"""Limits over several workers: never more than allowed, and hardly less."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import Any

import pytest

from stargate.gateway.limits import Allotment, OwnBank, Purse, Short, Ticket, Wish
from stargate.gateway.limits.pot import SLICE_US
from stargate.gateway.record import Application, Scope

MINUTE_US = 60_000_000


class Clock:
    def __init__(self) -> None:
        self.us = 1_000_000_000_000_000

    def __call__(self) -> int:
        return self.us


def application(**bounds: Any) -> Application:
    return Application(id="k", name="k", sha256="k", scope=Scope(**bounds))


class Host:
    """Some workers and their bank."""

    def __init__(self, workers: int, key: Application, money: int = 0) -> None:
        self.clock = Clock()
        self.allotment = Allotment()
        self.allotment.update([key], {key.id: money})
        self.key = key
        self.purses = [
            Purse(OwnBank(self.allotment, f"w{each}", self.clock), self.clock) for each in range(workers)
        ]

    def enter(self, worker: int, tokens: int = 1, micro_usd: int = 0) -> Ticket | Short | None:
        return asyncio.run(self.purses[worker].enter(self.key, tokens, micro_usd))

    def sweep(self) -> None:
        for purse in self.purses:
            purse.sweep()


def test_a_key_without_limits_asks_nobody() -> None:
    """The usual case costs nothing."""
    assert Host(1, application()).enter(0) is None


@pytest.mark.parametrize("workers", [1, 2, 7])
@pytest.mark.parametrize("seed", range(5))
def test_no_minute_holds_more_than_allowed_and_full_load_gets_nearly_all(workers: int, seed: int) -> None:
    """Any minute, wherever it begins, over all workers."""
    draw = random.Random(seed)
    limit = draw.choice([1, 5, 60, 600])
    host = Host(workers, application(requests_per_minute=limit))
    passed: deque[int] = deque()
    total = 0
    begin_us = host.clock.us
    for _ in range(4_000):
        host.clock.us += draw.randrange(1, 100_000)
        if draw.random() < 0.2:
            host.sweep()
        got = host.enter(draw.randrange(workers))
        if isinstance(got, Ticket):
            passed.append(host.clock.us)
            total += 1
        else:
            assert isinstance(got, Short)
            assert got.kind == "requests"
        while passed and passed[0] <= host.clock.us - MINUTE_US:
            passed.popleft()
        assert len(passed) <= limit
    minutes = (host.clock.us - begin_us) // MINUTE_US
    assert total >= int(0.9 * limit * minutes), "hardly less than allowed"


def test_whoever_waits_as_long_as_told_gets_through() -> None:
    """The time that a refusal names is the right one."""
    host = Host(2, application(requests_per_minute=3))
    assert [isinstance(host.enter(each % 2), Ticket) for each in range(4)] == [True, True, True, False]
    short = host.enter(0)
    assert isinstance(short, Short)
    assert MINUTE_US <= short.more_us - host.clock.us <= MINUTE_US + 3 * SLICE_US
    host.clock.us = short.more_us
    host.sweep()
    assert isinstance(host.enter(0), Ticket)


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_at_a_time_than_allowed(workers: int) -> None:
    """And a slot that one worker holds idle reaches the others soon."""
    draw = random.Random(workers)
    host = Host(workers, application(concurrent_requests=4))
    open_: list[tuple[int, Ticket]] = []
    for _ in range(3_000):
        host.clock.us += 10_000
        host.sweep()
        if open_ and draw.random() < 0.5:
            worker, ticket = open_.pop(draw.randrange(len(open_)))
            host.purses[worker].leave(ticket, 0, 0)
        worker = draw.randrange(workers)
        got = host.enter(worker)
        if isinstance(got, Ticket):
            open_.append((worker, got))
        assert len(open_) <= 4
    while open_:
        worker, ticket = open_.pop()
        host.purses[worker].leave(ticket, 0, 0)
    host.clock.us += 2 * SLICE_US
    host.sweep()
    assert [isinstance(host.enter(0), Ticket) for _ in range(5)] == [True, True, True, True, False]


def test_tokens_that_were_reserved_and_not_used_come_back() -> None:
    """In the minute in which they were reserved."""
    host = Host(1, application(tokens_per_minute=1_000))
    for _ in range(50):
        ticket = host.enter(0, tokens=500)
        assert isinstance(ticket, Ticket)
        host.purses[0].leave(ticket, 10, 0)
        host.clock.us += 2 * SLICE_US
        host.sweep()
    assert isinstance(host.enter(0, tokens=501), Short)


def test_what_was_used_beyond_its_reservation_counts() -> None:
    """Estimates may be wrong; the count is not."""
    host = Host(1, application(tokens_per_minute=1_000))
    ticket = host.enter(0, tokens=10)
    assert isinstance(ticket, Ticket)
    host.purses[0].leave(ticket, 5_000, 0)
    host.sweep()
    assert isinstance(host.enter(0, tokens=1), Short)


def test_a_request_larger_than_the_limit_takes_all_of_it() -> None:
    """It would never pass otherwise."""
    host = Host(1, application(tokens_per_minute=100))
    assert isinstance(host.enter(0, tokens=5_000), Ticket)
    assert isinstance(host.enter(0, tokens=1), Short)


def test_money_is_never_spent_beyond_what_is_open() -> None:
    """What has been reserved by open requests bounds how far a budget can be passed."""
    draw = random.Random(1)
    host = Host(3, application(budget_micro_usd=10_000), money=10_000)
    spent = 0
    open_: list[tuple[int, Ticket, int]] = []
    for _ in range(2_000):
        host.clock.us += 50_000
        host.sweep()
        worker = draw.randrange(3)
        got = host.enter(worker, micro_usd=100)
        if isinstance(got, Ticket):
            open_.append((worker, got, draw.randrange(101)))
        if open_ and draw.random() < 0.7:
            worker, ticket, used = open_.pop(0)
            spent += used
            host.purses[worker].leave(ticket, 0, used)
        assert spent + 100 * len(open_) <= 10_000
    assert spent > 9_000, "hardly less than allowed"


def test_a_worker_that_dies_frees_its_requests_and_keeps_its_money() -> None:
    """What it had spent of that is known only once its records are read."""
    host = Host(2, application(concurrent_requests=1, budget_micro_usd=100), money=100)
    assert isinstance(host.enter(0, micro_usd=100), Ticket)
    got = host.enter(1, micro_usd=0)
    assert isinstance(got, Short)
    assert got.kind == "slots"
    host.allotment.forget("w0")
    assert isinstance(host.enter(1, micro_usd=0), Ticket)
    assert host.allotment.give("w1", Wish("k", "money", 1), 0).count == 0


def test_a_limit_that_is_changed_holds_at_once() -> None:
    """For what has been given out as well."""
    host = Host(1, application(requests_per_minute=5))
    for _ in range(5):
        assert isinstance(host.enter(0), Ticket)
    assert isinstance(host.enter(0), Short)
    host.key = application(requests_per_minute=7)
    host.allotment.update([host.key], {})
    assert [isinstance(host.enter(0), Ticket) for _ in range(3)] == [True, True, False]
