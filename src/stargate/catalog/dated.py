"""Figures that know where they come from, and series of them that know from when they hold.

One family: `Sourced` says who says so; `Figure` adds error bars; `DatedPower`, `DatedCount`, `Price` and
`EnergyPrice` add the time from which they hold. A series is a step function: each entry replaces the
one before it and states a total, never an increment.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec
from msgspec import Meta

from stargate.base.time import FOREVER, Instant

Id = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$",
        description="a name of letters, digits, dots, dashes and underscores",
    ),
]
AsOf = Annotated[
    str,
    Meta(pattern=r"^(\d{4}(-\d{2}(-\d{2})?)?)?$", description="a date as 2026-05-14, 2026-05 or 2026"),
]
"""When a source said so, as exactly as it is known."""
Text = Annotated[str, Meta(max_length=2_048)]
Name = Annotated[str, Meta(max_length=256)]

Status = Literal["planned", "operational"]
Evidence = Literal["declared", "seen", "mixed", "memory", "derived"]
"""How well a figure is known.

`declared`: whoever wrote the file vouches for it. `seen`: read in the named source. `memory`: the source
is named but was not looked up. `mixed`: some figures of the record seen, some from memory. `derived`:
computed from sourced figures by the rule that `source` states.
"""


class Sourced(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Who says so, when, and how well it is known."""

    source: Text = ""
    """An address or a document."""
    as_of: AsOf = ""
    evidence: Evidence = "declared"
    note: Text = ""


class Figure(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A quantity with error bars, in the unit of the field that holds it. At least one part is given."""

    value: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    def __post_init__(self) -> None:
        known = [part for part in (self.low, self.value, self.high) if part is not None]
        if not known:
            raise ValueError("a figure holds nothing; give value, low or high")
        if known != sorted(known):
            raise ValueError("low, value and high are out of order; write low <= value <= high")

    @property
    def central(self) -> Decimal:
        """The best single number: the value, else the middle of the bars, else the only bar there is."""
        if self.value is not None:
            return self.value
        bars = [bar for bar in (self.low, self.high) if bar is not None]
        return sum(bars, Decimal(0)) / len(bars)


Quantity = Figure | Decimal | None
"""As people write it: a number, a figure with error bars, or nothing where it is not known."""


class DatedPower(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Total power of a site from an instant on."""

    power_mw: Decimal
    from_: Instant | None = msgspec.field(name="from", default=None)
    """None: announced without a date; only for what is planned."""
    status: Status = "operational"

    def __post_init__(self) -> None:
        if self.power_mw < 0:
            raise ValueError("power_mw is negative; write 0 or more")
        if self.from_ is None and self.status == "operational":
            raise ValueError("operational power has no date; add `from:`")


class DatedCount(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Total nodes of a pool from an instant on."""

    nodes: Annotated[int, Meta(ge=0, le=10_000_000)]
    from_: Instant = msgspec.field(name="from")
    status: Status = "operational"


class Price(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What a chip costs by the hour, within `[from, until)`."""

    usd_per_chip_hour: Decimal
    from_: Instant = msgspec.field(name="from")
    until: Instant | None = None
    kind: Literal["list", "negotiated", "spot"] = "list"

    def __post_init__(self) -> None:
        if self.usd_per_chip_hour < 0:
            raise ValueError("usd_per_chip_hour is negative; write 0 or more")
        if self.until is not None and self.until <= self.from_:
            raise ValueError("the price ends before it begins; `until` comes after `from`")


class EnergyPrice(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What energy costs at a site, within `[from, until)`."""

    usd_per_mwh: Decimal
    from_: Instant = msgspec.field(name="from")
    until: Instant | None = None

    def __post_init__(self) -> None:
        if self.until is not None and self.until <= self.from_:
            raise ValueError("the price ends before it begins; `until` comes after `from`")


class Step(Protocol):
    """Anything that holds from an instant on."""

    @property
    def from_(self) -> Instant | None:
        """When it begins to hold; None: not known."""


StepT = TypeVar("StepT", bound=Step)


def in_force(series: Iterable[StepT], at: Instant) -> StepT | None:
    """The entry that began last at or before `at`; where two began together, the later one in the list."""
    found: StepT | None = None
    for step in series:
        begins = step.from_
        if begins is not None and begins <= at and (found is None or begins >= (found.from_ or 0)):
            found = step
    return found


def covers(price: Price | EnergyPrice, at: Instant) -> bool:
    """Whether a price holds at an instant: half open, so the next one begins where this one ends."""
    return price.from_ <= at < (FOREVER if price.until is None else price.until)
