"""What is due when: lines as instalments, with what was paid of them.

Accrual and payment are two things: a share may stop accruing and be paid for two years more. A line is due as its
clause's terms of payment say, or on the date that its entry names, or when the month it was booked in has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stargate.agreements import Book, ChargeLine, Period
from stargate.agreements.accrue import payments
from stargate.agreements.clause import RevenueShare
from stargate.base.time import Instant
from stargate.ledger.record import Entry
from stargate.ledger.record.month import span_of


class Instalment(msgspec.Struct, frozen=True, kw_only=True):
    """A part of what is owed under one clause for one month, due on one day."""

    clause: str
    kind: str
    month: str
    """That owes it."""
    portion: str = ""
    due: Instant
    amount_micro_usd: int
    paid_micro_usd: int = 0


class Payable(msgspec.Struct, frozen=True, kw_only=True):
    """What one party owes another, and when. The other direction is a record of its own."""

    payer: str
    payee: str
    owed_micro_usd: int
    """In all, whenever it is due."""
    due_micro_usd: int
    """Of that, what was due by the time of asking."""
    paid_micro_usd: int
    prepaid_micro_usd: int
    """What was paid beyond all that is owed."""
    overdue_micro_usd: int
    """Due and not paid."""
    instalments: tuple[Instalment, ...]
    """In order of their dates."""


def payables(entries: Iterable[Entry], book: Book, at: Instant) -> tuple[Payable, ...]:
    """For each direction between two parties in which USD are owed or were paid, in order of their names.

    A payment that names a clause pays that clause's instalments, and then what is due first; one that names none
    pays what is due first. What comes back (a credit, a line below zero) lowers what is due soonest.
    """
    owed: dict[tuple[str, str], dict[tuple[str, str, str, str], _Owed]] = {}
    paid: dict[tuple[str, str], dict[str, int]] = {}
    for entry in entries:
        key = entry.line
        if key.unit != "usd":
            continue
        pair = (key.payer, key.payee)
        if key.kind == "payment":
            by_clause = paid.setdefault(pair, {})
            by_clause[key.clause] = by_clause.get(key.clause, 0) - entry.amount_micro
            continue
        name = (key.clause, key.kind, key.month, key.portion if key.kind != "usage" else "")
        lines = owed.setdefault(pair, {}).setdefault(name, _Owed())
        lines.add(entry)
    return tuple(
        _payable(pair, owed.get(pair, {}), paid.get(pair, {}), book, at) for pair in sorted({*owed, *paid})
    )


class _Owed:
    """Lines of one clause and month, and when they are due."""

    __slots__ = ("by_line", "dues")

    def __init__(self) -> None:
        self.by_line: dict[tuple[Instant, Instant], int] = {}
        self.dues: dict[tuple[Instant, Instant], Instant] = {}

    def add(self, entry: Entry) -> None:
        key = entry.line
        span = (
            (key.start, key.end)
            if key.kind != "usage"
            else (span_of(key.month).start, span_of(key.month).end)
        )
        self.by_line[span] = self.by_line.get(span, 0) + entry.amount_micro
        booked = span_of(entry.month).end
        self.dues[span] = entry.due or min(booked, self.dues.get(span, booked))


def _payable(
    pair: tuple[str, str],
    owed: dict[tuple[str, str, str, str], _Owed],
    paid: dict[str, int],
    book: Book,
    at: Instant,
) -> Payable:
    found: list[Instalment] = []
    for (clause, kind, month, portion), lines in owed.items():
        for (start, end), amount in lines.by_line.items():
            span = Period(start, end)
            for due, part in _schedule(book, clause, kind, month, span, amount, lines.dues[start, end]):
                found.append(
                    Instalment(
                        clause=clause, kind=kind, month=month, portion=portion, due=due, amount_micro_usd=part
                    )
                )
    found.sort(key=lambda item: (item.due, item.month, item.clause, item.kind, item.portion))
    settled, left = _settled(found, paid)
    come = [item for item in settled if item.due <= at]
    return Payable(
        payer=pair[0],
        payee=pair[1],
        owed_micro_usd=sum(item.amount_micro_usd for item in settled),
        due_micro_usd=sum(item.amount_micro_usd for item in come),
        paid_micro_usd=sum(paid.values()),
        prepaid_micro_usd=left,
        overdue_micro_usd=sum(item.amount_micro_usd - item.paid_micro_usd for item in come),
        instalments=tuple(settled),
    )


def _schedule(
    book: Book, clause: str, kind: str, month: str, span: Period, amount: int, due: Instant
) -> list[tuple[Instant, int]]:
    """The dates on which a line is due, and how much on each."""
    terms = next(
        (
            version.clause
            for version in book.chart.by_ref.get(clause, ())
            if version.added <= span.start < version.removed and isinstance(version.clause, RevenueShare)
        ),
        None,
    )
    if kind != "share" or terms is None or amount <= 0:
        return [(due, amount)] if amount else []
    line = ChargeLine(
        clause=clause,
        kind="share",
        payer="",
        payee="",
        amount_micro_usd=amount,
        period=Period(span.start, max(span.end, span_of(month).end)),
        says="",
    )
    return [(item.at, item.amount_micro_usd) for item in payments(terms, [line])]


def _settled(items: Sequence[Instalment], paid: dict[str, int]) -> tuple[list[Instalment], int]:
    """The instalments with what was paid of each, and what is left over."""
    # What comes back pays as money does.
    purse = dict(paid)
    purse[""] = purse.get("", 0) - sum(item.amount_micro_usd for item in items if item.amount_micro_usd < 0)
    got = [min(0, item.amount_micro_usd) for item in items]
    for named in (True, False):
        for index, item in enumerate(items):
            lacks = item.amount_micro_usd - got[index]
            name = item.clause if named else ""
            part = min(lacks, purse.get(name, 0)) if name or not named else 0
            if part > 0:
                got[index] += part
                purse[name] -= part
        if named:
            purse = {"": sum(purse.values())}
    return [
        msgspec.structs.replace(item, paid_micro_usd=part) for item, part in zip(items, got, strict=True)
    ], purse.get("", 0)


__all__ = ["Instalment", "Payable", "payables"]
