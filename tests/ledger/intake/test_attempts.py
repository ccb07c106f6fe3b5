"""Time on chips: hour by hour, from acceptance to the end, whatever the portions in which it is read."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stargate.base.time import HOUR, MINUTE
from stargate.broker.command import Report
from stargate.broker.sourcing.records import Lease
from stargate.ledger.intake import chip_time
from tests.broker.world import START, Bench, pool, work

SOURCE = "journal:main"


def ran(start: int, length: int) -> Bench:
    """A gang of 8 chips that is accepted `start` after the first hour began, and ends `length` later."""
    bench = Bench(pool("a"))
    bench.submit(work("lm", team="red", model="sol-2"))
    bench.wait(start)
    bench.report("lm.0.1", "accepted")
    bench.wait(length)
    bench.do(Report("lm.0.1", "done"))
    return bench


def test_hours_are_counted_from_acceptance_to_the_end() -> None:
    """From 00:10 to 02:30: 50, 60 and 30 minutes of 8 chips, at the price that was quoted."""
    bench = ran(10 * MINUTE, 140 * MINUTE)
    events = list(chip_time(bench.state, START, START.plus(3 * HOUR), SOURCE))
    assert [event.quantity for event in events] == [8 * 3_000, 8 * 3_600, 8 * 1_800]
    assert [event.key for event in events] == [f"lm.0.1@2026-01-01T0{hour}:00:00Z" for hour in range(3)]
    first = events[0]
    assert (first.party, first.provider, first.quoted_usd) == ("lab", "microsoft", Decimal(2))
    assert first.attributes == {
        "workload": "lm", "kind": "train", "team": "red", "model": "sol-2", "provider": "azure", "pool": "a",
        "site": "tx", "chip": "H100-SXM", "tenure": "on_demand",
    }  # fmt: skip


def test_an_hour_that_has_not_passed_is_not_counted() -> None:
    """Nor is the part of it that has."""
    bench = ran(10 * MINUTE, 140 * MINUTE)
    assert len(list(chip_time(bench.state, START, START.plus(2 * HOUR + 59 * MINUTE), SOURCE))) == 2


@given(st.integers(0, 90), st.integers(1, 400), st.lists(st.integers(0, 9), max_size=4))
def test_it_may_be_read_in_any_portions(start: int, length: int, cuts: list[int]) -> None:
    """Read hour by hour or all at once, the same events, and as many chip-seconds as the attempt took."""
    state = ran(start * MINUTE, length * MINUTE).state
    points = [START, *(START.plus(hour * HOUR) for hour in sorted(cuts)), START.plus(9 * HOUR)]
    parts = [event for since, upto in pairwise(points) for event in chip_time(state, since, upto, SOURCE)]
    assert parts == list(chip_time(state, START, START.plus(9 * HOUR), SOURCE))
    assert sum(event.quantity for event in parts) == 8 * 60 * length


def test_a_lease_that_has_ended_still_says_what_it_was() -> None:
    """Its supply is gone when the hour is counted; tenure and agreement are those of the lease."""
    bench = ran(0, 30 * MINUTE)
    lease = Lease(
        "lease-1",
        "need",
        "azure",
        "microsoft",
        "a",
        8,
        8,
        2_000_000,
        "reserved",
        START,
        START,
        START,
        "ended",
    )
    lease.agreement = "ms-2025"
    bench.state.sourcing.leases["lease-1"] = lease
    bench.state.records.attempts["lm.0.1"].supply = "lease-1"
    (event,) = chip_time(bench.state, START, START.plus(HOUR), SOURCE)
    assert (event.attributes["tenure"], event.attributes["agreement"]) == ("reserved", "ms-2025")
