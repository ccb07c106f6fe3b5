"""Team quotas: own share, borrowing, giving back; sums that are never passed."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.broker import quota
from stargate.broker.command import Cancel
from stargate.broker.fact import Placed, Stopping
from stargate.broker.policy import Team
from stargate.workloads import Resources
from tests.broker.world import Bench, policy, pool, work

RED, BLUE = Team("red", 16), Team("blue", 16)


def test_a_team_borrows_idle_quota_and_gives_it_back() -> None:
    """Beyond its nominal quota a team runs on what others leave idle, until they reclaim it."""
    bench = Bench(pool("a"), policy=policy(teams=(RED, BLUE)))
    for number in range(5):
        bench.submit(work(f"red{number}", team="red"))
    assert [bool(bench.where(f"red{n}")) for n in range(5)] == [True, True, True, True, False]
    bench.submit(work("blue0", team="blue"))
    (stopping,) = bench.of(Stopping)
    bench.report(stopping.attempt, "stopped")
    assert bench.where("blue0") == "a"


def test_a_borrowing_limit_holds() -> None:
    """A team may borrow only so much."""
    teams = (Team("red", 8, borrowing_limit_chips=8), BLUE)
    bench = Bench(pool("a"), policy=policy(teams=teams))
    for number in range(3):
        bench.submit(work(f"red{number}", team="red"))
    assert [bool(bench.where(f"red{n}")) for n in range(3)] == [True, True, False]
    says = quota.over_quota(bench.state, "red", 8)
    assert says is not None
    assert "8 more would pass its quota of 8 and the 8 it may borrow" in says.says


def test_own_quota_goes_before_borrowing() -> None:
    """At equal priority who uses its own is served first, though it came later."""
    bench = Bench(pool("a", nodes=3), policy=policy(teams=(Team("red", 8), BLUE)))
    for name in ("first", "borrowed"):
        bench.submit(work(name, team="red"))
    bench.submit(work("wide", nodes=2, team="red"))
    bench.submit(work("own", nodes=2, team="blue"))
    (stopping,) = bench.of(Stopping)
    bench.report(stopping.attempt, "stopped")
    assert [bench.where(n) for n in ("own", "wide")] == ["a", ""]


def test_a_dearer_alternative_is_held_to_the_quota_too() -> None:
    """The small alternative would be within quota, but only the large one is to be had."""
    wishes = (Resources(chip="H200", chips_per_node=4), Resources(chip="H100", chips_per_node=8))
    team = Team("red", 4, borrowing_limit_chips=0)
    bench = Bench(pool("a"), pool("b", chip="H200-SXM", nodes=0), policy=policy(teams=(team, BLUE)))
    bench.submit(work("either", team="red", alternatives=wishes))
    assert bench.where("either") == ""


SUBMITS = st.lists(
    st.tuples(st.sampled_from(["red", "blue", "green"]), st.integers(1, 3), st.sampled_from([4, 8]), st.booleans()),
    min_size=1,
    max_size=20,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(submits=SUBMITS)
def test_no_sum_is_passed_and_reclaiming_comes_to_rest(submits: Any) -> None:
    """Whoever comes: no team above quota and limit, all within the sum; after every stop, peace returns."""
    teams = (Team("red", 24), Team("blue", 16, borrowing_limit_chips=8), Team("green", 24))
    bench = Bench(pool("a", nodes=8), policy=policy(teams=teams))
    for number, (team, nodes, chips, cancels) in enumerate(submits):
        bench.submit(work(f"j{number}", nodes, chips_per_node=chips, team=team))
        for _ in range(100):
            if not bench.state.stopping:
                break
            bench.report(min(bench.state.stopping), "stopped")
        assert not bench.state.stopping
        used = bench.state.team_chips
        assert sum(used.values()) <= 64
        assert used.get("blue", 0) <= 24
        if cancels and number % 3 == 0:
            bench.do(Cancel(f"j{number // 2}"))


def test_within_a_team_the_urgent_goes_first() -> None:
    """At its quota a team's urgent work takes the place of its own less urgent work, and of nobody else's."""
    bench = Bench(pool("a"), policy=policy(teams=(Team("red", 16), Team("blue", 16))))
    for name, team in (("red0", "red"), ("red1", "red"), ("blue0", "blue"), ("blue1", "blue")):
        bench.submit(work(name, team=team, priority=0 if team == "red" else -5))
    bench.submit(work("urgent", team="red", priority=50))
    (stopping,) = bench.of(Stopping)
    assert stopping.attempt in {"red0.0.1", "red1.0.1"}
    bench.submit(work("more", team="red", priority=40))
    assert not bench.of(Stopping)  # room is being made; one after the other
    bench.report(stopping.attempt, "stopped")
    assert bench.where("urgent") == "a"
    assert bench.where("blue0") == bench.where("blue1") == "a"


def test_quota_that_is_being_freed_is_kept_for_whom_it_was_freed() -> None:
    """Less urgent work of the team that waits does not take it meanwhile: it would only be stopped again."""
    red = Team("red", 16, borrowing_limit_chips=0)
    bench = Bench(pool("a", nodes=8), policy=policy(teams=(red, BLUE)))
    for number in range(4):
        bench.submit(work(f"low{number}", team="red"))
    bench.submit(work("urgent", nodes=2, team="red", priority=50))
    first, second = bench.of(Stopping)
    bench.report(first.attempt, "stopped")
    assert [bench.where(f"low{number}") for number in (2, 3)] == ["", ""]
    assert not bench.of(Stopping)
    bench.report(second.attempt, "stopped")
    assert bench.where("urgent") == "a"
    assert not bench.of(Stopping)


def test_nobody_makes_room_for_what_has_no_place() -> None:
    """An urgent gang that could not start anyway stops nothing."""
    bench = Bench(pool("a"), policy=policy(teams=(Team("red", 16), Team("blue", 16))))
    for name in ("red0", "red1"):
        bench.submit(work(name, team="red"))
    for name in ("blue0", "blue1"):
        bench.submit(work(name, team="blue", preemptible=False))
    bench.submit(work("nowhere", team="red", priority=50, residency=("NO",)))
    assert not bench.of(Stopping)
    assert bench.where("red0") == "a"


def test_whom_room_is_made_for_keeps_its_quota_until_it_has_both() -> None:
    """It needs the place of one and the quota of another: neither starts again while the other stops."""
    bench = Bench(pool("a", nodes=1), pool("b", nodes=2), policy=policy(teams=(Team("red", 16, 0), BLUE)))
    bench.submit(work("wide", nodes=2, team="red", pool="b"))
    bench.submit(work("urgent", team="red", priority=10, pool="a"))
    bench.submit(work("other", team="blue", pool="a"))
    starts = 0
    while bench.state.stopping and starts < 9:
        for attempt in tuple(bench.state.stopping):
            bench.report(attempt, "stopped")
            starts += len(bench.of(Placed))
    assert (bench.where("urgent"), bench.where("wide")) == ("a", "")
    assert starts == 1
