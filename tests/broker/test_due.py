"""What the calendar brings: dated capacity and prices, ends of holdings, dates in agreements."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.agreements import Agreement
from stargate.agreements.clause import ExclusiveServing
from stargate.base.money import micro_usd
from stargate.base.time import DAY, HOUR, MINUTE, Duration, Instant
from stargate.broker.command import Cancel, MarkSupply, Submit, Wake
from stargate.broker.fact import CapacitySet, Repriced, Stopping
from stargate.catalog.dated import DatedCount, Price
from tests.broker.naive import overlooked
from tests.broker.world import START, Bench, policy, pool, work

NOON = START.plus(12 * HOUR)


def dated(*counts: tuple[int, int], **changes: Any) -> Any:
    """A pool with these nodes from these hours on."""
    nodes = tuple(DatedCount(nodes=n, from_=START.plus(hour * HOUR)) for hour, n in counts)
    return msgspec.structs.replace(pool("a", **changes), nodes=nodes)


def test_capacity_comes_at_its_date_not_before() -> None:
    """A wake a microsecond early changes nothing; at the date the work starts."""
    bench = Bench(dated((0, 1), (12, 4)), policy=policy())
    bench.submit(work("gang", 4))
    assert bench.machine.next_due() == NOON
    bench.now = NOON.plus(-1)
    bench.do(Wake())
    assert bench.facts == []
    bench.now = NOON
    bench.do(Wake())
    assert [fact.nodes for fact in bench.of(CapacitySet)] == [4]
    assert bench.where("gang") == "a"


def test_any_command_after_the_date_brings_it_too() -> None:
    """Nobody has to wake the machine where something else happens first; several dates may have passed."""
    bench = Bench(dated((0, 1), (6, 2), (12, 4)), policy=policy())
    bench.now = NOON.plus(DAY)
    bench.submit(work("gang", 4))
    assert bench.where("gang") == "a"
    assert bench.machine.next_due() is None


def test_capacity_that_goes_takes_its_work_along() -> None:
    """Work on the nodes that end is stopped, and only that."""
    bench = Bench(dated((0, 2), (12, 1)), policy=policy())
    for name in ("one", "two"):
        bench.submit(work(name))
    bench.now = NOON
    bench.do(Wake())
    assert [(s.attempt, s.reason) for s in bench.of(Stopping)] == [("two.0.1", "capacity")]


def test_a_price_ends_and_another_begins() -> None:
    """Between two prices a pool that is paid by use is not used."""
    prices = (
        Price(usd_per_chip_hour=Decimal(1), from_=START, until=NOON),
        Price(usd_per_chip_hour=Decimal(3), from_=NOON.plus(HOUR)),
    )
    bench = Bench(pool("a", prices=prices), policy=policy())
    seen = []
    for hours in (0, 12, 13):
        bench.now = START.plus(hours * HOUR)
        bench.do(Wake())
        seen += [fact.price_micro_usd_per_chip_hour for fact in bench.of(Repriced)]
        bench.submit(work(f"at{hours}", time_limit=Duration(MINUTE)))
    assert seen == [None, micro_usd(3)]
    assert bench.state.records.attempts["at0.0.1"].price_micro_usd_per_chip_hour == micro_usd(1)
    assert "at12.0.1" in bench.state.records.attempts
    assert bench.state.records.attempts["at12.0.1"].placed_at == NOON.plus(HOUR)


def test_work_leaves_a_holding_before_its_end_and_short_work_may_finish() -> None:
    """At the notice those go that would outlast it; at the end everybody."""
    until = START.plus(2 * HOUR)
    bench = Bench(pool("a", until=until), pool("b", "aws", price="9"), policy=policy())
    bench.submit(work("long", time_limit=Duration(9 * HOUR)))
    bench.submit(work("short", time_limit=Duration(2 * HOUR)))
    assert bench.machine.next_due() == until.plus(-10 * MINUTE)
    bench.now = until.plus(-10 * MINUTE)
    bench.do(Wake())
    assert [(s.attempt, s.reason) for s in bench.of(Stopping)] == [("long.0.1", "lease_end")]
    bench.report("long.0.1", "stopped", step=3)
    assert bench.where("long") == "b"
    bench.now = until
    bench.do(Wake())
    assert [s.attempt for s in bench.of(Stopping)] == ["short.0.1"]


def test_a_replica_leaves_at_the_notice() -> None:
    """A service has no end of its own."""
    until = START.plus(50 * HOUR)
    bench = Bench(pool("a", until=until), policy=policy())
    bench.submit(work("chat", kind="serve", time_limit=None))
    bench.now = until.plus(-10 * MINUTE)
    bench.do(Wake())
    assert [s.attempt for s in bench.of(Stopping)] == ["chat.0.1"]


def test_the_end_of_a_promise_lets_waiting_work_start() -> None:
    """The machine asks to be woken when an exclusivity ends, though nothing else happens then."""
    ms = Agreement(
        id="ms", parties=("lab", "microsoft"), customer="lab", supplier="microsoft", signed_on=START.plus(-DAY),
        clauses=(
            ExclusiveServing(
                id="api", holder="microsoft", grantor="lab", products=("api",), actions=("serve",), until=NOON.iso()
            ),
        ),
    )  # fmt: skip
    bench = Bench(pool("a", "oracle"), policy=policy(), agreements=(ms,))
    bench.submit(work("api", kind="serve", product="api", time_limit=None))
    assert bench.where("api") == ""
    assert bench.machine.next_due() == NOON
    again = type(bench.state).unpack(bench.state.pack())
    assert again.next_due() == NOON
    bench.now = NOON
    bench.do(Wake())
    assert bench.where("api") == "a"
    assert bench.machine.next_due() is None


def test_a_clock_that_is_set_back_forgets_no_date() -> None:
    """A slot that waits for its moment is tried then, though a wake at a later time found no room for it."""
    bench = Bench(pool("a", nodes=1), policy=policy())
    bench.submit(work("bug", max_restarts=2))
    bench.report("bug.0.1", "failed", failure="user")
    bench.submit(work("other"))
    bench.wait(HOUR)
    bench.do(Wake())
    bench.wait(-HOUR)
    bench.do(Cancel("other"))
    bench.report("other.0.1", "stopped")
    assert bench.where("bug") == "a"


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), max_size=6),
    prices=st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(1, 9)), min_size=1, max_size=4
    ),
    looks=st.lists(st.integers(0, 70), max_size=12),
    restart=st.booleans(),
)
def test_between_wakes_the_catalog_says_what_the_state_says(
    counts: Any, prices: Any, looks: Any, restart: bool
) -> None:
    """Woken only when it asks, also after a restart, the machine agrees with the catalog at every moment."""
    series = tuple(
        Price(usd_per_chip_hour=Decimal(p), from_=START.plus(h * HOUR), until=START.plus((h + n) * HOUR))
        for h, n, p in prices
    )
    place = dated(*sorted(counts), prices=series)
    bench = Bench(place, policy=policy())
    for look in sorted(looks):
        moment = START.plus(look * HOUR + MINUTE)
        while (due := bench.machine.next_due()) is not None and due <= moment:
            bench.now = Instant(max(bench.now, due))
            bench.do(Wake())
        bench.now = moment
        listed = place.price_at(moment)
        assert bench.state.records.nodes["a"] == place.nodes_at(moment)
        assert bench.state.records.prices.get("a") == (None if listed is None else micro_usd(listed))
        assert overlooked(bench.machine, bench.now) == []
        if restart:
            bench.machine.state = type(bench.state).unpack(bench.state.pack())


def test_what_is_lost_is_not_stopped_again_at_the_end() -> None:
    """The end of a holding concerns what still runs there."""
    bench = Bench(pool("a", until=NOON), policy=policy())
    bench.do(Submit("lm", work("lm", time_limit=Duration(20 * HOUR))))
    bench.do(MarkSupply("pool", "a", "lost"))
    bench.now = NOON
    bench.do(Wake())
    assert bench.of(Stopping) == []


def test_work_whose_nodes_go_as_its_holding_ends_is_asked_to_stop_once() -> None:
    bench = Bench(dated((0, 4), (1, 0), until=START.plus(HOUR)), policy=policy())
    bench.submit(work("job", time_limit=Duration(3 * HOUR)))
    bench.run("job.0.1")
    bench.wait(HOUR)
    bench.do(Wake())
    assert [fact.attempt for fact in bench.of(Stopping)] == ["job.0.1"]
