"""AWS, Oracle, CoreWeave (AC14 to AC18): commitments side by side, by campus, and under one master."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.ledger.cases.conftest import MICRO, Books, T

BILLION = 1_000_000_000


def short(books: Books, month: str, clause: str) -> int:
    """What a preview of a month says is short, in micro-USD."""
    lines = books.ledger.preview(month, T("2100-01-01"))
    return sum(
        line.amount_micro_usd for line in lines if line.kind == "shortfall" and line.clause.endswith(clause)
    )


def test_ac14_ac15_two_commitments_each_dollar_counts_once_over_all_years(books: Books) -> None:
    books.example("aws-openai")
    # Before the second was signed on 27 February 2026, all of it counts for the first.
    books.use("spend_usd", 10 * BILLION, "2026-01-10", "openai", "amazon")
    books.use("spend_usd", 20 * BILLION, "2028-05-10", "openai", "amazon")
    books.use("spend_usd", 30 * BILLION, "2031-05-10", "openai", "amazon")
    books.use("spend_usd", 25 * BILLION, "2033-05-10", "openai", "amazon")
    # The first ends on 3 November 2032, and has 10 + 20 + 8 = 38 of it: nothing is short.
    assert short(books, "2032-10", "ultraservers") == short(books, "2032-11", "ultraservers") == 0
    # The other 22 and the last 25 count for the second: 100 - 22 - 25 = 53 are short on 27 February 2034.
    assert short(books, "2034-02", "trainium-spend") == 53 * BILLION * MICRO
    # Nothing is due before the term's end.
    assert all(short(books, month, "spend") == 0 for month in ("2026-12", "2032-11", "2033-12"))


def test_ac15_declared_as_shared_a_dollar_counts_for_both(books: Books) -> None:
    books.example("aws-openai")
    plain = _plain(books, "aws-openai")
    adds = next(clause for clause in plain["clauses"] if clause["kind"] == "amendment")["adds"]
    next(clause for clause in adds if clause["id"] == "trainium-spend")["shared_with"] = "ultraservers"
    books.sign(plain)
    books.use("spend_usd", 30 * BILLION, "2028-05-10", "openai", "amazon")
    assert short(books, "2032-11", "ultraservers") == 8 * BILLION * MICRO  # 38 - 30
    assert short(books, "2034-02", "trainium-spend") == 70 * BILLION * MICRO  # 100 - 30


def test_ac15_power_is_counted_in_gigawatts_and_not_in_dollars(books: Books) -> None:
    books.example("aws-openai")
    books.use("gw", "0.75", "2027-01-01", "openai", "amazon").use(
        "gw", "0.5", "2028-01-01", "openai", "amazon"
    )
    books.use("spend_usd", 100 * BILLION, "2028-01-01", "openai", "amazon")
    lines = books.ledger.preview("2034-02", T("2100-01-01"))
    (power,) = (line for line in lines if line.clause.endswith("trainium-power"))
    # 2 - 0.75 - 0.5 gigawatts are short; no price is agreed for them, so they are on record and cost nothing.
    assert (power.quantity, power.unit, power.amount_micro_usd) == (Decimal("0.75"), "gw", 0)


def test_ac15_investments_are_shares_at_the_price_of_the_round(books: Books) -> None:
    books.example("aws-openai").fact("openai_share_price_usd", "625.5", at="2026-02-20")
    books.fact("openai_investment_conditions_met", at="2027-03-03").through("2027-03", "2026-02")
    # 15e9 / 625.5 = 23 980 815.3 and 35e9 / 625.5 = 55 955 235.8: whole shares, the first at signature.
    assert books.brief() == [
        ("equity", "openai", "amazon", 23_980_815 * MICRO),
        ("equity", "openai", "amazon", 55_955_235 * MICRO),
    ]
    assert {line.key.unit for line in books.lines()} == {"shares/openai"}
    assert [line.key.month for line in books.lines()] == ["2026-02", "2027-03"]


def test_ac16_take_or_pay_starts_with_each_site_and_counts_only_its_own(books: Books) -> None:
    books.example("oracle-openai")
    books.fact("accepted/abilene", at="2025-09-30", recorded_at="2025-10-01")
    books.fact("accepted/saline", at="2026-03-15")
    # Use at a quoted price, 12 an hour: 10 billion at Abilene, 2 billion at Saline, all in the year of each.
    books.hours(
        9_000_000_000 // 12, "2026-09-29T23:00:00Z", "openai", "oracle", quoted_usd=12, site="abilene"
    )
    books.hours(BILLION // 12 + 1, "2025-10-01", "openai", "oracle", quoted_usd=12, site="abilene")
    books.hours(2_000_000_004 // 12, "2026-10-01", "openai", "oracle", quoted_usd=12, site="saline")
    books.hours(BILLION, "2026-03-01", "openai", "oracle", quoted_usd=12, site="milam")  # no portion of it
    books.ledger.rate(T("2026-10-02"))
    # 60 billion a year, a quarter for each campus: 15 by the anniversary of its acceptance.
    # Abilene by 30 September 2026: 15 000 000 000 - 9 000 000 000 - 12 x 83 333 334 = 4 999 999 992
    assert short(books, "2026-08", "take-or-pay") == 0
    assert short(books, "2026-09", "take-or-pay") == 4_999_999_992 * MICRO
    # Saline by 15 March 2027: 15 000 000 000 - 12 x 166 666 667 = 12 999 999 996
    assert short(books, "2027-03", "take-or-pay") == 12_999_999_996 * MICRO
    lines = books.ledger.preview("2027-03", T("2100-01-01"))
    assert [line.portion for line in lines if line.kind == "shortfall"] == ["saline"]


def test_ac16_before_any_site_is_accepted_nothing_is_due(books: Books) -> None:
    books.example("oracle-openai")
    assert all(short(books, month, "take-or-pay") == 0 for month in ("2025-12", "2026-06", "2026-07"))


def test_ac17_an_option_that_was_exercised_is_on_record_with_its_deposit(books: Books) -> None:
    option = {
        "kind": "option",
        "id": "expansion",
        "expiry": "2026-03-07",
        "quantity": 800,
        "unit": "mw",
        "deposit_usd": 150_000_000,
        "deposit_fact": "deposit_paid",
        "text_ref": "The Register, 2026-03-07",
    }
    books.sign(
        {
            "id": "campus",
            "customer": "nvidia",
            "supplier": "crusoe",
            "signed_on": "2026-01-10",
            "clauses": [option],
        }
    )
    books.fact("deposit_paid", at="2026-02-01").fact("exercised/campus/expansion", at="2026-03-06T23:59:59Z")
    books.through("2026-04", "2026-01")
    assert [(line.key.month, line.key.kind, line.posted_micro) for line in books.lines()] == [
        ("2026-02", "deposit", 150_000_000 * MICRO),
        ("2026-03", "option", 0),
    ]
    (taken,) = books.lines(kind="option")
    assert (taken.micro, taken.key.metric) == (800 * MICRO, "mw")


def test_ac17_an_option_that_lapsed_is_never_taken(books: Books) -> None:
    option = {"kind": "option", "id": "expansion", "expiry": "2026-03-07", "quantity": 800, "unit": "mw"}
    books.sign({"id": "campus", "customer": "nvidia", "supplier": "crusoe", "clauses": [option]})
    books.fact("exercised/campus/expansion", at="2026-03-07").through("2026-04", "2026-02")
    assert books.lines() == []


def test_ac18_three_order_forms_without_use_cost_their_sum_to_the_micro(books: Books) -> None:
    books.case("ac18").through("2031-06", "2025-03")
    amounts = {order: books.micro(clause=f"order-{order}/take-or-pay") for order in (1, 2, 3)}
    # Equal months from signature; what does not divide goes, a micro-dollar each, to the first months.
    assert amounts == {1: 11_900_000_000 * MICRO, 2: 4_000_000_000 * MICRO, 3: 6_500_000_000 * MICRO}
    assert sum(amounts.values()) == 22_400_000_000 * MICRO
    first = books.lines("2025-04", clause="order-1/take-or-pay")
    # 10 March 2025 to 1 November 2030: 67 whole months and a part of one, 68 intervals: 11.9e9 / 68 each.
    assert [line.posted_micro for line in first] == [175_000_000 * MICRO]


def test_ac18_use_names_its_order_and_counts_for_that_one_alone(books: Books) -> None:
    books.case("ac18")
    # Months of the first order run from the 10th, those of the second from the 14th.
    books.hours(
        1_000_000, "2025-06-13T23:00:00Z", "openai", "coreweave", quoted_usd="2.5", agreement="order-2"
    )
    books.hours(
        3_000_000, "2025-06-14T00:00:00Z", "openai", "coreweave", quoted_usd="2.5", agreement="order-2"
    )
    books.hours(
        2_000_000, "2025-06-12T00:00:00Z", "openai", "coreweave", quoted_usd="2.5", agreement="order-1"
    )
    books.through("2025-08", "2025-03")

    def paid(order: int, month: str) -> Decimal:
        return Decimal(books.micro(month, kind="shortfall", clause=f"order-{order}/take-or-pay")) / MICRO

    # Second order: 4e9 over 48 intervals (14 May 2025 to 1 May 2029), 83 333 333.333334 for the first 16 of them.
    each = Decimal("83333333.333334")
    assert paid(2, "2025-06") == each - Decimal("2.5") * 1_000_000
    assert paid(2, "2025-07") == each - Decimal("2.5") * 3_000_000
    assert paid(2, "2025-08") == each
    # First order: 175 000 000 by 10 July, of which 2.5 x 2 000 000 were used.
    assert paid(1, "2025-06") == 175_000_000
    assert paid(1, "2025-07") == 175_000_000 - 5_000_000


def test_ac18_the_price_of_an_order_form_goes_before_that_of_its_master(books: Books) -> None:
    def paper(name: str, price: str, **more: str) -> dict[str, Any]:
        clauses: list[Any] = [{"kind": "price", "id": "hours", "price_usd": price}]
        return {"id": name, "customer": "lab", "supplier": "alpha", "clauses": clauses} | more

    books.sign(
        paper("master", "3"),
        paper("order-1", "2.25", master="master"),
        paper("order-2", "1.5", master="master"),
    )
    for order, hours in (("order-1", 100), ("order-2", 10), ("order-3", 7)):
        books.hours(hours, "2025-03-05", "lab", "alpha", agreement=order)
    books.hours(1, "2025-03-05", "lab", "alpha").through("2025-03")
    prices = {line.key.clause: line.posted_micro for line in books.lines()}
    # 100 x 2.25; 10 x 1.50; what names no order form of it, or another paper, goes by the master: 1 x 3, 7 x 3
    assert prices["order-1/hours"] == 225 * MICRO
    assert prices["order-2/hours"] == 15 * MICRO
    assert books.micro(clause="master/hours") == 24 * MICRO


def test_use_that_names_no_order_fills_one_minimum_after_the_other(books: Books) -> None:
    """Ends first: order 2, then order 1, then order 3. What the first lacks is filled, then the next one's."""
    minimum = {"kind": "commitment", "id": "floor", "fulfillment_interval": "Monthly"}
    for number, (amount, end) in enumerate([(100, "2027-01-01"), (50, "2026-07-01"), (70, "2028-01-01")], 1):
        clauses = [
            {"kind": "term", "id": "term", "from": "2026-01-01", "until": end},
            minimum | {"minimum": amount},
        ]
        books.sign({"id": f"paper-{number}", "customer": "lab", "supplier": "alpha", "clauses": clauses})
    books.use("spend_usd", 165, "2026-02-10", "lab", "alpha").through("2026-02", "2026-02")
    # 50 for the second, 100 for the first, 15 for the third, which lacks 70 - 15.
    assert books.brief() == [("shortfall", "lab", "alpha", 55 * MICRO)]
    assert books.lines()[0].key.clause == "paper-3/floor"


def test_priority_goes_before_the_earlier_end(books: Books) -> None:
    for name, priority, end in (("late", 1, "2028-01-01"), ("soon", 0, "2027-01-01")):
        commitment = {"kind": "commitment", "id": "c", "amount": 100, "priority": priority}
        clauses = [{"kind": "term", "id": "term", "from": "2026-01-01", "until": end}, commitment]
        books.sign({"id": name, "customer": "lab", "supplier": "alpha", "clauses": clauses})
    books.use("spend_usd", 130, "2026-02-10", "lab", "alpha")
    assert short(books, "2026-12", "soon/c") == 70 * MICRO  # 130 - 100 went to it
    assert short(books, "2027-12", "late/c") == 0


def test_ac14_ramp_and_option_cost_nothing_by_themselves(books: Books) -> None:
    books.example("aws-openai").through("2027-01", "2026-12")
    assert books.lines() == []


def _plain(books: Books, name: str) -> Any:
    from stargate.agreements import load_all
    from stargate.base import wire

    return next(wire.to_plain(paper) for paper in load_all(books.examples).agreements if paper.id == name)
