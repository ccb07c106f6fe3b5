"""What is behind an item of a statement: the words of its clause, its days, and the usage."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from stargate.agreements import Agreement, Book, Period, WorldFact
from stargate.agreements.accrue import Timeline
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.clause import RevenueShare
from stargate.agreements.version import Version
from stargate.base.time import Instant
from stargate.base.wire import to_plain
from stargate.ledger.record import Rollup, UsageEvent, unit_of
from stargate.ledger.record.booked import Moved
from stargate.ledger.record.usage import HOURLY
from stargate.ledger.settle.owed import metrics_of
from stargate.ledger.settle.prices import as_usage

USAGE_SHOWN = 10
"""Events that stand beside an item; there may be millions."""


class Wording(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A clause as it was declared."""

    agreement: str
    clause: str
    text_ref: str = ""
    """Where it stands."""
    quote: str = ""
    """The words themselves, where they are public."""
    terms: dict[str, Any]
    """What it says, field by field."""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What one day adds to an item."""

    day: str
    quantity: Decimal
    amount_micro: int
    """In millionths of the item's unit."""
    entries: int


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """Of one item."""

    wordings: tuple[Wording, ...]
    """Of its clause, as on record with the statement's last entry; several where it was amended within the span."""
    days: tuple[Day, ...]
    """Of use at a price."""
    usage: tuple[UsageEvent, ...]
    """The first USAGE_SHOWN events that were counted; for a line of a clause, of what lies in the clause's scope."""
    more: bool
    """Whether there are more."""


class Clauses:
    """The clauses of a month, as they were on record."""

    def __init__(
        self, agreements: Sequence[Agreement], facts: Sequence[WorldFact], month: Period, known_at: Instant
    ) -> None:
        book = Book(agreements)
        self._timeline = Timeline(book, facts, month, known_at)
        self._versions: dict[str, list[Version]] = {}
        for version in book.chart.versions:
            self._versions.setdefault(version.ref, []).append(version)

    def wordings(self, clause: str, span: Period) -> tuple[Wording, ...]:
        """What a clause says over a span."""
        return tuple(
            _wording(one)
            for one in self._versions.get(clause, ())
            if one.added < span.end and one.removed > span.start
        )

    def metrics(self, clause: str) -> frozenset[str]:
        """What a clause counts, beside spend."""
        found = {
            metric
            for one in self._versions.get(clause, ())
            for metric in metrics_of(one.clause, earlier=False)
        }
        return frozenset(found | {HOURLY.get(metric, metric) for metric in found})

    def covers(self, clause: str, parties: tuple[str, str], used: UsageEvent) -> bool:
        """Whether use lies in the scope of a clause between two parties."""
        if used.party not in ("", *parties) or used.provider not in ("", *parties):
            return False
        seen = as_usage(
            Rollup(
                hour=used.start,
                metric=used.metric,
                party=used.party,
                provider=used.provider,
                quoted_usd=used.quoted_usd,
                attributes=used.attributes,
                micro=used.micro,
            )
        ).seen()
        return any(
            _earned(version, used) and speaks(self._timeline, version, seen, used.start)
            for version in self._versions.get(clause, ())
        )


def day_of(moved: Moved) -> Day:
    """One day's part of an item."""
    per = unit_of(moved.key.metric)[1]
    return Day(
        day=str(moved.start)[:10],
        quantity=Decimal(moved.micro).scaleb(-6) / per,
        amount_micro=moved.amount_micro,
        entries=moved.entries,
    )


def _earned(version: Version, used: UsageEvent) -> bool:
    """Whether a share is taken of what this party earned; of other clauses, always."""
    if not isinstance(version.clause, RevenueShare):
        return True
    return used.party in ("", version.clause.base.earned_by or version.party("payer", "customer"))


def _wording(version: Version) -> Wording:
    terms = to_plain(version.clause)
    for name in ("id", "text_ref", "quote"):
        terms.pop(name, None)
    clause = version.clause
    return Wording(
        agreement=version.paper or version.home.id,
        clause=version.ref,
        text_ref=clause.text_ref,
        quote=clause.quote,
        terms=terms,
    )
