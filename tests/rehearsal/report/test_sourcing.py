"""Commitments, rights of first refusal, leases and clauses in a summary, by hand."""

from __future__ import annotations

from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker import Ground
from stargate.broker.sourcing.fact import (
    LeaseActivated,
    LeaseEnded,
    LeaseResized,
    LeaseSigned,
    OfferEnded,
    OfferMade,
)
from stargate.rehearsal.report.binding import CLAUSES_LIMIT, OTHERS, Bindings
from stargate.rehearsal.report.capacity import Capacity
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.grid import Grid
from stargate.rehearsal.report.rights import Rights
from stargate.rehearsal.report.summary import Identity
from tests.broker.sourcing.world import requirement, right, terms
from tests.broker.test_commitment import DEAL
from tests.broker.world import START, Bench, infrastructure, policy, pool, work


def test_spend_burns_a_commitment_down() -> None:
    """$24 an hour under a promise of $30: 0.5 h, then 1 h."""
    bench = Bench(pool("owed", "aws", price="3", agreement="macc"), policy=policy(), agreements=(DEAL,))
    for name, minutes in (("a", 30), ("b", 60)):
        bench.submit(work(name))
        bench.run(f"{name}.0.1")
        bench.wait(minutes * HOUR // 60)
        bench.report(f"{name}.0.1", "done")
    collector = Collector()
    collector(tuple(bench.entries))
    found = collector.finish(Identity(), bench.now)
    (agreement,) = found.agreements
    assert (agreement.id, agreement.committed_micro_usd, agreement.burned_micro_usd) == (
        "macc",
        30_000_000,
        36_000_000,
    )
    burned = found.course.burned_usd["macc"]
    third = len(burned) // 3
    assert burned[third - 5] == 0
    assert burned[third + 5] == burned[-5] == 12
    assert burned[-1] == 36


def offered(offer: str, chips: int = 64) -> OfferMade:
    """An offer to Microsoft."""
    return OfferMade(offer, "need", 1, right(), requirement(), chips)


def signed(lease: str = "l1", clause: str = "", chips: int = 16, kind: str = "reserved") -> LeaseSigned:
    """A lease of pool `p` at $2 for a day."""
    return LeaseSigned(
        lease, "need", "azure", "microsoft", "p", chips, 2_000_000, kind,  # type: ignore[arg-type]  # one of them
        START, START.plus(DAY), terms(), agreement="msft", clause=clause, grounds=(Ground("it was best"),),
    )  # fmt: skip


def test_offers_and_what_became_of_them() -> None:
    rights = Rights()
    for name in ("o1", "o2", "o3"):
        rights.offered(offered(name), START)
    rights.answered(OfferEnded("o1", "accepted", taken_chips=64), START.plus(2 * HOUR))
    rights.answered(OfferEnded("o2", "declined"), START.plus(4 * HOUR))
    rights.signed(signed(clause="msft/rofr"), START.plus(2 * HOUR))
    (found,) = rights.figures()
    assert (found.clause, found.holder, found.offers) == ("msft/rofr", "microsoft", 3)
    assert found.outcomes == {"accepted": 1, "declined": 1, "open": 1}
    assert (found.offered_chips, found.taken_chips, found.leases) == (192, 64, 1)
    assert found.average_answer_seconds == 3 * 3600
    assert [(deal.id, deal.says) for deal in rights.deals] == [("l1", "it was best")]


def capacity() -> Capacity:
    """A market pool of 32 chips, not held."""
    made = Capacity(Grid(START))
    made._install(infrastructure(pool("p", tenure="market")), START)
    made.stands["p"].nodes = 4
    return made


def test_a_lease_is_held_and_owed_while_it_is_active() -> None:
    made = capacity()
    made.lease_signed(signed(), START)
    made.lease_sized(LeaseActivated("l1", 8), START.plus(HOUR))
    made.lease_sized(LeaseResized("l1", 16, 16), START.plus(3 * HOUR))
    made.lease_ended(LeaseEnded("l1", "ended"), START.plus(4 * HOUR))
    made.settle(START.plus(9 * HOUR))
    stand = made.stands["p"]
    assert stand.held.whole == (2 * 8 + 16) * HOUR
    assert stand.owed_micro_usd == (2 * 8 + 16) * 2_000_000
    assert made.agreement_of("l1") == "msft"
    assert [each.kind for each in made.happenings] == [
        "lease_signed", "lease_activated", "lease_resized", "lease_ended",
    ]  # fmt: skip


def test_a_lease_on_demand_owes_nothing_by_itself() -> None:
    made = capacity()
    made.lease_signed(signed(kind="on_demand"), START)
    made.lease_sized(LeaseActivated("l1", 16), START)
    made.settle(START.plus(HOUR))
    assert made.stands["p"].owed_micro_usd == 0
    assert made.stands["p"].held.whole == 16 * HOUR


def test_no_more_is_held_than_there_is() -> None:
    made = capacity()
    for lease in ("l1", "l2", "l3"):
        made.lease_signed(signed(lease), START)
        made.lease_sized(LeaseActivated(lease, 16), START)
    assert made.stands["p"].held.value == 32


def test_a_clause_counts_once_for_a_fact_and_says_when() -> None:
    made = Bindings(Grid(START))
    later = START.plus(Duration(HOUR))
    made.cite(
        "placed", (Ground("a", "deal/x"), Ground("b", "deal/x"), Ground("c"), Ground("d", "deal/y")), START
    )
    made.cite("lease_signed", (Ground("e", "deal/x"),), later)
    one, other = made.figures()["deal"]
    assert (one.id, one.decisions, one.first, one.last, one.says) == (
        "deal/x", {"lease_signed": 1, "placed": 1}, START, later, "a",
    )  # fmt: skip
    assert other.decisions == {"placed": 1}


def test_clauses_beyond_the_limit_are_counted_together() -> None:
    made = Bindings(Grid(Instant(0)))
    for number in range(CLAUSES_LIMIT + 3):
        made.cite("placed", (Ground("x", f"deal/{number}"),), Instant(number))
    assert len(made.bound) == CLAUSES_LIMIT + 1
    assert made.bound[OTHERS].decisions == {"placed": 3}
