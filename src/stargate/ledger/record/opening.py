"""Opening lines: what other books hold of agreements that began before these.

A cap of which a part was paid, a prepayment of which a part came back, a tier that was half filled: what came
before decides what is owed now. It comes in as events of a source of its own, so that each is on record once and in
the chain, and nothing of it is owed again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, get_args

import msgspec

from stargate.agreements import ChargeLine, Period, Usage
from stargate.agreements.accrue import CONSUMED
from stargate.agreements.accrue.line import LineKind
from stargate.base.money import micro_usd
from stargate.base.time import Instant
from stargate.ledger.record.usage import UsageEvent

SOURCE = "opening:"
"""What the sources of opening lines begin with."""
PREFIX = "opening_"
BALANCE = "opening_balance"
"""The metric of what was still to be paid."""

OpeningKind = Literal["balance", "consumed"] | LineKind


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One amount from other books. Raises ValueError where it says what cannot be.

    `balance`: the payer still owes it, and it is due now. `consumed`: so much of the commitment `clause` had
    been consumed. Any kind of charge: so much had been owed under the clause, which counts for its caps, tiers,
    credits and banks, and is not owed again.
    """

    key: str
    """Its name in those books: given twice, it counts once."""
    kind: OpeningKind
    payer: str = ""
    payee: str = ""
    clause: str = ""
    portion: str = ""
    amount_usd: Decimal = Decimal(0)
    quantity: Decimal | None = None
    """From which the amount was reckoned: the base of a share, the hours of a tier, what was short or consumed."""
    unit: str = "usd"
    start: Instant
    end: Instant
    """The span it is for; it ends by when these books begin."""
    books: str = "books"
    """Whose books they were."""

    def __post_init__(self) -> None:
        if self.kind == "consumed" and (self.quantity is None or not self.clause):
            raise ValueError("consumed: give clause, the commitment, and quantity, in its unit")
        if self.kind != "consumed" and not (self.payer and self.payee):
            raise ValueError(f"{self.kind}: name payer and payee")
        if self.kind not in ("balance", "consumed") and not self.clause:
            raise ValueError(f"{self.kind}: name the clause under which it was owed")
        if self.end <= self.start:
            raise ValueError(f"it ends ({self.end}) before it starts ({self.start})")
        if not self.amount_usd.is_finite() or self.amount_usd < 0 or (self.quantity or 0) < 0:
            raise ValueError(
                "amount_usd and quantity are zero or more; where it was owed the other way, turn payer and payee round"
            )
        self.event()

    def event(self) -> UsageEvent:
        """As it goes on record. What is still to be paid counts to the instant at which these books begin."""
        fields = {
            "clause": self.clause,
            "portion": self.portion,
            "quantity": "" if self.quantity is None else format(self.quantity, "f"),
            "unit": "" if self.unit == "usd" else self.unit,
        }
        consumed = self.kind == "consumed"
        return UsageEvent(
            source=f"{SOURCE}{self.books}",
            key=self.key,
            metric=PREFIX + self.kind,
            quantity=(self.quantity or Decimal(0)) if consumed else self.amount_usd,
            start=self.end if self.kind == "balance" else self.start,
            end=self.end,
            party=self.payer,
            provider=self.payee,
            attributes={name: value for name, value in fields.items() if value},
        )


def as_prior(event: UsageEvent) -> ChargeLine | None:
    """An opening line as a line of an earlier period; None where it is none."""
    kind, seen = event.metric.removeprefix(PREFIX), event.attributes
    if kind not in get_args(LineKind):
        return None
    return ChargeLine(
        clause=seen.get("clause", ""),
        kind=kind,  # type: ignore[arg-type]  # just compared
        payer=event.party,
        payee=event.provider,
        amount_micro_usd=micro_usd(event.quantity),
        period=_span(event),
        says="brought from other books",
        quantity=Decimal(seen["quantity"]) if "quantity" in seen else None,
        unit=seen.get("unit", "usd"),
        portion=seen.get("portion", ""),
    )


def as_consumed(event: UsageEvent) -> Usage | None:
    """What of a commitment had been consumed, as use at the end of its span; None where it is no such line."""
    if event.metric != CONSUMED:
        return None
    seen = {"commitment": event.attributes.get("clause", ""), "portion": event.attributes.get("portion", "")}
    return Usage(event.metric, event.quantity, Instant(_span(event).end - 1), attributes=seen)


def _span(event: UsageEvent) -> Period:
    return Period(event.start, event.end or Instant(event.start + 1))
