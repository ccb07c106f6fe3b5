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


class Draft(msgspec.Struct, frozen=True, kw_only=True):
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


class Posting(msgspec.Struct, frozen=True):
    """One side of an entry."""

    account: str
    """`PARTY:COUNTERPARTY:KIND:UNIT`."""
    amount_micro: int
    """What the party owes the other; below zero: is owed."""


def entry_id(line: bytes, number: int) -> bytes:
    """The name of a line's n-th entry, 16 bytes: posted twice, it is refused as already there."""
    return blake2b(line + number.to_bytes(8, "big"), digest_size=16, person=b"stargate.entry.1").digest()


def account_of(party: str, other: str, kind: str, unit: str) -> str:
    """The path of an account."""
    return f"{party}:{other}:{kind}:{unit}"


def postings(line: LineKey, amount: int) -> tuple[Posting, Posting]:
    """The two sides: what the payer owes, the payee is owed. They sum to zero."""
    sides = (
        Posting(account_of(line.payer, line.payee, line.kind, line.unit), amount),
        Posting(account_of(line.payee, line.payer, line.kind, line.unit), -amount),
    )
    assert sum(side.amount_micro for side in sides) == 0, "an entry sums to zero"
    return sides


def exact_usd(price_usd: Decimal, micro: int, per: int) -> Decimal:
    """Price x quantity, exact but for the division by `per` (28 digits)."""
    return price_usd * Decimal(micro).scaleb(-6) / per
