"""A first-refusal right as the broker meets it: who is asked, how, by when, and what a refusal opens.

`Right` is what is left of a `first_refusal` clause once the agreement's dates, amendments, waivers
and facts have been applied at one instant. `Requirement` and `Terms` are what is put before a holder.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from stargate.base.time import FOREVER, Duration, Instant

Mode = Literal["first_offer", "match", "capability"]
WindowUnit = Literal["minutes", "hours", "calendar_days", "business_days"]
Topology = Literal["block", "pool", "any"]

WINDOW_LIMIT = 3_660
"""No window is longer than this many units; ten years of days is a mistake, not a window."""


class Calendar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named calendar: the zone whose midnights count, and the days on which nobody works."""

    name: str
    time_zone: str = "UTC"
    """IANA name, as `America/Los_Angeles`."""
    weekend: tuple[int, ...] = (5, 6)
    """Weekdays without work, Monday = 0."""
    holidays: tuple[str, ...] = ()
    """ISO dates without work."""

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"{self.time_zone!r} is no known time zone; write an IANA name such as America/Los_Angeles"
            ) from None
        if not set(self.weekend) < set(range(7)):
            raise ValueError("weekend holds weekdays, Monday = 0 to Sunday = 6, and leaves one for work")
        for holiday in self.holidays:
            try:
                date.fromisoformat(holiday)
            except ValueError:
                raise ValueError(f"holiday {holiday!r} is not a date; write 2025-12-25") from None


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long a holder may think, counted from receipt in a named calendar."""

    length: int
    unit: WindowUnit = "calendar_days"

    def __post_init__(self) -> None:
        if not 1 <= self.length <= WINDOW_LIMIT:
            raise ValueError(f"a window has 1 to {WINDOW_LIMIT} {self.unit}, not {self.length}")


class Requirement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is needed, each part objectively testable."""

    chips: int
    """Accelerators, all of one kind."""
    chip_types: tuple[str, ...]
    """Any of these will do, best first; empty means any chip."""
    start_by: Instant
    duration: Duration
    jurisdictions: tuple[str, ...] = ()
    """ISO 3166-1 or -2 codes; `US` covers `US-TX`; empty means anywhere."""
    chips_per_node: int = 1
    topology: Topology = "any"
    """`block`: all inside one scale-up domain; `pool`: on one fabric."""
    max_price_micro_usd_per_chip_hour: int | None = None
    sla: Decimal | None = None
    """Least availability, as a fraction."""

    def __post_init__(self) -> None:
        if self.chips < 1 or self.chips_per_node < 1 or self.chips % self.chips_per_node:
            raise ValueError(
                f"chips ({self.chips}) is a positive multiple of chips_per_node ({self.chips_per_node})"
            )
        if self.duration <= 0:
            raise ValueError("duration is longer than nothing")
        if (self.max_price_micro_usd_per_chip_hour or 0) < 0:
            raise ValueError("max_price_micro_usd_per_chip_hour is zero or more")
        if self.sla is not None and not 0 <= self.sla <= 1:
            raise ValueError("sla is a fraction between 0 and 1")


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deal as put to, or by, a provider."""

    chips: int
    price_micro_usd_per_chip_hour: int | None
    """None where the mode knows no price (capability)."""
    start: Instant
    duration: Duration
    chip_type: str = ""
    jurisdiction: str = ""
    prepayment: Decimal = Decimal(0)
    """Fraction of the total paid up front."""
    sla: Decimal | None = None
    liability_cap_micro_usd: int | None = None
    """None: no cap."""

    def __post_init__(self) -> None:
        if self.chips < 1 or self.duration <= 0:
            raise ValueError("terms are for at least one chip and for longer than nothing")
        if (self.price_micro_usd_per_chip_hour or 0) < 0 or (self.liability_cap_micro_usd or 0) < 0:
            raise ValueError("amounts of money in terms are zero or more")
        if not 0 <= self.prepayment <= 1 or (self.sla is not None and not 0 <= self.sla <= 1):
            raise ValueError("prepayment and sla are fractions between 0 and 1")


class Right(msgspec.Struct, frozen=True, omit_defaults=True):
    """A live right of first refusal, with every default resolved."""

    clause: str
    """`agreement/clause`."""
    holder: str
    """The party that must be asked."""
    grantor: str
    """The party that must ask."""
    mode: Mode
    rank: int
    """Lower is asked earlier; equal ranks with `pro_rata` are asked together."""
    window: Window
    calendar: Calendar
    text_ref: str = ""
    partial: bool = True
    """The holder may take a part."""
    tail: Duration = Duration(0)
    """How long the market stays open on a refusal; 0: until the need is met or withdrawn."""
    comparison: Literal["per_term", "as_a_whole"] = "per_term"
    tolerance: Decimal = Decimal(0)
    """`as_a_whole`: how much better for the third party, as a fraction of value, is still the same deal."""
    sharing: Literal["cascade", "pro_rata"] = "cascade"
    weight: int = 1
    """Share under `pro_rata`."""
    package: Literal["burdened_part", "whole", "no_trigger"] = "whole"
    """What a need that is only partly within scope puts before the holder."""
    threshold_chips: int = 0
    """Needs below this are outside the right (aggregated over `aggregation_window`)."""
    threshold_duration: Duration = Duration(0)
    aggregation_window: Duration = Duration(0)
    """Needs opened within it count together; parts of one parent always do."""
    emergency: Literal["trigger", "no_trigger"] = "trigger"
    """Whether a need declared to be an emergency is put before the holder."""
    short_lead: Duration = Duration(0)
    """Needs that must start sooner than this after they arise are outside the right."""
    renewal: Literal["trigger", "no_trigger"] = "trigger"
    """Whether extending a third party's lease counts as a new need."""
    at_end: Literal["complete", "void"] = "complete"
    """What becomes of an open offer when the term ends."""
    on_amendment: Literal["complete", "void"] = "complete"
    """What becomes of an open offer when an amendment removes or changes the right."""
    delivery_grace: Duration = Duration(0)
    cure: Duration = Duration(0)
    until: Instant = FOREVER
    suspended: str = ""
    """Why the right rests (an uncured default, a trigger); empty: it is live."""
