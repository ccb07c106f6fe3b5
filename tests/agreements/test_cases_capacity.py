"""Acceptance cases of capacity: ramps, options, tranches, reservations, orders under a master."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from stargate import agreements
from stargate.agreements import Book, Period, Request, Usage, WorldFact, accrue, decide, held, obligations
from stargate.agreements.accrue import runs
from stargate.agreements.clause import Delivery
from stargate.agreements.delivery import tranche_states
from stargate.agreements.horizon import Horizon
from stargate.agreements.world import World
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
MICRO = 1_000_000


def period(start: str, end: str) -> Period:
    return Period(Instant.parse(start), Instant.parse(end))


def test_ac14_the_ramp_is_held_and_nothing_is_short_before_the_term_rules(pick: MakeBook) -> None:
    book = pick("aws-openai")

    def ramp(at: str) -> Decimal:
        holds = held(book, (), Instant.parse(at))
        return sum((hold.quantity for hold in holds if hold.clause == "aws-openai/ramp"), Decimal(0))

    assert ramp("2025-11-02") == 0
    assert ramp("2025-11-03") == 1
    assert ramp("2026-12-31T23:59:59Z") == 1
    assert ramp("2027-01-01") == 100
    assert ramp("2032-11-03") == 0

    expand = Request("exercise", "openai", "amazon", {"clause": "aws-openai/expansion"})
    early = decide(book, (), Instant.parse("2026-12-31"), expand)
    assert (early.outcome, early.reasons[0].clause) == ("forbid", "aws-openai/expansion")
    assert decide(book, (), Instant.parse("2027-01-01"), expand).outcome == "permit"

    assert accrue(book, (), (), period("2026-01-01", "2032-11-01")) == ()
    (line,) = accrue(book, (), (), period("2032-11-01", "2032-12-01"))
    assert (line.clause, line.kind) == ("aws-openai/ultraservers", "shortfall")
    assert line.amount_micro_usd == 38_000_000_000 * MICRO


def test_ac16_take_or_pay_starts_with_each_site_accepted(pick: MakeBook, fact: MakeFact) -> None:
    book = pick("oracle-openai")
    (version,) = book.chart.by_ref["oracle-openai/take-or-pay"]
    signed_only = Instant.parse("2029-01-01")
    assert [o for o in obligations(book, (), signed_only) if o.kind == "spend"] == []
    assert accrue(book, (), (), period("2025-07-01", "2029-01-01")) == ()

    facts = (fact("accepted/abilene", at="2027-02-01"), fact("accepted/saline", at="2028-05-01"))
    assert [o for o in obligations(book, facts, Instant.parse("2027-01-31")) if o.kind == "spend"] == []
    started = runs(version, book.present(facts, Instant.parse("2028-06-01")))
    assert [(run.portion, run.start.iso(), run.end.iso()) for run in started] == [
        ("abilene", "2027-02-01T00:00:00Z", "2032-02-01T00:00:00Z"),
        ("saline", "2028-05-01T00:00:00Z", "2033-05-01T00:00:00Z"),
    ]
    spend = [o for o in obligations(book, facts, Instant.parse("2028-06-01")) if o.kind == "spend"]
    assert [o.amount_micro_usd for o in spend] == [75_000_000_000 * MICRO] * 2
    # A year after acceptance, and not after signature, the first minimum is due: 60 billion x 1/4.
    assert accrue(book, facts, (), period("2027-02-01", "2028-01-31")) == ()
    (line,) = accrue(book, facts, (), period("2028-01-01", "2028-03-01"))
    assert line.amount_micro_usd == 15_000_000_000 * MICRO
    assert "abilene" in line.says
    used = Usage(
        "spend_usd", Decimal(15_000_000_000), Instant.parse("2027-03-01"), attributes={"site": "abilene"}
    )
    assert accrue(book, facts, (used,), period("2028-01-01", "2028-03-01")) == ()


def test_ac17_a_lapsed_option_cannot_be_exercised_and_frees_capacity(pick: MakeBook, fact: MakeFact) -> None:
    book = pick("oracle-openai")
    option = "oracle-openai/abilene-expansion"
    exercise = Request("exercise", "openai", "oracle", {"clause": option})
    other = Request("source", "meta", "oracle", {"site": "abilene-expansion"})
    open_at, lapsed_at = Instant.parse("2026-03-06"), Instant.parse("2026-03-07")

    assert decide(book, (), open_at, exercise).outcome == "permit"
    taken = decide(book, (), open_at, other)
    assert (taken.outcome, taken.reasons[0].clause) == ("forbid", option)
    assert option in [hold.clause for hold in held(book, (), open_at)]

    lapsed = decide(book, (), lapsed_at, exercise)
    assert (lapsed.outcome, lapsed.reasons[0].clause) == ("forbid", option)
    assert "lapsed on 2026-03-07" in lapsed.reasons[0].says
    assert decide(book, (), lapsed_at, other).outcome == "permit"
    assert held(book, (), lapsed_at) == ()

    # Exercised in time, it holds on.
    exercised = fact(f"exercised/{option}", at="2026-02-01")
    assert decide(book, (exercised,), lapsed_at, other).outcome == "forbid"
    assert [hold.kind for hold in held(book, (exercised,), lapsed_at)] == ["exercised_option"]


def test_ac17_a_deposit_may_be_a_condition(make: MakeBook, fact: MakeFact) -> None:
    book = make(
        {
            "id": "oracle",
            "customer": "other",
            "supplier": "oracle",
            "clauses": [
                {
                    "kind": "option",
                    "id": "expansion",
                    "expiry": "2026-12-01",
                    "deposit_usd": 150_000_000,
                    "deposit_fact": "deposit_paid",
                    "scope": [{"field": "site", "values": ["abilene-expansion"]}],
                }
            ],
        }
    )
    exercise = Request("exercise", "other", "oracle", {"clause": "oracle/expansion"})
    at = Instant.parse("2026-06-01")
    unpaid = decide(book, (), at, exercise)
    assert (unpaid.outcome, unpaid.reasons[0].needs) == ("forbid", ("deposit_paid",))
    assert decide(book, (fact("deposit_paid"),), at, exercise).outcome == "permit"


def test_ac18_three_orders_under_a_master(case: Callable[[str], Book], signed: Book) -> None:
    for book in (case("ac18"), signed):
        at = Instant.parse("2026-01-01")
        spend = [o for o in obligations(book, (), at) if o.kind == "spend" and o.creditor == "coreweave"]
        assert sum(o.amount_micro_usd or 0 for o in spend) == 22_400_000_000 * MICRO
        assert len(spend) == 3
        ends = [o.until.iso()[:10] for o in spend if o.until is not None]
        assert ends == ["2030-11-01", "2029-05-01", "2031-06-01"]
    # Each order ends by its own term.
    left = [o for o in obligations(case("ac18"), (), Instant.parse("2029-06-01")) if o.kind == "spend"]
    assert sum(o.amount_micro_usd or 0 for o in left) == 18_400_000_000 * MICRO


def test_ac18_an_order_precedes_its_master_and_only_for_itself(case: Callable[[str], Book]) -> None:
    book = case("ac18")
    at = Instant.parse("2026-01-01")

    def place(order: str, jurisdiction: str) -> agreements.Decision:
        attributes = {"agreement": order, "jurisdiction": jurisdiction}
        return decide(book, (), at, Request("train", "openai", "coreweave", attributes))

    assert place("order-1", "US-TX").outcome == "permit"
    assert place("order-1", "CA-QC").outcome == "forbid"
    assert place("order-1", "CA-QC").reasons[0].clause == "master/places"
    assert place("order-2", "CA-QC").outcome == "permit"
    assert place("order-2", "NO-18").reasons[0].clause == "order-2/places"
    # When the second order has ended, the master speaks again.
    later = Request("train", "openai", "coreweave", {"agreement": "order-2", "jurisdiction": "CA-QC"})
    assert decide(book, (), Instant.parse("2029-06-01"), later).outcome == "forbid"


def test_ac22_a_missed_tranche_ends_the_order_or_only_itself(
    case: Callable[[str], Book], fact: MakeFact
) -> None:
    book = case("ac22")

    def terminate(tranche: str, ends: str) -> Request:
        attributes = {"clause": "nebius-meta/capacity", "tranche": tranche, "ends": ends}
        return Request("terminate", "meta", "nebius", attributes)

    def outcome(at: str, tranche: str, ends: str, *facts: WorldFact) -> str:
        return decide(book, facts, Instant.parse(at), terminate(tranche, ends)).outcome

    # The first, due 1 March with 30 days of grace.
    assert outcome("2026-03-30", "tranche-1", "order") == "forbid"
    assert outcome("2026-03-31", "tranche-1", "order") == "permit"
    # The second, due 1 June: only itself.
    in_time = fact("delivered/nebius-meta/capacity/tranche-1", at="2026-02-20")
    assert outcome("2026-07-01", "tranche-2", "tranche", in_time) == "permit"
    assert outcome("2026-07-01", "tranche-2", "order", in_time) == "forbid"
    assert outcome("2026-07-01", "tranche-1", "order", in_time) == "forbid"
    refused = decide(book, (in_time,), Instant.parse("2026-07-01"), terminate("tranche-2", "order"))
    assert refused.reasons[0].clause == "nebius-meta/capacity"
    assert "not the order" in refused.reasons[0].says


def test_ac22_late_delivery_is_discounted(case: Callable[[str], Book], fact: MakeFact) -> None:
    book = case("ac22")
    late = fact("delivered/nebius-meta/capacity/tranche-1", at="2026-04-04T12:00:00Z")
    (line,) = accrue(book, (late,), (), period("2026-04-01", "2026-05-01"))
    # Grace ended on 31 March; the fifth day had started: 5 x 1 % of 100 million.
    assert (line.kind, line.payer, line.payee) == ("late_credit", "nebius", "meta")
    assert line.amount_micro_usd == 5_000_000 * MICRO
    clause = next(v.clause for v in book.chart.versions)
    assert isinstance(clause, Delivery)
    (first, second) = tranche_states(
        clause, "nebius-meta/capacity", World((late,)), Horizon(Instant.parse("2026-06-15"))
    )
    assert (first.status, first.termination) == ("delivered_late", None)
    assert second.status == "in_grace"
    very_late = fact("delivered/nebius-meta/capacity/tranche-1", at="2026-12-01")
    (line,) = accrue(book, (very_late,), (), period("2026-12-01", "2027-01-01"))
    assert line.amount_micro_usd == 20_000_000 * MICRO  # never more than the maximum


@pytest.mark.parametrize("action", ["cancel", "modify"])
def test_ac28_a_capacity_block_cannot_be_changed(case: Callable[[str], Book], action: str) -> None:
    book = case("ac28")
    asked = Request(action, "buyer", "amazon", {"clause": "capacity-block/block"})  # type: ignore[arg-type]
    answer = decide(book, (), Instant.parse("2026-02-03"), asked)
    assert (answer.outcome, answer.reasons[0].clause) == ("forbid", "capacity-block/block")
    assert answer.reasons[0].would_change


def test_ac28_it_is_paid_in_full_up_front(case: Callable[[str], Book]) -> None:
    book = case("ac28")
    (line,) = accrue(book, (), (), period("2026-02-01", "2026-02-08"))
    assert (line.kind, line.amount_micro_usd) == ("reservation", 64 * 14 * 24 * 3 * MICRO)
    assert accrue(book, (), (), period("2026-02-08", "2026-02-15")) == ()


def test_ac31_a_commitment_reserves_no_capacity(case: Callable[[str], Book]) -> None:
    book = case("ac31")
    at = Instant.parse("2026-02-01")
    assert [o.kind for o in obligations(book, (), at)] == ["spend"]
    assert held(book, (), at) == ()


def test_ac31_calendar_mode_evicts_at_the_end(case: Callable[[str], Book]) -> None:
    book = case("ac31")
    at = Instant.parse("2026-03-15")
    (hold,) = held(book, (), at)
    assert (hold.clause, int(hold.quantity), hold.unit) == ("calendar-mode/reservation", 16, "nodes")
    assert hold.end == "evict"
    (evict,) = [o for o in obligations(book, (), at) if o.kind == "evict"]
    assert (evict.debtor, evict.due) == ("buyer", Instant.parse("2026-04-01"))
    assert held(book, (), Instant.parse("2026-04-01")) == ()


def test_ac32_whole_reservation_up_front_excess_on_demand_and_gone_at_the_end(
    case: Callable[[str], Book],
) -> None:
    book = case("ac32")
    week = period("2026-03-01", "2026-03-08")
    held_hours = 64 * 7 * 24
    used = Usage("chip_hours", Decimal(held_hours + 100), Instant.parse("2026-03-02"))
    lines = accrue(book, (), (used,), week)
    assert [(line.kind, line.amount_micro_usd) for line in lines] == [
        ("reservation", held_hours * 2_200_000),
        ("burst", 100 * 3_500_000),
    ]
    idle = accrue(book, (), (), week)
    assert [(line.kind, line.amount_micro_usd) for line in idle] == [("reservation", held_hours * 2_200_000)]
    (evict,) = [o for o in obligations(book, (), Instant.parse("2026-03-05")) if o.kind == "evict"]
    assert evict.due == Instant.parse("2026-03-08")
    assert held(book, (), Instant.parse("2026-03-08")) == ()
