"""What the example infrastructure uses and earns in the year of statements: whole numbers and no chance.

Each day, each pool has so many percent of its chips busy (`busy_percent`), and three teams share them as five to three
to two. Revenue grows by a fixed amount a day. Nothing here is measured; what was agreed and used is not public.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from stargate.agreements import WorldFact
from stargate.base.time import DAY, Instant
from stargate.ledger import Opening, UsageEvent
from stargate.ledger.record.month import after

FIRST = "2025-10"
MONTHS = 12
BEGINS = Instant.parse("2025-10-01")
SOURCE = "demand:year"
PRICE_USD = Decimal("4.06")
"""A chip-hour, wherever it is, as the rehearsed year has it: 300 billion dollars over five years for 4,500 MW."""
TEAMS = (("pretraining", 50), ("post-training", 30), ("evaluation", 20))
"""With the percent of each pool's busy chips."""


class Supply(NamedTuple):
    """A pool, and how many chips of it there are from which day on."""

    pool: str
    party: str
    site: str
    agreement: str
    chips: tuple[tuple[str, int], ...]


SUPPLIES = (
    Supply("azure-us-h100", "microsoft", "azure-us", "microsoft-openai", (("2025-10-01", 40_000),)),
    Supply("azure-atlanta-gb200", "microsoft", "fairwater-atlanta", "microsoft-openai", (("2025-11-01", 75_000),)),
    Supply(
        "oci-abilene-gb200", "oracle", "abilene", "oracle-openai",
        (("2025-10-01", 56_232), ("2026-04-17", 112_464)),
    ),
    Supply(
        "coreweave-denton", "coreweave", "denton", "coreweave-openai-1",
        (("2026-01-01", 16_000), ("2026-07-01", 80_000)),
    ),
    Supply(
        "aws-ultraservers-gb200", "amazon", "aws-us", "aws-openai",
        (("2025-11-10", 10_000), ("2026-03-01", 60_000)),
    ),
)  # fmt: skip


class Stream(NamedTuple):
    """Revenue: so much on the first day, and so much more each day."""

    party: str
    product: str
    first_usd: Decimal
    more_usd: Decimal


STREAMS = (
    Stream("openai", "chatgpt", Decimal("30000000.25"), Decimal("41000.01")),
    Stream("openai", "api", Decimal("8000000.10"), Decimal("15000.05")),
    Stream("microsoft", "azure_openai", Decimal("3000000.15"), Decimal("9000.02")),
    Stream("microsoft", "copilot", Decimal("5000000.00"), Decimal("7000.00")),
)
"""What Microsoft earns with Copilot is under no clause: it is here so that a wrong scope would show."""


class Known(NamedTuple):
    """Something that comes on record on a day, when the months before it are closed."""

    at: str
    events: tuple[UsageEvent, ...] = ()
    facts: tuple[WorldFact, ...] = ()
    why: str = ""


def _event(key: str, metric: str, quantity: Any, start: str, **more: Any) -> UsageEvent:
    return UsageEvent(
        source=SOURCE, key=key, metric=metric, quantity=Decimal(quantity), start=Instant.parse(start), **more
    )


DENTON = {"pool": "coreweave-denton", "site": "denton", "agreement": "coreweave-openai-1"}
LATE = (
    Known(
        "2026-01-20",
        (
            _event(
                "late/revenue", "revenue_usd", "12345678.90", "2025-11-28", party="openai",
                attributes={"product": "api"},
            ),
        ),
        why="an audit finds 12,345,678.90 USD of API revenue of 28 November; November and December are closed",
    ),
    Known(
        "2026-04-10",
        (_event("level/2026-03", "availability", "0.985", "2026-03-01", party="coreweave"),),
        (WorldFact("claimed/coreweave-openai/availability", "2026-03-01", Instant.parse("2026-04-10")),),
        "OpenAI claims credit for March: CoreWeave was available 98.5 % of the time",
    ),
    Known(
        "2026-04-12",
        (
            _event(
                "late/denton", "chip_seconds", 1_000 * 86_400, "2026-02-14", party="openai", provider="coreweave",
                quoted_usd=PRICE_USD, attributes={**DENTON, "team": "evaluation"},
            ),
        ),
        why="CoreWeave finds what its meter had lost, 1,000 chips of 14 February; February and March are closed",
    ),
)  # fmt: skip
FACTS = (
    WorldFact(
        "openai_share_price_usd", Decimal(600), Instant.parse("2026-02-20"), source="assumed; not public"
    ),
)
OPENINGS = (
    Opening(
        key="coreweave-prepaid", kind="prepayment", payer="openai", payee="coreweave",
        clause="coreweave-openai-1/prepaid", amount_usd=Decimal(1_785_000_000),
        start=Instant.parse("2025-03-10"), end=BEGINS,
    ),
)  # fmt: skip
"""What was paid before these books begin: 15 % of the first order form."""


def months() -> tuple[str, ...]:
    """The months of the year."""
    found = [FIRST]
    while len(found) < MONTHS:
        found.append(after(found[-1]))
    return tuple(found)


def busy_percent(day: int, place: int) -> int:
    """Of the chips of the pool at a place of `SUPPLIES`, on a day of the year: 70 to 94."""
    return 70 + (7 * day + 13 * place) % 25


def chips_on(supply: Supply, at: Instant) -> int:
    """How many chips of a pool there are at an instant."""
    return next((chips for begins, chips in reversed(supply.chips) if Instant.parse(begins) <= at), 0)


def demand(first: Instant, end: Instant) -> Iterator[UsageEvent]:
    """What is used and earned between two midnights: an event for each day, pool and team, and for each stream."""
    for day in range((first - BEGINS) // DAY, (end - BEGINS) // DAY):
        at = Instant(BEGINS + day * DAY)
        for place, supply in enumerate(SUPPLIES):
            busy = chips_on(supply, at) * busy_percent(day, place) // 100
            for team, percent in TEAMS if busy else ():
                yield UsageEvent(
                    source=SOURCE, key=f"{supply.pool}/{team}@{at}", metric="chip_seconds",
                    quantity=Decimal(busy * percent // 100 * 86_400), start=at, end=Instant(at + DAY), party="openai",
                    provider=supply.party, quoted_usd=PRICE_USD,
                    attributes={
                        "pool": supply.pool, "site": supply.site, "agreement": supply.agreement, "team": team,
                    },
                )  # fmt: skip
        for stream in STREAMS:
            yield UsageEvent(
                source=SOURCE, key=f"{stream.party}/{stream.product}@{at}", metric="revenue_usd",
                quantity=stream.first_usd + day * stream.more_usd, start=at, end=Instant(at + DAY), party=stream.party,
                attributes={"product": stream.product},
            )  # fmt: skip
        yield from _unsold(day, at)


def _unsold(day: int, at: Instant) -> Iterator[UsageEvent]:
    """What CoreWeave could have sold to anybody, and did: 3 to 7 percent of 100,000 chips stay open."""
    for metric, chips in (("capacity", 100_000), ("sold", 97_000 - 1_000 * (day % 5))):
        yield UsageEvent(
            source=SOURCE, key=f"{metric}@{at}", metric=f"{metric}_chip_hours", quantity=Decimal(chips * 24), start=at,
            end=Instant(at + DAY), party="coreweave",
        )  # fmt: skip
