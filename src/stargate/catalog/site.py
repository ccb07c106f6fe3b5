"""Campuses: where they stand, under which law, and how much power they have and plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from stargate.base.time import Instant
from stargate.catalog.dated import (
    DatedPower,
    EnergyPrice,
    Figure,
    Id,
    Name,
    Quantity,
    Sourced,
    Status,
    Text,
    covers,
    in_force,
)


class Site(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A campus. Planned and operational power are apart; neither is ever guessed from the other."""

    id: Id
    jurisdiction: Annotated[str, Meta(max_length=6)]
    """ISO 3166-2 (`US-TX`), or 3166-1 where no part is known (`AE`)."""
    name: Name = ""
    place: Text = ""
    """In words: town, county."""
    operator: Id | None = None
    """The party that runs the machines."""
    developers: Annotated[tuple[Id, ...], Meta(max_length=32)] = ()
    """Parties that build or own the campus."""
    customers: Annotated[tuple[Id, ...], Meta(max_length=32)] = ()
    latitude: Decimal | None = None
    """Degrees, north positive."""
    longitude: Decimal | None = None
    """Degrees, east positive."""
    position: Literal["exact", "town", "county", "region"] = "exact"
    """How near the coordinates are: anything but `exact` is the middle of something larger."""
    pue: Quantity = None
    """Power of the whole site over power of its machines."""
    cooling: Text = ""
    power: Annotated[tuple[DatedPower, ...], Meta(max_length=1_000)] = ()
    energy_prices: Annotated[tuple[EnergyPrice, ...], Meta(max_length=10_000)] = ()

    def __post_init__(self) -> None:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("one coordinate is missing; give latitude and longitude, or neither")
        if self.latitude is not None and abs(self.latitude) > 90:
            raise ValueError("latitude is out of range; write degrees from -90 to 90")
        if self.longitude is not None and abs(self.longitude) > 180:
            raise ValueError("longitude is out of range; write degrees from -180 to 180")
        pue = Figure(value=self.pue) if isinstance(self.pue, Decimal) else self.pue
        if pue is not None and pue.central < 1:
            raise ValueError("pue is below 1; it is the power of the whole site over that of its machines")

    def power_mw_at(self, at: Instant, status: Status = "operational") -> Decimal | None:
        """Total power at an instant; None where no figure of that status holds then."""
        found = in_force((step for step in self.power if step.status == status), at)
        return None if found is None else found.power_mw

    def planned_mw(self) -> Decimal | None:
        """The largest power ever planned here, dated or not; None where none is known."""
        return max((step.power_mw for step in self.power if step.status == "planned"), default=None)

    def energy_usd_per_mwh_at(self, at: Instant) -> Decimal | None:
        """Price of energy at an instant; None where it is not known."""
        found = in_force((price for price in self.energy_prices if covers(price, at)), at)
        return None if found is None else found.usd_per_mwh
