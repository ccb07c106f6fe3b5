"""What may be used: held pools and signed leases, indexed by chip, then by class, in order of marginal price.

A *class* gathers supplies that agreements and health treat alike (same provider, site and tenure), so that a
whole class is let in or shut out by one question, however many thousand offers it has.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Literal, NamedTuple

from stargate.base.time import FOREVER, Instant

Tenure = Literal["owned", "reserved", "on_demand", "market"]


class SupplyClass(NamedTuple):
    """What agreements and health look at."""

    provider: str
    site: str
    tenure: Tenure
    agreement: str = ""
    """Under which it is held; empty: none."""


class Supply:
    """Capacity that may be placed on: a whole held pool, or the part of a market pool that a lease covers."""

    __slots__ = (
        "chip",
        "chips",
        "id",
        "kind",
        "marginal",
        "party",
        "pool",
        "price",
        "until",
        "used",
    )

    def __init__(
        self,
        supply_id: str,
        pool: str,
        kind: SupplyClass,
        *,
        chip: str,
        party: str,
        price: int | None,
        chips: int | None = None,
        until: Instant = FOREVER,
    ) -> None:
        self.id = supply_id
        self.pool = pool
        self.kind = kind
        self.chip = chip
        self.party = party
        self.price = price or 0
        """Micro-USD per chip-hour, as quoted."""
        self.marginal = self.price if kind.tenure == "on_demand" else 0
        """Micro-USD per chip-hour that using it adds: nothing where it is paid already."""
        self.chips = chips
        """Most chips at once; None: as many as the pool has."""
        self.used = 0
        self.until = until

    @property
    def spare(self) -> int | None:
        """Chips not in use under this supply; None: only the pool bounds it."""
        return None if self.chips is None else self.chips - self.used


class SupplyIndex:
    """Supplies by chip and class, cheapest first."""

    def __init__(self) -> None:
        self.by_id: dict[str, Supply] = {}
        self.by_chip: dict[str, dict[SupplyClass, list[tuple[int, str]]]] = {}

    def add(self, supply: Supply) -> None:
        """Supply ids are unique."""
        assert supply.id not in self.by_id, f"supply {supply.id} is there already"
        self.by_id[supply.id] = supply
        classes = self.by_chip.setdefault(supply.chip, {})
        insort(classes.setdefault(supply.kind, []), (supply.marginal, supply.id))

    def remove(self, supply_id: str) -> None:
        """The supply is no longer offered; what runs on it runs on."""
        supply = self.by_id.pop(supply_id)
        self._unlist(supply)

    def set_marginal(self, supply: Supply, marginal: int) -> None:
        """Move a supply to its new place in the price order."""
        if marginal != supply.marginal:
            self._unlist(supply)
            supply.marginal = marginal
            insort(self.by_chip[supply.chip][supply.kind], (marginal, supply.id))

    def _unlist(self, supply: Supply) -> None:
        listed = self.by_chip[supply.chip][supply.kind]
        at = bisect_left(listed, (supply.marginal, supply.id))
        assert listed[at] == (supply.marginal, supply.id), "a supply is listed under its marginal price"
        del listed[at]
