"""Explanations: every candidate with its score, or with what excluded it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from stargate.base.errors import NotFoundError
from stargate.broker import explain
from stargate.broker.command import MarkSupply
from stargate.broker.policy import Team
from stargate.workloads import Resources
from tests.broker.naive import AGREEMENTS
from tests.broker.world import Bench, policy, pool, work


def test_every_place_is_judged_best_first() -> None:
    """Best, possible, busy, excluded, and what would have to be sourced."""
    bench = Bench(
        pool("cheap", "oracle", price="1"),
        pool("dear", "aws", price="3"),
        pool("full", "aws", nodes=1),
        pool("far", "azure", "no"),
        pool("market", "aws", tenure="market"),
        policy=policy(),
    )
    bench.submit(work("filler", pool="full"))
    bench.submit(work("lm", nodes=1, residency=("US",), pool=None))
    bench.report("lm.0.1", "failed", failure="user")
    found = explain(bench.state, "filler", 0, bench.now)
    assert found.summary == "1 place would do but is busy"
    bench.submit(work("next", residency=("US",)))
    found = explain(bench.state, "next", 0, bench.now)
    told = [(c.pool, c.verdict, c.filter) for c in found.candidates]
    assert told == [
        ("cheap", "best", ""),
        ("dear", "possible", ""),
        ("full", "busy", "capacity"),
        ("far", "excluded", "residency"),
        ("market", "excluded", "tenure"),
    ]
    assert found.candidates[0].score_micro_usd == 8_000_000
    assert found.summary == "oracle/cheap is the best of 2 possible places"


def test_the_best_is_where_it_went() -> None:
    """Ordered alternatives: the first that can be had, though a later one is cheaper."""
    wishes = (
        Resources(chip="H100", chips_per_node=8, provider="aws"),
        Resources(chip="H100", chips_per_node=8, provider="oracle"),
    )
    bench = Bench(pool("dear", "aws", price="3"), pool("cheap", "oracle", price="1"), policy=policy())
    bench.submit(work("lm", alternatives=wishes, ordered=True))
    best = [c for c in explain(bench.state, "lm", 0, bench.now).candidates if c.verdict == "best"]
    assert [c.pool for c in best] == ["dear"] == [bench.where("lm")]


def test_a_clause_that_excludes_is_named() -> None:
    """With what would change the answer."""
    bench = Bench(pool("a", "oracle"), policy=policy(), agreements=AGREEMENTS)
    bench.submit(work("api", kind="serve", product="api", time_limit=None))
    (candidate,) = explain(bench.state, "api", 0, bench.now).candidates
    assert (candidate.filter, candidate.clause) == ("agreement", "ms/api")


def test_a_provider_that_failed_is_excluded_while_others_can_serve() -> None:
    """And forgiven where it is the only one, as in the search itself."""
    bench = Bench(pool("a", "oracle", price="1"), pool("b", "aws"), policy=policy())
    bench.submit(work("lm"))
    bench.report("lm.0.1", "failed", failure="infrastructure")
    told = {c.pool: c.filter for c in explain(bench.state, "lm", 0, bench.now).candidates}
    assert told == {"a": "avoid", "b": ""}
    bench.do(MarkSupply("provider", "aws", "draining"))
    told = {c.pool: c.filter for c in explain(bench.state, "lm", 0, bench.now).candidates}
    assert told == {"a": "", "b": "health"}


def test_a_quota_is_the_first_thing_said() -> None:
    """Nothing is wrong with the places."""
    bench = Bench(pool("a"), policy=policy(teams=(Team("red", 8, borrowing_limit_chips=0),)))
    bench.submit(work("lm", 2, team="red"))
    assert "would pass its quota of 8" in explain(bench.state, "lm", 0, bench.now).summary


def test_where_nothing_will_do_it_says_so() -> None:
    """Every place counted."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm", max_usd_per_chip_hour=Decimal("0.5")))
    assert explain(bench.state, "lm", 0, bench.now).summary == "none of 1 places may or can serve it"


@pytest.mark.parametrize(("workload", "slot"), [("ghost", 0), ("lm", 1), ("lm", -1)])
def test_what_does_not_exist_is_not_explained(workload: str, slot: int) -> None:
    """Workloads and slots are named as they are."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("lm"))
    with pytest.raises(NotFoundError):
        explain(bench.state, workload, slot, bench.now)
