"""Moves that pay for themselves, one place for each, and none that go back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stargate.base.time import HOUR, MINUTE, Duration
from stargate.broker.command import Declare, MarkSupply, Wake
from stargate.broker.fact import Stopping
from stargate.broker.policy import Migration
from stargate.workloads import Checkpoint, Resources
from tests.broker.world import Bench, policy, pool, work


def away_from_cheap(*names: str, cheap_nodes: int = 4, **changes: Any) -> Bench:
    """Long jobs that run on dear capacity, while the cheap one is away."""
    bench = Bench(
        pool("cheap", "oracle", price="1", nodes=cheap_nodes), pool("dear", "aws", price="4"), policy=policy()
    )
    bench.do(MarkSupply("pool", "cheap", "draining"))
    for name in names:
        bench.submit(work(name, **({"time_limit": Duration(100 * HOUR)} | changes)))
        bench.run(f"{name}.0.1")
        bench.report(f"{name}.0.1", "checkpointed", step=1)
    return bench


def moved(bench: Bench) -> list[str]:
    """Whom the last command sent elsewhere."""
    return [fact.attempt for fact in bench.of(Stopping) if fact.reason == "migrated"]


def test_a_long_job_moves_and_one_that_is_nearly_over_stays() -> None:
    """Cheaper capacity comes back; the move must pay for itself."""
    bench = away_from_cheap("long")
    bench.submit(work("brief", time_limit=Duration(5 * MINUTE)))
    bench.run("brief.0.1")
    bench.do(MarkSupply("pool", "cheap", "up"))
    assert moved(bench) == ["long.0.1"]
    bench.report("long.0.1", "stopped", step=5)
    assert [bench.where("long"), bench.where("brief")] == ["cheap", "dear"]
    bench.run("long.0.2")
    bench.do(Wake())
    assert moved(bench) == []


def test_no_two_are_sent_to_one_place() -> None:
    """One node is free: one goes, and the others stay where they are."""
    bench = away_from_cheap("x", "y", "z", cheap_nodes=1)
    bench.do(MarkSupply("pool", "cheap", "up"))
    assert len(moved(bench)) == 1
    bench.do(MarkSupply("site", "no", "draining"))
    assert moved(bench) == []
    bench.report(min(bench.state.stopping), "stopped")
    assert [bench.where(name) for name in ("x", "y", "z")].count("cheap") == 1
    assert moved(bench) == []


def test_as_many_go_as_there_are_places() -> None:
    """Three free nodes, three moves at once."""
    bench = away_from_cheap("x", "y", "z", cheap_nodes=3)
    bench.do(MarkSupply("pool", "cheap", "up"))
    assert len(moved(bench)) == 3


def test_work_since_the_last_checkpoint_counts() -> None:
    """What would have to be done again costs more than the move saves."""
    bench = away_from_cheap("lm", time_limit=Duration(10 * HOUR))
    bench.wait(8 * HOUR)
    bench.do(MarkSupply("pool", "cheap", "up"))
    assert moved(bench) == []
    bench.report("lm.0.1", "checkpointed", step=2)
    bench.do(Wake())
    assert moved(bench) == ["lm.0.1"]


def test_a_larger_gang_elsewhere_is_no_saving() -> None:
    """The price by the chip is lower, but the alternative needs four times as many."""
    wishes = (Resources(chip="H100", chips_per_node=2), Resources(chip="H200", chips_per_node=8))
    bench = Bench(
        pool("few", "aws", price="3"),
        pool("many", "oracle", price="1", chip="H200-SXM"),
        policy=policy(),
    )
    bench.submit(work("lm", alternatives=wishes, time_limit=Duration(100 * HOUR)))
    assert bench.where("lm") == "few"
    bench.run("lm.0.1")
    bench.do(Wake())
    assert moved(bench) == []


def test_who_does_not_save_or_serves_does_not_move() -> None:
    """Only runs with a checkpoint and a limit are moved for money."""
    for changes in ({"checkpoint": None}, {"time_limit": None}, {"kind": "serve", "time_limit": None}):
        bench = away_from_cheap("lm", **changes)
        bench.do(MarkSupply("pool", "cheap", "up"))
        assert moved(bench) == []


def test_egress_of_the_checkpoint_counts() -> None:
    """A hundred dollars an hour saved, ten thousand to carry the checkpoint over."""
    bench = Bench(
        pool("cheap", "oracle", price="1"),
        pool("dear", "aws", price="2", egress_usd_per_gib=Decimal(1)),
        policy=policy(migration=Migration(min_saving_usd=Decimal(1))),
    )
    bench.do(MarkSupply("pool", "cheap", "draining"))
    heavy = Checkpoint("c", size_gib=Decimal(10_000))
    bench.submit(work("lm", time_limit=Duration(100 * HOUR), checkpoint=heavy))
    bench.run("lm.0.1")
    bench.report("lm.0.1", "checkpointed", step=1)
    bench.do(MarkSupply("pool", "cheap", "up"))
    assert moved(bench) == []


def test_policy_can_forbid_moves() -> None:
    """`migration.enabled: false`."""
    bench = away_from_cheap("lm")
    frozen = policy(migration=Migration(enabled=False))
    bench.do(Declare(bench.state.records.infrastructure, (), frozen))
    bench.do(MarkSupply("pool", "cheap", "up"))
    assert moved(bench) == []
