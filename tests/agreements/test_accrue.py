"""Money arithmetic beyond the cases: tiers, ramps, rollover, prepayment, indexes; and what is conserved."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.agreements import Book, ChargeLine, Period, Usage, WorldFact, accrue
from stargate.agreements.accrue import capped, payments, price_of, share_of
from stargate.agreements.clause import Payment, Price, RevenueShare, ShareTier, Tier
from stargate.base.money import micro_usd
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
MICRO = 1_000_000
TIERS = (
    Tier(price_usd=Decimal(3), up_to=Decimal(100)),
    Tier(price_usd=Decimal(2), up_to=Decimal(200)),
    Tier(price_usd=Decimal(1)),
)


def deal(*clauses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "deal", "customer": "lab", "supplier": "alpha", "clauses": list(clauses), **more}


def span(start: str, end: str) -> Period:
    return Period(Instant.parse(start), Instant.parse(end))


def used(metric: str, quantity: str | int, at: str, **attributes: Any) -> Usage:
    return Usage(metric, Decimal(quantity), Instant.parse(at), attributes=attributes)


def brief(lines: tuple[ChargeLine, ...]) -> list[tuple[str, Decimal]]:
    return [(line.kind, Decimal(line.amount_micro_usd) / MICRO) for line in lines]


@pytest.mark.parametrize(
    ("mode", "quantity", "expected"),
    [
        ("graduated", 0, 0),
        ("graduated", 100, 300),
        ("graduated", 150, 400),
        ("graduated", 250, 550),
        ("volume", 100, 300),
        ("volume", 101, 202),
        ("volume", 250, 250),
    ],
)
def test_price_tiers(mode: Any, quantity: int, expected: int) -> None:
    assert price_of(Price(id="p", tiers=TIERS, tier_mode=mode), Decimal(quantity)) == expected


def test_a_price_moves_with_its_index(make: MakeBook, fact: MakeFact) -> None:
    book = make(deal({"kind": "price", "id": "p", "price_usd": 2, "index": {"fact": "energy", "base": 50}}))
    usage = (used("chip_hours", 10, "2025-03-02"),)
    march = span("2025-03-01", "2025-04-01")
    assert brief(accrue(book, (), usage, march)) == [("usage", Decimal(20))]
    assert brief(accrue(book, (fact("energy", 60, "2025-03-02"),), usage, march)) == [("usage", Decimal(24))]
    # Use before the index moved is charged at what held then.
    assert brief(accrue(book, (fact("energy", 60, "2025-03-15"),), usage, march)) == [("usage", Decimal(20))]


def test_dated_prices_each_count_in_their_time(make: MakeBook) -> None:
    book = make(
        deal(
            {"kind": "price", "id": "old", "price_usd": 3, "until": "2025-03-15"},
            {"kind": "price", "id": "new", "price_usd": 2, "from": "2025-03-15"},
        )
    )
    usage = (used("chip_hours", 10, "2025-03-14T23:59:59Z"), used("chip_hours", 10, "2025-03-15"))
    assert brief(accrue(book, (), usage, span("2025-03-01", "2025-04-01"))) == [
        ("usage", Decimal(30)),
        ("usage", Decimal(20)),
    ]


def test_an_exception_prices_what_it_covers_and_the_base_the_rest(make: MakeBook) -> None:
    scope = [{"field": "team", "values": ["research"]}]
    book = make(
        deal(
            {"kind": "price", "id": "list", "price_usd": 3},
            {"kind": "price", "id": "research", "price_usd": 1, "scope": scope, "exception_to": "list"},
        )
    )
    usage = (used("chip_hours", 10, "2025-03-02", team="research"), used("chip_hours", 10, "2025-03-02"))
    lines = accrue(book, (), usage, span("2025-03-01", "2025-04-01"))
    assert [(line.clause, int(line.quantity or 0)) for line in lines] == [
        ("deal/list", 10),
        ("deal/research", 10),
    ]


def test_a_ramp_by_month_since_the_start(make: MakeBook) -> None:
    ramp = [{"month": 0, "minimum": 10}, {"month": 2, "minimum": 30}]
    commitment = {"kind": "commitment", "id": "c", "ramp": ramp, "fulfillment_interval": "Monthly"}
    book = make(deal(commitment | {"from": "2025-01-31", "until": "2025-06-30"}))
    whole = accrue(book, (), (), span("2025-01-01", "2025-07-01"))
    assert [(line.period.start.iso()[:10], int(line.quantity or 0)) for line in whole] == [
        ("2025-01-31", 10),
        ("2025-02-28", 10),
        ("2025-03-31", 30),
        ("2025-04-30", 30),
        ("2025-05-31", 30),
    ]


@pytest.mark.parametrize(
    ("rollover", "short"), [("none", [0, 10, 40]), ("next_interval", [0, 0, 40]), ("until_end", [0, 0, 0])]
)
def test_rollover_of_what_was_consumed_beyond_the_minimum(
    make: MakeBook, rollover: str, short: list[int]
) -> None:
    commitment = {
        "kind": "commitment",
        "id": "c",
        "minimum": 100,
        "fulfillment_interval": "Monthly",
        "rollover": rollover,
        "from": "2025-01-01",
        "until": "2025-04-01",
    }
    book = make(deal(commitment))
    usage = tuple(used("spend_usd", amount, f"2025-0{n}-10") for n, amount in ((1, 160), (2, 90), (3, 60)))
    months = [span(f"2025-0{n}-01", f"2025-0{n + 1}-01") for n in (1, 2, 3)]
    found = [accrue(book, (), usage, month) for month in months]
    assert [int(sum((line.quantity or Decimal(0) for line in lines), Decimal(0))) for lines in found] == short


def test_a_commitment_that_ends_early_owes_nothing_more(make: MakeBook, fact: MakeFact) -> None:
    commitment = {"kind": "commitment", "id": "c", "minimum": 100, "fulfillment_interval": "Monthly"}
    book = make(deal(commitment | {"from": "2025-01-01"}, {"kind": "termination", "id": "end"}))
    notice = fact("notice/deal/end", at="2025-03-10")
    assert brief(accrue(book, (notice,), (), span("2025-02-01", "2025-03-01"))) == [
        ("shortfall", Decimal(100))
    ]
    assert accrue(book, (notice,), (), span("2025-04-01", "2025-06-01")) == ()


@pytest.mark.parametrize(
    ("mode", "credits"), [("none", []), ("first", [40, 20]), ("pro_rata", [20, 20, 20]), ("last", [20, 40])]
)
def test_prepayment_comes_back(make: MakeBook, mode: str, credits: list[int]) -> None:
    clauses = (
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-04-01"},
        {"kind": "commitment", "id": "c", "amount": 120, "fulfillment_interval": "Monthly"},
        {"kind": "prepayment", "id": "p", "percent": 50, "of": "c", "credit_back": mode},
    )
    book = make(deal(*clauses))
    prior: tuple[ChargeLine, ...] = ()
    for n in (1, 2, 3):
        prior += accrue(book, (), (), span(f"2025-0{n}-01", f"2025-0{n + 1}-01"), prior=prior)
    paid = [line.amount_micro_usd // MICRO for line in prior if line.kind == "prepayment"]
    back = [line.amount_micro_usd // MICRO for line in prior if line.kind == "prepayment_credit"]
    assert (paid, back) == ([60], credits)


def test_a_share_of_shares_received(make: MakeBook) -> None:
    book = make(
        deal({"kind": "revenue_share", "id": "in", "payer": "alpha", "payee": "lab", "rate": "0.5"}),
        {
            "id": "fund",
            "customer": "lab",
            "supplier": "fund",
            "clauses": [
                {
                    "kind": "revenue_share",
                    "id": "out",
                    "rate": "0.1",
                    "base": {"includes_shares": ["deal/in"]},
                }
            ],
        },
    )
    usage = (
        Usage("revenue_usd", Decimal(100), Instant.parse("2025-03-02"), party="alpha"),
        Usage("revenue_usd", Decimal(30), Instant.parse("2025-03-02"), party="lab"),
    )
    lines = accrue(book, (), usage, span("2025-03-01", "2025-04-01"))
    assert {line.clause: line.amount_micro_usd for line in lines} == {
        "deal/in": 50 * MICRO,
        "fund/out": 8 * MICRO,
    }


def test_a_late_verification_counts_from_when_it_is_so(make: MakeBook, fact: MakeFact) -> None:
    book = make(deal({"kind": "revenue_share", "id": "s", "rate": "0.1", "accrue_until": {"fact": "agi"}}))
    usage = (used("revenue_usd", 100, "2025-03-05"), used("revenue_usd", 100, "2025-03-20"))
    march = span("2025-03-01", "2025-04-01")
    late = fact("agi", at="2025-03-10", recorded_at=Instant.parse("2025-05-01"))
    assert brief(accrue(book, (late,), usage, march)) == [("share", Decimal(20))]
    corrected = accrue(book, (late,), usage, march, known_at=Instant.parse("2025-06-01"))
    assert brief(corrected) == [("share", Decimal(10))]


# -- what is conserved ----------------------------------------------------------------------------------------

amounts = st.integers(0, 10**15)


@given(st.lists(amounts, max_size=8), st.integers(0, 10**9))
def test_a_cap_is_never_passed_and_always_reached(parts: list[int], cap_usd: int) -> None:
    paid = 0
    for part in parts:
        paid += capped(part, Decimal(cap_usd), paid)
    assert paid == min(sum(parts), cap_usd * MICRO)


@given(amounts, st.integers(1, 36), st.integers(1, 6), st.integers(0, 12))
def test_instalments_add_up(amount: int, installments: int, interval_months: int, delay_months: int) -> None:
    terms = Payment(installments=installments, interval_months=interval_months, delay_months=delay_months)
    clause = RevenueShare(id="s", rate=Decimal("0.2"), payment=terms)
    line = ChargeLine(
        clause="a/s",
        kind="share",
        payer="x",
        payee="y",
        amount_micro_usd=amount,
        period=span("2025-01-01", "2025-02-01"),
        says="",
    )
    dues = payments(clause, [line])
    assert sum(due.amount_micro_usd for due in dues) == amount
    assert all(due.at >= line.period.end for due in dues)
    spread = [due.amount_micro_usd for due in dues]
    assert not spread or max(spread) - min(spread) <= 1


@given(st.lists(st.decimals(0, 1000, places=4), min_size=1, max_size=6))
def test_tiers_do_not_mind_how_use_is_cut(parts: list[Decimal]) -> None:
    clause = RevenueShare(
        id="s",
        tiers=(
            ShareTier(rate=Decimal("0.3"), up_to_usd=Decimal(500)),
            ShareTier(rate=Decimal("0.2"), up_to_usd=Decimal(900)),
            ShareTier(rate=Decimal("0.1")),
        ),
    )
    counted, total = Decimal(0), Decimal(0)
    for part in parts:
        total += share_of(clause, part, counted)
        counted += part
    assert total == share_of(clause, sum(parts, Decimal(0)))


@given(st.decimals(0, 10_000, places=6))
def test_graduated_prices_rise_without_a_step(quantity: Decimal) -> None:
    clause = Price(id="p", tiers=TIERS)
    step = Decimal("0.01")
    more = price_of(clause, quantity + step) - price_of(clause, quantity)
    assert step * 1 <= more <= step * 3


@given(st.lists(st.tuples(st.sampled_from(["lab", "alpha"]), st.integers(1, 10**9)), max_size=6))
def test_netting_conserves(earned: list[tuple[str, int]]) -> None:
    from stargate.agreements import Agreement
    from stargate.base import wire

    plain = deal(
        {"kind": "revenue_share", "id": "a", "rate": "0.2"},
        {"kind": "revenue_share", "id": "b", "payer": "alpha", "payee": "lab", "rate": "0.3"},
        {"kind": "netting", "id": "n", "clauses": ["a", "b"]},
    )
    book = Book.compile([wire.convert(plain, Agreement)])
    usage = tuple(
        Usage("revenue_usd", Decimal(n), Instant.parse("2025-03-02"), party=party) for party, n in earned
    )
    lines = accrue(book, (), usage, span("2025-03-01", "2025-04-01"))
    gross = [line for line in lines if line.basis == "gross"]
    net = [line for line in lines if line.basis == "net"]
    owed = sum(line.amount_micro_usd if line.payer == "lab" else -line.amount_micro_usd for line in gross)
    assert (
        sum(line.amount_micro_usd if line.payer == "lab" else -line.amount_micro_usd for line in net) == owed
    )
    assert len(net) == (1 if gross else 0)


@given(st.integers(1, 10**12), st.integers(1, 120))
def test_even_minimums_add_up_to_the_amount(amount_micro: int, months: int) -> None:
    from stargate.agreements import Agreement
    from stargate.agreements.period import add_months
    from stargate.base import wire

    start = Instant.parse("2025-01-01")
    plain = deal(
        {"kind": "term", "id": "t", "from": "2025-01-01", "until": add_months(start, months).iso()},
        {
            "kind": "commitment",
            "id": "c",
            "amount": str(Decimal(amount_micro).scaleb(-6)),
            "fulfillment_interval": "Monthly",
        },
    )
    book = Book.compile([wire.convert(plain, Agreement)])
    lines = accrue(book, (), (), Period(start, add_months(start, months)))
    assert (
        sum(line.amount_micro_usd for line in lines)
        == amount_micro
        == micro_usd(Decimal(amount_micro).scaleb(-6))
    )


def test_a_part_may_count_up_to_a_fraction_of_what_is_due(make: MakeBook) -> None:
    eligible = [
        {"scope": [{"field": "source", "values": ["cloud"]}]},
        {"scope": [{"field": "source", "values": ["marketplace"]}], "at_most": 0.25},
        {"scope": [{"field": "source", "values": ["partner"]}], "share": 0.5},
    ]
    commitment = {
        "kind": "commitment",
        "id": "c",
        "minimum": 1000,
        "fulfillment_interval": "Annual",
        "from": "2025-01-01",
        "until": "2027-01-01",
        "eligible": eligible,
    }
    book = make(deal(commitment))
    usage = (
        used("spend_usd", 400, "2025-02-01", source="cloud"),
        used("spend_usd", 200, "2025-03-01", source="marketplace"),
        used("spend_usd", 200, "2025-04-01", source="marketplace"),
        used("spend_usd", 100, "2025-05-01", source="partner"),
        used("spend_usd", 100, "2025-05-01", source="elsewhere"),
    )
    assert brief(accrue(book, (), usage, span("2025-12-01", "2026-01-01"))) == [("shortfall", Decimal(300))]


def test_a_warrant_is_a_number_of_shares(make: MakeBook, fact: MakeFact) -> None:
    deployed = {"fact": "deployed_gw", "operator": ">=", "value": 1}
    warrant = {"shares": 160_000_000, "strike_usd": 0.01}
    book = make(
        deal(
            {"kind": "condition_precedent", "id": "first-gigawatt", "when": [deployed]},
            {"kind": "equity_grant", "id": "w", "requires": "first-gigawatt", **warrant},
        )
    )
    year = span("2026-01-01", "2027-01-01")
    assert accrue(book, (fact("deployed_gw", "0.9", "2026-06-01"),), (), year) == ()
    (line,) = accrue(book, (fact("deployed_gw", 1, "2026-09-01"),), (), year)
    assert (line.kind, int(line.quantity or 0), line.amount_micro_usd) == ("equity", 160_000_000, 0)
    assert (line.price_usd, line.due) == (Decimal("0.01"), Instant.parse("2026-09-01"))


def test_a_guarantor_pays_what_is_due_and_unpaid(make: MakeBook) -> None:
    book = make(deal({"kind": "backstop", "id": "b", "base": "unpaid", "cap_usd": 100}))
    usage = (used("due_usd", 80, "2025-03-01"), used("paid_usd", 30, "2025-03-05"))
    first = accrue(book, (), usage, span("2025-03-01", "2025-04-01"))
    assert brief(first) == [("backstop", Decimal(50))]
    again = (used("due_usd", 80, "2025-04-01"),)
    assert brief(accrue(book, (), again, span("2025-04-01", "2025-05-01"), prior=first)) == [
        ("backstop", Decimal(50))
    ]


def test_hourly_commitments_are_reckoned_hour_by_hour(make: MakeBook) -> None:
    commitment = {"kind": "commitment", "id": "c", "minimum": 10, "fulfillment_interval": "Hourly"}
    book = make(deal(commitment | {"from": "2020-01-01"}))
    usage = (used("spend_usd", 14, "2025-03-01T00:30:00Z"), used("spend_usd", 4, "2025-03-01T02:10:00Z"))
    lines = accrue(book, (), usage, span("2025-03-01", "2025-03-01T03:00:00Z"))
    assert [(line.period.start.iso()[11:16], int(line.quantity or 0)) for line in lines] == [
        ("01:00", 10),
        ("02:00", 6),
    ]
