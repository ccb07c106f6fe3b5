"""Which prices speak of some usage: those of clauses in force, else the one that was quoted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from stargate.agreements import Book, Period, Usage, WorldFact
from stargate.agreements.accrue import Timeline, edges
from stargate.agreements.accrue.price import rate_at
from stargate.agreements.accrue.reach import speaks
from stargate.agreements.clause import Price
from stargate.agreements.version import Version
from stargate.base.time import Instant
from stargate.ledger.record import Rollup, unit_of


class Rate(NamedTuple):
    """What a unit of some usage costs, who pays it to whom, and why."""

    clause: str
    """Empty: the price was quoted."""
    payer: str
    payee: str
    price_usd: Decimal
    text_ref: str = ""


class Prices:
    """The prices of a month, as known at `known_at`."""

    def __init__(self, book: Book, facts: Sequence[WorldFact], month: Period, known_at: Instant) -> None:
        self._timeline = Timeline(book, facts, month, known_at)
        self.edges = edges(self._timeline)
        """Use on either side of one of these may be priced differently."""
        self._prices = [
            version
            for version in book.chart.versions
            if isinstance(version.clause, Price) and self._timeline.spans(version)
        ]
        self._memo: dict[tuple[object, ...], list[tuple[Version, bool]]] = {}

    def span(self, at: Instant) -> int:
        """Between which edges an instant lies: use that is alike has the same prices throughout."""
        return bisect_right(self.edges, at)

    def of(self, used: Rollup) -> tuple[Rate, ...]:
        """Every price that is due for it; none where it has no price, or goes by tiers or a reservation."""
        found = []
        speaking = self._speaking(used)
        for version, by_rate in speaking:
            if by_rate:
                clause = version.clause
                assert isinstance(clause, Price), "these are prices"
                price = rate_at(self._timeline, version, used.hour)
                assert price is not None, "a rate has one price"
                payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
                found.append(Rate(version.ref, payer, payee, price, clause.text_ref))
        if not speaking and used.quoted_usd is not None and used.party and used.provider:
            found.append(Rate("", used.party, used.provider, used.quoted_usd))
        return tuple(found)

    def _speaking(self, used: Rollup) -> list[tuple[Version, bool]]:
        """The price clauses that cover it, and whether each has one price for every unit."""
        if not self._prices:
            return []
        key = (
            self.span(used.hour),
            used.metric,
            used.party,
            used.provider,
            tuple(sorted(used.attributes.items())),
        )
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = [
                (version, not version.clause.tiers and not version.clause.reservation)
                for version in self._prices
                if isinstance(version.clause, Price) and self._covers(version, version.clause, used)
            ]
        return found

    def _covers(self, version: Version, clause: Price, used: Rollup) -> bool:
        payer, payee = version.party("payer", "customer"), version.party("payee", "supplier")
        unit = unit_of(used.metric)[0]
        if (clause.metric or clause.unit) not in (unit, used.metric):
            return False
        if used.party not in ("", payer) or used.provider not in ("", payee):
            return False
        return speaks(self._timeline, version, as_usage(used).seen(), used.hour)


def as_usage(used: Rollup) -> Usage:
    """Usage in the words of agreements: time on chips in hours."""
    unit, per = unit_of(used.metric)
    return Usage(
        metric=unit,
        quantity=used.quantity / per,
        start=used.hour,
        party=used.party,
        provider=used.provider,
        attributes=dict(used.attributes),
    )
