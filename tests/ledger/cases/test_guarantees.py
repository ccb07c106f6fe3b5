"""Shares of stock, backstops, tranches, letters of intent, service levels (AC20, AC21, AC22, AC25, AC33)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.ledger.cases.conftest import MICRO, Books, T

Sign = Callable[..., Books]


def test_ac20_shares_only_once_the_listing_has_closed(books: Books) -> None:
    books.example("coreweave-openai").through("2025-03", "2025-03")
    assert books.lines() == []  # nothing before, at no price
    # Known in April, so by 31 March: the closed month is put right in the first open one.
    books.fact("coreweave_ipo_price_usd", 40, at="2025-03-28", recorded_at="2025-04-10")
    books.fact("coreweave_ipo_closed", at="2025-03-31", recorded_at="2025-04-10").through("2025-04")
    (line,) = books.lines()
    # 350e6 / 40 = 8 750 000 shares, counted in millionths of a share of CoreWeave; no dollars are owed.
    assert (line.key.kind, line.key.unit, line.posted_micro) == (
        "equity",
        "shares/coreweave",
        8_750_000 * MICRO,
    )
    assert (line.key.month, line.key.payer, line.key.payee) == ("2025-03", "coreweave", "openai")
    assert books.booked("2025-04") == 8_750_000 * MICRO
    assert books.store.balances() == {
        "coreweave:openai:equity:shares/coreweave": 8_750_000 * MICRO,
        "openai:coreweave:equity:shares/coreweave": -8_750_000 * MICRO,
    }


# -- AC21 ---------------------------------------------------------------------------------------------------------


def unsold(books: Books, capacity: str, sold: str, at: str) -> Books:
    books.use("capacity_chip_hours", capacity, at, "coreweave")
    return books.use("sold_chip_hours", sold, at, "coreweave")


def test_ac21_unsold_hours_are_bought_up_to_the_cap(books: Books) -> None:
    books.example("nvidia-coreweave")
    unsold(books, "1000", "400.5", "2026-01-10")  # (1000 - 400.5) x 2.50 = 1 498.75
    unsold(books, "1000", "1000", "2026-02-10")  # nothing is left open
    unsold(books, "2520000000", "600", "2026-03-10")  # 6 299 998 500, of which 6 299 998 501.25 is room
    unsold(books, "1000", "0", "2026-04-10")  # 2 500, of which 1.25 is left
    unsold(books, "1000", "0", "2026-05-10").through("2026-05")
    months = [books.micro(f"2026-0{n}") for n in range(1, 6)]
    assert months == [1_498_750_000, 0, 6_299_998_500_000_000, 1_250_000, 0]
    assert sum(months) == 6_300_000_000 * MICRO
    assert books.micro(kind="backstop", payer="nvidia", payee="coreweave") == sum(months)


def test_ac21_the_last_day_counts_and_the_next_does_not(books: Books) -> None:
    books.example("nvidia-coreweave")
    unsold(books, "10", "0", "2032-04-13T23:59:59Z")
    unsold(books, "70", "0", "2032-04-14").through("2032-04")
    assert books.brief() == [("backstop", "nvidia", "coreweave", 25 * MICRO)]  # 10 x 2.50


# -- AC22 ---------------------------------------------------------------------------------------------------------


def test_ac22_two_late_tranches_in_one_month_are_two_credits(books: Books) -> None:
    books.case("ac22")
    delivered = "delivered/nebius-meta/capacity"
    # Grace ends on 31 March and on 1 July. Started days: 92.5 -> 93, cut to 20 %; 0.5 -> 1, one per cent.
    books.fact(f"{delivered}/tranche-1", at="2026-07-01T12:00:00Z")
    books.fact(f"{delivered}/tranche-2", at="2026-07-01T12:00:00Z").through("2026-07", "2026-02")
    assert [(line.key.portion, line.posted_micro // MICRO) for line in books.lines()] == [
        ("tranche-1", 20_000_000),
        ("tranche-2", 2_000_000),
    ]
    assert books.brief()[0][:3] == ("late_credit", "nebius", "meta")


def test_ac22_delivery_within_grace_earns_nothing(books: Books) -> None:
    books.case("ac22").fact("delivered/nebius-meta/capacity/tranche-1", at="2026-03-31")
    assert books.through("2026-04", "2026-03").lines() == []


def test_ac22_delivery_that_becomes_known_late_is_credited_all_the_same(books: Books) -> None:
    books.case("ac22").through("2026-04", "2026-02")
    books.fact(
        "delivered/nebius-meta/capacity/tranche-1", at="2026-04-04T12:00:00Z", recorded_at="2026-05-20"
    )
    books.through("2026-05")
    # 31 March to 4 April, noon: five started days, 5 x 1 % of 100 000 000; of April, booked in May.
    assert books.micro("2026-04") == 5_000_000 * MICRO == books.booked("2026-05")
    assert books.booked("2026-04") == 0


# -- AC25 ---------------------------------------------------------------------------------------------------------


def test_ac25_a_letter_of_intent_never_costs_anything(books: Books) -> None:
    books.example("nvidia-openai").fact("openai_share_price_usd", 500, at="2025-10-01")
    books.fact("deployed_gw", 3, at="2026-11-01")
    books.hours(100, "2026-11-05", "openai", "nvidia").through("2026-12", "2026-10")
    assert books.lines() == []


# -- AC33 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "fraction"),
    [("0.9999", 0), ("0.99989", 10), ("0.99", 10), ("0.989999", 30), ("0.95", 30), ("0.9499", 100)],
)
def test_ac33_the_level_decides_the_credit(books: Books, level: str, fraction: int) -> None:
    books.case("ac33").hours(500, "2026-03-10", "buyer", "amazon")
    books.use("availability", level, "2026-03-01").fact(
        "claimed/compute-sla/region", "2026-03-01", at="2026-04-20"
    )
    books.through("2026-04")
    assert books.micro("2026-03", kind="usage") == 1000 * MICRO  # 500 x 2.00
    assert books.micro("2026-03", kind="service_credit") == 0  # never on the invoice of the month that missed
    assert books.micro("2026-04", kind="service_credit") == 1000 * MICRO * fraction // 100


@pytest.mark.parametrize(
    ("claimed", "month", "credit"),
    [
        ("2026-03-20", "2026-04", 300),  # before the month is over: on the next invoice
        ("2026-04-20", "2026-04", 300),
        ("2026-05-31T23:59:59.999999Z", "2026-05", 300),  # the last instant of the second cycle
        ("2026-06-01", "2026-06", 0),
    ],
)
def test_ac33_claims_count_until_the_end_of_the_second_cycle(
    books: Books, claimed: str, month: str, credit: int
) -> None:
    books.case("ac33").hours(500, "2026-03-10", "buyer", "amazon").use("availability", "0.98", "2026-03-01")
    books.fact("claimed/compute-sla/region", "2026-03-01", at=claimed).through("2026-06")
    assert books.micro(month, kind="service_credit") == credit * MICRO
    assert books.micro(kind="service_credit") == credit * MICRO


def test_ac33_a_month_is_credited_once_however_often_it_is_claimed(books: Books) -> None:
    books.case("ac33").hours(500, "2026-03-10", "buyer", "amazon").use("availability", "0.98", "2026-03-01")
    for at in ("2026-04-02", "2026-04-03", "2026-05-04"):
        books.fact("claimed/compute-sla/region", "2026-03-01", at=at)
    assert books.through("2026-05").micro(kind="service_credit") == 300 * MICRO


def test_ac33_less_than_a_dollar_is_not_credited(books: Books) -> None:
    books.case("ac33").use("availability", "0.98", "2026-03-01").use("availability", "0.98", "2026-04-01")
    # 30 % of 3.333332 = 0.9999996 and of 3.333334 = 1.0000002
    books.use("chip_seconds", "5999.9976", "2026-03-10", "buyer", "amazon")
    books.use("chip_seconds", "6000.0012", "2026-04-10", "buyer", "amazon")
    books.fact("claimed/compute-sla/region", "2026-03-01", at="2026-05-02")
    books.fact("claimed/compute-sla/region", "2026-04-01", at="2026-05-02").through("2026-05")
    assert (books.micro("2026-03"), books.micro("2026-04")) == (3_333_332, 3_333_334)
    assert books.brief("2026-05") == [("service_credit", "amazon", "buyer", MICRO)]


def test_ac33_the_credit_is_of_charges_for_use_within_the_scope(sign: Sign) -> None:
    scope = [{"field": "site", "values": ["abilene"]}]
    tiers = [{"below": "0.99", "credit": "0.10"}]
    books = sign(
        {"kind": "service_level", "id": "up", "tiers": tiers, "claim_periods": 1, "scope": scope},
        {"kind": "price", "id": "price", "price_usd": 2},
        {"kind": "prepayment", "id": "p", "amount_usd": 5000, "credit_back": "none", "due": "2025-03-05"},
    )
    books.hours(100, "2025-03-10", "lab", "alpha", site="abilene").hours(
        900, "2025-03-10", "lab", "alpha", site="milam"
    )
    books.use("availability", "0.9", "2025-03-01", site="abilene")
    books.fact("claimed/deal/up", "2025-03-01", at="2025-04-02").through("2025-04")
    assert books.micro(kind="service_credit") == 20 * MICRO  # 10 % of 100 x 2, not of 2000 or 7000


def test_a_guarantor_pays_what_the_tenant_does_not(sign: Sign) -> None:
    books = sign(
        {
            "kind": "backstop",
            "id": "b",
            "base": "unpaid",
            "obligor": "tenant",
            "cap_usd": 100,
            "payer": "google",
        }
    )
    books.use("due_usd", 80, "2025-03-01", "tenant").use("paid_usd", "30.000001", "2025-03-05", "tenant")
    books.use("due_usd", 999, "2025-03-05", "another").use("due_usd", 80, "2025-04-05", "tenant").through(
        "2025-05"
    )
    # 80 - 30.000001, then 80, cut to what is left of 100.
    assert [books.micro(f"2025-0{n}") for n in (3, 4, 5)] == [49_999_999, 50_000_001, 0]


def test_a_termination_fee_is_owed_when_the_notice_takes_effect(sign: Sign) -> None:
    books = sign(
        {"kind": "termination", "id": "end", "notice": "30d", "wind_down": "10d", "fee_usd": "1234567.5"}
    )
    books.fact("notice/deal/end", at="2025-03-20").through("2025-05", "2025-03")
    assert books.brief() == [("termination_fee", "lab", "alpha", 1_234_567_500_000)]
    assert [line.key.month for line in books.lines()] == ["2025-04"]  # 20 March + 40 days = 29 April
    assert books.store.entries().__next__().due == T("2025-04-29")


def test_a_warrant_is_so_many_shares(sign: Sign) -> None:
    books = sign(
        {"kind": "condition_precedent", "id": "gw", "when": [{"fact": "gw", "operator": ">=", "value": 1}]},
        {"kind": "equity_grant", "id": "w", "requires": "gw", "shares": 160_000_000, "strike_usd": "0.01"},
    )
    books.fact("gw", "0.9", at="2026-06-01").fact("gw", 1, at="2026-09-01").through("2026-10", "2026-06")
    assert books.micro(month="2026-09") == books.micro() == 160_000_000 * MICRO
    assert Decimal(books.lines()[0].key.price_usd or 0) == Decimal("0.01")
