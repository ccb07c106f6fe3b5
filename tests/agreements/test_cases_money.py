"""Acceptance cases of money: shares, caps, shortfall, equity, backstop, service levels. Exact to the micro-USD."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from stargate import agreements
from stargate.agreements import (
    Agreement,
    Book,
    Period,
    Request,
    Usage,
    WorldFact,
    accrue,
    decide,
    obligations,
)
from stargate.agreements.accrue import (
    ChargeLine,
    claim_ends,
    consumption,
    equity_quantity,
    payments,
    service_credit,
    status,
)
from stargate.agreements.accrue.timeline import Timeline
from stargate.agreements.clause import Commitment, EquityGrant, RevenueShare, ServiceLevel
from stargate.base import wire
from stargate.base.money import micro_usd
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
MICRO = 1_000_000


def period(start: str, end: str) -> Period:
    return Period(Instant.parse(start), Instant.parse(end))


def used(metric: str, quantity: str | int, at: str, **more: object) -> Usage:
    return Usage(metric, Decimal(quantity), Instant.parse(at), **more)  # type: ignore[arg-type]


def revenue(openai: str, azure: str, at: str) -> tuple[Usage, ...]:
    return (
        used("revenue_usd", openai, at, party="openai"),
        used("revenue_usd", azure, at, party="microsoft", attributes={"product": "azure_openai"}),
        used("revenue_usd", 10**12, at, party="microsoft", attributes={"product": "office"}),
    )


def by_clause(lines: tuple[ChargeLine, ...]) -> dict[str, int]:
    return {line.clause.partition("/")[2]: line.amount_micro_usd for line in lines}


def test_ac03_shares_both_ways_net_to_one_line(pick: MakeBook) -> None:
    book = pick("microsoft-openai")
    lines = accrue(
        book, (), revenue("1000000000", "300000000", "2025-03-15"), period("2025-03-01", "2025-04-01")
    )
    assert [(line.kind, line.basis, line.payer, line.payee, line.amount_micro_usd) for line in lines] == [
        ("share", "gross", "openai", "microsoft", 200_000_000 * MICRO),
        ("share", "gross", "microsoft", "openai", 60_000_000 * MICRO),
        ("net", "net", "openai", "microsoft", 140_000_000 * MICRO),
    ]
    assert lines[2].of == ("microsoft-openai/share-to-microsoft", "microsoft-openai/share-to-openai")


def test_ac03_the_rate_is_one_field(repository: Path, tmp_path: Path) -> None:
    text = (repository / "examples/stargate/agreements/microsoft-openai.yaml").read_text(encoding="utf-8")
    path = tmp_path / "changed.yaml"
    path.write_text(text.replace("rate: 0.20", "rate: 0.25", 1), encoding="utf-8")
    book = Book.compile(agreements.load(path))
    lines = accrue(
        book, (), revenue("1000000000", "300000000", "2025-03-15"), period("2025-03-01", "2025-04-01")
    )
    assert [line.amount_micro_usd // MICRO for line in lines] == [250_000_000, 60_000_000, 190_000_000]


def test_ac04_the_crossing_suspends_the_named_clauses_from_that_instant(
    pick: MakeBook, fact: MakeFact
) -> None:
    book = pick("microsoft-openai")
    serve = Request("serve", "openai", "amazon", {"product": "api"})
    source = Request("source", "openai", "oracle")
    below = fact("agi_revenue_usd", Decimal("99.99e9"), at="2027-01-01")
    crossing = fact("agi_revenue_usd", 100_000_000_000, at="2027-06-15T12:00:00Z")
    facts = (below, crossing)

    before, at = Instant(crossing.valid_from - 1), crossing.valid_from
    for asked, outcome in ((serve, "forbid"), (source, "must_offer")):
        assert decide(book, (below,), Instant.parse("2027-12-01"), asked).outcome == outcome
        assert decide(book, facts, before, asked).outcome == outcome
        answer = decide(book, facts, at, asked)
        assert answer.outcome == "permit"
        assert answer.reasons[0].effect == "suspended"
        assert "agi_revenue_usd=100000000000" in answer.reasons[0].facts
    assert [item.kind for item in obligations(book, (below,), before)] == ["share", "share", "net"]
    assert [item.kind for item in obligations(book, facts, at)] == ["net", "negotiate"]

    # What accrued before the crossing stays owed; nothing accrues from it on.
    usage = (
        *revenue("1000", "0", "2027-06-15T11:59:59.999999Z"),
        *revenue("5000", "0", "2027-06-15T12:00:00Z"),
    )
    lines = accrue(book, facts, usage, period("2027-06-01", "2027-07-01"))
    assert by_clause(lines) == {"share-to-microsoft": 200 * MICRO}
    # Netting does not reach across suspended clauses: the gross line alone is left.
    assert [line.basis for line in lines] == ["gross"]


def test_ac09_accrual_stops_and_payments_continue(pick: MakeBook, fact: MakeFact) -> None:
    book = pick("microsoft-openai", "microsoft-openai-2025-10")
    verified = fact("agi_declared", at="2027-05-10", status="verified", verified_by="agi-panel")
    usage = (*revenue("1000", "0", "2027-05-09"), *revenue("9999", "0", "2027-05-10"))
    may = accrue(book, (verified,), usage, period("2027-05-01", "2027-06-01"))
    assert by_clause(may)["share-to-microsoft"] == 200 * MICRO
    june = accrue(book, (verified,), revenue("9999", "0", "2027-06-05"), period("2027-06-01", "2027-07-01"))
    assert "share-to-microsoft" not in by_clause(june)

    share = next(v.clause for v in book.chart.versions if v.clause.id == "share-to-microsoft" and v.added_by)
    assert isinstance(share, RevenueShare)
    gross = [line for line in may if line.clause.endswith("share-to-microsoft")]
    dues = payments(share, gross)
    assert len(dues) == 24
    assert sum(due.amount_micro_usd for due in dues) == 200 * MICRO
    assert dues[0].at == Instant.parse("2027-07-01")
    assert dues[-1].at == Instant.parse("2029-06-01")
    assert dues[-1].at > verified.valid_from


def test_ac12_one_direction_ends_and_the_other_is_capped(pick: MakeBook) -> None:
    book = pick("microsoft-openai", "microsoft-openai-2025-10", "microsoft-openai-2026-04")
    may = accrue(
        book, (), revenue("100000000000", "300000000", "2026-05-15"), period("2026-05-01", "2026-06-01")
    )
    assert by_clause(may) == {"capped-share-to-microsoft": 20_000_000_000 * MICRO}

    june = accrue(
        book, (), revenue("95000000000", "0", "2026-06-15"), period("2026-06-01", "2026-07-01"), prior=may
    )
    (line,) = june
    assert line.amount_micro_usd == 18_000_000_000 * MICRO  # truncated from 19 billion
    assert "by the cap" in line.says
    july = accrue(
        book, (), revenue("1", "0", "2026-07-15"), period("2026-07-01", "2026-08-01"), prior=(*may, *june)
    )
    assert sum(item.amount_micro_usd for item in july) == 0
    assert sum(item.amount_micro_usd for item in (*may, *june, *july)) == 38_000_000_000 * MICRO
    # Before the amendment both directions run; the end of the term ends the capped one.
    march = accrue(book, (), revenue("100", "100", "2026-03-15"), period("2026-03-01", "2026-04-01"))
    assert set(by_clause(march)) == {"share-to-microsoft", "share-to-openai", "shares-net"}
    assert accrue(book, (), revenue("100", "0", "2031-01-01"), period("2031-01-01", "2031-02-01")) == ()


def test_ac19_a_month_without_use_is_invoiced_at_the_minimum(case: Callable[[str], Book]) -> None:
    book = case("ac19")
    month = period("2025-05-01", "2025-06-01")
    lines = accrue(book, (), (), month)
    minimum = 11_900_000_000 * MICRO // 60
    charges = [line for line in lines if line.kind == "shortfall"]
    assert sum(line.amount_micro_usd for line in charges) in (minimum, minimum + 1)
    assert charges[0].payer == "openai"
    (credit,) = [line for line in lines if line.kind == "prepayment_credit"]
    assert credit.amount_micro_usd == charges[0].amount_micro_usd * 15 // 100
    # Over the whole term the minimums are the amount, to the micro.
    whole = accrue(book, (), (), period("2025-04-01", "2030-04-01"))
    assert sum(line.amount_micro_usd for line in whole if line.kind == "shortfall") == 11_900_000_000 * MICRO
    prepaid = [line for line in whole if line.kind == "prepayment"]
    assert [line.amount_micro_usd for line in prepaid] == [1_785_000_000 * MICRO]
    # With half of it used, the other half is short; with more than all, nothing.
    half = used("spend_usd", 100_000_000, "2025-05-10")
    (short,) = [line for line in accrue(book, (), (half,), month) if line.kind == "shortfall"]
    assert short.amount_micro_usd in (minimum - 100_000_000 * MICRO, minimum + 1 - 100_000_000 * MICRO)
    full = used("spend_usd", 200_000_000, "2025-05-10")
    assert not [line for line in accrue(book, (), (full,), month) if line.kind == "shortfall"]


def test_ac20_shares_only_after_the_listing_closes(example: agreements.Loaded, signed: Book) -> None:
    grant = next(v.clause for v in signed.chart.versions if v.ref == "coreweave-openai/shares")
    assert isinstance(grant, EquityGrant)
    assert equity_quantity(grant, Decimal(40)) == 8_750_000
    year = period("2025-01-01", "2026-01-01")
    assert [line for line in accrue(signed, (), (), year) if line.kind == "equity"] == []
    before = accrue(signed, example.facts, (), period("2025-03-01", "2025-03-31"))
    assert [line for line in before if line.kind == "equity"] == []
    (line,) = [line for line in accrue(signed, example.facts, (), year) if line.kind == "equity"]
    assert (line.quantity, line.unit, line.price_usd) == (Decimal(8_750_000), "shares", Decimal(40))
    assert (line.payer, line.payee) == ("coreweave", "openai")
    assert line.due == Instant.parse("2025-03-31")
    issue = [item for item in obligations(signed, (), Instant.parse("2025-06-01")) if item.kind == "issue"]
    assert issue == []
    issue = [
        item
        for item in obligations(signed, example.facts, Instant.parse("2025-06-01"))
        if item.kind == "issue"
    ]
    assert [item.clause for item in issue] == ["coreweave-openai/shares"]


def test_ac21_unsold_hours_are_taken_up_to_cap_and_date(signed: Book) -> None:
    def month(
        capacity: int, sold: int, at: str, prior: tuple[ChargeLine, ...] = ()
    ) -> tuple[ChargeLine, ...]:
        start = Instant.parse(at)
        usage = (used("capacity_chip_hours", capacity, at), used("sold_chip_hours", sold, at))
        span = Period(start, start.plus(28 * 86_400 * MICRO))
        return tuple(line for line in accrue(signed, (), usage, span, prior=prior) if line.kind == "backstop")

    (line,) = month(1_000, 400, "2026-01-01")
    assert (line.payer, line.payee) == ("nvidia", "coreweave")
    assert line.quantity == 600
    assert line.amount_micro_usd == micro_usd(Decimal("2.50") * 600)
    assert month(1_000, 1_000, "2026-01-01") == ()
    # It stops at the cap, exactly.
    (first,) = month(2_519_999_999, 0, "2026-02-01")
    (second,) = month(1_000, 0, "2026-03-01", (first,))
    assert first.amount_micro_usd + second.amount_micro_usd == 6_300_000_000 * MICRO
    (third,) = month(1_000, 0, "2026-04-01", (first, second))
    assert third.amount_micro_usd == 0
    # And at the date: 13 April 2032 counts, the 14th does not.
    assert len(month(10, 0, "2032-04-13")) == 1
    assert month(10, 0, "2032-04-14") == ()


def test_ac25_a_letter_of_intent_owes_nothing(example: agreements.Loaded, signed: Book) -> None:
    letter = next(paper for paper in example.agreements if paper.id == "nvidia-openai")
    assert letter.status == "letter_of_intent"
    assert letter in signed.agreements  # there to be shown
    at = Instant.parse("2026-12-01")
    assert [
        item for item in obligations(signed, example.facts, at) if item.clause.startswith("nvidia-openai/")
    ] == []
    lines = accrue(signed, example.facts, (), period("2025-01-01", "2028-01-01"))
    assert [line for line in lines if line.clause.startswith("nvidia-openai/")] == []
    signed_letter = wire.convert(wire.to_plain(letter) | {"status": "signed"}, Agreement)
    binding = Book.compile((signed_letter,))
    assert [item.kind for item in obligations(binding, (), at)] == ["deliver", "issue"]


def test_ac26_missed_milestone_becomes_prepayment_credit(case: Callable[[str], Book], fact: MakeFact) -> None:
    book = case("ac26")
    version = next(v for v in book.chart.versions if isinstance(v.clause, Commitment))

    def spend(amount: int, at: str, **attributes: object) -> Usage:
        return used("spend_usd", amount, at, attributes={"country": "US", "source": "azure"} | attributes)

    usage = (
        spend(500_000, "2025-03-01"),
        spend(100_000, "2025-04-01", source="marketplace", benefit_eligible=True),
        spend(100_000, "2025-04-01", source="marketplace", benefit_eligible=False),
        spend(100_000, "2025-05-01", country="DE"),
    )
    (line,) = accrue(book, (), usage, period("2025-12-01", "2026-01-01"))
    assert (line.kind, line.amount_micro_usd) == ("prepayment", 400_000 * MICRO)
    assert "becomes prepayment credit" in line.says
    # Credit once charged is not charged again at the next milestone.
    more = (*usage, spend(1_000_000, "2026-06-01"))
    assert accrue(book, (), more, period("2026-12-01", "2027-01-01"), prior=(line,)) == ()
    # No milestone, no charge.
    assert accrue(book, (), usage, period("2025-06-01", "2025-07-01")) == ()

    def status_at(at: str, consumed: int, *facts: WorldFact) -> str:
        return status(version, book.present(facts, Instant.parse(at)), Decimal(consumed))

    assert status_at("2024-12-01", 0) == "Pending"
    assert status_at("2025-06-01", 0) == "Active"
    assert status_at("2025-06-01", 3_000_000) == "Completed"
    assert status_at("2028-01-01", 2_000_000) == "Expired"
    cancelled = wire.convert(
        wire.to_plain(book.agreements[0])
        | {"clauses": [*wire.to_plain(book.agreements[0])["clauses"], {"kind": "termination", "id": "end"}]},
        Agreement,
    )
    ended = Book.compile((cancelled,))
    again = next(v for v in ended.chart.versions if isinstance(v.clause, Commitment))
    notice = fact("notice/macc/end", at="2025-09-01")
    assert status(again, ended.present((notice,), Instant.parse("2025-10-01")), Decimal(0)) == "Canceled"


def test_ac27_unused_credits_are_forfeited_each_year(case: Callable[[str], Book]) -> None:
    book = case("ac27")
    first = used("chip_hours", 300_000, "2025-06-01")  # 1.2 million at the rate card: overage
    second = used("chip_hours", 175_000, "2026-06-01")  # 0.7 million
    year_1 = accrue(book, (), (first,), period("2025-01-01", "2026-01-01"))
    assert [(line.kind, line.amount_micro_usd) for line in year_1] == [("usage", 1_200_000 * MICRO)]
    year_2 = accrue(book, (), (first, second), period("2026-01-01", "2027-01-01"), prior=year_1)
    assert [(line.kind, line.amount_micro_usd) for line in year_2] == [
        ("usage", 700_000 * MICRO),
        ("forfeited", 300_000 * MICRO),  # the overage of the first year does not roll over
    ]
    year_3 = accrue(book, (), (first, second), period("2027-01-01", "2028-01-01"), prior=(*year_1, *year_2))
    assert [(line.kind, line.amount_micro_usd) for line in year_3] == [("forfeited", 1_000_000 * MICRO)]


@pytest.mark.parametrize(
    ("level", "fraction"),
    [
        ("0.9999", "0"),
        ("0.99989", "0.10"),
        ("0.99", "0.10"),
        ("0.9899", "0.30"),
        ("0.95", "0.30"),
        ("0.9499", "1"),
    ],
)
def test_ac33_tiers(case: Callable[[str], Book], level: str, fraction: str) -> None:
    clause = next(v.clause for v in case("ac33").chart.versions if isinstance(v.clause, ServiceLevel))
    missed = period("2026-03-01", "2026-04-01")
    claimed = Instant.parse("2026-04-15")
    credit = service_credit(clause, Decimal(level), 1_000 * MICRO, missed, claimed)
    assert credit.amount_micro_usd == int(1_000 * MICRO * Decimal(fraction))


def test_ac33_claims_end_with_the_second_cycle_and_small_credits_are_not_given(
    case: Callable[[str], Book],
) -> None:
    book = case("ac33")
    clause = next(v.clause for v in book.chart.versions if isinstance(v.clause, ServiceLevel))
    missed = period("2026-03-01", "2026-04-01")
    assert claim_ends(clause, missed) == Instant.parse("2026-06-01")
    level = Decimal("0.98")
    in_time = Instant(Instant.parse("2026-06-01") - 1)
    assert service_credit(clause, level, 1_000 * MICRO, missed, in_time).amount_micro_usd == 300 * MICRO
    late = service_credit(clause, level, 1_000 * MICRO, missed, Instant.parse("2026-06-01"))
    assert (late.amount_micro_usd, "late" in late.says) == (0, True)
    assert service_credit(clause, level, 1_000 * MICRO, missed, None).amount_micro_usd == 0
    assert service_credit(clause, level, 3_333_333, missed, in_time).amount_micro_usd == 0  # 0.9999999 USD
    assert (
        service_credit(clause, level, 3_333_334, missed, in_time).amount_micro_usd == MICRO
    )  # 1.0000002 USD

    assert "next invoice" in service_credit(clause, level, 1_000 * MICRO, missed, in_time).says


def test_ac33_the_credit_is_on_the_invoice_of_the_claim(case: Callable[[str], Book], fact: MakeFact) -> None:
    book = case("ac33")
    march, april = period("2026-03-01", "2026-04-01"), period("2026-04-01", "2026-05-01")
    usage = (used("chip_hours", 500, "2026-03-01"), used("availability", "0.98", "2026-03-01"))
    claim = fact("claimed/compute-sla/region", "2026-03-01", at="2026-04-20")
    charged = accrue(book, (claim,), usage, march, known_at=april.end)
    assert [(line.kind, line.amount_micro_usd) for line in charged] == [("usage", 1_000 * MICRO)]
    assert accrue(book, (), usage, april, prior=charged) == ()
    (credit,) = accrue(book, (claim,), usage, april, prior=charged)
    assert (credit.kind, credit.amount_micro_usd) == ("service_credit", 300 * MICRO)
    assert (credit.payer, credit.payee) == ("amazon", "buyer")


def test_ac15_each_dollar_counts_once_unless_declared_as_shared(example: agreements.Loaded) -> None:
    paper = next(paper for paper in example.agreements if paper.id == "aws-openai")
    span = period("2026-04-01", "2026-05-01")
    spend = (used("spend_usd", 30_000_000_000, "2026-04-02"), used("spend_usd", 20_000_000_000, "2026-04-03"))
    counted = consumption(Timeline(Book.compile((paper,)), (), span), spend)
    assert counted["aws-openai/ultraservers"] == 38_000_000_000  # ends first, and is full
    assert counted["aws-openai/trainium-spend"] == 12_000_000_000
    assert sum(counted.values()) == 50_000_000_000

    power = (used("gw", 2, "2026-04-02"),)
    assert consumption(Timeline(Book.compile((paper,)), (), span), power)["aws-openai/trainium-power"] == 2

    plain = wire.to_plain(paper)
    adds = next(clause for clause in plain["clauses"] if clause["kind"] == "amendment")["adds"]
    next(clause for clause in adds if clause["id"] == "trainium-spend")["shared_with"] = "ultraservers"
    shared = consumption(Timeline(Book.compile((wire.convert(plain, Agreement),)), (), span), spend)
    assert shared["aws-openai/ultraservers"] == 38_000_000_000
    assert shared["aws-openai/trainium-spend"] == 50_000_000_000

    # 50 = 15 now + 35 on conditions.
    book = Book.compile((paper,))
    at = Instant.parse("2026-03-01")
    met = WorldFact("openai_investment_conditions_met", True, at)
    assert [o.amount_micro_usd for o in obligations(book, (), at) if o.kind == "issue"] == [
        15_000_000_000 * MICRO
    ]
    assert sum(o.amount_micro_usd or 0 for o in obligations(book, (met,), at) if o.kind == "issue") == (
        50_000_000_000 * MICRO
    )
