"""Prices: tiers, index, escalator, bounds, most favoured, amendments; exact over months and hours."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.ledger.cases.conftest import MICRO, Books, T

Sign = Callable[..., Books]
TIERS = [{"price_usd": 3, "up_to": 100}, {"price_usd": 2, "up_to": 200}, {"price_usd": 1}]


@pytest.mark.parametrize(
    ("mode", "hours", "dollars"),
    [
        ("graduated", 100, 300),
        ("graduated", 150, 100 * 3 + 50 * 2),
        ("graduated", 250, 100 * 3 + 100 * 2 + 50),
        ("volume", 100, 300),
        ("volume", 101, 202),
        ("volume", 250, 250),
    ],
)
def test_tiers_within_a_month(sign: Sign, mode: str, hours: int, dollars: int) -> None:
    books = sign({"kind": "price", "id": "p", "tiers": TIERS, "tier_mode": mode})
    books.hours(hours - 60, "2025-03-02", "lab", "alpha").hours(60, "2025-03-20", "lab", "alpha").through(
        "2025-03"
    )
    assert books.brief() == [("usage", "lab", "alpha", dollars * MICRO)]


def test_graduated_tiers_go_on_over_the_months_of_a_quarter_and_begin_anew(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "tiers": TIERS, "tier_interval": "Quarterly"})
    for month, hours in ((1, 80), (2, 80), (3, 80), (4, 80)):
        books.hours(hours, f"2025-0{month}-02", "lab", "alpha")
    books.through("2025-04")
    # 80 x 3; 20 x 3 + 60 x 2; 40 x 2 + 40 x 1; a new quarter: 80 x 3
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2, 3, 4)] == [240, 180, 120, 240]


def test_volume_tiers_over_a_quarter_put_right_what_came_before(sign: Sign) -> None:
    books = sign(
        {"kind": "price", "id": "p", "tiers": TIERS, "tier_mode": "volume", "tier_interval": "Quarterly"}
    )
    for month, hours in ((1, 80), (2, 80), (3, 80)):
        books.hours(hours, f"2025-0{month}-02", "lab", "alpha")
    books.through("2025-03")
    # 80 x 3 = 240; 160 x 2 - 240 = 80; 240 x 1 - 320 = -80: in all what 240 hours cost at the last tier.
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2, 3)] == [240, 80, -80]


def test_tiers_meet_their_bounds_to_the_second(sign: Sign) -> None:
    """Thirds of hours do not divide; seconds do, so that no bound is met a millionth too early."""
    books = sign({"kind": "price", "id": "p", "tiers": TIERS, "tier_interval": "Quarterly"})
    for day in range(1, 4):
        books.use("chip_seconds", 100 * 1200, f"2025-01-0{day}", "lab", "alpha")  # 33.333... hours
    books.use("chip_seconds", 1, "2025-02-01", "lab", "alpha").through("2025-02")
    assert books.micro("2025-01") == 300 * MICRO
    assert books.micro("2025-02") == 556  # 2 / 3600 = 0.000555(5)


def test_late_use_moves_the_tiers_of_the_months_after(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "tiers": TIERS, "tier_interval": "Quarterly"})
    books.hours(80, "2025-01-02", "lab", "alpha").through("2025-01")
    books.hours(80, "2025-02-02", "lab", "alpha").through("2025-02")
    books.hours(50, "2025-01-20", "lab", "alpha").through("2025-03")
    # January: 130 = 300 + 60. February from 130 to 210: 70 x 2 + 10. All that changes is booked in March.
    assert [books.micro(f"2025-0{n}") // MICRO for n in (1, 2, 3)] == [360, 150, 0]
    assert [books.booked(f"2025-0{n}") // MICRO for n in (1, 2, 3)] == [240, 180, (360 - 240) + (150 - 180)]


def test_tiers_that_an_amendment_changes_in_the_middle_of_a_month_go_on(sign: Sign) -> None:
    cheaper = [{"price_usd": "2.5", "up_to": 100}, {"price_usd": 1}]
    change = [{"clause": "p", "set": {"tiers": cheaper}}]
    books = sign(
        {"kind": "price", "id": "p", "tiers": TIERS},
        {"kind": "amendment", "id": "a", "from": "2025-03-15T12:30:00Z", "changes": change},
        signed_on="2025-01-01",
    )
    books.hours(80, "2025-03-15T12:29:59Z", "lab", "alpha").hours(50, "2025-03-15T12:30:00Z", "lab", "alpha")
    books.through("2025-03")
    # 80 x 3 before; then the 20 hours to the bound at 2.50 and 30 beyond it at 1.
    assert sorted(line.posted_micro // MICRO for line in books.lines()) == [80, 240]


def test_an_index_moves_the_price_within_the_hour(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "price_usd": 2, "index": {"fact": "energy", "base": 50}})
    books.fact("energy", 60, at="2025-03-02T10:30:00Z").fact("energy", "47.5", at="2025-03-20")
    books.hours(10, "2025-03-02T10:29:59Z", "lab", "alpha").hours(10, "2025-03-02T10:30:00Z", "lab", "alpha")
    books.hours(10, "2025-03-25", "lab", "alpha").through("2025-03")
    # 2 x 60/50 = 2.40 and 2 x 47.5/50 = 1.90
    assert sorted(line.posted_micro for line in books.lines()) == [19 * MICRO, 20 * MICRO, 24 * MICRO]


def test_an_escalator_compounds_on_each_anniversary(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "price_usd": 2, "escalator": "0.03"}, signed_on="2024-03-15")
    for at in ("2025-03-14T23:00:00Z", "2025-03-15T00:00:00Z", "2026-03-15T00:00:00Z"):
        books.hours(1000, at, "lab", "alpha")
    books.through("2026-03")
    assert books.brief() == [
        ("usage", "lab", "alpha", 2_000_000_000),
        ("usage", "lab", "alpha", 2_060_000_000),  # x 1.03
        ("usage", "lab", "alpha", 2_121_800_000),  # x 1.03 x 1.03
    ]


def test_floor_ceiling_and_the_least_price_of_anybody_else(sign: Sign) -> None:
    books = sign(
        {
            "kind": "price",
            "id": "p",
            "price_usd": 2,
            "index": {"fact": "energy", "base": 50},
            "floor_usd": "1.5",
            "ceiling_usd": 3,
            "most_favoured_fact": "least_price",
        }
    )
    books.fact("energy", 25, at="2025-03-02").fact("energy", 100, at="2025-03-03")
    books.fact("least_price", "2.75", at="2025-03-04")
    for day in (1, 2, 3, 4):
        books.hours(10, f"2025-03-0{day}", "lab", "alpha")
    books.through("2025-03")
    prices = sorted((line.key.start.iso()[:10], line.posted_micro) for line in books.lines())
    # 2.00; 1.00 lifted to 1.50; 4.00 held at 3.00; never above what somebody else pays: 2.75
    assert [amount for _, amount in prices] == [20 * MICRO, 15 * MICRO, 30 * MICRO, 27_500_000]


def test_a_least_price_that_becomes_known_late_counts_from_when_it_was_so(sign: Sign) -> None:
    books = sign({"kind": "price", "id": "p", "price_usd": 2, "most_favoured_fact": "least_price"})
    books.hours(10, "2025-03-05", "lab", "alpha").hours(10, "2025-03-25", "lab", "alpha").through("2025-03")
    books.fact("least_price", "1.25", at="2025-03-20", recorded_at="2025-04-10").through("2025-04")
    assert books.micro("2025-03") == 20 * MICRO + 12_500_000
    assert (books.booked("2025-03"), books.booked("2025-04")) == (40 * MICRO, -7_500_000)


def test_a_price_that_an_amendment_changes_within_an_hour(sign: Sign) -> None:
    books = sign(
        {"kind": "price", "id": "p", "price_usd": 3},
        {
            "kind": "amendment",
            "id": "a",
            "from": "2025-03-15T12:30:00Z",
            "changes": [{"clause": "p", "set": {"price_usd": "2.1"}}],
        },
        signed_on="2025-01-01",
    )
    books.hours(1, "2025-03-15T12:15:00Z", "lab", "alpha").hours(1, "2025-03-15T12:45:00Z", "lab", "alpha")
    assert books.through("2025-03").brief() == [
        ("usage", "lab", "alpha", 2_100_000),
        ("usage", "lab", "alpha", 3_000_000),
    ]


def test_a_term_that_ends_within_a_month_ends_its_prices(sign: Sign) -> None:
    books = sign(
        {"kind": "term", "id": "term", "until": "2025-03-15"}, {"kind": "price", "id": "p", "price_usd": 3}
    )
    books.hours(1, "2025-03-14T23:59:59Z", "lab", "alpha", quoted_usd=5)
    books.hours(1, "2025-03-15", "lab", "alpha", quoted_usd=5).through("2025-03")
    # Afterwards nothing is agreed, and the price that was quoted holds.
    assert sorted((line.key.clause, line.posted_micro) for line in books.lines()) == [
        ("", 5 * MICRO),
        ("deal/p", 3 * MICRO),
    ]


def test_an_exception_that_begins_in_the_middle_of_a_month(sign: Sign) -> None:
    scope = [{"field": "team", "values": ["research"]}]
    carve: dict[str, Any] = {"id": "free", "scope": scope, "from": "2025-03-10T00:20:00Z"}
    books = sign({"kind": "price", "id": "p", "price_usd": 3, "exceptions": [carve]})
    for at in ("2025-03-05", "2025-03-10T00:10:00Z", "2025-03-10T00:20:00Z"):
        books.hours(1, at, "lab", "alpha", team="research")
    assert books.through("2025-03").micro() == 6 * MICRO


def test_hours_that_do_not_divide_lose_nothing(sign: Sign) -> None:
    """Parts of one second, each rated by itself, cost what they cost together, rounded once."""
    books = sign({"kind": "price", "id": "p", "price_usd": 1})
    for second in range(25):
        books.use("chip_seconds", 1, f"2025-03-05T00:00:{second:02d}Z", "lab", "alpha")
        books.ledger.rate(T("2025-03-06"))
    books.through("2025-03")
    assert books.micro() == int((Decimal(25) / 3600 * MICRO).to_integral_value())


def test_use_at_tiers_counts_for_its_own_campus_and_from_when_the_commitment_begins(sign: Sign) -> None:
    commitment = {
        "kind": "commitment",
        "id": "c",
        "minimum": 400,
        "fulfillment_interval": "Monthly",
        "start_on": "delivery",
        "portions": [{"id": "abilene", "share": "0.5"}, {"id": "milam", "share": "0.5"}],
    }
    books = sign({"kind": "price", "id": "p", "tiers": TIERS}, commitment, signed_on="2025-01-01")
    books.fact("accepted/abilene", at="2025-03-10").fact("accepted/milam", at="2025-03-01")
    books.hours(60, "2025-03-05", "lab", "alpha", site="abilene")  # 60 x 3, before it was accepted
    books.hours(60, "2025-03-12", "lab", "alpha", site="abilene")  # 40 x 3 + 20 x 2 = 160
    books.hours(90, "2025-03-12", "lab", "alpha", site="milam")  # 80 x 2 + 10 x 1 = 170
    books.through("2025-04")
    assert books.micro("2025-03", kind="usage") == (180 + 160 + 170) * MICRO
    # Milam lacks 200 - 170 by 1 April and 200 by 1 May, Abilene 200 - 160 by 10 April.
    short = [(line.key.portion, line.posted_micro // MICRO) for line in books.lines(kind="shortfall")]
    assert sorted(short) == [("abilene", 40), ("milam", 30), ("milam", 200)]


def test_what_is_reserved_at_a_campus_counts_for_it(sign: Sign) -> None:
    here = [{"field": "site", "values": ["abilene"]}]
    commitment = {
        "kind": "commitment",
        "id": "c",
        "minimum": 10_000,
        "fulfillment_interval": "Monthly",
        "start_on": "delivery",
        "portions": [{"id": "abilene", "share": 1}],
    }
    books = sign(
        {"kind": "capacity_reservation", "id": "pool", "quantity": 10, "from": "2025-03-01", "scope": here},
        {"kind": "price", "id": "p", "price_usd": 1, "reservation": "pool"},
        commitment,
        signed_on="2025-01-01",
    )
    books.fact("accepted/abilene", at="2025-03-01").through("2025-03", "2025-03")
    assert books.micro(kind="shortfall") == (10_000 - 10 * 31 * 24) * MICRO


@pytest.mark.parametrize(("mode", "dollars"), [("graduated", 100 * 3 + 50 * 2), ("volume", 300)])
def test_an_index_moves_tiers_from_when_it_moves(sign: Sign, mode: str, dollars: int) -> None:
    index = {"fact": "energy", "base": 50}
    books = sign({"kind": "price", "id": "p", "tiers": TIERS, "tier_mode": mode, "index": index})
    books.fact("energy", 100, at="2025-03-10T00:30:00Z")
    books.hours(100, "2025-03-10T00:29:59Z", "lab", "alpha").hours(50, "2025-03-10T00:30:00Z", "lab", "alpha")
    books.through("2025-03")
    # What comes after it moved costs double: 50 x 2 by steps, and 50 of 150 x 2 by volume.
    assert books.micro() == (dollars + 100) * MICRO
