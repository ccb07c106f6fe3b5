"""Further cases of the life of agreements: conditions, terminations, papers that replace papers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from stargate.agreements import (
    Book,
    Period,
    Request,
    Usage,
    WorldFact,
    accrue,
    decide,
    held,
    lint,
    obligations,
)
from stargate.agreements.accrue import payments
from stargate.agreements.clause import RevenueShare
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
MakePeriod = Callable[[str, str], Period]
MakeUsage = Callable[..., Usage]
Owed = Callable[..., int]
T = Instant.parse
MICRO = 1_000_000


def approved(fact: MakeFact, at: str, by: str = "regulator") -> tuple[WorldFact, ...]:
    return tuple(
        fact(name, at=at, status="verified", verified_by=by) for name in ("approved", "financing_closed")
    )


def test_before_its_condition_is_met_nothing_binds(
    further: MakeBook, fact: MakeFact, period: MakePeriod
) -> None:
    book = further("condition_precedent")
    need = Request("source", "lab", "other", {"chips": 1024})
    claimed = (fact("approved", at="2026-02-01"), fact("financing_closed", at="2026-02-01"))
    half = approved(fact, "2026-02-01")[:1]
    for facts in ((), claimed, half, approved(fact, "2026-02-01", by="lab")):
        at = T("2026-06-01")
        answer = decide(book, facts, at, need)
        assert answer.outcome == "permit"
        assert answer.reasons[0].effect == "pending"
        assert set(answer.reasons[0].needs) == {"approved", "financing_closed"}
        assert held(book, facts, at) == ()
        assert obligations(book, facts, at) == ()
        assert accrue(book, facts, (), period("2026-01-01", "2027-01-01")) == ()

    met = approved(fact, "2026-03-15")
    assert decide(book, met, T("2026-03-14"), need).outcome == "permit"
    assert decide(book, met, T("2026-03-15"), need).outcome == "must_offer"
    assert [hold.quantity for hold in held(book, met, T("2026-03-15"))] == [Decimal(400)]


def test_what_is_paid_counts_from_the_day_the_condition_was_met(
    further: MakeBook, fact: MakeFact, period: MakePeriod
) -> None:
    book = further("condition_precedent")
    met = approved(fact, "2026-03-15")
    assert accrue(book, met, (), period("2026-02-01", "2026-03-01")) == ()
    march = accrue(book, met, (), period("2026-03-01", "2026-04-01"))
    # The advance is due when its clause comes into force, which is when the condition is met.
    assert [(line.kind, line.due) for line in march] == [("prepayment", T("2026-03-15"))]
    # The first month of the minimum begins then, too.
    april = accrue(book, met, (), period("2026-04-01", "2026-05-01"))
    (line,) = (line for line in april if line.kind == "shortfall")
    assert line.amount_micro_usd == 1_000_000 * MICRO
    assert line.period == period("2026-03-15", "2026-04-15")


def test_a_condition_met_after_its_long_stop_date_is_not_met(further: MakeBook, fact: MakeFact) -> None:
    book = further("condition_precedent")
    late = approved(fact, "2026-07-01")
    assert held(book, late, T("2026-08-01")) == ()
    in_time = approved(fact, "2026-06-30")
    assert len(held(book, in_time, T("2026-08-01"))) == 1


def test_notice_then_wind_down_then_what_survives(
    further: MakeBook, fact: MakeFact, period: MakePeriod, used: MakeUsage, owed: Owed
) -> None:
    book = further("wind_down")
    end = Request("terminate", "lab", "", {"agreement": "services"})
    may = decide(book, (), T("2026-03-01"), end)
    assert may.outcome == "permit"
    assert "90d" not in may.reasons[0].says or may.obligations  # the notice is an obligation
    assert [item.kind for item in may.obligations] == ["notify"]
    theirs = Request("terminate", "cloud", "", {"agreement": "services"})
    assert decide(book, (), T("2026-03-01"), theirs).outcome == "forbid"

    facts = (fact("notice/services/convenience", at="2026-03-01"),)
    # 90 days of notice and 30 to move out: 29 June.
    api = Request("serve", "lab", "elsewhere", {"product": "api"})
    for at, outcome in (("2026-06-28T23:59:59Z", "forbid"), ("2026-06-29", "permit")):
        assert decide(book, facts, T(at), api).outcome == outcome
        assert bool(held(book, facts, T(at))) is (outcome == "forbid")
    licence = Request("use", "cloud", "", {"asset": "connector"})
    assert decide(book, facts, T("2027-06-28"), licence).outcome == "permit"
    assert decide(book, facts, T("2027-06-29"), licence).outcome == "forbid"

    # Revenue of the last month is shared, and paid in twelve instalments long after the end.
    june = (used("revenue_usd", 1000, "2026-06-10", "lab"), used("revenue_usd", 5000, "2026-06-29", "lab"))
    lines = accrue(book, facts, june, period("2026-06-01", "2026-07-01"))
    assert owed(lines, "share") == 100 * MICRO
    share = next(v.clause for v in book.chart.versions if isinstance(v.clause, RevenueShare))
    dues = payments(share, [line for line in lines if line.kind == "share"])
    assert (len(dues), sum(due.amount_micro_usd for due in dues)) == (12, 100 * MICRO)
    assert (dues[0].at, dues[-1].at) == (T("2026-08-01"), T("2027-07-01"))


def test_a_letter_of_intent_binds_nobody_and_the_signed_paper_does(further: MakeBook) -> None:
    book = further("letter_then_signed")
    assert lint(book.agreements) == ()
    train = Request("train", "openai", "nvidia")
    for at in ("2025-12-01", "2026-04-01"):
        assert decide(book, (), T(at), train).outcome == "permit"
    assert obligations(book, (), T("2026-02-28")) == ()
    due = [item for item in obligations(book, (), T("2026-03-01")) if item.kind == "deliver"]
    assert [(item.clause, item.due) for item in due] == [
        ("broadcom/racks", T("2027-06-30")),
        ("broadcom/racks", T("2029-12-31")),
    ]


def test_an_order_form_has_its_own_price(
    further: MakeBook, period: MakePeriod, used: MakeUsage, owed: Owed
) -> None:
    book = further("order_over_master")
    march = period("2026-03-01", "2026-04-01")

    def bill(**attributes: object) -> list[tuple[str, int]]:
        lines = accrue(book, (), (used("chip_hours", 100, "2026-03-05", **attributes),), march)
        return [(line.clause, line.amount_micro_usd // MICRO) for line in lines]

    assert bill(agreement="order-7") == [("order-7/rate", 200)]
    assert bill() == [("msa/rate", 300)]
    # When the order has ended, what still runs is billed at the master's rate.
    late = used("chip_hours", 100, "2027-03-05", agreement="order-7")
    lines = accrue(book, (), (late,), period("2027-03-01", "2027-04-01"))
    assert [(line.clause, line.amount_micro_usd // MICRO) for line in lines] == [("msa/rate", 300)]


def test_the_place_of_the_master_holds_for_the_order(further: MakeBook) -> None:
    book = further("order_over_master")
    at = T("2026-03-01")
    asked = Request("train", "lab", "cloud", {"agreement": "order-7", "jurisdiction": "NO-18"})
    assert decide(book, (), at, asked).outcome == "forbid"


def test_a_ramp_of_power_and_milestones_of_spend(
    further: MakeBook, period: MakePeriod, used: MakeUsage, owed: Owed
) -> None:
    book = further("cerebras")

    def power(at: str) -> Decimal:
        return sum((hold.quantity for hold in held(book, (), T(at))), Decimal(0))

    dates = ("2026-02-28", "2026-03-01", "2027-01-01", "2028-12-31", "2029-01-01")
    assert [int(power(at)) for at in dates] == [0, 100, 400, 750, 0]

    spent = (used("spend_usd", 1_000_000_000, "2026-06-01"), used("spend_usd", 9_000_000_000, "2027-06-01"))
    first = accrue(book, (), spent, period("2026-12-01", "2027-01-01"))
    assert owed(first) == 500_000_000 * MICRO
    # What was paid as short counts: 1 + 0.5 + 9 billion are more than all milestones.
    assert accrue(book, (), spent, period("2027-01-01", "2029-01-01"), prior=first) == ()
    # Billed in one go, the same is owed.
    assert owed(accrue(book, (), spent, period("2026-01-14", "2029-01-01"))) == 500_000_000 * MICRO
    idle = accrue(book, (), (), period("2026-01-14", "2029-01-01"))
    assert owed(idle) == 10_000_000_000 * MICRO


def test_options_beside_what_is_firm(further: MakeBook, fact: MakeFact) -> None:
    book = further("anthropic")
    assert lint(book.agreements) == ()
    at = T("2026-06-01")
    tpus = [hold for hold in held(book, (), at) if hold.supplier == "google"]
    assert [(hold.kind, int(hold.quantity)) for hold in tpus] == [
        ("reservation", 400_000),
        ("option", 600_000),
    ]
    rival = Request("source", "rival", "google", {"chip": "tpu-v7", "chips": 100})
    assert decide(book, (), at, rival).outcome == "forbid"
    assert decide(book, (), at, Request("source", "rival", "google", {"chip": "h100"})).outcome == "permit"
    assert decide(book, (), T("2027-01-01"), rival).outcome == "permit"
    spend = [item for item in obligations(book, (), at) if item.kind == "spend"]
    assert [(item.creditor, item.amount_micro_usd) for item in spend] == [
        ("microsoft", 30_000_000_000 * MICRO)
    ]
    assert [item for item in obligations(book, (), at) if item.kind == "issue"] == []
    closed = (fact("round_closed", at="2026-02-01"), fact("anthropic_share_price_usd", 140, at="2026-02-01"))
    issue = [item for item in obligations(book, closed, at) if item.kind == "issue"]
    assert {(item.debtor, item.creditor) for item in issue} == {
        ("anthropic", "microsoft"),
        ("anthropic", "nvidia"),
    }
