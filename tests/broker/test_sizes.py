"""Placement of work whose size and run time are known for each chip: the whole run is compared, not the hour."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from stargate.base.money import cost_micro_usd
from stargate.base.time import DAY, HOUR, Duration
from stargate.broker.ask import ask_of, least_chips
from stargate.broker.command import Cancel
from stargate.broker.explain import explain
from stargate.broker.fact import Placed
from stargate.broker.place import place
from stargate.broker.sourcing.fact import NeedOpened
from stargate.catalog import Pool
from stargate.workloads import Resources, Size, Workload
from tests.broker.world import Bench, policy, pool, work

CHIPS = ("H100-SXM", "H200-SXM", "B200-SXM", "MI300X")


def size(chip: str, nodes: int, hours: float, **changes: Any) -> Size:
    """So many whole nodes for so long."""
    resources = Resources(chip=chip, chips_per_node=changes.pop("chips_per_node", 8))
    return Size(resources=resources, nodes=nodes, duration=Duration(int(hours * HOUR)), **changes)


def sized(*sizes: Size, **changes: Any) -> Workload:
    """A run that any of these sizes serves."""
    return work(time_limit=None, sizes=sizes, **changes)


def test_unlike_chips_are_compared_by_the_cost_of_the_whole_run() -> None:
    """Twice the price and a third of the time is cheaper."""
    bench = Bench(pool("old", price="2"), pool("new", chip="B200-SXM", price="4"), policy=policy())
    bench.submit(sized(size("H100-SXM", 2, 30), size("B200-SXM", 2, 10)))
    assert bench.where("job") == "new"
    (fact,) = bench.of(Placed)
    assert fact.score_micro_usd == cost_micro_usd(4_000_000, 16, 10 * HOUR)
    assert fact.expected_end == bench.now.plus(10 * HOUR)
    assert len(fact.nodes) == 2


def test_each_chip_gets_its_own_number_of_nodes() -> None:
    bench = Bench(pool("old", nodes=8), pool("new", chip="B200-SXM", price="9"), policy=policy())
    bench.submit(sized(size("H100-SXM", 6, 10), size("B200-SXM", 2, 10)))
    (fact,) = bench.of(Placed)
    assert (fact.pool, len(fact.nodes)) == ("old", 6)
    assert least_chips(bench.state.records.workloads["job"].workload) == 16


def test_held_capacity_that_costs_nothing_more_is_used_sparingly() -> None:
    """Fewer chip-hours, on whichever chip; and not the largest gang because it is done soonest."""
    bench = Bench(pool("a", tenure="owned"), pool("b", chip="B200-SXM", tenure="owned"), policy=policy())
    bench.submit(sized(size("H100-SXM", 2, 30), size("B200-SXM", 2, 10)))
    assert bench.where("job") == "b"
    bench.submit(sized(size("H100-SXM", 3, 11), size("H100-SXM", 1, 30), name="other"))
    assert len(bench.of(Placed)[0].nodes) == 1


def test_in_time_comes_before_cheap() -> None:
    """As the deadline comes nearer the smaller sizes are too slow."""
    sizes = (size("H100-SXM", 1, 40), size("H100-SXM", 4, 11))
    bench = Bench(pool("a", nodes=4), policy=policy())
    deadline = bench.now.plus(2 * DAY)
    bench.submit(sized(*sizes, deadline=deadline))
    assert len(bench.of(Placed)[0].nodes) == 1
    bench.do(Cancel("job"))
    bench.report("job.0.1", "stopped")
    bench.wait(10 * HOUR)
    bench.submit(sized(*sizes, deadline=deadline, name="later"))
    assert len(bench.of(Placed)[0].nodes) == 4


def test_too_late_everywhere_is_better_late_than_never() -> None:
    bench = Bench(pool("a", nodes=4), policy=policy())
    bench.submit(sized(size("H100-SXM", 1, 40), deadline=bench.now.plus(HOUR)))
    assert bench.where("job") == "a"


def test_the_order_that_people_wrote_comes_before_cost() -> None:
    bench = Bench(pool("old", price="2"), pool("new", chip="B200-SXM", price="4"), policy=policy())
    bench.submit(sized(size("H100-SXM", 2, 30), size("B200-SXM", 2, 10), ordered=True))
    assert bench.where("job") == "old"


def test_a_size_holds_on_the_networks_it_was_made_for() -> None:
    def declared(*pools: Pool) -> Bench:
        return Bench(*pools, policy=policy())

    bench = declared(pool("slow", price="1"), pool("fast", fabric="rail", price="9"))
    bench.submit(sized(size("H100-SXM", 2, 30, fabrics=("rail",))))
    assert bench.where("job") == "fast"
    bench = declared(pool("slow", price="1"), pool("fast", fabric="rail", price="9"))
    bench.submit(sized(size("H100-SXM", 2, 30, fabrics=("",))))
    assert bench.where("job") == "slow"


def test_the_budget_counts_the_time_on_these_chips() -> None:
    """16 chips at $2 for ten hours are $320."""
    for budget, where in ((Decimal(319), ""), (Decimal(320), "a")):
        bench = Bench(pool("a"), policy=policy())
        bench.submit(sized(size("H100-SXM", 2, 10), max_cost_usd=budget))
        assert bench.where("job") == where


def test_who_waits_is_kept_room_for_its_own_size() -> None:
    """The second in line may run beside what the first will need, and no longer than until then."""
    bench = Bench(pool("a", nodes=4), policy=policy())
    bench.submit(work("running", 3, preemptible=False))
    bench.submit(sized(size("H100-SXM", 4, 5), name="first"))
    assert bench.where("first") == ""
    bench.submit(sized(size("H100-SXM", 1, 2), name="long"))
    assert bench.where("long") == ""
    bench.submit(sized(size("H100-SXM", 1, 0.5), name="short"))
    assert bench.where("short") == "a"


def test_what_is_missing_is_asked_for_in_the_first_size() -> None:
    bench = Bench(pool("a", nodes=0), policy=policy(sourcing=type(policy().sourcing)()))
    bench.submit(sized(size("B200-SXM", 2, 10), size("H200-SXM", 2, 9), size("H100-SXM", 6, 10)))
    (fact,) = bench.of(NeedOpened)
    assert (fact.requirement.chips, fact.requirement.chip_types) == (16, ("B200-SXM", "H200-SXM"))
    assert fact.requirement.duration == 10 * HOUR + 25 * 60 * 1_000_000


def test_explain_counts_nodes_as_sized() -> None:
    bench = Bench(pool("a", nodes=1), pool("b", chip="B200-SXM", nodes=2), policy=policy())
    bench.submit(work("running", 1, preemptible=False, chip="B200-SXM"))
    bench.submit(sized(size("H100-SXM", 2, 10), size("B200-SXM", 2, 10)))
    said = explain(bench.state, "job", 0, bench.now)
    assert {(each.pool, each.verdict, each.filter) for each in said.candidates if each.filter != "chip"} == {
        ("a", "excluded", "size"),
        ("b", "busy", "capacity"),
    }


def test_a_move_counts_what_is_left_in_the_time_of_the_other_chip() -> None:
    """Half of the run is left: ten hours here, two there, at three times the price."""
    bench = Bench(
        pool("here", price="2"), pool("there", chip="B200-SXM", price="6", nodes=1), policy=policy()
    )
    bench.submit(work("guest", 1, chip="B200-SXM", preemptible=False))
    bench.submit(sized(size("H100-SXM", 1, 20), size("B200-SXM", 1, 4)))
    assert bench.where("job") == "here"
    bench.run("job.0.1")
    bench.wait(10 * HOUR)
    bench.report("job.0.1", "checkpointed", step=5)
    bench.run("guest.0.1")
    bench.report("guest.0.1", "done")
    (moving,) = [fact for fact in bench.facts if type(fact).__name__ == "Stopping"]
    saving = cost_micro_usd(2_000_000, 8, 10 * HOUR) - cost_micro_usd(6_000_000, 8, 2 * HOUR)
    assert saving == 64_000_000
    assert "saves $64.00" in moving.grounds[0].says


def test_replay_needs_no_size_to_be_computed_again() -> None:
    bench = Bench(pool("old", price="2"), pool("new", chip="B200-SXM", price="4"), policy=policy())
    bench.submit(sized(size("H100-SXM", 2, 30), size("B200-SXM", 2, 10)))
    assert bench.replayed().digest() == bench.state.digest()


def _naive(bench: Bench, workload: Workload) -> int | None:
    """The least that a run can cost, by trying every pool with every size."""
    costs = []
    for each in bench.state.records.infrastructure.pools:
        for one in workload.sizes:
            price = each.prices[0].usd_per_chip_hour if each.tenure == "on_demand" else Decimal(0)
            fits = one.resources.chip == each.chip and one.nodes <= each.nodes[0].nodes
            if fits and (not one.fabrics or (each.fabric or "") in one.fabrics):
                costs.append(cost_micro_usd(int(price * 1_000_000), one.chips, one.duration))
    return min(costs, default=None)


def test_no_cheaper_run_is_overlooked() -> None:
    """Against a judge that tries everything, over worlds drawn at random."""
    draw = random.Random(7)
    for _ in range(200):
        pools = tuple(
            pool(
                f"p{number}",
                chip=draw.choice(CHIPS),
                nodes=draw.randrange(1, 9),
                price=str(draw.randrange(1, 12)),
                fabric=draw.choice([None, "rail"]),
                tenure=draw.choice(["on_demand", "on_demand", "on_demand", "owned"]),
            )
            for number in range(draw.randrange(1, 12))
        )
        bench = Bench(*pools, policy=policy())
        wish = sized(
            *(
                size(
                    draw.choice(CHIPS),
                    draw.randrange(1, 9),
                    draw.randrange(1, 100),
                    fabrics=draw.choice([(), ("rail",), ("",)]),
                )
                for _ in range(draw.randrange(1, 6))
            )
        )
        expected = _naive(bench, wish)
        bench.submit(wish)
        placed = bench.of(Placed)
        assert (placed[0].score_micro_usd if placed else None) == expected


def test_shapes_differ_where_sizes_do() -> None:
    bench = Bench(pool("a", nodes=0), policy=policy())
    shapes = set()
    for number, hours in enumerate((1, 2)):
        bench.submit(sized(size("H100-SXM", 1, hours), name=f"j{number}"))
        holder = bench.state.records.workloads[f"j{number}"]
        shapes.add(ask_of(bench.state, holder, holder.slots[0]).shape)
        assert place(bench.state, ask_of(bench.state, holder, holder.slots[0]), bench.now).choice is None
    assert len(shapes) == 2
