"""What may be used: held pools and signed leases, indexed by chip, then by class, in order of marginal price.

A *class* gathers supplies that agreements and health treat alike (same provider, site and tenure), so that a
whole class is let in or shut out by one question, however many thousand offers it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from stargate.base.time import FOREVER, Instant
from stargate.broker.pricelist import PriceList

if TYPE_CHECKING:
    from stargate.broker.nodes import NodeMap

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
    """Supplies by chip, cheapest first; and by chip and class, to be let in or shut out together."""

    def __init__(self, nodes: Mapping[str, NodeMap]) -> None:
        self._nodes = nodes
        self.by_id: dict[str, Supply] = {}
        self.by_chip: dict[str, PriceList] = {}
        self.classes: dict[str, dict[SupplyClass, int]] = {}
        """Chip to classes, and how many supplies each has."""
        self._chip_of: dict[str, str] = {}
        """Of pools that are held, in part or wholly."""
        self.changes = 0
        """How often a supply came, went or was repriced."""
        self.members = 0
        """How often one came or went."""
        self._held: int | None = None
        """Chips under all of them; None: to be counted anew."""
        self._shares: dict[Decimal, int] = {}
        self.moves: dict[str, int] = {}
        """By pool: how often what is free there, now or in time to come, was noted to be another."""

    def add(self, supply: Supply) -> None:
        """Supply ids are unique."""
        assert supply.id not in self.by_id, f"supply {supply.id} is there already"
        self.by_id[supply.id] = supply
        listed = self.by_chip.get(supply.chip)
        if listed is None:
            listed = self.by_chip[supply.chip] = PriceList(self._nodes)
        listed.add(supply)
        classes = self.classes.setdefault(supply.chip, {})
        classes[supply.kind] = classes.get(supply.kind, 0) + 1
        self._chip_of[supply.pool] = supply.chip
        self.changes += 1
        self.members += 1
        self.forget_held()

    def remove(self, supply_id: str) -> None:
        """The supply is no longer offered; what runs on it runs on."""
        supply = self.by_id.pop(supply_id)
        self.by_chip[supply.chip].remove(supply)
        classes = self.classes[supply.chip]
        classes[supply.kind] -= 1
        if not classes[supply.kind]:
            del classes[supply.kind]
        self.changes += 1
        self.members += 1
        self.forget_held()

    def set_marginal(self, supply: Supply, marginal: int) -> None:
        """Move a supply to its new place in the price order."""
        if marginal != supply.marginal:
            listed = self.by_chip[supply.chip]
            listed.remove(supply)
            supply.marginal = marginal
            listed.add(supply)
            self.changes += 1

    def held_chips(self) -> int:
        """All chips under all supplies."""
        if self._held is None:
            self._held = sum(
                self._nodes[supply.pool].nodes * self._nodes[supply.pool].chips_per_node
                if supply.chips is None
                else supply.chips
                for supply in self.by_id.values()
            )
        return self._held

    def share_chips(self, share: Decimal) -> int:
        """Whole chips in a share of them."""
        found = self._shares.get(share)
        if found is None:
            found = self._shares[share] = int(share * self.held_chips())
        return found

    def forget_held(self) -> None:
        """Held capacity changed; count it anew when it is next asked for."""
        self._held = None
        self._shares.clear()

    def note(self, pool: str) -> None:
        """More or less is free in a pool than was, or will be."""
        self.moves[pool] = self.moves.get(pool, 0) + 1
        chip = self._chip_of.get(pool)
        if chip is not None:
            self.by_chip[chip].note(pool)
