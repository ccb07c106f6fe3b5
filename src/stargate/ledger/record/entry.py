"""Entries and postings: each entry moves an amount from one party's books to another's, and sums to zero.

An entry is never changed or removed. What was wrong is put right by a later entry that names the first.
Amounts are integers of millionths of a unit: USD, or shares of somebody.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import blake2b

import msgspec

from stargate.base.time import Instant
from stargate.ledger.record.line import LineKey


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A change of a line, to be posted."""

    line: LineKey
    amount_micro: int
    """By how much the line grows; below zero where it shrinks."""
    micro: int
    """By how much what was counted for it grows."""
    says: str
    """In words, with the arithmetic."""
    text_ref: str = ""
    due: Instant | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A draft in its place in the record."""

    seq: int
    """1, 2, 3 ... without a gap."""
    id: bytes
    line: LineKey
    amount_micro: int
    micro: int
    month: str
    """The billing period it is booked in, as `2026-03`: that of its span, or the first open one after."""
    recorded_at: Instant
    usage_seq: int
    """The record of usage as far as it was counted here."""
    says: str
    text_ref: str = ""
    due: Instant | None = None
    corrects: int | None = None
    """The first entry of the line, where that was booked in a period that is closed."""


def entry_id(line: bytes, number: int) -> bytes:
    """The name of a line's n-th entry, 16 bytes: posted twice, it is refused as already there."""
    return blake2b(line + number.to_bytes(8, "big"), digest_size=16, person=b"stargate.entry.1").digest()


def accounts_of(line: LineKey) -> tuple[str, str]:
    """The two accounts that its entries move, each `PARTY:COUNTERPARTY:KIND:UNIT`.

    What the payer owes more stands on the first, and as much below zero on the second: together nothing.
    """
    of = f"{line.kind}:{line.unit}"
    return f"{line.payer}:{line.payee}:{of}", f"{line.payee}:{line.payer}:{of}"


def exact_usd(price_usd: Decimal, micro: int, per: int) -> Decimal:
    """Price x quantity, exact but for the division by `per` (28 digits)."""
    return price_usd * Decimal(micro).scaleb(-6) / per
