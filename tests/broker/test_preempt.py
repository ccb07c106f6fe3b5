"""Preemption: whom it stops, and when it leaves everybody alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.time import HOUR, MINUTE, SECOND, Duration
from stargate.broker.command import Cancel, Declare, MarkSupply
from stargate.broker.fact import Stopping
from stargate.broker.policy import Team
from stargate.workloads import Checkpoint, Topology
from tests.broker.oracle import fits, free_chips
from tests.broker.world import Bench, policy, pool, work


def stopped(bench: Bench) -> list[str]:
    """Whom the last command asked to give way."""
    return [fact.attempt for fact in bench.of(Stopping) if fact.reason == "preempted"]


def test_the_cheapest_victim_goes_and_nothing_counts_against_it() -> None:
    """Of two that may be stopped, the one that loses less work goes; it waits again."""
    bench = Bench(pool("a", nodes=2), policy=policy())
    bench.submit(work("old"))
    bench.run("old.0.1")
    bench.wait(30 * MINUTE)
    bench.submit(work("young"))
    bench.run("young.0.1")
    bench.wait(MINUTE)
    bench.submit(work("urgent", priority=100))
    assert stopped(bench) == ["young.0.1"]
    bench.report("young.0.1", "stopped", step=7)
    assert bench.where("urgent") == "a"
    assert bench.where("young") == ""
    assert bench.state.records.workloads["young"].slots[0].recoveries == 0


def test_work_that_is_not_preemptible_stays() -> None:
    """`preemptible: false` is a promise."""
    bench = Bench(pool("a", nodes=1), policy=policy())
    bench.submit(work("firm", preemptible=False))
    bench.submit(work("urgent", priority=100))
    assert bench.where("firm") == "a"
    assert not stopped(bench)


def test_nobody_is_stopped_where_it_would_not_be_enough() -> None:
    """One node can be cleared, two are wanted."""
    bench = Bench(pool("a", nodes=2), policy=policy())
    bench.submit(work("firm", preemptible=False))
    bench.submit(work("soft"))
    bench.submit(work("urgent", nodes=2, priority=100))
    assert not stopped(bench)


def test_room_that_is_being_made_is_waited_for_everywhere() -> None:
    """While a victim on one pool is stopping, nobody on another pool is stopped for the same gang."""
    bench = Bench(pool("a", "oracle", nodes=1), pool("b", "aws", nodes=1), policy=policy())
    for name in ("one", "two"):
        bench.submit(work(name))
    bench.submit(work("urgent", priority=100))
    assert len(stopped(bench)) == 1
    bench.submit(work("another"))
    assert not stopped(bench)
    bench.do(MarkSupply("site", "no", "draining"))
    assert not stopped(bench)


def test_the_dearer_victims_are_spared_first() -> None:
    """When the last victim makes the first two needless in turn, the one that loses more is kept."""
    bench = Bench(pool("a", nodes=2), policy=policy())
    # Node 0: cheap (4) + firm (4). Node 1: dear (4) + last (4).
    for name, firm in (("cheap", False), ("firm", True), ("dear", False), ("last", False)):
        bench.submit(work(name, chips_per_node=4, preemptible=not firm))
        bench.run(f"{name}.0.1")
        bench.wait(MINUTE if name == "last" else 10 * MINUTE)
    bench.submit(work("urgent", priority=9))
    assert sorted(stopped(bench)) == ["dear.0.1", "last.0.1"]


def test_reclaiming_stops_no_more_than_is_borrowed() -> None:
    """A team that borrows 8 chips is not put below its own quota, though the other has quota for a larger gang."""
    teams = (Team("red", 16), Team("blue", 24))
    bench = Bench(pool("a", nodes=3), policy=policy(teams=teams))
    for number in range(3):
        bench.submit(work(f"red{number}", team="red"))
    bench.submit(work("large", nodes=2, team="blue"))
    assert not stopped(bench)
    bench.do(Cancel("large"))
    bench.submit(work("small", team="blue"))
    assert len(stopped(bench)) == 1


def test_a_team_without_quota_any_more_gives_way() -> None:
    """All it uses is borrowed."""
    bench = Bench(pool("a", nodes=1), policy=policy(teams=(Team("red", 8), Team("blue", 8))))
    bench.submit(work("red", team="red"))
    bench.submit(work("blue", team="blue"))
    assert not stopped(bench)
    bench.do(Declare(bench.state.records.infrastructure, (), policy(teams=(Team("blue", 8),))))
    assert stopped(bench) == ["red.0.1"]


# -- nobody goes round in circles ---------------------------------------------------------------------------


def rounds(bench: Bench, limit: int = 200) -> int:
    """What stops has stopped after a moment, and nothing else happens: how often somebody had to."""
    count = 0
    while bench.state.stopping:
        count += 1
        assert count < limit, "they take turns for ever"
        bench.wait(10 * SECOND)
        bench.report(min(bench.state.stopping), "stopped")
        for attempt in tuple(bench.state.live.values()):
            if attempt.status == "placed":
                bench.run(attempt.id)
    return count


@pytest.mark.parametrize("order", ["sjf", "srtf"])
def test_quota_is_not_reclaimed_from_who_would_be_first_again(order: Any) -> None:
    """The shorter run goes first, borrowed quota or not: the longer waits."""
    teams = (Team("red", 0), Team("blue", 8))
    bench = Bench(pool("a", nodes=1), policy=policy(teams=teams, order=order))
    bench.submit(work("short", team="red", time_limit=Duration(10 * MINUTE)))
    bench.submit(work("long", team="blue", time_limit=Duration(HOUR)))
    assert bench.where("short") == "a"
    assert not stopped(bench)


def test_quota_is_reclaimed_first_come_first_served_too() -> None:
    """Priorities count for nothing in this order, also not here."""
    teams = (Team("red", 0), Team("blue", 8))
    bench = Bench(pool("a", nodes=1), policy=policy(teams=teams, order="fifo"))
    bench.submit(work("lent", team="red", priority=3))
    bench.submit(work("own", team="blue"))
    assert stopped(bench) == ["lent.0.1"]
    bench.report("lent.0.1", "stopped")
    assert bench.where("own") == "a"


def test_who_comes_back_within_its_own_quota_was_not_to_be_stopped() -> None:
    """Red borrows with the large gang. Were both stopped, the small one would be its own, and would go first again."""
    bench = Bench(pool("a", nodes=3), policy=policy(teams=(Team("red", 8), Team("blue", 24))))
    bench.submit(work("small", team="red", chips_per_node=4))
    bench.submit(work("large", nodes=2, team="red"))
    bench.submit(work("wide", nodes=3, team="blue"))
    assert not stopped(bench)
    bench.do(Cancel("wide"))
    bench.submit(work("narrow", nodes=2, team="blue"))
    assert stopped(bench) == ["large.0.1"]


def test_quota_that_a_team_makes_free_is_kept_for_whom_it_is_made() -> None:
    """Smaller work of the same team that is less urgent does not slip in while the other stops."""
    teams = (Team("red", 8, borrowing_limit_chips=0),)
    bench = Bench(pool("a", nodes=4), policy=policy(teams=teams))
    bench.submit(work("low", team="red", chips_per_node=4))
    bench.submit(work("tiny", team="red", chips_per_node=1, nodes=4))
    for number in range(3):
        bench.submit(work(f"more{number}", team="red", chips_per_node=4))
    bench.submit(work("urgent", team="red", priority=5))
    assert sorted(stopped(bench)) == ["low.0.1", "tiny.0.1"]
    bench.report("tiny.0.1", "stopped")
    assert [name for name in ("more0", "more1", "more2", "tiny") if bench.where(name)] == []
    bench.submit(work("late", team="red", chips_per_node=4))
    assert not bench.where("late")
    bench.report("low.0.1", "stopped")
    assert bench.where("urgent") == "a"


CROWDS = st.lists(
    st.tuples(
        st.sampled_from(["red", "blue"]), st.integers(1, 2), st.sampled_from([1, 4, 8, 8]),
        st.sampled_from([0, 0, 5]),
        st.sampled_from([10 * MINUTE, HOUR, 8 * HOUR]), st.booleans(), st.integers(0, 9),
    ),
    min_size=2,
    max_size=12,
)  # fmt: skip
SHARES = st.lists(
    st.tuples(st.sampled_from([0, 8, 16, 32]), st.sampled_from([None, None, 0])), min_size=2, max_size=2
)


@settings(max_examples=150, deadline=None)
@given(
    crowd=CROWDS,
    shares=SHARES,
    order=st.sampled_from(["priority", "fifo", "sjf", "srtf"]),
    backfill=st.sampled_from(["easy", "none"]),
    lost=st.booleans(),
)
def test_nobody_is_stopped_in_circles(crowd: Any, shares: Any, order: Any, backfill: Any, lost: bool) -> None:
    """Nothing arrives, ends or fails, also not after a heavy loss: soon nobody is stopped any more."""
    teams = tuple(Team(name, *share) for name, share in zip(("red", "blue"), shares, strict=True))
    bench = Bench(
        pool("a", "oracle", nodes=2), pool("b", "aws", nodes=1, tenure="owned"), pool("c", "aws", nodes=1),
        policy=policy(teams=teams, order=order, backfill=backfill),
    )  # fmt: skip
    for number, (team, nodes, chips, priority, limit, saves, firm) in enumerate(crowd):
        bench.submit(
            work(f"w{number}", nodes, chips_per_node=chips, team=team, priority=priority, preemptible=firm > 0,
                 time_limit=Duration(limit), checkpoint=Checkpoint(path="ckpt") if saves else None)
        )  # fmt: skip
        bench.wait(MINUTE)
    if lost:
        bench.do(MarkSupply("pool", "a", "lost"))
    assert rounds(bench) <= 4 * len(crowd)


GANGS = st.lists(
    st.tuples(
        st.integers(1, 3), st.sampled_from([2, 4, 8]), st.integers(0, 3), st.booleans(), st.integers(0, 9)
    ),
    min_size=1,
    max_size=9,
)


@settings(max_examples=200, deadline=None)
@given(gangs=GANGS, nodes=st.integers(1, 4), chips=st.sampled_from([4, 8]), block=st.booleans())
def test_victims_are_enough_and_none_is_needless(gangs: Any, nodes: int, chips: int, block: bool) -> None:
    """They rank lower, may be stopped, make room together, and no smaller part of them would."""
    place = pool("a", nodes=6, block_nodes=4)
    bench = Bench(place, policy=policy())
    for number, (count, per_node, priority, firm, age) in enumerate(gangs):
        name = f"g{number}"
        bench.submit(
            work(name, count, chips_per_node=per_node, priority=priority, preemptible=not firm,
                 time_limit=Duration(9 * HOUR))
        )  # fmt: skip
        if bench.where(name):
            bench.run(f"{name}.0.{bench.state.records.workloads[name].slots[0].number}")
        bench.wait(age * MINUTE)
        while bench.state.stopping:
            bench.report(min(bench.state.stopping), "stopped")
    before, ran_before = free_chips(bench.state, place), set(bench.state.live)
    topology = Topology(required="block") if block else Topology()
    bench.submit(work("urgent", nodes, chips_per_node=chips, priority=2, topology=topology))
    victims = [bench.state.records.attempts[name] for name in stopped(bench)]
    works = bench.state.records.workloads

    def room(gone: list[Any]) -> bool:
        free = before.copy()
        for attempt in gone:
            for node in attempt.nodes:
                free[node] += attempt.chips_per_node
        return fits(free, place, nodes, chips, block=block)

    allowed = [
        attempt
        for attempt in bench.state.live.values()
        if works[attempt.workload].workload.priority < 2 and works[attempt.workload].workload.preemptible
        if attempt.id in ran_before
    ]
    if bench.where("urgent"):
        assert not victims
    elif works["urgent"].slots[0].status == "waiting" and bench.state.queue[0].workload == "urgent":
        assert bool(victims) == room(allowed)
    for victim in victims:
        assert victim in allowed
        assert not room([other for other in victims if other is not victim])
    assert not victims or room(victims)
