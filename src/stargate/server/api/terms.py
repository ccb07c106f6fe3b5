"""What people send about deals: requirements, terms and scopes, with bounds that keep every sum within 64 bits."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from stargate.agreements.right import Requirement, Terms, Topology
from stargate.base.ids import NAME_LIMIT
from stargate.base.money import cost_micro_usd
from stargate.base.time import DAY, Duration, Instant

CHIPS_LIMIT = 100_000_000
PRICE_LIMIT_MICRO_USD = 10**12
VALUE_LIMIT_MICRO_USD = 9 * 10**18
"""Of a whole deal: what 64 bits hold."""
DURATION_LIMIT = Duration(36_525 * DAY)
_LAST = Instant.parse("2200-01-01")
_FIRST = Instant.parse("2000-01-01")

Name = Annotated[str, Meta(max_length=NAME_LIMIT)]
Words = Annotated[str, Meta(max_length=1_024)]
Chips = Annotated[int, Meta(ge=1, le=CHIPS_LIMIT)]
Price = Annotated[int, Meta(ge=0, le=PRICE_LIMIT_MICRO_USD)]
Names = Annotated[tuple[Name, ...], Meta(max_length=256)]
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
ScopeBody = Annotated[dict[Name, Words | Whole | bool | Names], Meta(max_length=64)]
"""Values that an agreement's scope may look at."""


class RequirementBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is needed, each part objectively testable."""

    chips: Chips
    start_by: Instant
    duration: Duration
    chip_types: Names = ()
    """Any of these will do, best first; empty means any chip."""
    jurisdictions: Names = ()
    """ISO 3166-1 or -2 codes; empty means anywhere."""
    chips_per_node: Annotated[int, Meta(ge=1, le=1_024)] = 1
    topology: Topology = "any"
    max_price_micro_usd_per_chip_hour: Price | None = None
    sla: Decimal | None = None

    def __post_init__(self) -> None:
        demand_times(self.start_by, self.duration)
        demand_value(self.chips, self.max_price_micro_usd_per_chip_hour, self.duration)
        self.record()

    def record(self) -> Requirement:
        """As the broker takes it."""
        return Requirement(
            chips=self.chips,
            chip_types=self.chip_types,
            start_by=self.start_by,
            duration=self.duration,
            jurisdictions=self.jurisdictions,
            chips_per_node=self.chips_per_node,
            topology=self.topology,
            max_price_micro_usd_per_chip_hour=self.max_price_micro_usd_per_chip_hour,
            sla=self.sla,
        )


class TermsBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A deal as put by a provider."""

    chips: Chips
    start: Instant
    duration: Duration
    price_micro_usd_per_chip_hour: Price | None = None
    chip_type: Name = ""
    jurisdiction: Name = ""
    prepayment: Decimal = Decimal(0)
    """Fraction of the total paid up front."""
    sla: Decimal | None = None
    liability_cap_micro_usd: Annotated[int, Meta(ge=0, le=VALUE_LIMIT_MICRO_USD)] | None = None

    def __post_init__(self) -> None:
        demand_times(self.start, self.duration)
        demand_value(self.chips, self.price_micro_usd_per_chip_hour, self.duration)
        self.record()

    def record(self) -> Terms:
        """As the broker takes it."""
        return Terms(
            chips=self.chips,
            price_micro_usd_per_chip_hour=self.price_micro_usd_per_chip_hour,
            start=self.start,
            duration=self.duration,
            chip_type=self.chip_type,
            jurisdiction=self.jurisdiction,
            prepayment=self.prepayment,
            sla=self.sla,
            liability_cap_micro_usd=self.liability_cap_micro_usd,
        )


def demand_times(at: Instant, duration: Duration) -> None:
    """Raises ValueError, which names the field, for times that no deal has."""
    demand_time(at)
    if not 0 < duration <= DURATION_LIMIT:
        raise ValueError(f"{duration} is no usable duration; write one up to a hundred years, as 72h")


def demand_time(at: Instant) -> None:
    """Raises ValueError for times far from ours: calendars end somewhere."""
    if not _FIRST <= at <= _LAST:
        raise ValueError(f"{at} is too far away; write a time from {_FIRST} to {_LAST}")


def demand_value(chips: int, price: int | None, duration: Duration) -> None:
    """Raises ValueError for a deal worth more than 64 bits of micro-USD."""
    if cost_micro_usd(price or 0, chips, duration) > VALUE_LIMIT_MICRO_USD:
        raise ValueError("the whole deal is worth more than 9 trillion USD; ask for less at once")
