"""What may be asked of the sourcing machine: open a need, answer an offer, quote, award, report a delivery.

A party's answer counts from the instant at which it was received: the time of the command's envelope.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.agreements.right import Requirement, Terms
from stargate.base.time import Instant

Attribute = str | int | bool | tuple[str, ...]
"""A value that an agreement's scope may look at, as `{"kind": "train", "product": "api"}`."""

Answer = Literal["accept", "partial", "decline", "cannot_meet", "counter", "waive"]
WaiverScope = Literal["need", "class", "until"]


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of a package: some of the need's chips, with attributes that only they have."""

    chips: int
    scope: dict[str, Attribute] = {}
    """Laid over the need's own scope."""


class OpenNeed(msgspec.Struct, frozen=True, tag="open_need"):
    """Capacity is required that is not held. Rights are honoured first, then the market is asked."""

    id: str
    requirement: Requirement
    party: str
    """Who needs it: the grantor of any right."""
    scope: dict[str, Attribute] = {}
    """What the capacity is for; agreements decide by it whether a right covers the need."""
    workload: str | None = None
    parent: str | None = None
    """The need that this one was split from; the thresholds of rights look at the whole."""
    parts: tuple[Part, ...] = ()
    """A package of unlike parts; empty: all chips are alike. Chips must add up to the requirement's."""
    emergency: bool = False
    """Counts only under rights that exempt emergencies."""
    renews: str = ""
    """The lease that this need would extend; empty: a new need."""
    moving_start: bool = False
    """`start_by` is a lead time: while holders think, it moves with the clock. False: it is a fixed date."""
    actor: str = ""


class ReviseNeed(msgspec.Struct, frozen=True, tag="revise_need"):
    """Change what is required. Relaxing or enlarging it re-arms the rights of holders who refused."""

    need: str
    requirement: Requirement
    actor: str = ""


class WithdrawNeed(msgspec.Struct, frozen=True, tag="withdraw_need"):
    """Nothing more is required: open offers are withdrawn, leases stay until they end."""

    need: str
    reason: str = ""
    actor: str = ""


class AcknowledgeOffer(msgspec.Struct, frozen=True, tag="acknowledge_offer"):
    """The holder has received the notice: its window counts from this command's time.

    Needed only where the policy says that notice is effective on acknowledgement.
    """

    offer: str
    received_by: str


class AnswerOffer(msgspec.Struct, frozen=True, tag="answer_offer"):
    """A holder's answer. The first one that is received in time and ends the offer counts."""

    offer: str
    answer: Answer
    answered_by: str
    """The party that answers; must be the holder."""
    chips: int | None = None
    """`partial`: how many of the offered chips are taken."""
    unmet: tuple[str, ...] = ()
    """`cannot_meet`: which parts of the requirement, by field name, as `start_by`."""
    terms: Terms | None = None
    """`first_offer`: the holder's terms; `match`: the matching terms (none: exactly those put)."""
    pool: str = ""
    """Where the capacity would be; empty: the broker chooses among the holder's pools."""
    waiver: WaiverScope = "need"
    """`waive`: this need, a class of needs (`waived_scope`), or every need until `waived_until`."""
    waived_scope: dict[str, Attribute] = {}
    waived_until: Instant | None = None
    text_ref: str = ""
    """The writing that says so: a letter, a message id."""


class ReopenOffer(msgspec.Struct, frozen=True, tag="reopen_offer"):
    """The buyer asks a holder again although its refusal stands."""

    offer: str
    actor: str = ""


class GrantWaiver(msgspec.Struct, frozen=True, tag="grant_waiver"):
    """A holder gives up its right in writing, for good: for one need, a class of needs, or until a date."""

    id: str
    clause: str
    """`agreement/clause`."""
    holder: str
    granted_by: str
    waiver: WaiverScope
    need: str = ""
    waived_scope: dict[str, Attribute] = {}
    waived_until: Instant | None = None
    text_ref: str = ""


class SubmitQuote(msgspec.Struct, frozen=True, tag="submit_quote"):
    """A provider's binding quote for a need, beside the list prices in the catalog."""

    id: str
    need: str
    provider: str
    pool: str
    terms: Terms
    valid_until: Instant | None = None
    quoted_by: str = ""
    """The party that quotes; empty: entered by an operator."""


class WithdrawQuote(msgspec.Struct, frozen=True, tag="withdraw_quote"):
    """A quote is no longer on the table."""

    quote: str
    withdrawn_by: str = ""


class AwardNeed(msgspec.Struct, frozen=True, tag="award_need"):
    """The buyer chooses a quote by hand. Rights and agreements still bind."""

    need: str
    quote: str
    """A quote's id, or `list:<pool>` for a standing offer of the catalog."""
    actor: str = ""


class ReportDelivery(msgspec.Struct, frozen=True, tag="report_delivery"):
    """What has been delivered under a lease up to now, or that the provider gave up on the rest."""

    lease: str
    delivered_chips: int
    failed: bool = False
    """The rest will not come within the time for delivery."""
    evidence: str = ""
    reported_by: str = ""


SourcingCommand = (
    OpenNeed
    | ReviseNeed
    | WithdrawNeed
    | AcknowledgeOffer
    | AnswerOffer
    | ReopenOffer
    | GrantWaiver
    | SubmitQuote
    | WithdrawQuote
    | AwardNeed
    | ReportDelivery
)
