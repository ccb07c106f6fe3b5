"""Questions to the agreements, and answers with their reasons."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from stargate.agreements.clause.common import Action
from stargate.base.time import Instant

Outcome = Literal["permit", "forbid", "must_offer", "prefer", "conflict"]
Effect = Literal[
    "forbid",
    "must_offer",
    "permit",
    "prefer",
    "excepted",
    "overridden",
    "ended",
    "suspended",
    "waived",
    "pending",
    "silent",
]
"""What a clause did. After the four that decide: why a clause that was looked at does not speak."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """May `party` do `action` with `provider`? The attributes say more; each is optional."""

    action: Action
    party: str = ""
    """Who asks; empty: everybody's agreements count."""
    provider: str = ""
    """The provider as a party; empty: none is named yet."""
    attributes: dict[str, Any] = {}
    """As product, model, customer, kind, chip, chips, mw, site, jurisdiction, need, asset, clause, refused."""

    def __post_init__(self) -> None:
        if self.action in ("exercise", "cancel", "modify") and not self.attributes.get("clause"):
            raise ValueError(f"{self.action} needs the attribute clause: which one")
        if self.action == "terminate" and not (
            self.attributes.get("clause") or self.attributes.get("agreement")
        ):
            raise ValueError("terminate needs the attribute agreement, or clause")


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one clause contributed to an answer."""

    clause: str
    """`agreement/clause`; `agreement/clause/exception` for a labelled exception."""
    effect: Effect
    says: str
    """One sentence."""
    text_ref: str = ""
    facts: tuple[str, ...] = ()
    """Facts of the world that were used, as `name=value`."""
    needs: tuple[str, ...] = ()
    """Facts that are not known and would matter."""
    would_change: str = ""
    """What would make the answer another."""


ObligationKind = Literal[
    "offer",
    "pay",
    "share",
    "net",
    "prepay",
    "spend",
    "use",
    "reserve",
    "deliver",
    "evict",
    "credit",
    "issue",
    "take_unsold",
    "negotiate",
    "notify",
    "transfer",
    "hold_open",
    "stay_within",
]


class Obligation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody owes somebody something, under a clause that is in force."""

    clause: str
    kind: ObligationKind
    says: str
    debtor: str = ""
    creditor: str = ""
    amount_micro_usd: int | None = None
    """None: it depends on use, or is no money."""
    quantity: Decimal | None = None
    unit: str = ""
    due: Instant | None = None
    from_: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = None
    text_ref: str = ""


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer. `forbid` and `conflict` always name a clause."""

    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    obligations: tuple[Obligation, ...] = ()
