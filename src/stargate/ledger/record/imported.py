"""Files of other providers' bills, kept as they are written."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import NamedTuple

import msgspec

from stargate.base.time import Instant

WIDE = Context(prec=100)
"""Sums of other people's figures lose no digit: bills have been seen with 11 places in costs, 15 in quantities."""


class Raw(NamedTuple):
    """One record of a file: its bytes as they stand, to the end of its last line, and its fields."""

    body: bytes
    fields: list[str]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was imported."""

    number: int
    """1, 2, 3 ... as they came."""
    digest: bytes
    """blake2b-256 of all its bytes, unpacked: the same file is imported once."""
    name: str
    dataset: str
    version: str
    """The first of FOCUS that has all its columns."""
    head: bytes
    """The line of its columns' names, as it is written."""
    rows: int
    recorded_at: Instant


class Sum(NamedTuple):
    """What a file bills for a provider and a month, in one currency."""

    provider: str
    """Who sold it, as the file writes the name."""
    month: str
    """Of the billing period, as `2024-09`; empty: the file does not say."""
    currency: str
    rows: int
    billed: Decimal
    effective: Decimal

    def plus(self, other: Sum) -> Sum:
        """Both together."""
        return self._replace(
            rows=self.rows + other.rows,
            billed=WIDE.add(self.billed, other.billed),
            effective=WIDE.add(self.effective, other.effective),
        )
