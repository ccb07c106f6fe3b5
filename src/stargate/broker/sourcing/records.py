"""What the broker remembers of sourcing: plain mutable records, written to snapshots as they are.

Only `evolve` writes them. The words for states are those of `transitions`. Defaults are always written:
`stargate.broker.records` says why.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.agreements.right import Requirement, Right, Terms
from stargate.base.time import FOREVER, Duration, Instant
from stargate.broker.sourcing.command import Answer, Attribute, Part, WaiverScope

NeedStatus = Literal["asking", "market", "covered", "closed"]
OfferOutcome = Literal[
    "accepted",
    "partial",
    "declined",
    "cannot_meet",
    "lapsed",
    "waived",
    "withdrawn",
    "void",
    "not_taken",
    "unallocated",
]
OfferStatus = Literal["offered", "subscribed", OfferOutcome]
QuoteStatus = Literal["open", "signed", "withdrawn", "expired", "released"]
LeaseStatus = Literal["signed", "active", "failed", "ended"]
DeliveryStatus = Literal["pending", "due", "curing", "delivered", "failed"]
LeaseKind = Literal["owned", "reserved", "on_demand"]
TimerKind = Literal[
    "look",
    "offer_deadline",
    "right_end",
    "tail_end",
    "quote_end",
    "market_close",
    "start_by",
    "term_end",
    "lease_start",
    "delivery_end",
    "cure_end",
    "lease_end",
]


class Timer(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Something is due at a time. `look`: a need can move on; every other kind is about a date of a record."""

    at: Instant
    kind: TimerKind
    id: str
    """The need, offer, quote or lease."""
    clause: str = ""
    """`tail_end`: whose refusal ends."""


class Refusal(msgspec.Struct, frozen=True):
    """What a holder refused, and a third party may therefore be given, until the end of the tail."""

    clause: str
    offer: str
    version: int
    requirement: Requirement
    """Of the whole need, as put to the holder."""
    chips: int
    """How many of them were refused."""
    at: Instant
    """From when the lead time of its terms counts: they were put, or named, then."""
    shift: Duration = Duration(0)
    """How far the need's dates had moved when it was refused."""
    terms: Terms | None = None
    """The ceiling; None: the requirement alone is the ceiling."""
    until: Instant = FOREVER
    """End of the tail."""
    divisible: bool = True
    """The holder might have taken a part, so parts may go elsewhere."""


class Recorded(msgspec.Struct, frozen=True):
    """One answer as it came in."""

    at: Instant
    answer: Answer
    answered_by: str
    effect: bool
    chips: int | None = None
    terms: Terms | None = None
    unmet: tuple[str, ...] = ()
    text_ref: str = ""


class Failure(msgspec.Struct, frozen=True):
    """What a holder accepted and did not deliver: it may be bought elsewhere at any terms."""

    chips: int
    price_micro_usd_per_chip_hour: int
    """Of the failed deal; what cover costs more is the holder's debt."""


class ChangedDeal(msgspec.Struct, frozen=True):
    """A third party's deal that is better for it than what a holder refused: to be put to the holder."""

    quote: str
    terms: Terms


class Need(msgspec.Struct):
    """Capacity that somebody requires, from opening to closing."""

    id: str
    party: str
    requirement: Requirement
    opened_at: Instant
    notice_at: Instant
    """From when lead times count: the opening, a revision, or the loss of a supplier."""
    root: str
    """The need from which it was split in the end; its own id where it was not."""
    scope: dict[str, Attribute] = {}
    workload: str | None = None
    parent: str | None = None
    parts: tuple[Part, ...] = ()
    emergency: bool = False
    renews: str = ""
    moving_start: bool = False
    """The latest start is a lead time, counted from now; otherwise it is a date."""
    shift: Duration = Duration(0)
    """How far dates have moved because suppliers were lost; lead times stay what they were."""
    stated_shift: Duration = Duration(0)
    """The shift when the requirement was stated."""
    version: int = 1
    status: NeedStatus = "asking"
    outcome: Literal["", "met", "withdrawn", "unmet"] = ""
    held_chips: int = 0
    """Under signed or active leases."""
    until: Instant | None = None
    """End of the requirement's term, fixed by the first lease."""
    market_closes_at: Instant | None = None
    market_heard: bool = False
    """The time to collect quotes is over; it does not begin again unless the need changes."""
    offers: list[str] = []
    quotes: list[str] = []
    leases: list[str] = []
    refusals: dict[str, Refusal] = {}
    """Those that stand, by clause."""
    failures: dict[str, Failure] = {}
    """By the clause of the holder that failed."""
    changed: dict[str, ChangedDeal] = {}
    """Deals to be put to a holder again, by its clause."""
    clauses: tuple[str, ...] = ()
    """Rights whose scope covered the need when it was opened."""
    look_at: Instant | None = None
    """The need can move on; None: it waits for somebody, or for a date."""
    waits_for: str = ""
    closed_at: Instant | None = None
    actor: str = ""

    @property
    def missing_chips(self) -> int:
        """Not yet under any lease."""
        return self.requirement.chips - self.held_chips


class Offer(msgspec.Struct):
    """A notice to a holder, and what became of it."""

    id: str
    need: str
    version: int
    right: Right
    """The right as it was when the offer was made."""
    requirement: Requirement
    chips: int
    """How many the holder may take."""
    offered_at: Instant
    shared: bool = False
    """Others were asked together with this holder: what it takes is a subscription."""
    share_chips: int = 0
    """`pro_rata`: the part that is the holder's before over-subscription."""
    terms: Terms | None = None
    """`match`: the third party's terms."""
    quote: str = ""
    """`match`: whose terms these are."""
    received_at: Instant | None = None
    deadline: Instant | None = None
    """A timely answer is received before this instant. None: not yet received."""
    right_until: Instant = FOREVER
    """When the right has to be looked at again."""
    kept: bool = False
    """It is completed under the old terms, whatever becomes of the right."""
    status: OfferStatus = "offered"
    answers: list[Recorded] = []
    taken_chips: int = 0
    pool: str = ""
    """Where the holder would serve."""
    holder_terms: Terms | None = None
    unmet: tuple[str, ...] = ()
    ended_at: Instant | None = None


class Quote(msgspec.Struct):
    """A provider's binding quote."""

    id: str
    need: str
    provider: str
    party: str
    pool: str
    terms: Terms
    received_at: Instant
    valid_until: Instant = FOREVER
    quoted_by: str = ""
    offer: str = ""
    """The first offer in answer to which a holder named these terms."""
    status: QuoteStatus = "open"


class Lease(msgspec.Struct):
    """Capacity held from a provider for a time. While `active`, `chips` may be placed on."""

    id: str
    need: str
    provider: str
    party: str
    """The provider's party."""
    pool: str
    chips: int
    """Usable once active; until then, what was signed."""
    ordered_chips: int
    """What counts towards the need: as signed, less what finally failed."""
    price_micro_usd_per_chip_hour: int
    kind: LeaseKind
    start: Instant
    until: Instant
    signed_at: Instant
    status: LeaseStatus = "signed"
    delivery: DeliveryStatus = "pending"
    agreement: str = ""
    clause: str = ""
    """The right that was exercised; empty: a deal of the market."""
    offer: str = ""
    quote: str = ""
    terms: Terms | None = None
    deliver_by: Instant | None = None
    """End of the grace for delivery, while delivery is due."""
    cure_until: Instant | None = None
    grace: Duration = Duration(0)
    cure: Duration = Duration(0)
    covers: tuple[str, ...] = ()
    """Clauses whose holders failed and at whose cost this lease stands in."""
    cover_cost_micro_usd: int = 0
    """What it costs more than the failed deal did."""
    ended_at: Instant | None = None
    reason: str = ""

    @property
    def open(self) -> bool:
        """It holds, or will hold, capacity."""
        return self.status in {"signed", "active"}


class Waiver(msgspec.Struct, frozen=True):
    """A right given up in writing. It cannot be taken back."""

    id: str
    clause: str
    holder: str
    waiver: WaiverScope
    granted_at: Instant
    need: str = ""
    scope: dict[str, Attribute] = {}
    until: Instant = FOREVER
    text_ref: str = ""


class SourcingState(msgspec.Struct):
    """Everything about sourcing that a snapshot holds."""

    needs: dict[str, Need] = {}
    offers: dict[str, Offer] = {}
    quotes: dict[str, Quote] = {}
    leases: dict[str, Lease] = {}
    waivers: list[Waiver] = []
    opened: list[str] = []
    """Needs in order of opening."""
    open_needs: dict[str, Instant] = {}
    """Needs that are not closed, with their opening."""
    families: dict[str, list[str]] = {}
    """Needs by their root."""
    leased_chips: dict[str, int] = {}
    """Chips under open leases, by pool."""
    timers: list[Timer] = []
    """Sorted; nothing stale."""
