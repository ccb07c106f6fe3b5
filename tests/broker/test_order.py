"""Whose turn it is, by the order that policy names."""

from __future__ import annotations

from typing import Any

from stargate.base.time import HOUR, MINUTE, Duration
from stargate.broker.command import Declare
from stargate.broker.fact import Stopping
from stargate.broker.order import running_rank, waiting_rank
from tests.broker.world import Bench, policy, pool, work


def bench(order: Any, **changes: Any) -> Bench:
    """A pool of one node under an order, with `long` on it."""
    found = Bench(pool("a", nodes=1), policy=policy(order=order, **changes))
    found.submit(work("long", time_limit=Duration(5 * HOUR)))
    found.run("long.0.1")
    return found


def line(found: Bench) -> list[str]:
    """Who waits, in order."""
    return [place.workload for place in found.state.queue]


def submit_three(found: Bench) -> None:
    """A long urgent one, then a short one, then one in between."""
    found.submit(work("urgent", priority=0, time_limit=Duration(4 * HOUR)))
    found.submit(work("short", priority=-5, time_limit=Duration(1 * HOUR)))
    found.submit(work("between", priority=-1, time_limit=Duration(2 * HOUR)))


def test_each_order_has_its_own_line() -> None:
    expected = {
        "priority": ["urgent", "between", "short"],
        "fifo": ["urgent", "short", "between"],
        "sjf": ["short", "between", "urgent"],
    }
    for order, names in expected.items():
        found = bench(order, preemption=False)
        submit_three(found)
        assert line(found) == names


def test_work_without_a_limit_counts_as_policy_expects() -> None:
    found = bench("sjf", expected_run=Duration(90 * MINUTE))
    found.submit(work("two", time_limit=Duration(2 * HOUR)))
    found.submit(work("unknown", time_limit=None))
    found.submit(work("one", time_limit=Duration(1 * HOUR)))
    assert line(found) == ["one", "unknown", "two"]


def test_under_sjf_and_fifo_nothing_that_runs_gives_way() -> None:
    for order in ("sjf", "fifo"):
        found = bench(order)
        found.submit(work("short", priority=9, time_limit=Duration(1 * HOUR)))
        assert found.of(Stopping) == []


def test_under_srtf_what_has_more_left_gives_way_whatever_its_priority() -> None:
    found = bench("srtf")
    found.submit(work("short", priority=-9, time_limit=Duration(1 * HOUR)))
    (stopping,) = found.of(Stopping)
    assert (stopping.attempt, stopping.reason) == ("long.0.1", "preempted")
    assert "1h left" in stopping.grounds[0].says


def test_under_srtf_time_that_has_passed_counts() -> None:
    """After four and a half of five hours half an hour is left, and nobody with more takes the place."""
    found = bench("srtf")
    found.wait(4 * HOUR + 30 * MINUTE)
    found.submit(work("short", time_limit=Duration(1 * HOUR)))
    assert found.of(Stopping) == []


def test_what_was_saved_is_not_counted_again() -> None:
    """Stopped after two hours with its state saved, three of five are left; without a checkpoint all five."""
    for saves, left in ((True, 3), (False, 5)):
        found = Bench(pool("a", nodes=1), policy=policy(order="srtf"))
        changes: dict[str, Any] = {} if saves else {"checkpoint": None}
        found.submit(work("long", time_limit=Duration(5 * HOUR), **changes))
        found.run("long.0.1")
        found.wait(2 * HOUR)
        found.submit(work("short", time_limit=Duration(1 * HOUR)))
        found.report("long.0.1", "stopped")
        state = found.state
        assert waiting_rank(state, state.records.workloads["long"], 0) == left * HOUR
        found.run("short.0.1")
        found.wait(HOUR)
        found.report("short.0.1", "done")
        found.run("long.0.2")
        found.wait(HOUR)
        assert running_rank(state, state.records.attempts["long.0.2"], found.now) == (left - 1) * HOUR


def test_a_new_order_puts_the_line_in_order() -> None:
    found = bench("fifo", preemption=False)
    submit_three(found)
    records = found.state.records
    found.do(Declare(records.infrastructure, (), policy(order="sjf", preemption=False)))
    assert line(found) == ["short", "between", "urgent"]
