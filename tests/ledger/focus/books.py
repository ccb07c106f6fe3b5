"""Three months of books with most of what FOCUS has a word for; the third is still open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stargate.agreements import Agreement, WorldFact
from stargate.base import wire
from stargate.base.time import DAY, HOUR, Instant
from stargate.ledger import Ledger, Payment, Store, UsageEvent
from stargate.ledger.record.month import span_of

T = Instant.parse
MONTHS = ("2026-01", "2026-02", "2026-03")


def _at(site: str) -> list[dict[str, Any]]:
    return [{"field": "site", "operator": "In", "values": [site]}]


DEAL: dict[str, Any] = {
    "id": "deal",
    "customer": "lab",
    "supplier": "alpha",
    "signed_on": "2025-12-15",
    "clauses": [
        {"kind": "price", "id": "chips", "price_usd": "2.13", "scope": _at("oak"), "text_ref": "section 4.1"},
        {
            "kind": "price",
            "id": "tokens",
            "unit": "output_tokens",
            "tiers": [{"up_to": 700, "price_usd": "0.003"}, {"price_usd": "0.001"}],
        },
        {
            "kind": "capacity_reservation",
            "id": "pool",
            "quantity": 3,
            "from": "2026-01-01",
            "until": "2026-03-01",
        },
        {"kind": "price", "id": "held", "price_usd": "1.70", "reservation": "pool", "scope": _at("elm")},
        {
            "kind": "capacity_reservation",
            "id": "hall",
            "quantity": 2,
            "from": "2026-01-16",
            "until": "2026-04-16",
            "upfront_percent": 100,
            "scope": _at("fir"),
        },
        {
            "kind": "price",
            "id": "ahead-held",
            "price_usd": "1.01",
            "reservation": "hall",
            "scope": _at("fir"),
        },
        {
            "kind": "commitment",
            "id": "minimum",
            "amount": 100000,
            "fulfillment_interval": "Monthly",
            "minimum": 9000,
            "from": "2026-01-01",
            "until": "2027-01-01",
        },
        {"kind": "prepayment", "id": "ahead", "percent": 15, "of": "minimum", "due": "2026-01-10"},
        {
            "kind": "service_level",
            "id": "up",
            "tiers": [{"below": "0.99", "credit": "0.10"}],
            "claim_periods": 1,
            "scope": _at("oak"),
        },
    ],
}
SHARE: dict[str, Any] = {
    "id": "models",
    "customer": "alpha",
    "supplier": "lab",
    "signed_on": "2025-12-20",
    "clauses": [
        {
            "kind": "revenue_share",
            "id": "share",
            "rate": "0.20",
            "payer": "alpha",
            "payee": "lab",
            "payment": {"installments": 3},
        }
    ],
}


def used(key: str, quantity: str, at: Instant, **more: Any) -> UsageEvent:
    """Chip-seconds of lab on alpha, at oak unless it says otherwise."""
    seen = {"site": "oak", "team": "red", "workload": "lm-1", "chip": "h100", "provider": "alpha-oak"}
    fields: dict[str, Any] = {"metric": "chip_seconds", "party": "lab", "provider": "alpha", **more}
    fields["attributes"] = seen | fields.get("attributes", {})
    return UsageEvent(source="test", key=key, quantity=Decimal(quantity), start=at, **fields)


def keep(store: Store) -> Ledger:
    """January and February closed, with late use of January booked in February; March open."""
    ledger = Ledger(store)
    papers = [wire.convert(paper, Agreement) for paper in (DEAL, SHARE)]
    ledger.declare(papers, [WorldFact("claimed/deal/up", "2026-01-01", T("2026-02-03"))], T("2026-01-01"))
    ledger.take(list(_ordinary()), T("2026-01-01"))
    ledger.pay(
        [Payment(key="wire-1", payer="lab", payee="alpha", amount_usd=Decimal(500), paid_at=T("2026-01-20"))],
        T("2026-01-20"),
    )
    ledger.close("2026-01", T("2026-02-02"))
    late = [
        used("late-same", "1800", T("2026-01-05T03:00:00Z"), quoted_usd=Decimal("2.50")),
        used(
            "late-new", "3601.5", T("2026-01-06T04:00:00Z"), attributes={"team": "blue", "workload": "lm-2"}
        ),
    ]
    ledger.take(late, T("2026-02-20"))
    ledger.rate(T("2026-02-20"))
    ledger.close("2026-02", T("2026-03-02"))
    ledger.rate(T("2026-03-20"))
    return ledger


def _ordinary() -> list[UsageEvent]:
    found: list[UsageEvent] = []
    for month in MONTHS:
        start = span_of(month).start
        for day in range(6):
            at = start.plus(day * DAY + 3 * HOUR)
            found += [
                used(f"{month}-{day}", f"{36_000 + 7 * day}.25", at, quoted_usd=Decimal("2.50")),
                used(f"{month}-{day}-elm", "90000", at, attributes={"site": "elm"}),
                used(
                    f"{month}-{day}-t", "150", at, metric="output_tokens",
                    attributes={"site": "", "chip": "", "model": "lm"},
                ),
                used(
                    f"{month}-{day}-spot", "7200", at, provider="beta", quoted_usd=Decimal("0.9123"),
                    attributes={"site": "ash", "tenure": "market", "provider": "beta-ash", "host": "gamma"},
                ),
            ]  # fmt: skip
        sold: dict[str, Any] = {"metric": "revenue_usd", "party": "alpha", "provider": "", "attributes": {}}
        found += [
            UsageEvent(source="test", key=f"{month}-sold", quantity=Decimal("40000.07"), start=start, **sold),
            UsageEvent(
                source="test", key=f"{month}-up", metric="availability", quantity=Decimal("0.98"), start=start,
                attributes={"site": "oak"},
            ),
        ]  # fmt: skip
    return found
