"""The search for the best place, against one that looks at everything."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.time import HOUR, Duration
from stargate.broker.ask import ask_of
from stargate.broker.command import Report, Submit
from stargate.broker.place import place
from stargate.workloads import Checkpoint, Resources, Topology
from stargate.workloads.workload import Data
from tests.broker.oracle import best
from tests.broker.world import PROVIDERS, SITES, Bench, policy, pool, work

POOLS = st.fixed_dictionaries(
    {
        "provider": st.sampled_from(sorted(PROVIDERS)),
        "site": st.sampled_from(sorted(SITES)),
        "price": st.sampled_from(["1", "2", "2.5"]),
        "tenure": st.sampled_from(["on_demand", "on_demand", "owned"]),
        "nodes": st.integers(0, 9),
        "block_nodes": st.sampled_from([1, 3, 4]),
        "chips_per_node": st.sampled_from([4, 8]),
        "chip": st.sampled_from(["H100-SXM", "H100-SXM", "H200-SXM"]),
        "egress_usd_per_gib": st.sampled_from([Decimal(0), Decimal("0.5")]),
    }
)
OPTIONS = st.fixed_dictionaries(
    {"chip": st.sampled_from(["H100", "H100", "H200", None]), "chips_per_node": st.sampled_from([1, 4, 8])},
    optional={
        "provider": st.sampled_from(sorted(PROVIDERS)),
        "site": st.sampled_from(sorted(SITES)),
        "pool": st.sampled_from(["p0", "p1"]),
        "max_usd_per_chip_hour": st.just(Decimal(2)),
    },
).map(lambda fields: msgspec.convert(fields, Resources))
WORK = st.fixed_dictionaries(
    {
        "nodes": st.integers(1, 5),
        "alternatives": st.lists(OPTIONS, min_size=1, max_size=3).map(tuple),
        "ordered": st.booleans(),
        "topology": st.sampled_from([Topology(), Topology(required="block"), Topology(preferred="block")]),
        "residency": st.sampled_from([(), (), ("US",), ("US-TX", "NO")]),
        "time_limit": st.sampled_from([None, Duration(HOUR), Duration(10 * HOUR)]),
    },
    optional={
        "max_cost_usd": st.just(Decimal(100)),
        "inputs": st.just((Data(uri="x", size_gib=Decimal(40), site="tx"),)),
    },
)


@settings(max_examples=200, deadline=None)
@given(
    pools=st.lists(POOLS, min_size=1, max_size=6),
    before=st.lists(WORK, max_size=6),
    ended=st.sets(st.integers(0, 5)),
    wanted=WORK,
)
def test_the_choice_is_one_that_brute_force_would_make(
    pools: list[dict[str, Any]], before: list[dict[str, Any]], ended: set[int], wanted: dict[str, Any]
) -> None:
    """On clusters in any state: the same score, on one of the pools that tie, and nothing only if there is nothing."""
    bench = Bench(
        *(pool(f"p{n}", **fields) for n, fields in enumerate(pools)),
        pool("tx-egress", site="tx", nodes=0),
        policy=policy(preemption=False),
    )
    for number, fields in enumerate(before):
        bench.do(Submit(f"b{number}", work(f"b{number}", **fields)))
    for number in ended:
        bench.do(Report(f"b{number}.0.1", "done"))
    wish = work("wanted", **wanted)
    bench.do(Submit("elsewhere", wish))
    holder = bench.state.records.workloads["elsewhere"]
    ask = ask_of(bench.state, holder, holder.slots[0])
    choice = place(bench.state, ask, bench.now).choice
    expected = best(bench.state, wish, bench.now)
    assert (choice is None) == (not expected)
    if choice is not None:
        assert (choice.score, choice.supply.pool) in expected


def test_owned_before_paid_by_use_before_dearer() -> None:
    """What is paid already costs nothing more; then the lower price."""
    bench = Bench(
        pool("dear", "aws", price="3"),
        pool("cheap", "oracle", price="1"),
        pool("mine", "azure", tenure="owned", nodes=1),
        policy=policy(),
    )
    for number in range(3):
        bench.submit(work(f"j{number}", nodes=1))
    assert [bench.where(f"j{n}") for n in range(3)] == ["mine", "cheap", "cheap"]
    bench.submit(work("wide", nodes=4))
    assert bench.where("wide") == "dear"


def test_ordered_alternatives_beat_price_and_any_of_does_not() -> None:
    """`ordered` is a wish; `any_of` is the cheapest."""
    wishes = (
        Resources(chip="H100", chips_per_node=8, provider="aws"),
        Resources(chip="H100", chips_per_node=8, provider="oracle"),
    )
    bench = Bench(pool("dear", "aws", price="3"), pool("cheap", "oracle", price="1"), policy=policy())
    bench.submit(work("ordered", alternatives=wishes, ordered=True))
    bench.submit(work("any", alternatives=wishes))
    assert bench.where("ordered") == "dear"
    assert bench.where("any") == "cheap"


def test_a_preferred_block_decides_between_equals_and_no_more() -> None:
    """At one price the pool with a whole block wins; a dearer one does not."""
    split = pool("a-split", "oracle", block_nodes=2)
    whole = pool("b-whole", "aws", block_nodes=4)
    dear = pool("c-dear", "azure", block_nodes=4, price="9")
    together = Topology(preferred="block")
    bench = Bench(split, whole, dear, policy=policy())
    bench.submit(work("one", nodes=3, topology=together))
    bench.submit(work("two", nodes=3, topology=together))
    assert [bench.where("one"), bench.where("two")] == ["b-whole", "a-split"]


def test_a_checkpoint_stays_where_moving_it_costs_more() -> None:
    """Egress of the checkpoint counts against a cheaper provider."""
    big = Checkpoint(path="c", size_gib=Decimal(1000))
    home = pool("home", "oracle", price="2", egress_usd_per_gib=Decimal("0.1"))
    bench = Bench(home, pool("cheap", "aws", price="1.9", nodes=0), policy=policy())
    bench.submit(work("lm", checkpoint=big))
    bench.run("lm.0.1")
    bench.report("lm.0.1", "checkpointed", step=5)
    holder = bench.state.records.workloads["lm"]
    ask = ask_of(bench.state, holder, holder.slots[0])
    assert ask.moves_from == "oracle"
    bench.report("lm.0.1", "failed", failure="preempted")
    assert bench.where("lm") == "home"


def test_a_provider_that_failed_is_used_again_when_no_other_can_serve() -> None:
    """To pass over is a preference: nobody waits for ever."""
    bench = Bench(pool("only", "oracle"), policy=policy())
    bench.submit(work("lm"))
    bench.report("lm.0.1", "failed", failure="infrastructure")
    assert bench.where("lm") == "only"


def test_the_grounds_name_the_price_and_who_was_out() -> None:
    """A placement says why in sentences."""
    bench = Bench(
        pool("a", "oracle", price="1"),
        pool("b", "aws", price="2"),
        pool("c", "azure", "no", price="1"),
        policy=policy(),
    )
    bench.submit(work("lm", residency=("US",)))
    says = " | ".join(ground.says for ground in bench.facts[-1].grounds)
    assert "oracle/a is the cheapest permitted: $1.00 a chip-hour" in says
    assert "1 offer excluded: no is in NO-18" in says
