"""Further cases of whole deals: warrants, leases, prices with bounds, renewal, papers that replace papers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from stargate.agreements import (
    Book,
    ChargeLine,
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
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
MakePeriod = Callable[[str, str], Period]
MakeUsage = Callable[..., Usage]
Owed = Callable[..., int]
T = Instant.parse
MICRO = 1_000_000


@pytest.mark.parametrize(
    "name",
    [
        "amd_warrant",
        "anthropic",
        "cerebras",
        "guarantee",
        "lease",
        "renewal",
        "residual_value",
        "spot_and_favour",
        "superseded",
    ],
)
def test_nothing_is_odd_about_them(further: MakeBook, name: str) -> None:
    assert lint(further(name).agreements) == ()


def test_a_warrant_vests_by_what_is_deployed_and_by_the_price_of_the_share(
    further: MakeBook, period: MakePeriod, fact: MakeFact
) -> None:
    book = further("amd_warrant")
    facts = (
        fact("amd_gw_deployed", 1, at="2026-11-01"),
        fact("amd_share_price_usd", 620, at="2028-01-01"),
        fact("amd_share_price_usd", 480, at="2029-01-01"),
        fact("amd_gw_deployed", 6, at="2030-01-15"),
        fact("amd_share_price_usd", 600, at="2030-03-01"),
    )

    def vested(start: str, end: str, facts: tuple[WorldFact, ...]) -> list[tuple[str, int, Decimal | None]]:
        lines = [line for line in accrue(book, facts, (), period(start, end)) if line.kind == "equity"]
        assert all((line.payer, line.payee, line.amount_micro_usd) == ("amd", "openai", 0) for line in lines)
        return [(line.clause, int(line.quantity or 0), line.price_usd) for line in lines]

    cent = Decimal("0.01")
    assert vested("2025-10-05", "2026-11-01", facts) == []
    assert vested("2026-11-01", "2026-12-01", facts) == [("amd/first-tranche", 26_666_667, cent)]
    # The price was reached before the gigawatts, and not together with them until March 2030.
    assert vested("2026-12-01", "2030-03-01", facts) == []
    assert vested("2030-03-01", "2030-04-01", facts) == [("amd/last-tranche", 26_666_667, cent)]
    # After the warrant has expired nothing vests.
    late = (fact("amd_gw_deployed", 6, at="2030-12-01"), fact("amd_share_price_usd", 700, at="2030-12-01"))
    assert vested("2030-11-01", "2031-02-01", late) == []
    issue = [item for item in obligations(book, facts, T("2027-01-01")) if item.kind == "issue"]
    assert [(item.clause, int(item.quantity or 0), item.unit) for item in issue] == [
        ("amd/first-tranche", 26_666_667, "shares")
    ]


def test_a_spot_price_stays_between_floor_and_ceiling(
    further: MakeBook, period: MakePeriod, fact: MakeFact, used: MakeUsage
) -> None:
    book = further("spot_and_favour")
    facts = (
        fact("h100_index", 110, at="2026-01-01"),
        fact("h100_index", 50, at="2026-01-10"),
        fact("h100_index", 400, at="2026-01-20"),
    )
    usage = tuple(
        Usage("chip_hours", Decimal(10), T(at), "lab", "market")
        for at in ("2026-01-05", "2026-01-12", "2026-01-25", "2026-01-26")
    )
    lines = accrue(book, facts, usage, period("2026-01-01", "2026-02-01"))
    assert [(line.price_usd, line.amount_micro_usd) for line in lines] == [
        (Decimal("2.2"), 22 * MICRO),
        (Decimal("1.20"), 12 * MICRO),
        (Decimal(3), 60 * MICRO),
    ]


def test_the_most_favoured_customer_pays_no_more_than_others(
    further: MakeBook, period: MakePeriod, fact: MakeFact
) -> None:
    book = further("spot_and_favour")
    facts = (
        fact("cloud_lowest_price_usd", "2.80", at="2026-01-01"),
        fact("cloud_lowest_price_usd", "2.10", at="2026-01-15"),
    )
    usage = tuple(
        Usage("chip_hours", Decimal(10), T(at), "lab", "cloud") for at in ("2026-01-05", "2026-01-20")
    )
    lines = accrue(book, facts, usage, period("2026-01-01", "2026-02-01"))
    # From the day on which somebody else pays less; nothing is refunded for before.
    assert [line.amount_micro_usd for line in lines] == [25 * MICRO, 21 * MICRO]


def test_rent_by_the_month_rises_each_year_however_it_is_billed(
    further: MakeBook, period: MakePeriod, fact: MakeFact
) -> None:
    book = further("lease")

    def rent(start: str, end: str) -> int:
        lines = accrue(book, (), (), period(start, end))
        return sum(line.amount_micro_usd for line in lines if line.clause == "lease/rent")

    month = 206_000 * 130 * MICRO
    assert rent("2025-12-01", "2026-01-01") == 0
    assert rent("2026-01-01", "2026-02-01") == month
    assert rent("2026-02-01", "2026-03-01") == month  # months are months, long or short
    assert rent("2026-01-01", "2027-01-01") == 12 * month
    assert rent("2026-02-01", "2026-02-15") == month // 2
    assert rent("2027-01-01", "2027-02-01") == month * 103 // 100
    assert rent("2026-07-01", "2027-07-01") == 6 * month + 6 * month * 103 // 100
    assert rent("2041-01-01", "2041-02-01") == 0
    # Whether billed at once or by the month, fifteen years cost the same to a few micro-USD.
    by_year = sum(rent(f"{year}-01-01", f"{year + 1}-01-01") for year in range(2026, 2041))
    assert abs(by_year - rent("2026-01-01", "2041-01-01")) <= 15

    cancel = Request("cancel", "oracle", "", {"clause": "lease/buildings"})
    assert decide(book, (), T("2030-01-01"), cancel).outcome == "forbid"


def test_an_extension_is_held_once_the_option_is_exercised(further: MakeBook, fact: MakeFact) -> None:
    book = further("lease")
    exercise = Request("exercise", "oracle", "crusoe", {"clause": "lease/extension"})
    dates = ("2038-12-31", "2039-01-01", "2039-12-31", "2040-01-01")
    assert [decide(book, (), T(at), exercise).outcome for at in dates] == [
        "forbid",
        "permit",
        "permit",
        "forbid",
    ]
    taken = (fact("exercised/lease/extension", at="2039-06-01"),)

    def holds(facts: tuple[WorldFact, ...]) -> set[str]:
        return {hold.clause for hold in held(book, facts, T("2043-01-01")) if hold.kind == "reservation"}

    assert holds(()) == set()
    assert holds(taken) == {"lease/five-more-years"}


def test_ending_early_costs_a_fee(further: MakeBook, period: MakePeriod, fact: MakeFact) -> None:
    book = further("lease")
    facts = (fact("notice/lease/early", at="2030-01-01"),)
    may = decide(book, (), T("2030-01-01"), Request("terminate", "oracle", "", {"agreement": "lease"}))
    assert "250,000,000" in may.reasons[0].says

    def fees(start: str, end: str) -> list[ChargeLine]:
        lines = accrue(book, facts, (), period(start, end))
        return [line for line in lines if line.kind == "termination_fee"]

    assert fees("2030-12-01", "2031-01-01") == []
    (fee,) = fees("2031-01-01", "2031-02-01")
    assert (fee.payer, fee.payee, fee.amount_micro_usd) == ("oracle", "crusoe", 250_000_000 * MICRO)
    assert fee.due == T("2031-01-01")
    assert fees("2031-02-01", "2032-01-01") == []


def test_an_agreement_renews_unless_somebody_says_no_in_time(further: MakeBook, fact: MakeFact) -> None:
    book = further("renewal")
    elsewhere = Request("serve", "lab", "other", {"product": "api"})

    def outcome(at: str, *facts: WorldFact) -> str:
        return decide(book, facts, T(at), elsewhere).outcome

    in_time, too_late = (
        fact("not_renewed/cloud/term", at="2025-11-30T23:59:59Z"),
        fact("not_renewed/cloud/term", at="2025-12-01"),  # 90 days before 1 March 2026, exactly
    )
    assert outcome("2026-02-28") == "forbid"
    assert outcome("2026-03-01") == "forbid"
    assert outcome("2026-03-01", in_time) == "permit"
    assert outcome("2026-03-01", too_late) == "forbid"
    assert outcome("2027-03-01", too_late) == "permit"  # it does for the year after
    assert outcome("2029-02-28") == "forbid"
    assert outcome("2029-03-01") == "permit"  # three renewals and no more


def test_a_definitive_paper_supersedes_letter_and_predecessor(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("superseded")
    elsewhere = Request("serve", "lab", "other", {"product": "api"})
    assert decide(book, (), T("2025-12-31"), elsewhere).outcome == "forbid"
    after = decide(book, (), T("2026-01-01"), elsewhere)
    assert after.outcome == "permit"
    assert after.reasons[0].says.endswith("definitive removed it on 2026-01-01")
    usage = (used("revenue_usd", 1000, "2025-12-15", "lab"), used("revenue_usd", 1000, "2026-01-15", "lab"))
    lines = accrue(book, (), usage, period("2025-12-01", "2026-02-01"))
    assert {line.clause: line.amount_micro_usd for line in lines} == {
        "old/share": 200 * MICRO,
        "definitive/share": 100 * MICRO,
    }


def test_a_guarantee_of_value_is_called_when_the_tenant_leaves(
    further: MakeBook, period: MakePeriod, fact: MakeFact, used: MakeUsage
) -> None:
    book = further("residual_value")
    worth = (
        used("guaranteed_usd", 20_000_000_000, "2032-12-31"),
        used("market_value_usd", 17_500_000_000, "2032-12-31"),
    )
    december = period("2032-12-01", "2033-01-01")
    assert accrue(book, (), worth, december) == ()
    leaves = (fact("not_renewed/hyperion/term", at="2031-06-01"),)
    (line,) = accrue(book, leaves, worth, december)
    assert (line.payer, line.amount_micro_usd) == ("meta", 2_500_000_000 * MICRO)


def test_tiers_go_on_within_the_month_however_it_is_billed(
    make: MakeBook, period: MakePeriod, used: MakeUsage, owed: Owed
) -> None:
    tiers = [{"price_usd": 3, "up_to": 100}, {"price_usd": 2}]
    paper = {
        "id": "deal",
        "customer": "lab",
        "supplier": "cloud",
        "clauses": [{"kind": "price", "id": "rate", "tiers": tiers}],
    }
    book = make(paper)
    usage = (used("chip_hours", 80, "2026-01-03"), used("chip_hours", 80, "2026-01-20"))
    whole = accrue(book, (), usage, period("2026-01-01", "2026-02-01"))
    first = accrue(book, (), usage, period("2026-01-01", "2026-01-10"))
    second = accrue(book, (), usage, period("2026-01-10", "2026-02-01"), prior=first)
    assert owed(whole) == owed(first) + owed(second) == (300 + 120) * MICRO
    february = (used("chip_hours", 80, "2026-02-03"),)
    assert owed(accrue(book, (), february, period("2026-02-01", "2026-03-01"), prior=whole)) == 240 * MICRO


def test_exceptions_take_use_out_of_money_clauses(
    make: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    rate = {
        "kind": "price",
        "id": "rate",
        "price_usd": 2,
        "exceptions": [{"id": "research", "scope": [{"field": "kind", "values": ["research"]}]}],
    }
    spot = {
        "kind": "price",
        "id": "spot",
        "price_usd": 1,
        "scope": [{"field": "tenure", "values": ["market"]}],
        "exception_to": "rate",
    }
    book = make({"id": "deal", "customer": "lab", "supplier": "cloud", "clauses": [rate, spot]})
    assert lint(book.agreements) == ()
    usage = (
        used("chip_hours", 10, "2026-01-03"),
        used("chip_hours", 100, "2026-01-03", kind="research"),
        used("chip_hours", 30, "2026-01-03", tenure="market"),
    )
    lines = accrue(book, (), usage, period("2026-01-01", "2026-02-01"))
    assert {line.clause: line.amount_micro_usd for line in lines} == {
        "deal/rate": 20 * MICRO,
        "deal/spot": 30 * MICRO,
    }
