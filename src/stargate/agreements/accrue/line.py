"""What money arithmetic reads and writes: usage in, charge lines out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from stargate.agreements.period import Period
from stargate.base.time import Instant

LineKind = Literal[
    "usage",
    "burst",
    "reservation",
    "shortfall",
    "make_up",
    "forfeited",
    "prepayment",
    "prepayment_credit",
    "share",
    "net",
    "late_credit",
    "service_credit",
    "backstop",
    "equity",
    "termination_fee",
    "deposit",
    "option",
]


CHARGED = ("usage", "burst", "reservation")
"""Kinds of lines for what was used or held: they count as spend."""
SHORT = ("shortfall", "make_up", "forfeited")
"""Kinds of lines for what was committed and not consumed."""
TINY = Decimal("1e-12")
"""Hours of seconds may not divide: quantities that differ by less than this are the same."""


class Usage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """So much of something, counted to the instant at which it starts. Split it where terms change."""

    metric: str
    """As chip_hours, spend_usd, revenue_usd, sold_chip_hours, availability."""
    quantity: Decimal
    start: Instant
    party: str = ""
    """Who used or earned it; empty: whoever the clause is about."""
    provider: str = ""
    """The party with whom; empty: whoever the clause is about."""
    attributes: dict[str, Any] = {}

    def seen(self) -> dict[str, Any]:
        """What scopes look at."""
        known = {"metric": self.metric, "party": self.party, "provider_party": self.provider}
        return {name: value for name, value in known.items() if value} | self.attributes


class ChargeLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of what is owed under one clause for one period. Net lines repeat gross ones: never add both."""

    clause: str
    kind: LineKind
    payer: str
    payee: str
    amount_micro_usd: int
    """What the payer owes; 0 where nothing is paid."""
    period: Period
    says: str
    quantity: Decimal | None = None
    """What the amount was reckoned from, in `unit`."""
    unit: str = ""
    price_usd: Decimal | None = None
    basis: Literal["gross", "net"] = "gross"
    of: tuple[str, ...] = ()
    """Clauses that a net line nets, or that a credit belongs to."""
    portion: str = ""
    """Of what its clause covers, the part that it is for: a portion, a tranche, the day an interval began."""
    attributes: dict[str, Any] = {}
    """Of the use that was charged, as far as clauses look at them."""
    due: Instant | None = None
    text_ref: str = ""
