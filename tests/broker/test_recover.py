"""After an attempt ends: by whose fault, how often it is tried again, and where."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.time import HOUR, MINUTE, SECOND
from stargate.broker.command import Cancel, MarkSupply, Scale, Wake
from stargate.broker.fact import Ended, Requeued, Stopping, WorkloadEnded
from tests.broker.world import Bench, policy, pool, work


def wake(bench: Bench, after: int = 10 * MINUTE) -> None:
    """Time passes, and the machine looks."""
    bench.wait(after)
    bench.do(Wake())


def test_a_lost_provider_moves_its_work_elsewhere_and_fences_it() -> None:
    """Recovery goes to another provider from the checkpoint; a late report of the lost attempt changes nothing."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws", price="2"), policy=policy())
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
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("bug", max_restarts=1))
    bench.report("bug.0.1", "failed", failure="user", detail="exit 1")
    assert bench.where("bug") == ""
    wake(bench)
    assert bench.where("bug") == "a"
    bench.report("bug.0.2", "failed", failure="user", detail="exit 1")
    assert bench.of(WorkloadEnded)[0].outcome == "failed"


@pytest.mark.parametrize("failure", ["no_capacity", "preempted", "infrastructure"])
def test_recoveries_are_bounded_and_spaced(failure: str) -> None:
    """The first is immediate; each further one waits twice as long; after the last bound it has failed."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm", max_recoveries=3))
    waits = []
    for number in range(1, 4):
        bench.report(f"lm.0.{number}", "failed", failure=failure)
        waits.append(bench.of(Requeued)[0].not_before - bench.now)
        wake(bench)
    assert waits == [0, 2 * SECOND, 4 * SECOND]
    bench.report("lm.0.4", "failed", failure=failure)
    assert bench.of(WorkloadEnded)[0].outcome == "failed"


def test_the_provider_that_took_its_capacity_back_is_not_passed_over() -> None:
    """Preemption says nothing about its health."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws", price="2"), policy=policy())
    bench.submit(work("lm"))
    bench.report("lm.0.1", "stopped")
    assert bench.of(Ended)[0].failure == "preempted"
    assert bench.where("lm") == "a"


def test_a_replica_that_exits_is_replaced_for_ever() -> None:
    """A service keeps trying, more and more slowly."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("chat", kind="serve", time_limit=None, max_restarts=0))
    for number in range(1, 6):
        bench.report(f"chat.0.{number}", "done")
        assert bench.where("chat") == ""
        wake(bench)
    assert bench.where("chat") == "a"
    assert bench.of(WorkloadEnded) == []


def test_a_replica_comes_back_where_it_failed_rather_than_wait_for_its_sibling_to_end() -> None:
    """Its other place is taken by a service, which does not end; a run waits for one that does."""
    pools = (pool("a", "oracle", price="1", nodes=1), pool("b", "aws", price="2", nodes=1))
    bench = Bench(*pools, policy=policy())
    bench.submit(work("chat", kind="serve", time_limit=None, replicas=2))
    (first,) = [each for each in bench.state.live.values() if each.pool == "a"]
    bench.report(first.id, "failed", failure="infrastructure")
    assert bench.of(Requeued)[0].avoid == ("oracle",)
    assert sorted(each.pool for each in bench.state.live.values()) == ["a", "b"]
    bench = Bench(*pools, policy=policy())
    bench.submit(work("one"))
    bench.submit(work("other"))
    bench.report("one.0.1", "failed", failure="infrastructure")
    assert bench.where("one") == ""


def test_a_replica_that_ends_while_it_is_stopped_has_stopped() -> None:
    """A program that exits cleanly on request did not fail."""
    bench = Bench(pool("a", "oracle"), pool("b", "aws"), policy=policy())
    bench.submit(work("chat", kind="serve", time_limit=None))
    here = bench.where("chat")
    bench.do(MarkSupply("pool", here, "draining"))
    bench.report("chat.0.1", "done")
    assert bench.of(Ended)[0].outcome == "stopped"
    assert bench.of(Requeued)[0].counts == "none"
    assert bench.where("chat") not in {"", here}


def test_a_run_that_finishes_while_it_is_stopped_has_succeeded() -> None:
    """It won the race."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    bench.do(MarkSupply("pool", "a", "draining"))
    bench.report("lm.0.1", "done")
    assert bench.of(WorkloadEnded)[0].outcome == "succeeded"


def test_cancelling_ends_once_with_the_last_replica_however_it_ends() -> None:
    """One stops, two are lost with their provider: the workload ends once."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("chat", kind="serve", replicas=4, time_limit=None))
    bench.submit(work("next", nodes=4))
    bench.do(Cancel("chat"))
    assert len(bench.of(Stopping)) == 4
    bench.report("chat.0.1", "stopped")
    bench.report("chat.1.1", "failed", failure="user")
    assert bench.state.records.workloads["chat"].status == "cancelling"
    bench.do(MarkSupply("provider", "azure", "lost"))
    assert len(bench.of(Ended)) == 2
    assert [fact.outcome for fact in bench.of(WorkloadEnded)] == ["cancelled"]


def test_scaling_up_again_before_the_replica_has_stopped_keeps_its_slot() -> None:
    """It stops, and starts again."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("chat", kind="serve", replicas=2, time_limit=None))
    bench.do(Scale("chat", 1))
    bench.do(Scale("chat", 2))
    assert bench.where("chat", 1) == "a"
    bench.report("chat.1.1", "stopped")
    assert bench.state.records.workloads["chat"].slots[1].number == 2
    assert bench.where("chat", 1) == "a"


def test_the_cost_runs_from_acceptance() -> None:
    """Waiting for the engine costs nothing; an hour of eight chips at $2 is $16."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    bench.wait(HOUR)
    bench.report("lm.0.1", "accepted")
    bench.wait(HOUR)
    bench.report("lm.0.1", "done")
    assert bench.state.records.workloads["lm"].cost_micro_usd == 16_000_000
