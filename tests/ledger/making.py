"""Terms and usage for tests: two months of chips and tokens, cheap to rate and with a clause of every month."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from stargate.agreements import Agreement
from stargate.base import wire
from stargate.base.time import DAY, HOUR, Instant
from stargate.ledger import Ledger, Store, UsageEvent
from stargate.ledger.record.month import span_of
from stargate.ledger.store.chain import COVERED, Position, said, sealed

BEGIN = Instant.parse("2026-01-01")
MONTHS = ("2026-01", "2026-02")


def paper() -> Agreement:
    """Chips at a price, with a minimum for each month."""
    return wire.convert(
        {
            "id": "deal",
            "customer": "lab",
            "supplier": "alpha",
            "clauses": [
                {
                    "id": "rate",
                    "kind": "price",
                    "unit": "chip_hours",
                    "price_usd": "2.25",
                },
                {"id": "least", "kind": "commitment", "amount": "5000", "fulfillment_interval": "Monthly"},
            ],
        },
        Agreement,
    )


def event(number: int, **changes: Any) -> UsageEvent:
    """The n-th event; every third is of tokens at a quoted price, the others of chips."""
    plain: dict[str, Any] = {
        "source": f"journal:{number % 2}",
        "key": f"event-{number:06}",
        "metric": "chip_seconds",
        "quantity": Decimal(3600 + number),
        "start": BEGIN.plus(number * 37 * HOUR % (58 * DAY)),
        "party": "lab",
        "provider": "alpha" if number % 2 else "beta",
        "quoted_usd": Decimal("2.5"),
        "attributes": {"team": f"team-{number % 3}", "workload": f"job-{number % 7}"},
    }
    if number % 3 == 0:
        plain |= {
            "metric": "output_tokens",
            "quoted_usd": Decimal("0.000015"),
            "quantity": Decimal(number + 1),
        }
    return UsageEvent(**plain | changes)


def events(count: int, first: int = 0) -> list[UsageEvent]:
    return [event(number) for number in range(first, first + count)]


def closed(store: Store) -> dict[str, bytes]:
    """Close both months; the root of each."""
    ledger = Ledger(store)
    for month in MONTHS:
        ledger.close(month, span_of(month).end.plus(DAY))
    return roots(store)


def roots(store: Store) -> dict[str, bytes]:
    return {month.name: month.root for month in store.months()}


def chain_broken_at(store: Store) -> int | None:
    """The first block that does not follow from the tables, as they are read anew; None: all do."""
    names = {
        "usage_event": "(SELECT name FROM source WHERE source.id = usage_event.source)",
        "entry": "(SELECT id FROM standing WHERE standing.number = entry.line)",
    }
    run, before = store._database.run, Position()
    for seq, usage, terms, entry, hash_ in run("SELECT * FROM block ORDER BY seq"):
        now = Position(seq, usage, terms, entry, bytes(hash_))
        parts = []
        for table, columns in COVERED.items():
            spans = {"usage_event": (before.usage_seq, usage), "terms": (before.terms_seq, terms)}
            low, high = spans.get(table, (before.entry_seq, entry) if table == "entry" else (seq - 1, seq))
            by = "block" if "block" in columns else "seq"
            query = f"SELECT {names.get(table, chr(39) * 2)}, {', '.join(columns)} FROM {table}"
            rows = run(f"{query} WHERE {by} > ? AND {by} <= ? ORDER BY {by}", (low, high))
            parts += [said(row[1:], row[0]) for row in rows]
        if sealed(before, now, parts)[-1] != now.hash:
            return int(seq)
        before = now
    return None
