"""FOCUS files of other providers: read as they are, versions 1.0 to 1.4, and never put right.

A record is kept byte for byte. Only the few columns that reports add up are looked at; a figure that cannot be
read adds nothing, and stays in its record.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation

from stargate.base.errors import InputError, LimitError, Problem
from stargate.ledger.focus.columns import Dataset, dataset_of, version_of
from stargate.ledger.record.imported import Raw, Sum

RECORD_LIMIT = 1_048_576
"""Bytes of one record."""
COLUMNS_LIMIT = 1_000
DIGITS_LIMIT = 60
"""Of a figure that is added up."""
_NULLS = frozenset({"", "NULL", "null"})
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])-\d{2}(?!\d)")
_PROVIDERS = ("ServiceProviderName", "ProviderName", "PublisherName", "InvoiceIssuerName")
"""Who sold it: 1.3 says the first, versions before it the second."""


class Foreign:
    """A file while it is read: its head, then its records, then what they come to.

    Raises InputError for a file that is not of FOCUS, LimitError for a record beyond all measure.
    """

    def __init__(self, lines: Iterable[bytes], name: str) -> None:
        self.name = name
        self._records = _records(iter(lines), name)
        first = next(self._records, Raw(b"", []))
        self.head = first.body
        self.header = tuple(first.fields)
        dataset = dataset_of(self.header) if len(self.header) <= COLUMNS_LIMIT else None
        if dataset is None:
            raise InputError((_not_focus(name, self.header),))
        self.dataset: Dataset = dataset
        self.version = version_of(dataset, self.header)
        self.rows = 0
        self._columns = {column: place for place, column in reversed(list(enumerate(self.header)))}
        self._sums: dict[tuple[str, str, str], Sum] = {}

    def records(self) -> Iterator[bytes]:
        """Each record as it is written. What they come to is added up meanwhile."""
        for record in self._records:
            self.rows += 1
            if self.dataset == "Cost and Usage":
                self._add(record.fields)
            yield record.body

    def sums(self) -> tuple[Sum, ...]:
        """What the records read so far come to, by provider, month and currency. Only charges come to something."""
        return tuple(self._sums[key] for key in sorted(self._sums))

    def _add(self, fields: list[str]) -> None:
        provider = next((said for name in _PROVIDERS if (said := self._said(fields, name))), "")
        start = self._said(fields, "BillingPeriodStart")
        month = start[:7] if _MONTH.match(start) else ""
        key = (provider, month, self._said(fields, "BillingCurrency"))
        more = Sum(*key, 1, self._figure(fields, "BilledCost"), self._figure(fields, "EffectiveCost"))
        before = self._sums.get(key)
        self._sums[key] = more if before is None else before.plus(more)

    def _said(self, fields: list[str], column: str) -> str:
        place = self._columns.get(column)
        if place is None or place >= len(fields):
            return ""
        text = fields[place].strip()
        return "" if text in _NULLS else text

    def _figure(self, fields: list[str], column: str) -> Decimal:
        try:
            found = Decimal(self._said(fields, column))
        except InvalidOperation:
            return Decimal(0)
        fits = (
            found.is_finite()
            and abs(found.adjusted()) < DIGITS_LIMIT
            and len(found.as_tuple().digits) < DIGITS_LIMIT
        )
        return found if fits else Decimal(0)


def _records(lines: Iterator[bytes], name: str) -> Iterator[Raw]:
    """Records with their bytes. Lines that hold nothing belong to the record before them."""
    taken: list[bytes] = []
    size = 0

    def text() -> Iterator[str]:
        nonlocal size
        for line in lines:
            taken.append(line)
            size += len(line)
            if size > RECORD_LIMIT:
                raise LimitError(
                    f"{name}: a record of more than {RECORD_LIMIT:,} bytes",
                    "Look for a quote that is never closed.",
                )
            # What is not UTF-8 is kept as it is; only names that are shown are read with marks in its place.
            yield line.decode("utf-8-sig" if line.startswith(b"\xef\xbb\xbf") else "utf-8", "replace")

    found: Raw | None = None
    for fields in _fields(text(), name):
        body = b"".join(taken)
        taken.clear()
        size = 0
        if not fields and found is not None:
            found = found._replace(body=found.body + body)
            continue
        if found is not None:
            yield found
        found = Raw(body, fields)
    if found is not None:
        yield found


def _fields(lines: Iterator[str], name: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines)
    except csv.Error as error:
        if "limit" in str(error):
            raise LimitError(f"{name}: {error}", "Look for a quote that is never closed.") from error
        problem = Problem(
            message=f"it is no FOCUS file that can be read: {error}",
            remedy="Give a CSV file whose lines end in a line feed, packed by gzip or not",
            file=name,
        )
        raise InputError((problem,)) from error


def _not_focus(name: str, header: tuple[str, ...]) -> Problem:
    shown = ", ".join(column[:40] for column in header[:5])
    return Problem(
        message=f"it is no FOCUS file: its columns begin with {shown or 'nothing'}",
        remedy="Give a CSV file of FOCUS 1.0 to 1.4 with its header, packed by gzip or not",
        file=name,
        line=1,
    )
