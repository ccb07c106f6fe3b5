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
from stargate.ledger.record import Line, unit_of
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


def as_charges(
    lines: Iterable[Line], looked_at: frozenset[str], edges: Sequence[Instant]
) -> list[ChargeLine]:
    """Lines in the words of agreements. Those for use are summed: between edges, and over what no clause looks at."""
    found: list[ChargeLine] = []
    use: dict[tuple[object, ...], _Sum] = {}
    for line in lines:
        key, (unit, per) = line.key, unit_of(line.key.metric)
        quantity = Decimal(line.micro).scaleb(-6) / per
        if key.kind != "usage" or key.price_usd is None:
            found.append(_charge(line, Period(key.start, key.end), line.posted_micro, quantity, unit))
            continue
        seen = {name: value for name, value in key.attributes.items() if name in looked_at}
        span = bisect_right(edges, key.start)
        group = (span, key.payer, key.payee, key.clause, unit, tuple(sorted(seen.items())))
        total = use.setdefault(group, _Sum(line, unit, seen))
        total.add(line, quantity)
    found.extend(
        _charge(one.line, Period(one.start, one.end), one.amount, one.quantity, one.unit, one.seen)
        for one in use.values()
    )
    return found


class _Sum:
    """Lines for use that clauses do not tell apart."""

    __slots__ = ("amount", "end", "line", "quantity", "seen", "start", "unit")

    def __init__(self, line: Line, unit: str, seen: dict[str, str]) -> None:
        self.line, self.unit, self.seen = line, unit, seen
        self.start, self.end = line.key.start, line.key.end
        self.amount, self.quantity = 0, Decimal(0)

    def add(self, line: Line, quantity: Decimal) -> None:
        """Another line of them."""
        self.start, self.end = min(self.start, line.key.start), max(self.end, line.key.end)
        self.amount += line.posted_micro
        self.quantity += quantity


_NONE: dict[str, str] = {}


def _charge(
    line: Line, period: Period, amount: int, quantity: Decimal, unit: str, seen: dict[str, str] = _NONE
) -> ChargeLine:
    key = line.key
    equity = key.kind == "equity"
    return ChargeLine(
        clause=key.clause,
        kind=key.kind,  # type: ignore[arg-type]  # lines have the kinds of charge lines, but for payments
        payer=key.payer,
        payee=key.payee,
        amount_micro_usd=0 if equity else amount,
        period=period,
        says="",
        quantity=quantity,
        unit=unit,
        price_usd=key.price_usd,
        portion=key.portion,
        attributes=seen or key.attributes,
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
        for metric in _metrics(version.clause, earlier=earlier):
            found |= {metric, HOURLY.get(metric, metric)}
    return frozenset(found)


def _metrics(clause: Clause, *, earlier: bool) -> Iterator[str]:
    if isinstance(clause, Commitment):
        yield from (metric_of(clause), *clause.excused)
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
