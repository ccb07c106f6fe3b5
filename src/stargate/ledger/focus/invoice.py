"""Rows of Invoice Detail and Billing Period: what each party invoices another for a month, clause by clause."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from stargate.base.time import Instant
from stargate.ledger.record.booked import Booked
from stargate.ledger.record.month import Month, span_of

INVOICE_COLUMNS = ("x_Kind", "x_Clause", "x_CorrectsMonth", "x_Rows")
"""Columns of ours in Invoice Detail, after those of FOCUS."""


def invoice_id(issuer: str, account: str, month: str) -> str:
    """The name of the invoice of one party to another for a month; while that is open, of the one to come."""
    return f"{issuer}:{account}:{month}"


def detail_id(row: Mapping[str, str]) -> str:
    """The line of the invoice on which a row of Cost and Usage stands."""
    what = f"{row['ChargeCategory']}/{row['x_Kind']}/{row['x_Clause'] or 'quoted'}"
    late = "" if row["ChargeClass"] != "Correction" else f"/{row['x_LineMonth']}"
    return f"{row['InvoiceId']}/{what}{late}"


class Invoices:
    """The lines of invoices, added up while rows of Cost and Usage pass by."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def add(self, row: Mapping[str, str], item: Booked) -> None:
        """One row more, and what it was made of."""
        line = self._lines.get(row["InvoiceDetailId"])
        if line is None:
            line = self._lines[row["InvoiceDetailId"]] = _Line(row, item)
        line.add(row, item)

    def details(self, months: Mapping[str, Month]) -> Iterator[dict[str, str]]:
        """Rows of Invoice Detail, in order of their names."""
        for name in sorted(self._lines):
            yield self._lines[name].row(name, months)

    def periods(self, months: Iterable[Month]) -> Iterator[dict[str, str]]:
        """Rows of Billing Period: each month for each party that has an invoice in it."""
        for month in sorted(months, key=lambda one: one.name):
            span = span_of(month.name)
            mine = [line for line in self._lines.values() if line.month == month.name]
            for issuer in sorted({line.issuer for line in mine}):
                last = max(line.updated for line in mine if line.issuer == issuer)
                yield {
                    "BillingPeriodCreated": span.start.iso(),
                    "BillingPeriodStart": span.start.iso(),
                    "BillingPeriodEnd": span.end.iso(),
                    "BillingPeriodLastUpdated": max(span.start, month.closed_at or last).iso(),
                    "BillingPeriodStatus": "Closed" if month.status == "closed" else "Open",
                    "InvoiceIssuerName": issuer,
                }


class _Line:
    """One line of an invoice."""

    def __init__(self, row: Mapping[str, str], item: Booked) -> None:
        self.issuer, self.account, self.month = row["InvoiceIssuerName"], row["BillingAccountId"], item.month
        self.category, self.invoice = row["ChargeCategory"], row["InvoiceId"]
        self.kind, self.clause = item.key.kind, item.key.clause
        self.corrects = item.key.month if row["ChargeClass"] == "Correction" else ""
        self.created, self.updated = item.first_at, item.last_at
        self.due: Instant | None = None
        self.billed, self.rows = Decimal(0), 0

    def add(self, row: Mapping[str, str], item: Booked) -> None:
        """One more row of it."""
        self.billed += Decimal(row["BilledCost"])
        self.rows += 1
        self.created, self.updated = min(self.created, item.first_at), max(self.updated, item.last_at)
        dues = [due for due in (self.due, item.due) if due is not None]
        self.due = min(dues, default=None)

    def row(self, name: str, months: Mapping[str, Month]) -> dict[str, str]:
        """As FOCUS has it."""
        month, span = months[self.month], span_of(self.month)
        closed = month.status == "closed"
        grain = {"x_Kind": self.kind, "x_Clause": self.clause, "x_CorrectsMonth": self.corrects}
        of = self.clause or "at the prices quoted"
        billed = format(self.billed, "f")
        due, terms = self._due(span.end)
        return {
            "BilledCost": billed,
            "BillingAccountId": self.account,
            "BillingCurrency": "USD",
            "BillingPeriodStart": span.start.iso(),
            "BillingPeriodEnd": span.end.iso(),
            "ChargeCategory": self.category,
            "InvoiceDetailCreated": self.created.iso(),
            "InvoiceDetailDescription": f"{self.kind.replace('_', ' ').capitalize()}, {of}",
            "InvoiceDetailGrain": json.dumps(
                {key: value for key, value in grain.items() if value}, ensure_ascii=False
            ),
            "InvoiceDetailId": name,
            "InvoiceDetailLastUpdated": max(self.created, self.updated).iso(),
            "InvoiceId": self.invoice,
            "InvoiceIssueDate": month.closed_at.iso() if closed and month.closed_at is not None else "",
            "InvoiceIssueStatus": "Issued" if closed else "Open",
            "InvoiceIssuerName": self.issuer,
            "PaymentCurrency": "USD",
            "PaymentCurrencyBilledCost": billed,
            "PaymentCurrencyInvoiceDetailId": name,
            "PaymentDueDate": due,
            "PaymentTerms": terms,
            "ReferenceInvoiceId": (
                invoice_id(self.issuer, self.account, self.corrects) if self.corrects else self.invoice
            ),
            "x_Kind": self.kind,
            "x_Clause": self.clause,
            "x_CorrectsMonth": self.corrects,
            "x_Rows": str(self.rows),
        }

    def _due(self, end: Instant) -> tuple[str, str]:
        """When it is due, and by which terms. Shares may be paid in instalments, which their clause says."""
        if self.kind == "share":
            return "", f"As {self.clause} says"
        if self.due is not None:
            return self.due.iso(), f"As {self.clause or 'quoted'} says"
        return end.iso(), "At the end of the billing period"
