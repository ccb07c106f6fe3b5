"""What happened in sourcing. Facts carry every decided figure: replay needs no policy and no catalog."""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.agreements.right import Requirement, Right, Terms
from stargate.base.time import Duration, Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.command import Answer, Attribute, Part
from stargate.broker.sourcing.records import LeaseKind, OfferOutcome, Refusal, Waiver


class NeedOpened(msgspec.Struct, frozen=True, tag="need_opened", omit_defaults=True):
    """A need exists. `clauses` are the rights whose scope covers it, whether or not they are to be asked."""

    need: str
    party: str
    requirement: Requirement
    scope: dict[str, Attribute] = {}
    workload: str | None = None
    parent: str | None = None
    parts: tuple[Part, ...] = ()
    emergency: bool = False
    renews: str = ""
    moving_start: bool = False
    root: str = ""
    clauses: tuple[str, ...] = ()
    actor: str = ""
    grounds: tuple[Ground, ...] = ()


class NeedRevised(msgspec.Struct, frozen=True, tag="need_revised", omit_defaults=True):
    """The requirement changed: a new version. Refusals of `rearmed` clauses no longer stand."""

    need: str
    version: int
    requirement: Requirement
    relaxed: tuple[str, ...] = ()
    """Parts that became easier or larger."""
    rearmed: tuple[str, ...] = ()
    actor: str = ""
    grounds: tuple[Ground, ...] = ()


class OfferMade(msgspec.Struct, frozen=True, tag="offer_made", omit_defaults=True):
    """A holder was given notice of a need, or of a third party's terms."""

    offer: str
    need: str
    version: int
    right: Right
    requirement: Requirement
    chips: int
    shared: bool = False
    share_chips: int = 0
    terms: Terms | None = None
    quote: str = ""
    received_at: Instant | None = None
    deadline: Instant | None = None
    grounds: tuple[Ground, ...] = ()


class OfferReceived(msgspec.Struct, frozen=True, tag="offer_received", omit_defaults=True):
    """The notice reached the holder; its window runs until `deadline`, exclusive."""

    offer: str
    received_at: Instant
    deadline: Instant
    grounds: tuple[Ground, ...] = ()


class OfferAnswered(msgspec.Struct, frozen=True, tag="offer_answered", omit_defaults=True):
    """An answer came in. Without `effect` it is on record and changes nothing."""

    offer: str
    answer: Answer
    answered_by: str
    effect: bool
    chips: int | None = None
    terms: Terms | None = None
    unmet: tuple[str, ...] = ()
    pool: str = ""
    text_ref: str = ""
    grounds: tuple[Ground, ...] = ()


class OfferSubscribed(msgspec.Struct, frozen=True, tag="offer_subscribed", omit_defaults=True):
    """A holder among several takes up to `chips`; it gets its part when all have answered."""

    offer: str
    chips: int
    pool: str
    terms: Terms | None = None
    grounds: tuple[Ground, ...] = ()


class OfferKept(msgspec.Struct, frozen=True, tag="offer_kept", omit_defaults=True):
    """The right has ended or was changed; the open offer is completed under the old terms.

    Not `final`: the right was prolonged instead, and lives until `until`.
    """

    offer: str
    until: Instant
    final: bool
    grounds: tuple[Ground, ...] = ()


class OfferEnded(msgspec.Struct, frozen=True, tag="offer_ended", omit_defaults=True):
    """The one end of an offer. `refusal` is what now stands against the holder's right, if anything."""

    offer: str
    outcome: OfferOutcome
    taken_chips: int = 0
    unmet: tuple[str, ...] = ()
    terms: Terms | None = None
    """Terms that the holder named."""
    refusal: Refusal | None = None
    grounds: tuple[Ground, ...] = ()


class WaiverGranted(msgspec.Struct, frozen=True, tag="waiver_granted"):
    """A holder gave up its right in writing. For a single need the waiver stands as a refusal would."""

    waiver: Waiver
    refusal: Refusal | None = None
    grounds: tuple[Ground, ...] = ()


class NeedWaits(msgspec.Struct, frozen=True, tag="need_waits"):
    """Nothing more can be done now; the grounds list what was looked at and why it was left out."""

    need: str
    waits_for: Literal["answers", "quotes", "award"]
    grounds: tuple[Ground, ...] = ()


class MarketOpened(msgspec.Struct, frozen=True, tag="market_opened", omit_defaults=True):
    """Every right has been honoured so far: third parties are asked until `closes_at` (none: no window)."""

    need: str
    closes_at: Instant | None = None
    grounds: tuple[Ground, ...] = ()


class MarketWindowClosed(msgspec.Struct, frozen=True, tag="market_window_closed"):
    """The time to collect quotes is over: the best permitted one is taken as soon as there is one."""

    need: str
    grounds: tuple[Ground, ...] = ()


class QuoteReceived(msgspec.Struct, frozen=True, tag="quote_received", omit_defaults=True):
    """A provider quoted for a need."""

    quote: str
    need: str
    provider: str
    party: str
    pool: str
    terms: Terms
    valid_until: Instant
    quoted_by: str = ""
    offer: str = ""
    grounds: tuple[Ground, ...] = ()


class QuoteEnded(msgspec.Struct, frozen=True, tag="quote_ended", omit_defaults=True):
    """A quote is no longer on the table."""

    quote: str
    outcome: Literal["signed", "withdrawn", "expired", "released"]
    grounds: tuple[Ground, ...] = ()


class TermsChanged(msgspec.Struct, frozen=True, tag="terms_changed", omit_defaults=True):
    """The deal at hand is better for the third party than what was refused: the right is armed again."""

    need: str
    clause: str
    version: int
    quote: str
    terms: Terms
    outside: tuple[str, ...] = ()
    grounds: tuple[Ground, ...] = ()


class TailExpired(msgspec.Struct, frozen=True, tag="tail_expired"):
    """A refusal no longer stands: the holder must be asked again before anything more is signed."""

    need: str
    clause: str
    grounds: tuple[Ground, ...] = ()


class LeaseSigned(msgspec.Struct, frozen=True, tag="lease_signed", omit_defaults=True):
    """A deal. Its grounds list every candidate with its score, or the reason it was left out."""

    lease: str
    need: str
    provider: str
    party: str
    pool: str
    chips: int
    price_micro_usd_per_chip_hour: int
    kind: LeaseKind
    start: Instant
    until: Instant
    terms: Terms
    agreement: str = ""
    clause: str = ""
    offer: str = ""
    quote: str = ""
    grace: Duration = Duration(0)
    cure: Duration = Duration(0)
    covers: tuple[str, ...] = ()
    cover_cost_micro_usd: int = 0
    grounds: tuple[Ground, ...] = ()


class LeaseActivated(msgspec.Struct, frozen=True, tag="lease_activated", omit_defaults=True):
    """The first chips of a lease are there and may be placed on."""

    lease: str
    chips: int
    grounds: tuple[Ground, ...] = ()


class LeaseResized(msgspec.Struct, frozen=True, tag="lease_resized", omit_defaults=True):
    """An active lease has more usable chips than before, or was cut to what was delivered in the end."""

    lease: str
    chips: int
    """Usable from now on."""
    ordered_chips: int
    grounds: tuple[Ground, ...] = ()


class DeliveryDue(msgspec.Struct, frozen=True, tag="delivery_due", omit_defaults=True):
    """The start has come and chips are missing: they are due, at the latest before `deliver_by`."""

    lease: str
    deliver_by: Instant
    grounds: tuple[Ground, ...] = ()


class DeliveryFailed(msgspec.Struct, frozen=True, tag="delivery_failed", omit_defaults=True):
    """Chips were not delivered in time, or were lost; the provider may cure before `cure_until`."""

    lease: str
    missing_chips: int
    cure_until: Instant
    grounds: tuple[Ground, ...] = ()


class CoverGranted(msgspec.Struct, frozen=True, tag="cover_granted"):
    """A holder accepted and did not deliver: this quantity may be bought from anybody, at any terms."""

    need: str
    clause: str
    lease: str
    chips: int
    price_micro_usd_per_chip_hour: int
    """Of the failed deal."""
    grounds: tuple[Ground, ...] = ()


class LeaseEnded(msgspec.Struct, frozen=True, tag="lease_ended", omit_defaults=True):
    """A lease holds no capacity any more: `ended` by time or agreement, `failed` by the provider."""

    lease: str
    outcome: Literal["ended", "failed"]
    reason: str = ""
    grounds: tuple[Ground, ...] = ()


class NeedReopened(msgspec.Struct, frozen=True, tag="need_reopened", omit_defaults=True):
    """A supplier was lost, the same need goes on. Start dates move by `shift`: lead times stay the same."""

    need: str
    notice_at: Instant
    shift: Duration
    grounds: tuple[Ground, ...] = ()


class NeedCovered(msgspec.Struct, frozen=True, tag="need_covered"):
    """Leases cover the whole requirement."""

    need: str
    grounds: tuple[Ground, ...] = ()


class NeedClosed(msgspec.Struct, frozen=True, tag="need_closed", omit_defaults=True):
    """The need is over: met to its end, withdrawn by the buyer, or not to be met any more."""

    need: str
    outcome: Literal["met", "withdrawn", "unmet"]
    grounds: tuple[Ground, ...] = ()


SourcingFact = (
    NeedOpened
    | NeedRevised
    | OfferMade
    | OfferReceived
    | OfferAnswered
    | OfferSubscribed
    | OfferKept
    | OfferEnded
    | WaiverGranted
    | NeedWaits
    | MarketOpened
    | MarketWindowClosed
    | QuoteReceived
    | QuoteEnded
    | TermsChanged
    | TailExpired
    | LeaseSigned
    | LeaseActivated
    | LeaseResized
    | DeliveryDue
    | DeliveryFailed
    | CoverGranted
    | LeaseEnded
    | NeedReopened
    | NeedCovered
    | NeedClosed
)
