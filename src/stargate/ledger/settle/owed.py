"""What a month's clauses say, given what was charged for use, and what earlier months came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from stargate.agreements import Book, ChargeLine, Period, Usage, WorldFact, accrue
from stargate.agreements.clause import Commitment
from stargate.agreements.scope import fields_of
from stargate.base.time import Instant
from stargate.ledger.record import Line, unit_of


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


def as_charges(lines: Iterable[Line], looked_at: frozenset[str]) -> list[ChargeLine]:
    """Lines in the words of agreements. Those for use are summed over their month and what clauses do not look at."""
    found: list[ChargeLine] = []
    use: dict[tuple[object, ...], _Sum] = {}
    for line in lines:
        if line.key.kind != "usage" or line.key.price_usd is None:
            found.append(_charge(line, line.posted_micro, Decimal(line.micro).scaleb(-6), {}))
            continue
        key, (unit, per) = line.key, unit_of(line.key.metric)
        seen = {name: value for name, value in key.attributes.items() if name in looked_at}
        group = (key.payer, key.payee, key.month, key.clause, unit, tuple(sorted(seen.items())))
        total = use.setdefault(group, _Sum(line, unit, seen))
        total.amount += line.posted_micro
        total.quantity += Decimal(line.micro).scaleb(-6) / per
    found.extend(_charge(one.first, one.amount, one.quantity, one.seen, one.unit) for one in use.values())
    return found


class _Sum:
    """Lines for use that clauses do not tell apart."""

    __slots__ = ("amount", "first", "quantity", "seen", "unit")

    def __init__(self, first: Line, unit: str, seen: dict[str, str]) -> None:
        self.first, self.unit, self.seen = first, unit, seen
        self.amount, self.quantity = 0, Decimal(0)


def _charge(line: Line, amount: int, quantity: Decimal, seen: dict[str, str], unit: str = "") -> ChargeLine:
    key = line.key
    equity = key.kind == "equity"
    return ChargeLine(
        clause=key.clause,
        kind=key.kind,  # type: ignore[arg-type]  # lines have the kinds of charge lines, but for payments
        payer=key.payer,
        payee=key.payee,
        amount_micro_usd=0 if equity else amount,
        period=Period(key.start, key.end),
        says="",
        quantity=quantity,
        unit=unit or key.metric,
        price_usd=key.price_usd,
        portion=key.portion,
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
