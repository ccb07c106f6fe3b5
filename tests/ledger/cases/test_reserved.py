"""Reservations: charged whole, up front or by the month, with what goes beyond (AC28, AC32)."""

from __future__ import annotations

from collections.abc import Callable

from tests.ledger.cases.conftest import MICRO, Books

Sign = Callable[..., Books]


def test_ac28_a_capacity_block_is_charged_in_full_when_it_begins(books: Books) -> None:
    books.case("ac28").hours(64 * 24, "2026-02-03", "buyer", "amazon").through("2026-03", "2026-01")
    # 64 chips x 14 days x 24 hours x 3.00, whether used or not; what is used within it costs nothing more.
    assert books.brief() == [("reservation", "buyer", "amazon", 64 * 14 * 24 * 3 * MICRO)]
    (line,) = books.lines()
    assert (line.key.month, line.key.start.iso()[:10], line.key.end.iso()[:10]) == (
        "2026-02",
        "2026-02-01",
        "2026-02-15",
    )
    assert line.micro == 64 * 14 * 24 * 3600 * MICRO  # chip-seconds


def test_ac32_the_whole_cluster_up_front_and_the_excess_on_demand(books: Books) -> None:
    books.case("ac32")
    held = 64 * 7 * 24
    for day in range(1, 8):
        books.hours(64 * 24, f"2026-03-0{day}", "buyer", "together")
    books.use("chip_seconds", 100 * 3600 + 1, "2026-03-05", "buyer", "together").through("2026-04", "2026-03")
    # 10 752 hours at 2.20, and 100 and 1/3600 hours more at 3.50: 350.000972(2)
    assert books.brief() == [
        ("burst", "buyer", "together", 350_000_972),
        ("reservation", "buyer", "together", held * 2_200_000),
    ]


def test_a_reservation_that_begins_and_ends_within_months_is_charged_by_the_hour(sign: Sign) -> None:
    books = sign(
        {
            "kind": "capacity_reservation",
            "id": "pool",
            "quantity": 16,
            "from": "2026-01-20T06:00:00Z",
            "until": "2026-03-10T12:30:00Z",
        },
        {"kind": "price", "id": "price", "price_usd": "6.98", "reservation": "pool"},
    ).through("2026-04", "2026-01")
    # 11 days and 18 hours, 28 days, 9 days and 12.5 hours, of 16 chips at 6.98.
    hours = [11 * 24 + 18, 28 * 24, 9 * 24 + 12.5]
    assert [books.micro(f"2026-0{n}") for n in (1, 2, 3, 4)] == [*(int(h * 16 * 6_980_000) for h in hours), 0]


def test_a_ramp_half_up_front(sign: Sign) -> None:
    books = sign(
        {
            "kind": "capacity_reservation",
            "id": "pool",
            "ramp": [{"from": "2026-01-01", "quantity": 10}, {"from": "2026-02-15", "quantity": 30}],
            "until": "2026-03-01",
            "from": "2026-01-01",
            "upfront_percent": 50,
        },
        {"kind": "price", "id": "price", "price_usd": 2, "reservation": "pool"},
    ).through("2026-03", "2026-01")
    january, february = 10 * 31 * 24, 10 * 14 * 24 + 30 * 14 * 24
    # Half of all at the start; then half of each month: as two lines in January.
    assert [line.posted_micro for line in books.lines("2026-01")] == [
        (january + february) * MICRO,
        january * MICRO,
    ]
    assert books.micro("2026-02") == february * MICRO
    assert books.micro() == (january + february) * 2 * MICRO


def test_a_reservation_that_an_amendment_changes_in_the_middle_of_a_month(sign: Sign) -> None:
    books = sign(
        {
            "kind": "capacity_reservation",
            "id": "pool",
            "quantity": 10,
            "from": "2026-01-01",
            "until": "2026-03-01",
        },
        {"kind": "price", "id": "price", "price_usd": 2, "reservation": "pool"},
        {
            "kind": "amendment",
            "id": "more",
            "from": "2026-02-11",
            "changes": [
                {"clause": "pool", "set": {"quantity": 25}},
                {"clause": "price", "set": {"price_usd": "1.5"}},
            ],
        },
        signed_on="2025-12-01",
    ).through("2026-02", "2026-01")
    # 10 days of 10 chips at 2.00, then 18 days of 25 at 1.50: each hour once.
    assert books.micro("2026-01") == 31 * 24 * 10 * 2 * MICRO
    assert books.micro("2026-02") == (10 * 24 * 10 * 2) * MICRO + 18 * 24 * 25 * 1_500_000


def test_reserved_hours_count_towards_a_commitment_from_where_it_begins(sign: Sign) -> None:
    books = sign(
        {
            "kind": "capacity_reservation",
            "id": "pool",
            "quantity": 10,
            "from": "2026-01-11",
            "until": "2026-03-01",
        },
        {"kind": "price", "id": "price", "price_usd": 1, "reservation": "pool"},
        {
            "kind": "commitment",
            "id": "c",
            "minimum": 8000,
            "fulfillment_interval": "Monthly",
            "from": "2026-01-11",
        },
        {"kind": "term", "id": "term", "until": "2026-03-01"},
    ).through("2026-02", "2026-01")
    # 11 January to 11 February: 21 days of January in that month's line, and February's from the 1st in its own:
    # 5 040 and 6 720 dollars, both counted where their spans begin.
    assert books.micro(kind="reservation") == (21 + 28) * 240 * MICRO
    assert (
        books.micro(kind="shortfall") == 8000 * MICRO
    )  # 11 February to the end of the term: a second interval
