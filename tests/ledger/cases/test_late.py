"""However usage comes, in time or late, once or twice, in any order: the lines come out the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate.agreements import WorldFact
from stargate.base.time import DAY, HOUR, Instant
from stargate.ledger import UsageEvent, open_store
from stargate.ledger.record.month import after, span_of
from tests.ledger.cases.conftest import Books, T, deal

MONTHS = ["2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06"]
TIERS = [{"price_usd": 3, "up_to": 400}, {"price_usd": 2, "up_to": 900}, {"price_usd": "1.25"}]
COMMITMENT: dict[str, Any] = {"kind": "commitment", "fulfillment_interval": "Monthly"}
PAPER = deal(
    {"kind": "term", "id": "term", "until": "2025-06-20T10:30:00Z"},
    {"kind": "price", "id": "tiers", "tiers": TIERS, "tier_interval": "Quarterly"},
    {"kind": "price", "id": "flat", "price_usd": "0.7", "metric": "tokens", "escalator": "0.1"},
    COMMITMENT | {"id": "first", "minimum": 700, "from": "2025-01-14", "rollover": "until_end"},
    COMMITMENT | {"id": "second", "amount": 5000, "shortfall": "make_up", "make_up_period": "45d"},
    {"kind": "commitment", "id": "third", "amount": 9000, "milestones": [
        {"by": "2025-03-15", "amount": 2500}, {"by": "2025-06-01", "amount": 9000},
    ], "shortfall": "convert_to_prepayment"},
    {"kind": "prepayment", "id": "prepaid", "percent": 20, "of": "second"},
    {"kind": "revenue_share", "id": "share", "rate": "0.2", "cap_total_usd": 2000, "cap_period_usd": 900,
     "cap_interval": "Quarterly", "base": {"less": ["refunds_usd"]}},
    {"kind": "backstop", "id": "unsold", "price_usd": "0.1", "cap_usd": 90},
    {"kind": "amendment", "id": "more", "from": "2025-04-10T07:20:00Z", "changes": [
        {"clause": "first", "set": {"minimum": 900}}, {"clause": "share", "set": {"rate": "0.3"}},
    ]},
    signed_on="2025-01-01",
)  # fmt: skip


def events(seed: int) -> Iterator[UsageEvent]:
    """Half a year of all kinds of use."""
    draw = random.Random(seed)
    start, end = T("2025-01-01"), T("2025-07-01")
    for number in range(160):
        metric = draw.choice(["chip_seconds", "tokens", "revenue_usd", "refunds_usd", "capacity_chip_hours"])
        most = {"chip_seconds": 60 * 3600, "tokens": 90, "refunds_usd": 100}.get(metric, 400)
        at = Instant(draw.randrange(start, end))
        yield UsageEvent(
            source="test",
            key=f"e{number}",
            metric=metric,
            quantity=Decimal(draw.randrange(most * 1000)).scaleb(-3),
            start=at,
            party="lab",
            provider="alpha" if metric in ("chip_seconds", "tokens") else "",
            attributes={"team": draw.choice("ab")},
        )


def lines_of(path: Path, came: list[tuple[str, list[UsageEvent]]]) -> dict[str, tuple[int, int]]:
    """What the lines come to where usage came before the months named with it were closed."""
    store = open_store(path, durable=False)
    books = Books(store, path)
    books.sign(PAPER)
    quiet = WorldFact("quiet", True, T("2025-02-03T04:05:06Z"))
    books.ledger.declare(store.terms().agreements, [quiet], T("2025-01-01"))
    for month, batch in came:
        for part in (batch[: len(batch) // 3], batch[len(batch) // 3 :], batch[:5]):
            books.ledger.take(part, span_of(month).end)
            books.ledger.rate(span_of(month).end)
        if month <= MONTHS[-1]:
            books.close(month)
    books.ledger.rate(T("2025-09-01"))
    books.check()
    found = {
        repr(line.key): (line.micro, line.posted_micro)
        for month in store.months_with_lines()
        for line in store.lines(month)
        if line.micro or line.posted_micro
    }
    store.close()
    return found


@pytest.mark.parametrize("seed", range(4))
def test_late_is_the_same_as_in_time(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed + 1000)
    every = list(events(seed))
    in_time = [(month, [one for one in every if span_of(month).holds(one.start)]) for month in MONTHS]
    late: dict[str, list[UsageEvent]] = {month: [] for month in [*MONTHS, after(MONTHS[-1])]}
    for month, batch in in_time:
        rest = [name for name in late if name >= month]
        for one in draw.sample(batch, len(batch)):
            late[draw.choice(rest) if draw.random() < 0.5 else month].append(one)
    straight = lines_of(tmp_path / "straight", in_time)
    assert lines_of(tmp_path / "late", list(late.items())) == straight
    kinds = {key.split("kind='")[1].split("'")[0] for key in straight}
    assert {"usage", "shortfall", "make_up", "prepayment", "prepayment_credit", "share", "backstop"} <= kinds


def test_a_fact_that_becomes_known_late_is_the_same_as_known_in_time(books: Books, tmp_path: Path) -> None:
    suspended = {"suspended_by": [{"fact": "dispute", "value": True}]}
    clauses = (
        {"kind": "price", "id": "p", "price_usd": 2} | suspended,
        {"kind": "revenue_share", "id": "s", "rate": "0.2", "cap_total_usd": 300} | suspended,
    )
    other = Books(open_store(tmp_path / "other.sqlite", durable=False), tmp_path)
    for one, known in ((books, "2025-01-10"), (other, "2025-04-10")):
        one.sign(deal(*clauses))
        dispute = {"at": "2025-01-10T00:30:00Z", "recorded_at": known}
        over = {"at": "2025-02-05", "recorded_at": known}
        if known < "2025-02":
            one.fact("dispute", **dispute).fact("dispute", value=False, **over)
        for day in range(0, 90, 3):
            at = Instant(T("2025-01-01") + day * DAY + HOUR // 2).iso()
            one.hours(1, at, "lab", "alpha").use("revenue_usd", 100, at, "lab")
        one.through("2025-03")
        if known > "2025-02":
            one.fact("dispute", **dispute).fact("dispute", value=False, **over).through("2025-04")
    months = ("2025-01", "2025-02", "2025-03")
    assert [books.micro(month) for month in months] == [other.micro(month) for month in months]
    # Use on 1, 4 and 7 January counts, that of the 10th at half past midnight no longer: 3 x 2.00 and 3 x 20.
    assert books.micro("2025-01") == 66_000_000
    assert books.micro(kind="share") == 300_000_000  # the cap, reached in March
    assert other.booked("2025-04") == sum(books.micro(month) for month in months) - sum(
        other.booked(month) for month in months
    )
    other.check()
    other.store.close()
