"""Passes over the queue: order, gangs, who waits for whom."""

from __future__ import annotations

from stargate.base.time import HOUR, Duration
from stargate.broker import Policy
from stargate.broker.fact import Placed
from stargate.broker.sourcing.fact import NeedOpened
from tests.broker.world import Bench, policy, pool, work


def test_priority_first_then_first_come() -> None:
    """When room comes, it goes by rank."""
    bench = Bench(pool("a", nodes=1), policy=policy(preemption=False))
    for name, priority in (("now", 0), ("late", 0), ("later", 0), ("high", 7), ("low", -7)):
        bench.submit(work(name, priority=priority))
    order = []
    running = "now"
    for _ in range(4):
        bench.report(f"{running}.0.1", "done")
        (fact,) = bench.of(Placed)
        running = fact.workload
        order.append(running)
    assert order == ["high", "late", "later", "low"]


def test_a_gang_starts_whole_or_not_at_all() -> None:
    """Three free nodes are of no use to a gang of four."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("one"))
    bench.submit(work("four", nodes=4))
    assert bench.where("four") == ""
    bench.report("one.0.1", "done")
    assert bench.where("four") == "a"


def test_what_nothing_could_ever_serve_stands_in_nobody_s_way() -> None:
    """More hopeless slots than a pass looks behind the first blocked one."""
    bench = Bench(pool("a"), policy=policy(backfill_depth=2))
    for number in range(5):
        bench.submit(work(f"hopeless{number}", nodes=20 + number))
    bench.submit(work("small"))
    assert bench.where("small") == "a"


def test_a_pass_looks_only_so_far_behind_the_first_blocked_slot() -> None:
    """Those beyond the depth wait for the next change."""
    bench = Bench(pool("a"), policy=policy(backfill_depth=1))
    bench.submit(work("running", nodes=3, time_limit=Duration(9 * HOUR)))
    bench.submit(work("filler"))
    for number in range(3):
        bench.submit(work(f"wide{number}", nodes=2 + number))
    bench.submit(work("small"))
    bench.report("filler.0.1", "done")
    assert bench.where("small") == ""


def test_all_replicas_that_fit_start_at_once() -> None:
    """A service is as many gangs as it has replicas."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("chat", kind="serve", replicas=6, time_limit=None))
    assert [bool(bench.where("chat", n)) for n in range(6)] == [True] * 4 + [False] * 2


def test_a_slot_that_nothing_held_can_serve_opens_one_need() -> None:
    """And only one, however often the queue is looked at."""
    bench = Bench(pool("a"), pool("more", "aws", tenure="market"), policy=Policy(lab="lab"))
    bench.submit(work("wide", nodes=8, priority=1))
    bench.submit(work("other"))
    opened = [entry.fact for entry in bench.entries if isinstance(entry.fact, NeedOpened)]
    assert [need.need for need in opened] == ["need-wide.0"]
