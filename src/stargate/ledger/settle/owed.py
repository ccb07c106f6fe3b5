"""What a month's clauses say, given what was charged for use, and what earlier months came to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from stargate.agreements import Book, ChargeLine, Clause, Period, Usage, WorldFact, accrue
from stargate.agreements.accrue.commitment import metric_of
from stargate.agreements.clause import Backstop, Commitment, Price, RevenueShare, ServiceLevel
from stargate.agreements.scope import fields_of
from stargate.base.time import Instant
from stargate.ledger.record import Line, UseCharged, unit_of
from stargate.ledger.record.usage import HOURLY


def owed(
    book: Book,
    facts: Sequence[WorldFact],
    usage: Sequence[Usage],
    month: Period,
    *,
    charged: Sequence[ChargeLine],
    prior: Sequence[ChargeLine],
    known_at: Instant,
) -> tuple[ChargeLine, ...]:
    """The charge lines of a month but those for use at a price (`charged`): shares, shortfalls, credits and the rest.

    `usage` reaches back as far as any commitment's interval; `prior` are the lines of earlier months.
    """
    return accrue(book, facts, usage, month, prior=prior, charged=charged, known_at=known_at)


def as_charges(lines: Iterable[Line]) -> list[ChargeLine]:
    """Lines of clauses in the words of agreements."""
    found = []
    for line in lines:
        key, (unit, per) = line.key, unit_of(line.key.metric)
        found.append(
            ChargeLine(
                clause=key.clause,
                kind=key.kind,  # type: ignore[arg-type]  # lines have the kinds of charge lines, but for payments
                payer=key.payer,
                payee=key.payee,
                amount_micro_usd=0 if key.kind == "equity" else line.posted_micro,
                period=Period(key.start, key.end),
                says="",
                quantity=Decimal(line.micro).scaleb(-6) / per,
                unit=unit,
                price_usd=key.price_usd,
                portion=key.portion,
                attributes=key.attributes,
            )
        )
    return found


_Alike = tuple[int, str, str, str, str, tuple[tuple[str, str], ...]]
"""Between which edges, by whom to whom, under which clause, of which metric, with which attributes."""


def as_spend(
    charged: Iterable[UseCharged], looked_at: frozenset[str], edges: Sequence[Instant]
) -> list[ChargeLine]:
    """Charges for use in the words of agreements, summed between edges and over what no clause looks at."""
    groups: dict[_Alike, list[UseCharged]] = {}
    for used in charged:
        seen = tuple((name, value) for name, value in sorted(used.attributes.items()) if name in looked_at)
        span = bisect_right(edges, used.start)
        groups.setdefault((span, used.payer, used.payee, used.clause, used.metric, seen), []).append(used)
    return [_spend(alike, dict(seen)) for (*_, seen), alike in groups.items()]


def _spend(alike: Sequence[UseCharged], seen: dict[str, str]) -> ChargeLine:
    first = alike[0]
    unit, per = unit_of(first.metric)
    return ChargeLine(
        clause=first.clause,
        kind="usage",
        payer=first.payer,
        payee=first.payee,
        amount_micro_usd=sum(used.posted_micro for used in alike),
        period=Period(min(used.start for used in alike), max(used.end for used in alike)),
        says="",
        quantity=Decimal(sum(used.micro for used in alike)).scaleb(-6) / per,
        unit=unit,
        attributes=seen,
    )


def fields_counted(book: Book) -> frozenset[str]:
    """Attributes of use by which some money clause tells one use from another."""
    fields = {"agreement", "portion", "site"}
    for version in book.chart.versions:
        clause = version.clause
        fields |= fields_of(clause.scope)
        for carve in clause.exceptions:
            fields |= fields_of(carve.scope)
        for part in clause.eligible if isinstance(clause, Commitment) else ():
            fields |= fields_of(part.scope)
    return frozenset(fields)


def metrics_counted(book: Book, *, earlier: bool) -> frozenset[str]:
    """Usage that clauses count besides prices of a unit; with `earlier`, also where it lies before the month."""
    found: set[str] = set()
    for version in book.chart.versions:
        for metric in metrics_of(version.clause, earlier=earlier):
            found |= {metric, HOURLY.get(metric, metric)}
    return frozenset(found)


def metrics_of(clause: Clause, *, earlier: bool) -> Iterator[str]:
    """What one clause counts besides prices of a unit: see `metrics_counted`."""
    if isinstance(clause, Commitment):
        yield from (metric_of(clause), *clause.excused)
        if clause.shortfall == "convert_to_prepayment" and not earlier:
            yield "spend_usd"  # such credit pays what is charged, whatever the commitment counts
    elif isinstance(clause, ServiceLevel):
        yield clause.metric
    elif earlier:
        return
    elif isinstance(clause, RevenueShare):
        yield from (clause.base.metric, *clause.base.less)
    elif isinstance(clause, Backstop):
        yield from clause.metrics
    elif isinstance(clause, Price) and (clause.tiers or clause.reservation):
        yield clause.metric or clause.unit
