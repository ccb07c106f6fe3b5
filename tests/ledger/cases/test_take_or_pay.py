"""Minimums and what becomes of what was not taken (AC19, AC26, AC27, AC31): paid, credited, banked, forfeited."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.ledger.cases.conftest import MICRO, Books

Sign = Callable[..., Books]
HALF = 500_000


def test_ac19_a_month_without_use_is_the_minimum_less_the_prepayment(books: Books) -> None:
    books.case("ac19").through("2025-06", "2025-04")
    # 11.9e9 / 60 = 198 333 333.333 333 33: the first 20 months are a micro-dollar more, so that all make 11.9e9.
    minimum = 198_333_333_333_334
    assert minimum * 20 + (minimum - 1) * 40 == 11_900_000_000 * MICRO
    # 15 % of what was charged so far, rounded down, less what came back before: 29 749 999.999 999.(9|5)...
    back = [minimum * months * 15 // 100 for months in (0, 1, 2, 3)]
    assert books.brief("2025-04") == [
        ("prepayment", "openai", "coreweave", 1_785_000_000 * MICRO),  # 15 % of 11.9e9, at the start
        ("prepayment_credit", "coreweave", "openai", back[1]),
        ("shortfall", "openai", "coreweave", minimum),
    ]
    for month, number in (("2025-05", 2), ("2025-06", 3)):
        assert books.brief(month) == [
            ("prepayment_credit", "coreweave", "openai", back[number] - back[number - 1]),
            ("shortfall", "openai", "coreweave", minimum),
        ]
    # Over the term the credits are the prepayment: 11.9e9 x 15 % exactly.
    assert (minimum * 20 + (minimum - 1) * 40) * 15 // 100 == 1_785_000_000 * MICRO


def test_ac19_over_the_whole_term_all_of_the_prepayment_comes_back(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-08-01"},
        {"kind": "commitment", "id": "c", "amount": "100.000001", "fulfillment_interval": "Monthly"},
        {"kind": "prepayment", "id": "p", "percent": "33.3", "of": "c"},
    )
    books.use("spend_usd", "10", "2025-03-05", "lab", "alpha").through("2025-08", "2025-01")
    # 33.3 % of 100.000001 = 33.300000333, rounded to 33.3; seven months, one of them used in part.
    assert books.micro(kind="prepayment") == 33_300_000
    assert books.micro(kind="prepayment_credit") == 33_300_000
    assert books.micro(kind="shortfall") == 100_000_001 - 10 * MICRO
    assert len(books.lines(kind="prepayment_credit")) == 7


@pytest.mark.parametrize(
    ("mode", "credits"),
    [
        ("first", [40, 20, 0]),  # all that is charged, until 60 are gone
        ("pro_rata", [20, 20, 20]),  # 60 / 120 of each 40
        ("last", [0, 20, 40]),  # 120 - 60 = 60 are paid first
        ("none", [0, 0, 0]),
    ],
)
def test_prepayment_comes_back_as_it_says(sign: Sign, mode: str, credits: list[int]) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-04-01"},
        {"kind": "commitment", "id": "c", "amount": 120, "fulfillment_interval": "Monthly"},
        {"kind": "prepayment", "id": "p", "percent": 50, "of": "c", "credit_back": mode},
        {"kind": "price", "id": "price", "price_usd": 2},
    )
    books.hours(8, "2025-01-10", "lab", "alpha").hours(20, "2025-02-10", "lab", "alpha")  # 16 and 40 dollars
    books.through("2025-03", "2025-01")
    months = ("2025-01", "2025-02", "2025-03")
    assert [books.micro(month, kind="prepayment_credit") // MICRO for month in months] == credits
    assert [books.micro(month, kind="usage") // MICRO for month in months] == [16, 40, 0]
    assert [books.micro(month, kind="shortfall") // MICRO for month in months] == [24, 0, 40]


def test_a_prepayment_that_an_amendment_raises_is_paid_by_the_difference(sign: Sign) -> None:
    change = [{"clause": "p", "set": {"amount_usd": 500, "credit_back": "first"}}]
    books = sign(
        {"kind": "prepayment", "id": "p", "amount_usd": 300, "credit_back": "first"},
        {"kind": "price", "id": "price", "price_usd": 2},
        {"kind": "amendment", "id": "more", "from": "2025-03-15", "changes": change},
        signed_on="2025-01-10",
    )
    books.hours(100, "2025-02-10", "lab", "alpha").hours(100, "2025-03-10", "lab", "alpha").through(
        "2025-03", "2025-01"
    )
    assert books.micro("2025-01", kind="prepayment") == 300 * MICRO
    assert books.micro("2025-03", kind="prepayment") == 200 * MICRO  # 500 - 300
    # 200 came back in February, in March 200 of the 300 that are left.
    assert [books.micro(f"2025-0{n}", kind="prepayment_credit") // MICRO for n in (2, 3)] == [200, 200]


# -- AC26: shortfall that becomes credit ---------------------------------------------------------------------------


def spend(books: Books, amount: int, at: str, **more: Any) -> Books:
    return books.use(
        "spend_usd", amount, at, "buyer", "microsoft", **({"country": "US", "source": "azure"} | more)
    )


def test_ac26_a_missed_milestone_becomes_credit_that_later_charges_use_up(books: Books) -> None:
    books.case("ac26")
    spend(books, 500_000, "2025-03-01")
    spend(books, 100_000, "2025-04-01", source="marketplace", benefit_eligible="true")
    spend(books, 100_000, "2025-04-01", source="marketplace", benefit_eligible="false")  # not eligible
    spend(books, 100_000, "2025-05-01", country="DE")  # bound to one country
    books.through("2025-12")
    # 1 000 000 - 500 000 - 100 000 by 1 January 2026
    assert books.brief("2025-12") == [("prepayment", "buyer", "microsoft", 400_000 * MICRO)]
    # The credit pays what is charged next, eligible charges only: 150 000, then 250 000, and it is used up.
    spend(books, 150_000, "2026-01-20").use(
        "spend_usd", 70_000, "2026-01-21", "buyer", "microsoft", country="DE"
    )
    spend(books, 900_000, "2026-02-20")
    spend(books, 300_000, "2026-03-20").through("2026-03")
    months = [books.micro(f"2026-0{n}", kind="prepayment_credit") // MICRO for n in (1, 2, 3)]
    assert months == [150_000, 250_000, 0]
    assert books.micro(kind="prepayment_credit") == books.micro(kind="prepayment")
    # By 1 January 2027: 600 000 and 1 350 000 used, of which 400 000 had been paid and counted before; with
    # those 400 000, 1 950 000 of 2 000 000 have counted, each dollar once.
    books.through("2026-12")
    assert books.micro("2026-12", kind="prepayment") == 50_000 * MICRO


def test_ac26_credit_that_is_not_yet_used_counts_and_is_not_charged_again(books: Books) -> None:
    books.case("ac26").through("2026-12", "2025-01")
    # Nothing was used: 1 000 000 for the first milestone, and no more than another 1 000 000 for the second.
    assert [books.micro(month, kind="prepayment") for month in ("2025-12", "2026-12")] == [10**6 * MICRO] * 2
    assert books.micro(kind="prepayment_credit") == 0


def test_ac26_credit_outlives_the_commitment(books: Books) -> None:
    books.case("ac26")
    spend(books, 2_900_000, "2025-02-01").through("2027-12", "2025-01")
    assert books.brief("2027-12") == [
        ("prepayment", "buyer", "microsoft", 100_000 * MICRO)
    ]  # 3.0 - 2.9 million
    spend(books, 60_000, "2028-02-01")
    spend(books, 60_000, "2028-03-01").through("2028-03")
    assert [books.micro(f"2028-0{n}", kind="prepayment_credit") // MICRO for n in (1, 2, 3)] == [
        0,
        60_000,
        40_000,
    ]


# -- AC27: forfeited ----------------------------------------------------------------------------------------------


def test_ac27_unused_credits_are_forfeited_and_overage_does_not_roll_over(books: Books) -> None:
    books.case("ac27")
    books.hours(300_000, "2025-06-01", "buyer", "oracle")  # x 4 = 1 200 000: 200 000 beyond the year
    books.hours(175_000, "2026-06-01", "buyer", "oracle")  # x 4 =   700 000
    books.through("2027-12", "2025-01")
    assert [books.micro(f"202{n}-12", kind="forfeited") // MICRO for n in (5, 6, 7)] == [
        0,
        300_000,
        1_000_000,
    ]
    assert books.micro(kind="usage") == 1_900_000 * MICRO


# -- AC31: hourly -------------------------------------------------------------------------------------------------


def test_ac31_a_discount_commitment_is_reckoned_hour_by_hour(books: Books) -> None:
    books.case("ac31")
    books.use("spend_usd", "14.5", "2026-02-01T00:10:00Z", "buyer", "google")
    books.use("spend_usd", "4.000001", "2026-02-01T02:59:59Z", "buyer", "google")
    books.through("2026-02", "2026-02")
    # February has 28 x 24 = 672 hours at 10 dollars; the hours that end in it begin with 31 January, 23:00 ... no:
    # those that end after 1 February, 0:00, are the 672 of February itself.
    assert len(books.lines(kind="shortfall")) == 671  # one hour was full
    assert books.micro(kind="shortfall") == 671 * 10 * MICRO - 4_000_001


# -- what rolls over, what is banked, whose fault it was ------------------------------------------------------------


@pytest.mark.parametrize(
    ("rollover", "short"),
    [
        ("none", [0, 10, 40]),  # 160, 90, 60 of 100 each
        ("next_interval", [0, 0, 40]),  # 60 help February (90 + 60), and are gone
        ("until_end", [0, 0, 0]),  # 60 - 10 = 50 are left for March: 60 + 50
    ],
)
def test_rollover(sign: Sign, rollover: str, short: list[int]) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-04-01"},
        {
            "kind": "commitment",
            "id": "c",
            "minimum": 100,
            "fulfillment_interval": "Monthly",
            "rollover": rollover,
        },
        {"kind": "price", "id": "price", "price_usd": "0.5"},
    )
    for month, hours in ((1, 320), (2, 180), (3, 120)):
        books.hours(hours, f"2025-0{month}-10", "lab", "alpha")
    books.through("2025-03")
    assert [books.micro(f"2025-0{n}", kind="shortfall") // MICRO for n in (1, 2, 3)] == short


def test_a_make_up_bank_pays_back_what_is_taken_later_and_expires(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2027-01-01"},
        {
            "kind": "commitment",
            "id": "take",
            "category": "Usage",
            "unit": "chip_hours",
            "minimum": 1000,
            "fulfillment_interval": "Quarterly",
            "shortfall": "make_up",
            "shortfall_price_usd": "2.5",
            "make_up_period": "184d",
        },
    )
    # A third of an hour does not divide: 1 second is counted, so that nothing is lost by rounding.
    books.use("chip_seconds", 600 * 3600 + 1, "2025-02-01", "lab", "alpha")
    books.hours(1100, "2025-05-01", "lab", "alpha")
    books.hours(1500, "2025-08-01", "lab", "alpha")
    books.hours(1500, "2025-11-01", "lab", "alpha").through("2025-12", "2025-01")
    # 1000 - 600 - 1/3600 short: x 2.5 = 999.999305(5)
    assert books.brief("2025-03") == [("make_up", "lab", "alpha", 999_999_306)]
    # 100 above the minimum come back at what was paid: 250. Then the other 299.999722, at 749.999306.
    assert books.brief("2025-06") == [("make_up", "alpha", "lab", 250 * MICRO)]
    assert books.brief("2025-09") == [("make_up", "alpha", "lab", 749_999_306)]
    assert books.brief("2025-12") == []
    assert books.micro(kind="make_up", payer="lab") == books.micro(kind="make_up", payer="alpha")


def test_a_make_up_bank_forgets(sign: Sign) -> None:
    take = {
        "kind": "commitment",
        "id": "take",
        "minimum": 100,
        "fulfillment_interval": "Monthly",
        "shortfall": "make_up",
        "make_up_period": "59d",
    }
    books = sign({"kind": "term", "id": "term", "from": "2025-01-01", "until": "2026-01-01"}, take)
    books.use("spend_usd", 70, "2025-01-10", "lab", "alpha")
    books.use("spend_usd", 100, "2025-02-10", "lab", "alpha")
    books.use("spend_usd", 120, "2025-03-10", "lab", "alpha")
    books.use("spend_usd", 120, "2025-04-10", "lab", "alpha").through("2025-04", "2025-01")
    # 30 short on 1 February, good until 1 April: March takes 20 of them, April comes too late for the other 10.
    assert books.brief("2025-01") == [("make_up", "lab", "alpha", 30 * MICRO)]
    assert books.brief("2025-03") == [("make_up", "alpha", "lab", 20 * MICRO)]
    assert books.brief("2025-04") == []


def test_what_the_supplier_could_not_give_counts_as_taken(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2026-01-01"},
        {
            "kind": "commitment",
            "id": "take",
            "category": "Usage",
            "unit": "chip_hours",
            "minimum": 1000,
            "fulfillment_interval": "Monthly",
            "shortfall_price_usd": 2,
            "excused": ["outage_chip_hours"],
        },
    )
    books.hours(600, "2025-01-10", "lab", "alpha")
    books.use("outage_chip_hours", 300, "2025-01-20", "lab", "alpha").through("2025-01")
    assert books.brief() == [("shortfall", "lab", "alpha", (1000 - 600 - 300) * 2 * MICRO)]


def test_eligible_in_part_and_never_more_than_a_fraction_of_what_is_due(sign: Sign) -> None:
    def where(source: str) -> list[dict[str, Any]]:
        return [{"field": "source", "values": [source]}]

    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2026-01-01"},
        {
            "kind": "commitment",
            "id": "c",
            "minimum": 1000,
            "fulfillment_interval": "Monthly",
            "eligible": [
                {"scope": where("cloud")},
                {"scope": where("marketplace"), "at_most": "0.25"},
                {"scope": where("partner"), "share": "0.5"},
            ],
        },
    )
    for source, amount in (
        ("cloud", 400),
        ("marketplace", 200),
        ("marketplace", 200),
        ("partner", 100),
        ("x", 900),
    ):
        books.use("spend_usd", amount, "2025-01-10", "lab", "alpha", source=source)
    books.through("2025-01")
    # 400 + min(400, 0.25 x 1000) + 0.5 x 100 = 700
    assert books.brief() == [("shortfall", "lab", "alpha", 300 * MICRO)]


def test_a_ramp_by_month_and_by_date(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-07-01"},
        {
            "kind": "commitment",
            "id": "months",
            "fulfillment_interval": "Monthly",
            "ramp": [{"month": 0, "minimum": 10}, {"month": 2, "minimum": 30}, {"month": 4, "minimum": 0}],
        },
        {
            "kind": "commitment",
            "id": "dates",
            "fulfillment_interval": "Quarterly",
            "ramp": [{"from": "2025-01-01", "minimum": 5}, {"from": "2025-04-01", "minimum": 7}],
        },
    ).through("2025-06", "2025-01")
    assert [books.micro(f"2025-0{n}", clause="months") // MICRO for n in range(1, 7)] == [
        10,
        10,
        30,
        30,
        0,
        0,
    ]
    assert [books.micro(f"2025-0{n}", clause="dates") // MICRO for n in range(1, 7)] == [0, 0, 5, 0, 0, 7]


def test_a_minimum_that_an_amendment_changes_in_the_middle_of_its_interval(sign: Sign) -> None:
    """The interval goes on, and the wording that stands when it ends says what is due."""
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2026-01-01"},
        {"kind": "commitment", "id": "c", "minimum": 100, "fulfillment_interval": "Monthly"},
        {
            "kind": "amendment",
            "id": "more",
            "from": "2025-02-15",
            "changes": [{"clause": "c", "set": {"minimum": 250}}],
        },
    )
    books.use("spend_usd", 40, "2025-02-14T23:59:59Z", "lab", "alpha")
    books.use("spend_usd", 60, "2025-02-15", "lab", "alpha").through("2025-03", "2025-01")
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2, 3)] == [100, 250 - 100, 250]


def test_a_commitment_whose_amount_is_raised_keeps_what_it_counted(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-07-01"},
        {"kind": "commitment", "id": "c", "amount": 1000},
        {
            "kind": "amendment",
            "id": "more",
            "from": "2025-03-10",
            "changes": [{"clause": "c", "set": {"amount": 1500}}],
        },
    )
    books.use("spend_usd", 900, "2025-02-10", "lab", "alpha")
    books.use("spend_usd", 450, "2025-05-10", "lab", "alpha").through("2025-06", "2025-01")
    assert books.brief() == [("shortfall", "lab", "alpha", 150 * MICRO)]  # 1500 - 900 - 450


def test_a_clause_that_rests_when_its_interval_ends_is_short_of_nothing(sign: Sign) -> None:
    commitment = {"kind": "commitment", "id": "c", "minimum": 100, "fulfillment_interval": "Monthly"}
    rests = {"suspended_by": [{"fact": "force_majeure", "value": True}]}
    books = sign({"kind": "term", "id": "t", "from": "2025-01-01", "until": "2026-01-01"}, commitment | rests)
    books.fact("force_majeure", at="2025-02-20").fact("force_majeure", value=False, at="2025-04-02")
    books.through("2025-04", "2025-01")
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2, 3, 4)] == [100, 0, 0, 100]


def test_late_use_makes_good_what_was_short_and_draws_the_month_after_along(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-07-01"},
        {
            "kind": "commitment",
            "id": "c",
            "minimum": 100,
            "fulfillment_interval": "Monthly",
            "rollover": "next_interval",
        },
        {"kind": "price", "id": "price", "price_usd": 1},
    )
    books.hours(70, "2025-01-10", "lab", "alpha").hours(80, "2025-02-10", "lab", "alpha").through("2025-02")
    assert [books.micro(f"2025-0{n}", kind="shortfall") // MICRO for n in (1, 2)] == [30, 20]
    # 45 hours of January come in March: January is over by 15, which roll over and leave 5 short in February.
    books.hours(45, "2025-01-30", "lab", "alpha").through("2025-03")
    assert [books.micro(f"2025-0{n}", kind="shortfall") // MICRO for n in (1, 2, 3)] == [0, 5, 100]
    # Booked in March: 45 of use, 30 and 15 less for what was short, 100 for March itself.
    assert books.booked("2025-03") == (45 - 30 - 15 + 100) * MICRO
    assert Decimal(books.booked("2025-01")) / MICRO == 100
