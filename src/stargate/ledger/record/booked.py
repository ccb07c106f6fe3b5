"""What entries come to in one billing month: line by line, as exports have it, or those that are alike."""

from __future__ import annotations

from typing import NamedTuple

from stargate.base.time import Instant
from stargate.ledger.record.line import LineKey


class Booked(NamedTuple):
    """The entries of a line that were booked in one month, summed."""

    key: LineKey
    month: str
    """In which they were booked; that of the line, or the first open one after."""
    amount_micro: int
    micro: int
    """By how much what was counted for the line grew."""
    entries: int
    first_entry: int
    last_entry: int
    first_at: Instant
    last_at: Instant
    """When the first and the last of them came on record."""
    says: str
    """In the words of the last one."""
    text_ref: str
    due: Instant | None
    first_month: str
    """In which the line's very first entry was booked."""

    @property
    def corrects(self) -> bool:
        """Whether something of the line was booked, and so invoiced, in an earlier month."""
        return self.first_month < self.month


class Moved(NamedTuple):
    """Entries booked in a month that are alike in what was asked for, summed."""

    key: LineKey
    """What they are for; without attributes where these were not asked for."""
    start: Instant
    end: Instant
    """From the start of the first line to the end of the last."""
    amount_micro: int
    micro: int
    entries: int
    first_entry: int
    last_entry: int


class Words(NamedTuple):
    """What an entry says beside its figures."""

    says: str
    text_ref: str
    due: Instant | None
