"""What the naive second ledger found: each with its arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.ledger import UsageEvent
from tests.ledger.cases.conftest import MICRO, Books, T

Sign = Callable[..., Books]
MONTHLY: dict[str, Any] = {"kind": "commitment", "id": "c", "fulfillment_interval": "Monthly"}
TERM = {"kind": "term", "id": "term", "from": "2025-01-01", "until": "2025-07-01"}


@pytest.mark.parametrize(("burst", "dollars"), [({}, 20), ({"burst_price_usd": 5}, 50)])
def test_use_is_charged_also_while_nothing_is_reserved_yet_or_any_more(
    sign: Sign, burst: dict[str, int], dollars: int
) -> None:
    books = sign(
        {
            "kind": "capacity_reservation",
            "id": "pool",
            "quantity": 1,
            "from": "2025-02-01",
            "until": "2025-03-01",
        },
        {"kind": "price", "id": "p", "price_usd": 2, "reservation": "pool"} | burst,
    )
    for month in (1, 2, 3):
        books.hours(10, f"2025-0{month}-10", "lab", "alpha")
    books.through("2025-03")
    assert [books.micro(f"2025-0{n}", kind="burst") // MICRO for n in (1, 2, 3)] == [dollars, 0, dollars]
    assert books.micro(kind="reservation") == 28 * 24 * 2 * MICRO


def test_what_rolls_over_was_reckoned_by_the_minimum_that_held_then(sign: Sign) -> None:
    books = sign(
        TERM,
        MONTHLY | {"minimum": 100, "rollover": "until_end"},
        {
            "kind": "amendment",
            "id": "more",
            "from": "2025-02-15",
            "changes": [{"clause": "c", "set": {"minimum": 250}}],
        },
    )
    books.use("spend_usd", 160, "2025-01-10", "lab", "alpha").through("2025-02")
    # January was over by 160 - 100, of which nothing is lost as the minimum rises: 250 - 60.
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2)] == [0, 190]


def test_a_prepayment_comes_back_against_what_is_left_after_making_up(sign: Sign) -> None:
    books = sign(
        TERM,
        MONTHLY | {"minimum": 100, "shortfall": "make_up"},
        {"kind": "price", "id": "p", "price_usd": 1},
        {"kind": "prepayment", "id": "ahead", "amount_usd": 1000, "credit_back": "first"},
    )
    books.hours(70, "2025-01-10", "lab", "alpha").hours(125, "2025-02-10", "lab", "alpha").through("2025-02")
    # January: 70 and 30 short. February: 125, less 25 that are made up: an invoice of 100 as well.
    assert [books.micro(f"2025-0{n}", kind="make_up", payer="alpha") // MICRO for n in (1, 2)] == [0, 25]
    assert [books.micro(f"2025-0{n}", kind="prepayment_credit") // MICRO for n in (1, 2)] == [100, 100]


@pytest.mark.parametrize(("seconds", "micro"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_half_of_a_micro_dollar_goes_to_the_even_one_also_where_hours_do_not_divide(
    sign: Sign, seconds: int, micro: int
) -> None:
    tiers = [{"price_usd": "0.0018", "up_to": 100}, {"price_usd": 1}]
    books = sign({"kind": "price", "id": "p", "tiers": tiers})
    books.use("chip_seconds", seconds, "2025-01-10", "lab", "alpha").through("2025-01")
    assert books.micro() == micro  # 0.0018 / 3600 = 0.5 micro-USD a second: 0.5, 1.5, 2.5, 3.5


def test_hours_in_thirds_meet_a_bound_that_they_add_up_to(sign: Sign) -> None:
    tiers = [{"price_usd": 3, "up_to": 2}, {"price_usd": 1}]
    books = sign(
        TERM,
        {"kind": "price", "id": "p", "tiers": tiers, "tier_mode": "volume"},
        MONTHLY | {"category": "Usage", "unit": "chip_hours", "minimum": 2, "shortfall_price_usd": 9},
    )
    for hour in range(3):
        books.use("chip_seconds", 2400, f"2025-01-10T0{hour}:00:00Z", "lab", "alpha")
    books.through("2025-01")
    assert books.brief() == [("usage", "lab", "alpha", 6 * MICRO)]  # 3 x 2/3 h = 2 h, at 3; nothing is short
    assert len(books.lines()) == 1


def test_credit_for_hours_that_were_short_pays_what_is_charged_elsewhere_less_what_is_taken_back(
    sign: Sign,
) -> None:
    short = {"category": "Usage", "unit": "chip_hours", "minimum": 10, "shortfall_price_usd": 4}
    books = sign(TERM, MONTHLY | short | {"shortfall": "convert_to_prepayment"})
    books.use("spend_usd", 30, "2025-02-10", "lab", "alpha")
    back = UsageEvent(
        source="test",
        key="back",
        corrects="event-1",
        metric="spend_usd",
        quantity=Decimal(-12),
        start=T("2025-02-20"),
        party="lab",
        provider="alpha",
    )
    books.ledger.take([back], T("2025-02-20"))
    books.through("2025-02", "2025-01")
    assert books.micro("2025-01", kind="prepayment") == 40 * MICRO
    assert books.micro("2025-02", kind="prepayment_credit") == 18 * MICRO  # 30 - 12


def test_what_is_taken_back_never_takes_more_than_it_gave(sign: Sign) -> None:
    whole = {"category": "Usage", "unit": "chip_hours", "amount": 10, "shortfall_price_usd": 4}
    books = sign({"kind": "commitment", "id": "c", "from": "2025-01-01", "until": "2025-03-01"} | whole)
    books.hours(100, "2025-01-10", "lab", "alpha")
    back = UsageEvent(
        source="test",
        key="back",
        corrects="event-1",
        metric="chip_seconds",
        quantity=Decimal(-95 * 3600),
        start=T("2025-01-20"),
        party="lab",
        provider="alpha",
    )
    books.ledger.take([back], T("2025-01-20"))
    books.through("2025-02")
    # 100 - 95 = 5 of 10 hours; not the 10 that counted at first, less 95.
    assert books.micro(kind="shortfall") == 5 * 4 * MICRO


@pytest.mark.parametrize("rate", [{"rate": "0.25"}, {"tiers": [{"rate": "0.25"}]}])
def test_a_share_by_one_tier_is_a_share_at_one_rate(sign: Sign, rate: dict[str, Any]) -> None:
    less = {"base": {"less": ["refunds_usd"]}}
    books = sign({"kind": "revenue_share", "id": "s"} | rate | less)
    for month, earned, refunds in ((1, 8, 0), (2, 0, 30), (3, 40, 0)):
        books.use("revenue_usd", earned, f"2025-0{month}-10", "lab")
        books.use("refunds_usd", refunds, f"2025-0{month}-20", "lab")
    books.through("2025-03")
    # 8 x 0.25; of it all comes back, and no more; then 40 x 0.25.
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2, 3)] == [2, -2, 10]


def test_a_site_that_is_accepted_after_the_end_owes_nothing(sign: Sign) -> None:
    delivery = {"start_on": "delivery", "portions": [{"id": "abilene", "share": 1}]}
    books = sign({"kind": "commitment", "id": "c", "amount": 100, "until": "2025-02-01"} | delivery)
    books.use("spend_usd", 5, "2025-03-05", "lab", "alpha")
    books.fact("accepted/abilene", at="2025-03-01").through("2025-03")
    assert books.micro() == 0
