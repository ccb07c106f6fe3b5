"""Stated work through the machine: sized once, when it is submitted; what was decided is in the facts."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from stargate.base.errors import UserError
from stargate.base.time import DAY, HOUR, Duration
from stargate.broker import Policy
from stargate.broker.command import Scale, Submit
from stargate.broker.effect import StartAttempt
from stargate.broker.explain import explain
from stargate.broker.fact import Placed, Scaled, Submitted
from stargate.broker.policy import Sizing
from stargate.broker.sizing import Estimator
from stargate.broker.state import State
from stargate.catalog import Pool
from stargate.catalog.pool import EngineRef
from stargate.engines.local.engine import job_of
from stargate.workloads import Layout, Resources, Service
from tests.broker.sizing.fake import Fake
from tests.broker.sizing.test_size import run, service
from tests.broker.world import Bench, policy, pool, work


def bench(*pools: Pool, estimator: Estimator | None = None, **changes: Any) -> Bench:
    """A machine that asks the fake, and takes thirty days for runs without a deadline."""
    changes.setdefault("sizing", Sizing(longest=Duration(30 * DAY)))
    made = Bench(*(pools or (pool("a", nodes=64),)), policy=policy(**changes))
    made.state.estimator = estimator or Fake()
    return made


class Silent:
    """Must not be asked."""

    def train(self, *_: object) -> Any:
        raise AssertionError("replay asks nothing")

    serve = least_chips = train


def test_the_size_that_was_decided_is_in_the_fact_and_is_what_is_placed() -> None:
    it = bench()
    it.submit(run("H100"))
    (submitted,) = it.of(Submitted)
    (size,) = submitted.workload.sizes
    assert submitted.grounds[0].says.startswith(
        "sized: 16 H100 for 14d15h (13d4h to 17d14h), bound by matmul"
    )
    (placed,) = it.of(Placed)
    assert (len(placed.nodes), placed.chips_per_node) == (2, 8)
    assert placed.expected_end == it.now.plus(size.duration)


def test_the_engine_is_told_how_to_cut_the_work() -> None:
    it = bench()
    it.submit(run("H100"))
    (start,) = it.effects
    assert isinstance(start, StartAttempt)
    assert start.layout == Layout(data_parallel=16)
    assert job_of(start).envs["STARGATE_DATA_PARALLEL"] == "16"
    assert "STARGATE_TENSOR_PARALLEL" not in job_of(start).envs


def test_work_that_is_not_stated_is_cut_by_who_wrote_it() -> None:
    it = bench()
    it.submit(work())
    (start,) = it.effects
    assert start.layout is None
    assert job_of(start).envs == {}


def test_replay_needs_no_performance_model() -> None:
    it = bench()
    it.submit(run("H100"))
    it.submit(service())
    again = State.unpack(it.state.pack())
    assert again.digest() == it.state.digest()
    assert it.replayed().digest() == it.state.digest()


def test_the_same_id_is_the_same_submission() -> None:
    it = bench()
    it.submit(run("H100"))
    it.state.estimator = Silent()
    it.submit(run("H100"))
    assert it.facts == []
    with pytest.raises(UserError, match="not the same"):
        it.submit(run("B200"))


def test_what_others_wrote_as_sizes_is_not_believed() -> None:
    it = bench()
    it.submit(run("H100"))
    sized = it.of(Submitted)[0].workload
    other = bench()
    other.submit(run("H100", sizes=(sized.sizes[0].__class__(resources=Resources("H100", 8), nodes=9),)))
    assert other.of(Submitted)[0].workload.sizes == sized.sizes


def test_a_refusal_changes_nothing() -> None:
    it = bench()
    before = it.state.digest()
    with pytest.raises(UserError, match="cannot be done within 1h"):
        it.do(Submit("lm", run("H100", deadline=it.now.plus(HOUR)), "tester"))
    assert it.state.digest() == before


def test_policy_says_how_long_a_run_may_take() -> None:
    it = bench(sizing=Sizing(longest=Duration(3 * DAY)))
    it.submit(run("H100"))
    assert it.of(Submitted)[0].workload.sizes[0].longest <= 3 * DAY
    assert Policy() == Policy(sizing=Sizing())
    with pytest.raises(ValueError, match="no time to run"):
        Sizing(longest=Duration(0))


def test_pools_without_an_engine_are_not_sized_for() -> None:
    it = bench(pool("a", nodes=64), pool("b", chip="B200-SXM", nodes=64, engine=EngineRef()))
    it.submit(run())
    assert {size.resources.chip for size in it.of(Submitted)[0].workload.sizes} == {"H100-SXM"}


def test_a_service_is_scaled_to_its_traffic() -> None:
    it = bench()
    it.submit(service())
    (scaled,) = it.of(Scaled)
    assert scaled.replicas == 41
    assert len(it.of(Placed)) == 41
    assert {placed.chips_per_node for placed in it.of(Placed)} == {1}
    it.do(Scale("chat", 2))
    assert it.state.records.workloads["chat"].replicas == 2


@pytest.mark.parametrize(("least", "most", "replicas"), [(1, 8, 8), (50, 64, 50), (2, 64, 41)])
def test_a_replica_policy_bounds_it(least: int, most: int, replicas: int) -> None:
    it = bench(pool("a", nodes=4))
    it.submit(service(service=Service(min_replicas=least, max_replicas=most), replicas=least))
    assert it.state.records.workloads["chat"].replicas == replicas


def test_unlike_chips_compete_by_what_the_whole_run_costs() -> None:
    """B200 has 2.275 times the peak: it is cheaper up to 2.275 times the price, save the fixed part."""
    for price, where in (("4", "new"), ("5", "old")):
        it = bench(pool("old", nodes=64, price="2"), pool("new", chip="B200-SXM", nodes=64, price=price))
        it.submit(run("H100", "B200"))
        assert it.where("lm") == where


def test_explain_shows_the_size_of_each_candidate() -> None:
    it = bench(pool("old", nodes=1, price="2"), pool("new", chip="B200-SXM", nodes=64, price="4"))
    it.submit(run("H100", "B200", max_cost_usd=Decimal(1)))
    said = explain(it.state, "lm", 0, it.now)
    shown = {each.pool: each for each in said.candidates}
    assert set(shown) == {"old", "new"}
    assert (shown["new"].nodes, shown["new"].chips) == (1, 8)
    assert shown["new"].duration is not None
    assert shown["new"].binds == "matmul"
    assert shown["new"].filter == "budget"


def test_a_broker_that_sizes_nothing_does_not_load_the_performance_model() -> None:
    """Every command and every restart would wait for NumPy otherwise."""
    code = "import sys, stargate.broker; print({'numpy', 'stargate.broker.sizing'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
