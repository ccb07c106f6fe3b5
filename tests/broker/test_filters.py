"""Each hard filter on its own: who is out, and what is said about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stargate.agreements import Agreement
from stargate.agreements.clause import ExclusiveServing
from stargate.agreements.scope import Filter
from stargate.base.time import HOUR, MINUTE
from stargate.broker import explain
from stargate.broker.command import MarkSupply
from stargate.broker.filters import within
from stargate.catalog.dated import DatedCount, Price
from stargate.catalog.pool import EngineRef
from stargate.workloads import Topology
from tests.broker.world import START, Bench, policy, pool, work

SOON = START.plus(30 * MINUTE)
LATER = START.plus(HOUR)

CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("place", {}, {"provider": "aws"}, "asks for provider aws"),
    ("place", {}, {"site": "no"}, "asks for site no"),
    ("place", {}, {"pool": "b"}, "asks for pool b"),
    ("chip", {}, {"chip": "H200"}, "it has H100-SXM"),
    ("engine", {"engine": EngineRef(kind="none")}, {}, "no engine"),
    ("residency", {"site": "no"}, {"residency": ("US",)}, "must stay in US"),
    ("size", {"chips_per_node": 4}, {}, "a node has 4 chips; the work wants 8"),
    ("size", {"nodes": 2}, {"nodes": 3}, "16 chips on 2 nodes; the gang wants 24 on 3"),
    ("topology", {"block_nodes": 2}, {"nodes": 3, "topology": Topology(required="block")}, "a block has 2"),
    ("price", {"price": "4"}, {"max_usd_per_chip_hour": Decimal(3)}, "above the cap of $3.00"),
    ("price", {"prices": (Price(usd_per_chip_hour=Decimal(1), from_=LATER),)}, {}, "no price is known"),
    ("budget", {}, {"max_cost_usd": Decimal(10)}, "it would cost $16.00; $10.00 is left"),
    ("term", {"until": START.plus(5 * MINUTE)}, {}, "the holding ends"),
    ("term", {"until": SOON}, {"checkpoint": None}, "it saves no checkpoint"),
]


@pytest.mark.parametrize(("name", "there", "asked", "says"), CASES)
def test_a_filter_keeps_it_out_and_says_why(name: str, there: Any, asked: Any, says: str) -> None:
    """One pool that would do but for one thing."""
    bench = Bench(pool("a", **there), policy=policy())
    bench.submit(work("job", **asked))
    assert bench.where("job") == ""
    (candidate,) = explain(bench.state, "job", 0, bench.now).candidates
    assert (candidate.verdict, candidate.filter) == ("excluded", name)
    assert says in candidate.says


@pytest.mark.parametrize("asked", [{"max_cost_usd": Decimal(16)}, {"max_usd_per_chip_hour": Decimal(2)}])
def test_a_limit_may_be_reached(asked: Any) -> None:
    """Caps and budgets are inclusive."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("job", **asked))
    assert bench.where("job") == "a"


def test_what_was_spent_is_gone() -> None:
    """A budget is for all attempts together."""
    bench = Bench(pool("a"), policy=policy())
    bench.submit(work("job", max_cost_usd=Decimal(20)))
    bench.run("job.0.1")
    bench.wait(HOUR)
    bench.report("job.0.1", "failed", failure="preempted")
    assert bench.where("job") == ""


@pytest.mark.parametrize("scope", [("provider", "azure"), ("site", "tx"), ("pool", "a")])
@pytest.mark.parametrize("status", ["lost", "draining"])
def test_what_is_marked_draws_no_work(scope: Any, status: Any) -> None:
    """At any of the three levels, until it is up again."""
    bench = Bench(pool("a"), policy=policy())
    bench.do(MarkSupply(scope[0], scope[1], status))
    bench.submit(work("job"))
    assert bench.where("job") == ""
    bench.do(MarkSupply(scope[0], scope[1], "up"))
    assert bench.where("job") == "a"


def test_independence_caps_the_largest_provider() -> None:
    """No provider may carry more than its share of what is held."""
    bench = Bench(
        pool("a", "oracle", price="1"),
        pool("b", "aws", price="5"),
        policy=policy(max_provider_share=Decimal("0.25")),
    )
    for number in range(3):
        bench.submit(work(f"j{number}"))
    assert [bench.where(f"j{n}") for n in range(3)] == ["a", "a", "b"]


def test_a_clause_may_speak_of_a_chip() -> None:
    """What agreements look at includes the chip: H200 is promised to Microsoft, H100 is not."""
    clause = ExclusiveServing(
        id="api", holder="microsoft", grantor="lab", products=("api",), actions=("serve",),
        scope=(Filter(field="chip", operator="In", values=("H200-SXM",)),),
    )  # fmt: skip
    ms = Agreement(
        id="ms", parties=("lab", "microsoft"), customer="lab", supplier="microsoft", signed_on=START, clauses=(clause,)
    )  # fmt: skip
    bench = Bench(
        pool("a", "oracle", chip="H200-SXM", price="1"), pool("b", "aws", price="2"), policy=policy(), agreements=(ms,)
    )  # fmt: skip
    bench.submit(work("api", kind="serve", product="api", time_limit=None, chip=None))
    assert bench.where("api") == "b"


def test_a_country_covers_its_states_and_nothing_that_only_begins_alike() -> None:
    """Codes are compared part by part."""
    assert within("US-TX", ("US",))
    assert within("US-TX", ())
    assert not within("USA", ("US",))
    assert not within("US", ("US-TX",))


def test_nodes_still_to_come_do_not_count() -> None:
    """Only what is operational now."""
    counts = (DatedCount(nodes=1, from_=START), DatedCount(nodes=9, from_=LATER))
    bench = Bench(msgspec.structs.replace(pool("a"), nodes=counts), policy=policy())
    bench.submit(work("job", 2))
    assert bench.where("job") == ""
