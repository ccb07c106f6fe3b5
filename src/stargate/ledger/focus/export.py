"""The ledger's months as the four datasets of FOCUS 1.4.

Rows come from entries that are booked, in an order of their own: of a month that is closed they are the same
whenever they are exported. They add up to the ledger, party by party, or nothing is handed out as done.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from stargate.agreements import Book
from stargate.agreements.clause import Commitment, Price
from stargate.base.errors import LedgerError, LimitError
from stargate.base.time import Instant
from stargate.ledger.focus import commitment
from stargate.ledger.focus.charge import CUSTOM, Row, is_charge, rows, spread, text
from stargate.ledger.focus.columns import VERSION, Dataset, names
from stargate.ledger.focus.commitment import COMMITMENT_COLUMNS
from stargate.ledger.focus.contract import Contracts, commitment_id
from stargate.ledger.focus.invoice import INVOICE_COLUMNS, Invoices
from stargate.ledger.focus.kind import MEANINGS
from stargate.ledger.reckon import as_used, commitments_at
from stargate.ledger.record import Month
from stargate.ledger.record.booked import Booked
from stargate.ledger.record.month import after, month_of, span_of
from stargate.ledger.record.usage import HOURLY
from stargate.ledger.settle.commitment import CommitmentState
from stargate.ledger.settle.owed import fields_counted
from stargate.ledger.store import Terms
from stargate.ledger.store.reading import Reading

MONTHS_LIMIT = 600
"""Months in one export."""
HEADERS: dict[Dataset, tuple[str, ...]] = {
    "Cost and Usage": (*names("Cost and Usage"), *CUSTOM),
    "Contract Commitment": (*names("Contract Commitment"), *COMMITMENT_COLUMNS),
    "Invoice Detail": (*names("Invoice Detail"), *INVOICE_COLUMNS),
    "Billing Period": names("Billing Period"),
}
"""The columns of each file, in order: those of FOCUS, then ours."""


class Total(NamedTuple):
    """Charges of one month on one account, from one party."""

    month: str
    account: str
    issuer: str
    rows: int
    billed_usd: Decimal
    effective_usd: Decimal


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What was booked and is no charge: payments, balances brought forward, shares of stock."""

    kind: str
    unit: str
    rows: int
    total: Decimal
    """In the unit."""


class Export:
    """One export of the months from `first` to `last`, as of `at`. Read the charges first: invoices follow from them.

    Raises ValueError for what is no month, and LimitError. Use it within `reading.snapshot()`.
    """

    version = VERSION

    def __init__(self, reading: Reading, first: str, last: str, at: Instant) -> None:
        self._reading, self.at = reading, at
        self.months = {month.name: month for month in _months(reading, first, last)}
        self._by_month: dict[str, Contracts] = {}
        self._invoices = Invoices()
        self._totals: dict[tuple[str, str, str], list[Decimal]] = {}
        self._left_out: dict[tuple[str, str], list[int]] = {}

    def rows(self, dataset: Dataset) -> Iterator[Row]:
        """The rows of a dataset, streamed."""
        if dataset == "Cost and Usage":
            yield from self._charges()
        elif dataset == "Invoice Detail":
            yield from self._invoices.details(self.months)
        elif dataset == "Billing Period":
            yield from self._invoices.periods(self.months.values())
        else:
            states = commitments_at(self._reading, self._reached(max(self.months)))
            yield from commitment.rows(states, Book(self._reading.terms().agreements), self.at)

    def totals(self) -> tuple[Total, ...]:
        """What the charges come to, in order of months, accounts and issuers."""
        return tuple(
            Total(*name, rows=int(count), billed_usd=billed, effective_usd=effective)
            for name, (count, billed, effective) in sorted(self._totals.items())
        )

    def left_out(self) -> tuple[LeftOut, ...]:
        """What is on record in these months and has no row."""
        return tuple(
            LeftOut(kind=kind, unit=unit, rows=count, total=Decimal(micro).scaleb(-6))
            for (kind, unit), (count, micro) in sorted(self._left_out.items())
        )

    def check(self) -> None:
        """Compare with the balances of the ledger's accounts, which are kept apart. Raises LedgerError."""
        owed: dict[tuple[str, str, str], Decimal] = {}
        for (month, account, issuer), (_, billed, _) in self._totals.items():
            for pair, amount in (((account, issuer), billed), ((issuer, account), -billed)):
                owed[month, *pair] = owed.get((month, *pair), Decimal(0)) + amount
        for month in self.months:
            before = self._reading.balances(month_of(Instant(span_of(month).start - 1)))
            for path, micro in self._reading.balances(month).items():
                party, other, kind, unit = path.split(":", 3)
                if unit == "usd" and kind in MEANINGS:
                    name, more = (month, party, other), micro - before.get(path, 0)
                    owed[name] = owed.get(name, Decimal(0)) - Decimal(more).scaleb(-6)
        if wrong := {name: amount for name, amount in owed.items() if amount}:
            (month, party, other), amount = min(wrong.items())
            raise LedgerError(
                f"the charges of {month} between {party} and {other} differ from the ledger by {text(amount)} USD",
                "Run `stargate ledger verify`, and report it.",
            )

    def _charges(self) -> Iterator[Row]:
        for month in self.months.values():
            for item in self._reading.booked(month.name):
                if is_charge(item):
                    yield from self._counted(item, rows(item, self._contracts(item.key.month)))
                    continue
                left = self._left_out.setdefault((item.key.kind, item.key.unit), [0, 0])
                left[0] += 1
                left[1] += item.amount_micro
            for item, before in self._reading.upfront(month.name):
                yield from self._counted(item, spread(item, before, self._contracts(month.name)))

    def _counted(self, item: Booked, found: Iterator[Row]) -> Iterator[Row]:
        """Rows, put on their invoices and added up while they pass."""
        for row in found:
            self._invoices.add(row, item)
            self._count(item.month, row)
            yield row

    def _count(self, month: str, row: Row) -> None:
        name = (month, row["BillingAccountId"], row["InvoiceIssuerName"])
        total = self._totals.setdefault(name, [Decimal(0), Decimal(0), Decimal(0)])
        total[0] += 1
        total[1] += Decimal(row["BilledCost"])
        total[2] += Decimal(row["EffectiveCost"])

    def _contracts(self, name: str) -> Contracts:
        """The agreements a month was closed with, all facts, and what was used by then; kept."""
        found = self._by_month.get(name)
        if found is None:
            found = self._by_month[name] = self._gathered(self._reading.month(name))
        return found

    def _gathered(self, month: Month) -> Contracts:
        reading, span, now = self._reading, span_of(month.name), self._reading.terms()
        closed = month.status == "closed"
        terms = reading.terms(month.terms_seq) if closed else now
        book = Book(terms.agreements)
        metrics = {
            name
            for version in book.chart.versions
            if isinstance(version.clause, Price) and version.clause.reservation
            for metric in (version.clause.metric or version.clause.unit,)
            for name in (metric, HOURLY.get(metric, metric))
        }
        upto = month.usage_seq if closed else reading.position().usage_seq
        usage = (
            as_used(reading.rollups(0, upto, span, metrics=metrics), fields_counted(book)) if metrics else []
        )
        states = commitments_at(reading, self._reached(month.name)) if _commits(terms) else ()
        return Contracts(book, now.facts, span, max(span.end, self.at), usage, _with_room(states))

    def _reached(self, month: str) -> Instant:
        """The end of a month, or the time of the export where that comes first."""
        span = span_of(month)
        return max(Instant(span.start + 1), min(span.end, self.at))


def _months(reading: Reading, first: str, last: str) -> list[Month]:
    if span_of(last).start < span_of(first).start:
        raise ValueError(f"{last} lies before {first}")
    found: list[Month] = []
    name = first
    while name <= last:
        if len(found) == MONTHS_LIMIT:
            raise LimitError(f"{first} to {last}: at most {MONTHS_LIMIT} months", "Export them in parts.")
        found.append(reading.month(name))
        name = after(name)
    return found


def _commits(terms: Terms) -> bool:
    return any(isinstance(clause, Commitment) for paper in terms.agreements for clause in paper.clauses)


def _with_room(states: tuple[CommitmentState, ...]) -> frozenset[str]:
    """Commitments that are not used up."""
    return frozenset(
        commitment_id(state.clause, state.portion)
        for state in states
        if state.status == "Active" and (state.remaining is None or state.remaining > 0)
    )
