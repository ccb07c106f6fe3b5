"""Payments: money that went from one party to another, and lowers what the first one owes."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from stargate.base.time import Instant
from stargate.ledger.record.usage import UsageEvent

SOURCE = "payments:"
"""What the sources of payments begin with."""
PAID = "payment_usd"
"""The metric of money paid."""


class Payment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """So much was paid. Raises ValueError where it says what cannot be."""

    key: str
    """Its name where it was made, as the bank's reference: given twice, it counts once."""
    payer: str
    payee: str
    amount_usd: Decimal
    paid_at: Instant
    clause: str = ""
    """What it is for; empty: what is due first."""
    bank: str = "bank"
    """Who says so."""

    def __post_init__(self) -> None:
        if not (self.payer and self.payee) or self.payer == self.payee:
            raise ValueError("a payment goes from one party to another: name payer and payee")
        if not self.amount_usd.is_finite() or self.amount_usd <= 0:
            raise ValueError(f"amount_usd {self.amount_usd}: more than nothing is paid")
        self.event()

    def event(self) -> UsageEvent:
        """As it goes on record."""
        return UsageEvent(
            source=f"{SOURCE}{self.bank}",
            key=self.key,
            metric=PAID,
            quantity=self.amount_usd,
            start=self.paid_at,
            party=self.payer,
            provider=self.payee,
            attributes={"clause": self.clause} if self.clause else {},
        )
