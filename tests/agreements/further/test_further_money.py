"""Further cases of money: commitments, caps, banks, credits, guarantees, shares."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from stargate.agreements import Book, ChargeLine, Period, Request, Usage, WorldFact, accrue, decide, held
from stargate.base.time import Instant

MakeBook = Callable[..., Book]
MakeFact = Callable[..., WorldFact]
MakePeriod = Callable[[str, str], Period]
MakeUsage = Callable[..., Usage]
Owed = Callable[..., int]
T = Instant.parse
MICRO = 1_000_000


def told(lines: tuple[ChargeLine, ...]) -> list[tuple[str, str, int]]:
    return [(line.clause.partition("/")[2], line.kind, line.amount_micro_usd // MICRO) for line in lines]


# -- commitments --------------------------------------------------------------------------------------------------


def test_a_resource_commitment_counts_its_resource_and_region_hour_by_hour(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("committed_use")
    hour = Period(T("2026-02-01T10:00:00Z"), T("2026-02-01T11:00:00Z"))
    at = "2026-02-01T10:00:00Z"

    def short(*usage: Usage) -> list[tuple[str, Decimal | None]]:
        return [
            (line.clause, line.quantity)
            for line in accrue(book, (), usage, hour)
            if line.clause == "resource/chips"
        ]

    assert short() == [("resource/chips", Decimal(8))]
    in_region = used("chip_hours", 5, at, chip="h100", site="us-central1")
    elsewhere = used("chip_hours", 5, at, chip="h100", site="europe-west4")
    other_chip = used("chip_hours", 5, at, chip="a100", site="us-central1")
    assert short(in_region, elsewhere, other_chip) == [("resource/chips", Decimal(3))]
    assert short(used("chip_hours", 9, at, chip="h100", site="us-central1")) == []
    (line,) = (line for line in accrue(book, (), (), hour) if line.clause == "resource/chips")
    assert line.amount_micro_usd == 8 * 1_850_000
    assert held(book, (), T(at)) == ()  # a commitment holds no capacity
    # Excess of one hour does not help the next.
    next_hour = Period(T("2026-02-01T11:00:00Z"), T("2026-02-01T12:00:00Z"))
    rich = used("chip_hours", 100, at, chip="h100", site="us-central1")
    assert "resource/chips" in [line.clause for line in accrue(book, (), (rich,), next_hour)]


def test_an_on_demand_reservation_is_charged_whether_used_or_not_and_once(
    further: MakeBook, period: MakePeriod, used: MakeUsage, fact: MakeFact
) -> None:
    book = further("on_demand_reservation")
    day = period("2026-03-01", "2026-03-02")
    held_hours = 16 * 24
    full = held_hours * 6_980_000
    for hours in (0, 100, held_hours):
        lines = accrue(book, (), (used("chip_hours", hours, "2026-03-01"),), day)
        assert [line.amount_micro_usd for line in lines] == [full]
    cancel = Request("cancel", "buyer", "", {"clause": "odcr/group"})
    assert decide(book, (), T("2026-03-01"), cancel).outcome == "permit"
    ended = (fact("notice/odcr/any-time", at="2026-03-01T12:00:00Z"),)
    (line,) = accrue(book, ended, (), day)
    assert line.amount_micro_usd == full // 2


def test_an_enterprise_discount_ramps_and_pays_its_shortfall(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("enterprise_discount")
    million = 1_000_000
    usage = (
        used("spend_usd", 12 * million, "2026-06-01", source="aws"),
        used("spend_usd", 12 * million, "2027-06-01", source="aws"),
        used("spend_usd", 19 * million, "2028-06-01", source="aws"),
    )
    years = [
        accrue(book, (), usage, period(f"{year}-03-01", f"{year + 1}-03-01")) for year in (2026, 2027, 2028)
    ]
    assert [told(lines) for lines in years] == [
        [],
        [("spend", "shortfall", 3 * million)],  # the excess of the first year does not roll over
        [("spend", "shortfall", million)],
    ]
    # Of what the marketplace sold, a quarter of the year's commitment counts.
    bought = used("spend_usd", 9 * million, "2027-06-02", source="marketplace")
    ten = used("spend_usd", 10 * million, "2027-06-01", source="aws")
    second = accrue(book, (), (ten, bought), period("2027-03-01", "2028-03-01"))
    assert [line.quantity for line in second] == [Decimal(1_250_000)]  # 15 less 10 less 3.75
    # Billed month by month it is the same, on the day each year ends.
    february = accrue(book, (), usage, period("2028-02-01", "2028-03-01"))
    assert told(february) == [("spend", "shortfall", 3 * million)]
    assert accrue(book, (), usage, period("2028-01-01", "2028-02-01")) == ()


def test_a_make_up_bank(further: MakeBook, period: MakePeriod, used: MakeUsage) -> None:
    book = further("take_or_pay_bank")

    def year(number: int, taken: int, prior: tuple[ChargeLine, ...]) -> tuple[ChargeLine, ...]:
        usage = (used("chip_hours", taken, f"{number}-06-01"),)
        return accrue(book, (), usage, period(f"{number}-01-01", f"{number + 1}-01-01"), prior=prior)

    first = year(2026, 600, ())
    assert [(line.kind, line.quantity, line.amount_micro_usd) for line in first] == [
        ("make_up", Decimal(400), 800 * MICRO)
    ]
    assert (first[0].payer, first[0].payee) == ("lab", "lambda")
    # Only what is above the year's own minimum draws on the bank, at the price that was paid.
    second = year(2027, 1300, first)
    assert [(line.payer, line.quantity, line.amount_micro_usd) for line in second] == [
        ("lambda", Decimal(300), 600 * MICRO)
    ]
    third = year(2028, 1300, (*first, *second))
    assert [line.quantity for line in third] == [Decimal(100)]  # no more than is left
    assert year(2029, 1300, (*first, *second, *third)) == ()
    # Hours of an outage are the supplier's fault, and count as taken.
    outage = (used("chip_hours", 600, "2026-06-01"), used("outage_chip_hours", 400, "2026-07-01"))
    assert accrue(book, (), outage, period("2026-01-01", "2027-01-01")) == ()


def test_the_bank_forgets_the_oldest_first_and_draws_the_oldest_first(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("take_or_pay_bank")
    lines: tuple[ChargeLine, ...] = ()
    drawn = {}
    for number, taken in ((2026, 900), (2027, 1100), (2028, 950), (2029, 1000), (2030, 1000), (2031, 1080)):
        usage = (used("chip_hours", taken, f"{number}-06-01"),)
        found = accrue(book, (), usage, period(f"{number}-01-01", f"{number + 1}-01-01"), prior=lines)
        drawn[number] = [int(line.quantity or 0) for line in found]
        lines = (*lines, *found)
    # 2026: 100 short; 2027 takes them back; 2028: 50 short, which are good through 2031. What was taken
    # in 2027 were the hours of 2026 and not those of 2028.
    assert drawn == {2026: [100], 2027: [100], 2028: [50], 2029: [], 2030: [], 2031: [50]}
    expired = tuple(line for line in lines if line.period.end <= T("2029-01-01"))
    late = (used("chip_hours", 1080, "2032-06-01"),)
    assert accrue(book, (), late, period("2032-01-01", "2033-01-01"), prior=expired) == ()


# -- shares, netting, credits ------------------------------------------------------------------------------------


def test_a_share_of_net_revenue_meets_both_caps_in_the_middle_of_a_period(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("capped_share")
    prior: tuple[ChargeLine, ...] = ()
    owed = []
    months = [
        ("2026-01", 500, 100, 50),  # 0.2 x 350 = 70
        ("2026-02", 400, 0, 0),  # 80, cut to 30: the quarter's cap
        ("2026-03", 400, 0, 0),  # nothing is left of the quarter
        ("2026-04", 500, 0, 0),  # 100 exactly
        ("2026-07", 255, 0, 0),  # 51, cut to 50: the cap in all
        ("2026-10", 1, 0, 0),  # nothing, for ever
    ]
    for month, gross, refunds, taxes in months:
        usage = (
            used("revenue_usd", gross, f"{month}-03", "lab"),
            used("refunds_usd", refunds, f"{month}-10", "lab"),
            used("taxes_usd", taxes, f"{month}-20", "lab"),
            used("revenue_usd", 10_000, f"{month}-20", "partner"),  # not the payer's
        )
        lines = accrue(book, (), usage, period(f"{month}-01", f"{month}-28"), prior=prior)
        prior = (*prior, *lines)
        owed.append(sum(line.amount_micro_usd for line in lines) // MICRO)
    assert owed == [70, 30, 0, 100, 50, 0]
    assert sum(line.amount_micro_usd for line in prior) == 250 * MICRO
    cut = [line for line in prior if "by the cap" in line.says]
    assert len(cut) == 4


def test_one_long_period_meets_each_quarters_cap(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("capped_share")
    usage = tuple(used("revenue_usd", 400, f"2026-{month:02d}-05", "lab") for month in (1, 2, 4, 7))
    whole = accrue(book, (), usage, period("2026-01-01", "2027-01-01"))
    # 160 cut to 100, then 80, then 80 cut to 70 by the cap in all.
    assert sum(line.amount_micro_usd for line in whole) == 250 * MICRO
    half = accrue(book, (), usage, period("2026-01-01", "2026-07-01"))
    assert sum(line.amount_micro_usd for line in half) == 180 * MICRO


def test_only_one_pair_is_netted_in_one_line(
    further: MakeBook, period: MakePeriod, used: MakeUsage, fact: MakeFact
) -> None:
    book = further("netting_pairs")
    usage = (used("revenue_usd", 1000, "2026-02-01", "a"), used("revenue_usd", 500, "2026-02-01", "b"))
    lines = accrue(book, (), usage, period("2026-02-01", "2026-03-01"))
    net = [(line.payer, line.payee, line.amount_micro_usd // MICRO) for line in lines if line.basis == "net"]
    assert net == [("a", "b", 150), ("a", "c", 50)]
    assert len([line for line in lines if line.basis == "gross"]) == 3
    disputed = (fact("dispute", at="2026-02-15"),)
    lines = accrue(book, disputed, usage, period("2026-02-01", "2026-03-01"))
    net = [(line.payer, line.payee, line.amount_micro_usd // MICRO) for line in lines if line.basis == "net"]
    assert net == [("a", "b", 200), ("a", "c", 50)]  # the suspended direction stays gross


CLAIMS = [
    # level, hours charged, claimed on, credit
    ("0.985", 1000, "2026-04-30T23:59:59Z", 200),
    ("0.985", 1000, "2026-05-01", 0),  # thirty days after the end of March, exactly: late
    ("0.949", 1000, "2026-04-15", 500),
    ("0.99", 1000, "2026-04-15", 0),
    ("0.985", 20, "2026-04-15", 0),  # 4 USD are less than the least credit
    ("0.985", 25, "2026-04-15", 5),
]


@pytest.mark.parametrize("case", CLAIMS)
def test_service_credit_needs_a_claim_in_time_and_a_least_amount(
    further: MakeBook,
    period: MakePeriod,
    used: MakeUsage,
    fact: MakeFact,
    case: tuple[str, int, str, int],
) -> None:
    level, hours, claimed, credit = case
    book = further("service_credit")
    march, later = period("2026-03-01", "2026-04-01"), period("2026-04-01", "2026-06-01")
    charged = accrue(book, (), (used("chip_hours", hours, "2026-03-10"),), march)
    claim = (fact("claimed/sla/uptime", "2026-03-01", at=claimed),)
    lines = accrue(book, claim, (used("availability", level, "2026-03-01"),), later, prior=charged)
    assert sum(line.amount_micro_usd for line in lines if line.kind == "service_credit") == credit * MICRO


# -- guarantees and shares in companies -----------------------------------------------------------------------------


def test_a_guarantor_pays_what_the_tenant_does_not(
    further: MakeBook, period: MakePeriod, used: MakeUsage
) -> None:
    book = further("guarantee")
    due = used("due_usd", 30_000_000, "2027-01-05", "fluidstack")
    paid = used("paid_usd", 12_500_000, "2027-01-20", "fluidstack")
    others = used("due_usd", 99_000_000, "2027-01-05", "another-tenant")
    january = period("2027-01-01", "2027-02-01")
    (line,) = (one for one in accrue(book, (), (due, paid, others), january) if one.kind == "backstop")
    assert (line.payer, line.payee, line.amount_micro_usd) == ("google", "terawulf", 17_500_000 * MICRO)
    assert "owed and not paid" in line.says
    assert accrue(book, (), (due,), period("2036-09-01", "2036-10-01")) == ()
    # Never more than the cap in all.
    more = used("due_usd", 4_000_000_000, "2028-01-05", "fluidstack")
    (last,) = accrue(book, (), (more,), period("2028-01-01", "2028-02-01"), prior=(line,))
    assert line.amount_micro_usd + last.amount_micro_usd == 3_200_000_000 * MICRO


def test_tranches_of_an_investment_depend_on_a_condition_by_a_date(
    further: MakeBook, period: MakePeriod, fact: MakeFact
) -> None:
    book = further("softbank_tranches")
    price = fact("share_price_usd", 200, at="2025-03-31")

    def issued(start: str, end: str, *facts: WorldFact) -> list[tuple[str, int, int]]:
        lines = accrue(book, (price, *facts), (), period(start, end))
        return [
            (line.clause.partition("/")[2], int(line.quantity or 0), line.amount_micro_usd // MICRO)
            for line in lines
        ]

    assert issued("2025-01-01", "2025-12-31") == [("first", 50_000_000, 10_000_000_000)]
    in_time = fact("openai_recapitalised", at="2025-10-28")
    assert issued("2025-10-01", "2025-11-01", in_time) == [("second", 150_000_000, 30_000_000_000)]
    assert issued("2025-11-01", "2027-01-01", in_time) == []
    assert issued("2026-01-01", "2026-02-01") == [("second-reduced", 50_000_000, 10_000_000_000)]
    late = fact("openai_recapitalised", at="2026-03-01")
    assert issued("2026-01-01", "2027-01-01", late) == [("second-reduced", 50_000_000, 10_000_000_000)]
