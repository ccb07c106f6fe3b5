"""Passes over the queue: who starts, who waits, who gives way."""

from __future__ import annotations

from decimal import Decimal

from stargate.base.time import HOUR, MINUTE, Duration
from stargate.broker import Policy
from stargate.broker.command import Cancel, MarkSupply, Scale
from stargate.broker.fact import Ended, Placed, Requeued, Stopping, WorkloadEnded
from stargate.broker.policy import SourcingPolicy, Team
from stargate.workloads import Resources
from tests.broker.world import Bench, pool, work

HELD_ONLY = SourcingPolicy(automatic=False)
PLAIN = Policy(lab="lab", sourcing=HELD_ONLY)


def test_owned_before_paid_by_use_before_dearer() -> None:
    """What is paid already costs nothing more; then the lower price."""
    bench = Bench(
        pool("dear", "aws", price="3"),
        pool("cheap", "oracle", price="1"),
        pool("mine", "azure", tenure="owned", nodes=1),
        policy=PLAIN,
    )
    for number in range(3):
        bench.submit(work(f"j{number}", nodes=1))
    assert [bench.where(f"j{n}") for n in range(3)] == ["mine", "cheap", "cheap"]
    bench.submit(work("wide", nodes=4))
    assert bench.where("wide") == "dear"


def test_a_gang_starts_whole_or_not_at_all() -> None:
    """Three free nodes are of no use to a gang of four."""
    bench = Bench(pool("a"), policy=PLAIN)
    bench.submit(work("one"))
    bench.submit(work("four", nodes=4))
    assert bench.where("four") == ""
    bench.report("one.0.1", "done")
    assert bench.where("four") == "a"


def test_ordered_alternatives_beat_price_and_any_of_does_not() -> None:
    """`ordered` is a wish; `any_of` is the cheapest."""
    wishes = (
        Resources(chip="H100", chips_per_node=8, provider="aws"),
        Resources(chip="H100", chips_per_node=8, provider="oracle"),
    )
    bench = Bench(pool("dear", "aws", price="3"), pool("cheap", "oracle", price="1"), policy=PLAIN)
    bench.submit(work("ordered", alternatives=wishes, ordered=True))
    bench.submit(work("any", alternatives=wishes))
    assert bench.where("ordered") == "dear"
    assert bench.where("any") == "cheap"


def test_easy_backfill_lets_short_work_pass_and_long_work_wait() -> None:
    """The first blocked gang keeps its start: only work that cannot delay it slips in."""
    bench = Bench(pool("a"), policy=PLAIN)
    bench.submit(work("running", nodes=3, time_limit=Duration(2 * HOUR)))
    bench.submit(work("head", nodes=4))
    bench.submit(work("long", nodes=1, time_limit=Duration(3 * HOUR)))
    bench.submit(work("short", nodes=1, time_limit=Duration(1 * HOUR)))
    assert [bench.where(n) for n in ("head", "long", "short")] == ["", "", "a"]
    bench.wait(HOUR)
    bench.report("short.0.1", "done")
    bench.report("running.0.1", "done")
    assert bench.where("head") == "a"


def test_higher_priority_preempts_the_cheapest_victim() -> None:
    """Of two that may be stopped, the one that loses less work goes; it waits again, and nothing counts against it."""
    bench = Bench(pool("a", nodes=2), policy=PLAIN)
    bench.submit(work("old"))
    bench.run("old.0.1")
    bench.wait(30 * MINUTE)
    bench.submit(work("young"))
    bench.run("young.0.1")
    bench.wait(MINUTE)
    bench.submit(work("urgent", priority=100))
    (stopping,) = bench.of(Stopping)
    assert (stopping.attempt, stopping.reason) == ("young.0.1", "preempted")
    bench.report("young.0.1", "stopped", step=7)
    assert bench.where("urgent") == "a"
    assert bench.where("young") == ""
    assert bench.state.records.workloads["young"].slots[0].recoveries == 0


def test_work_that_is_not_preemptible_stays() -> None:
    """`preemptible: false` is a promise."""
    bench = Bench(pool("a", nodes=1), policy=PLAIN)
    bench.submit(work("firm", preemptible=False))
    bench.submit(work("urgent", priority=100))
    assert bench.where("firm") == "a"
    assert not bench.of(Stopping)


def test_a_team_borrows_idle_quota_and_gives_it_back() -> None:
    """Beyond its nominal quota a team runs on what others leave idle, until they reclaim it."""
    teams = (Team("red", 16), Team("blue", 16))
    bench = Bench(pool("a"), policy=Policy(lab="lab", teams=teams, sourcing=HELD_ONLY))
    for number in range(5):
        bench.submit(work(f"red{number}", team="red"))
    assert [bool(bench.where(f"red{n}")) for n in range(5)] == [True, True, True, True, False]
    bench.submit(work("blue0", team="blue"))
    (stopping,) = bench.of(Stopping)
    bench.report(stopping.attempt, "stopped")
    assert bench.where("blue0") == "a"


def test_a_borrowing_limit_holds() -> None:
    """A team may borrow only so much."""
    teams = (Team("red", 8, borrowing_limit_chips=8), Team("blue", 16))
    bench = Bench(pool("a"), policy=Policy(lab="lab", teams=teams, sourcing=HELD_ONLY))
    for number in range(3):
        bench.submit(work(f"red{number}", team="red"))
    assert [bool(bench.where(f"red{n}")) for n in range(3)] == [True, True, False]


def test_residency_price_cap_and_budget_exclude() -> None:
    """Hard filters are hard."""
    bench = Bench(
        pool("norway", "oracle", "no", price="1"), pool("texas", "aws", "tx", price="4"), policy=PLAIN
    )
    bench.submit(work("home", residency=("US",)))
    bench.submit(work("thrifty", residency=("US",), max_usd_per_chip_hour=Decimal(3)))
    bench.submit(work("poor", residency=("US",), max_cost_usd=Decimal(10)))
    assert [bench.where(n) for n in ("home", "thrifty", "poor")] == ["texas", "", ""]


def test_independence_caps_the_largest_provider() -> None:
    """No provider may carry more than its share of what is held."""
    bench = Bench(
        pool("a", "oracle", price="1"),
        pool("b", "aws", price="5"),
        policy=Policy(lab="lab", max_provider_share=Decimal("0.25"), sourcing=HELD_ONLY),
    )
    for number in range(3):
        bench.submit(work(f"j{number}"))
    assert [bench.where(f"j{n}") for n in range(3)] == ["a", "a", "b"]


def test_a_lost_provider_moves_its_work_elsewhere_and_fences_it() -> None:
    """Recovery goes to another provider from the checkpoint; a late report of the lost attempt changes nothing."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws", price="2"), policy=PLAIN)
    bench.submit(work("lm", nodes=2))
    bench.run("lm.0.1")
    bench.report("lm.0.1", "checkpointed", step=100)
    bench.do(MarkSupply("provider", "oracle", "lost", "no heartbeat"))
    (ended,) = bench.of(Ended)
    (requeued,) = bench.of(Requeued)
    assert (ended.outcome, ended.last_step, requeued.avoid) == ("lost", 100, ("oracle",))
    assert bench.where("lm") == "b"
    digest = bench.state.digest()
    bench.report("lm.0.1", "done", step=300)
    assert bench.state.digest() == digest
    bench.run("lm.0.2")
    bench.report("lm.0.2", "done", step=300, metrics={"loss": Decimal("2.1")})
    assert bench.state.records.workloads["lm"].status == "succeeded"


def test_user_failures_are_bounded_by_max_restarts() -> None:
    """The program's own fault is tried again only as often as its owner said."""
    bench = Bench(pool("a"), policy=PLAIN)
    bench.submit(work("bug", max_restarts=1))
    bench.report("bug.0.1", "failed", failure="user", detail="exit 1")
    assert bench.where("bug") == ""
    bench.wait(2 * MINUTE)
    from stargate.broker.command import Wake

    bench.do(Wake())
    assert bench.where("bug") == "a"
    bench.report("bug.0.2", "failed", failure="user", detail="exit 1")
    assert bench.of(WorkloadEnded)[0].outcome == "failed"


def test_a_service_keeps_its_replicas_and_scales() -> None:
    """A replica that exits is replaced; scaling down stops the last ones."""
    from stargate.broker.command import Wake

    bench = Bench(pool("a"), policy=PLAIN)
    bench.submit(work("chat", kind="serve", replicas=2, time_limit=None))
    assert [bench.where("chat", n) for n in range(2)] == ["a", "a"]
    bench.run("chat.1.1")
    bench.report("chat.1.1", "done")
    bench.wait(2 * MINUTE)
    bench.do(Wake())
    assert bench.where("chat", 1) == "a"
    bench.do(Scale("chat", 1))
    bench.report("chat.1.2", "stopped")
    assert bench.where("chat", 1) == ""
    bench.do(Scale("chat", 3))
    assert [bench.where("chat", n) for n in range(3)] == ["a", "a", "a"]


def test_cancel_stops_and_ends() -> None:
    """Cancelling a running workload ends it once its attempt has stopped."""
    bench = Bench(pool("a"), policy=PLAIN)
    bench.submit(work("lm"))
    bench.run("lm.0.1")
    bench.do(Cancel("lm", "me"))
    assert bench.state.records.workloads["lm"].status == "cancelling"
    bench.report("lm.0.1", "stopped")
    assert bench.state.records.workloads["lm"].status == "cancelled"


def test_draining_moves_work_and_draws_none() -> None:
    """A drained pool is left, and not chosen again."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws", price="2"), policy=PLAIN)
    bench.submit(work("lm"))
    bench.run("lm.0.1")
    bench.do(MarkSupply("pool", "a", "draining"))
    bench.report("lm.0.1", "stopped", step=10)
    assert bench.where("lm") == "b"


def test_a_move_that_pays_for_itself_happens_and_one_that_does_not_does_not() -> None:
    """Cheaper capacity comes back: a long job moves to it, a job that is nearly over stays."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws", price="4"), policy=PLAIN)
    bench.do(MarkSupply("pool", "a", "draining"))
    bench.submit(work("long", time_limit=Duration(100 * HOUR)))
    bench.submit(work("brief", time_limit=Duration(5 * MINUTE)))
    for name in ("long", "brief"):
        bench.run(f"{name}.0.1")
        bench.report(f"{name}.0.1", "checkpointed", step=1)
    bench.do(MarkSupply("pool", "a", "up"))
    (stopping,) = bench.of(Stopping)
    assert (stopping.attempt, stopping.reason) == ("long.0.1", "migrated")
    bench.report("long.0.1", "stopped", step=5)
    assert bench.where("long") == "a"
    assert bench.where("brief") == "b"


def test_replay_gives_the_same_state() -> None:
    """Facts alone rebuild the state, and so do the records of a snapshot."""
    bench = Bench(pool("a", "oracle"), pool("b", "aws"), policy=PLAIN)
    bench.submit(work("lm", nodes=2))
    bench.run("lm.0.1")
    bench.do(MarkSupply("provider", "oracle", "lost"))
    bench.submit(work("more"))
    assert bench.replayed().digest() == bench.state.digest()
    again = type(bench.state).unpack(bench.state.pack())
    assert again.digest() == bench.state.digest()
    assert again.queue == bench.state.queue
    assert {k: v.free_chips for k, v in again.nodes.items()} == {
        k: v.free_chips for k, v in bench.state.nodes.items()
    }


def test_a_repeated_command_is_answered_not_repeated() -> None:
    """The same id is the same command, whatever happened in between."""
    from stargate.broker.command import Submit

    bench = Bench(pool("a"), policy=PLAIN)
    first = bench.do(Submit("lm", work("lm")), "key-1")
    assert [type(e.fact) for e in first.entries][-1] is Placed
    again = bench.do(Submit("lm", work("lm")), "key-1")
    assert again.entries == ()
    assert again.repeated_seq == first.entries[-1].seq
