"""What the ledger keeps: usage, terms, lines, entries and their postings, periods. Frozen records, no I/O."""

from stargate.ledger.record.budget import Budget
from stargate.ledger.record.entry import Draft, Entry
from stargate.ledger.record.line import Line, LineKey, UseCharged
from stargate.ledger.record.month import Month, MonthStatus
from stargate.ledger.record.opening import Opening
from stargate.ledger.record.payment import Payment
from stargate.ledger.record.usage import Rollup, UsageEvent, unit_of

__all__ = [
    "Budget",
    "Draft",
    "Entry",
    "Line",
    "LineKey",
    "Month",
    "MonthStatus",
    "Opening",
    "Payment",
    "Rollup",
    "UsageEvent",
    "UseCharged",
    "unit_of",
]
