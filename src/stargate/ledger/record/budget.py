"""Budgets: what a team may spend in a month, and what happens when it has."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from stargate.ledger.record.month import span_of

LIMIT_USD = Decimal(9_000_000_000_000)
"""In millionths it fits 64 bits."""


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One team's. The last one on record counts. Raises ValueError where it says what cannot be."""

    team: str
    limit_usd: Decimal | None
    """For a month; None: there is no limit any more."""
    month: str = ""
    """As `2026-03`: for this month alone. Empty: for every month that has none of its own."""
    warn: Decimal = Decimal("0.8")
    """From this fraction of the limit on, whoever looks is told."""
    then: Literal["warn", "block"] = "warn"
    """What happens at the limit: nothing more, or new work of the team waits."""

    def __post_init__(self) -> None:
        if not self.team:
            raise ValueError("a budget names a team")
        if self.limit_usd is not None and not (
            self.limit_usd.is_finite() and 0 <= self.limit_usd <= LIMIT_USD
        ):
            raise ValueError(f"limit_usd {self.limit_usd}: give zero or more, up to {LIMIT_USD:,}")
        if not (self.warn.is_finite() and 0 < self.warn <= 1):
            raise ValueError(f"warn {self.warn}: give a fraction, as 0.8")
        if self.month:
            span_of(self.month)
