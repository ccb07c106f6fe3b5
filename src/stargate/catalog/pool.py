"""Pools: the same accelerators on one fabric under one engine. A pool holds counts, never single chips."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from stargate.base.time import Duration, Instant
from stargate.catalog.dated import DatedCount, Id, Name, Price, Sourced, Status, covers, in_force

EngineKind = Literal["local", "slurm", "ray", "kubernetes", "skypilot", "none"]
Tenure = Literal["owned", "reserved", "on_demand", "market"]
PriceKind = Literal["list", "negotiated", "spot"]


class EngineRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What starts work in a pool, and what that engine alone understands."""

    kind: EngineKind = "none"
    """`none`: the pool is known about, and nothing can be started there."""
    options: dict[str, Any] = {}


class Pool(Sourced, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Nodes of one kind: who has them, where, how many from when, how they are held, what they cost."""

    id: Id
    provider: Id
    site: Id
    chip: Id
    """The id of a chip."""
    tenure: Tenure
    """`owned` and `reserved` are held and paid for; `on_demand` is held and paid by use; `market` must be
    sourced first."""
    name: Name = ""
    chips_per_node: Annotated[int, Meta(ge=1, le=1_024)]
    block_nodes: Annotated[int, Meta(ge=1, le=100_000)] = 1
    """Nodes of one block: a scale-up domain or rack."""
    nodes: Annotated[tuple[DatedCount, ...], Meta(max_length=10_000)] = ()
    fabric: Id | None = None
    engine: EngineRef = EngineRef()
    agreement: Id | None = None
    """Under which it is held or offered."""
    until: Instant | None = None
    """When the holding ends."""
    prices: Annotated[tuple[Price, ...], Meta(max_length=10_000)] = ()
    egress_usd_per_gib: Decimal = Decimal(0)
    """For data that leaves the provider; 0 where nothing is charged or nothing is known."""
    start_delay: Duration = Duration(0)
    """From signing to delivery, where it must be sourced."""
    min_chips: Annotated[int, Meta(ge=1)] = 1
    """The smallest part of it that is sold, where it must be sourced."""
    max_duration: Duration | None = None
    """The longest time for which it is sold, where it must be sourced; None: no limit."""

    def __post_init__(self) -> None:
        if self.egress_usd_per_gib < 0:
            raise ValueError("egress_usd_per_gib is negative; write 0 or more")
        if self.start_delay < 0 or (self.max_duration is not None and self.max_duration <= 0):
            raise ValueError("a duration is not above zero; leave it out or write one as 72h")
        if self.tenure != "market" and (
            self.start_delay or self.min_chips > 1 or self.max_duration is not None
        ):
            raise ValueError(
                f"start_delay, min_chips and max_duration speak of an offer, and tenure is {self.tenure}; "
                "write `tenure: market`, or leave them out"
            )
        if self.tenure == "reserved" and self.agreement is None:
            raise ValueError("a reservation rests on an agreement; name it in `agreement:`")
        if self.tenure == "on_demand" and not self.prices:
            raise ValueError("on_demand capacity is paid by use and has no price; add one to `prices:`")

    def nodes_at(self, at: Instant, status: Status = "operational") -> int:
        """Nodes at an instant; 0 before the first entry of that status."""
        found = in_force((step for step in self.nodes if step.status == status), at)
        return 0 if found is None else found.nodes

    def chips_at(self, at: Instant, status: Status = "operational") -> int:
        """Chips at an instant."""
        return self.nodes_at(at, status) * self.chips_per_node

    def price_at(self, at: Instant, kind: PriceKind | None = None) -> Decimal | None:
        """USD for a chip and hour at an instant; None where no such price holds.

        Without a kind: what was negotiated, else the list price, never spot, which may be taken back.
        """
        for wanted in ("negotiated", "list") if kind is None else (kind,):
            found = in_force(
                (price for price in self.prices if price.kind == wanted and covers(price, at)), at
            )
            if found is not None:
                return found.usd_per_chip_hour
        return None
