"""Who must be asked first, what may run where, who may use what: clauses that decide requests."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from stargate.agreements.clause.amount import Fraction, Part
from stargate.agreements.clause.common import Action, ClauseBase
from stargate.agreements.right import Mode, Window
from stargate.base.time import Duration

Names = tuple[str, ...]
_PLACE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


class FirstRefusal(ClauseBase, frozen=True, tag="first_refusal"):
    """Before the grantor takes new capacity elsewhere, the holder must be asked.

    Modes: `first_offer` (the holder offers terms before the market is asked), `match` (a third party's
    offer is taken to the holder), `capability` (the holder serves if it meets the requirement).
    """

    mode: Mode
    holder: str = ""
    """The party that must be asked; default: the agreement's supplier."""
    grantor: str = ""
    """The party that must ask; default: the agreement's customer."""
    rank: int = 1
    """Lower is asked earlier. Two holders of one rank are a conflict unless both share pro rata."""
    window: Window = Window(30, "calendar_days")
    """How long the holder may think."""
    calendar: str = ""
    """Name of the calendar in which the window is counted; default: UTC days, weekends off."""
    partial: bool = True
    """The holder may take a part."""
    tail: Duration = Duration(0)
    """How long the market stays open on a refusal; 0: until the need is met or withdrawn."""
    comparison: Literal["per_term", "as_a_whole"] = "per_term"
    """How a third party's terms are compared with those refused."""
    tolerance: Fraction = Decimal(0)
    sharing: Literal["cascade", "pro_rata"] = "cascade"
    weight: Annotated[int, Meta(ge=1)] = 1
    package: Literal["burdened_part", "whole", "no_trigger"] = "whole"
    threshold_chips: Annotated[int, Meta(ge=0)] = 0
    """Needs below this are outside, counted over `aggregation_window`."""
    threshold_duration: Duration = Duration(0)
    aggregation_window: Duration = Duration(0)
    emergency: Literal["trigger", "no_trigger"] = "trigger"
    """Whether a need declared to be an emergency is put before the holder."""
    short_lead: Duration = Duration(0)
    """Needs that must start sooner than this after they arise are outside."""
    renewal: Literal["trigger", "no_trigger"] = "trigger"
    """Whether extending a third party's lease is a new need."""
    at_end: Literal["complete", "void"] = "complete"
    """What becomes of an open offer when the term ends."""
    on_amendment: Literal["complete", "void"] = "complete"
    """What becomes of an open offer when an amendment removes or changes the clause."""
    delivery_grace: Duration = Duration(0)
    cure: Duration = Duration(0)


class FirstShip(ClauseBase, frozen=True, tag="first_ship"):
    """Products appear on the holder's platform first.

    Elsewhere they may ship once they shipped there (and `lead` has passed), or once the holder gave them
    up. Reports of such clauses differ between "cannot and chooses not to" and "cannot or chooses not to
    support": `condition` says which one was signed.
    """

    condition: Literal["cannot_and_declines", "cannot_or_declines"]
    holder: str = ""
    grantor: str = ""
    products: Names = ()
    """Empty: all products within scope."""
    lead: Duration = Duration(0)
    shipped_fact: str = "shipped/{product}/{holder}"
    """The fact, true from the launch on, that the holder's platform has the product."""
    cannot_fact: str = "cannot_support/{product}/{holder}"
    declines_fact: str = "declines/{product}/{holder}"


class Failover(Part, frozen=True):
    """Relief from exclusivity while the holder is down."""

    fact: str = "down/{holder}"
    """True from when the holder is down, false from when it is back."""
    after: Duration = Duration(0)
    """It must have been down for this long."""


class ExclusiveServing(ClauseBase, frozen=True, tag="exclusive_serving"):
    """What is within scope runs with the holder and nowhere else."""

    holder: str = ""
    grantor: str = ""
    products: Names = ()
    """Empty: everything within scope."""
    actions: tuple[Action, ...] = ("serve", "ship")
    """`[train, serve, source]` is exclusivity of compute."""
    failover: Failover | None = None


class Residency(ClauseBase, frozen=True, tag="residency"):
    """Where things may run: all of it, or a least share, within these jurisdictions."""

    jurisdictions: Annotated[Names, Meta(min_length=1)]
    """ISO 3166; `US` covers `US-TX`."""
    grantor: str = ""
    actions: tuple[Action, ...] = ("train", "serve", "source")
    min_share: Fraction = Decimal(1)
    """1: all of it. Below 1: the least share, measured by `share_fact`."""
    share_fact: str = "share/{clause}"
    """The share within the jurisdictions now, 0 to 1."""

    def check(self) -> None:
        """Places are written as requests write them: otherwise nothing would ever be inside."""
        for place in self.jurisdictions:
            if not _PLACE.fullmatch(place):
                raise ValueError(f"jurisdictions: {place!r} is no code of ISO 3166; write US, or US-TX")
            if place == "EU":
                raise ValueError("jurisdictions: EU is no country of ISO 3166; list its members, as DE, FR")


Grant = Literal["use", "resale", "sublicense"]


class Entitlement(ClauseBase, frozen=True, tag="entitlement"):
    """The holder may use, resell or sublicense what is named. What is named is closed to others."""

    rights: Annotated[tuple[Grant, ...], Meta(min_length=1)]
    holder: str = ""
    """Default: the agreement's supplier."""
    grantor: str = ""
    """The owner; default: the agreement's customer."""
    assets: Names = ()
    """Values of the attribute `asset`, as model_ip; empty: all within scope."""
    exclusive: bool = False
    """Not even the owner, nor any other holder."""
