"""A slot's wish, resolved against the declared world."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stargate.base.time import DAY, FOREVER, HOUR, Duration, Instant
from stargate.broker.ask import Ask, ask_of, expected_end, least_chips, required, resolve_chips
from stargate.workloads import Resources, Topology
from tests.broker.world import Bench, policy, pool, work


def ask(**changes: Any) -> Ask:
    """The wish of a job that was submitted to an empty cluster."""
    bench = Bench(pool("a", nodes=0), policy=policy())
    bench.submit(work("job", **changes))
    holder = bench.state.records.workloads["job"]
    return ask_of(bench.state, holder, holder.slots[0])


def test_alternatives_become_options() -> None:
    """Chips by their catalog names, gangs counted, caps in micro-USD; a host without chips counts as one."""
    wishes = (
        Resources(chip="h100", chips_per_node=4, max_usd_per_chip_hour=Decimal("2.5")),
        Resources(chip=None, cpus=Decimal(8)),
    )
    first, second = ask(nodes=3, alternatives=wishes).options
    assert (first.chips, first.gang_chips) == (("H100-SXM",), 12)
    assert (second.chips, second.gang_chips) == ((), 3)
    assert least_chips(work("job", 3, alternatives=wishes)) == 3


def test_an_unknown_chip_matches_nothing() -> None:
    """It stays what was written."""
    bench = Bench(pool("a"), policy=policy())
    assert resolve_chips(bench.state, "abacus") == ("abacus",)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"setup": "make"}, True),
        ({"run": "echo"}, True),
        ({"nodes": 2}, False),
        ({"team": "red"}, False),
        ({"residency": ("US",)}, False),
        ({"time_limit": Duration(2 * HOUR)}, False),
        ({"topology": Topology(required="block")}, False),
        ({"max_cost_usd": Decimal(5)}, False),
    ],
)
def test_shapes_are_equal_where_answers_are(changes: Any, same: bool) -> None:
    """What placement looks at is in the shape, and nothing else."""
    assert (ask().shape == ask(**changes).shape) is same


def _end(at: Instant, wish: Ask) -> Instant:
    return expected_end(at, wish, wish.options[0])


def test_when_it_should_be_over() -> None:
    """At its limit; after what policy assumes; never for a service; no later than time itself."""
    at = Bench(policy=policy()).now
    assert _end(at, ask()) == at.plus(HOUR)
    assert _end(at, ask(time_limit=None)) == at.plus(DAY)
    assert _end(at, ask(kind="serve", time_limit=None)) == FOREVER
    long = ask(time_limit=Duration(FOREVER))
    assert _end(at, long) == FOREVER


def test_how_close_it_must_stand() -> None:
    """A preference is no requirement."""
    assert required(work(topology=Topology(required="block"))) == "block"
    assert required(work(topology=Topology(preferred="block"))) == "any"
