"""Capacity as its facts come: what is held, used and down in each pool, what is owed for it, what happened to it."""

from __future__ import annotations

import msgspec

from stargate.base.money import format_usd, micro_usd
from stargate.base.time import HOUR, Instant
from stargate.broker import State
from stargate.broker.fact import CapacitySet, Declared, Repriced, SupplyMarked
from stargate.broker.sourcing.fact import (
    DeliveryFailed,
    LeaseActivated,
    LeaseEnded,
    LeaseResized,
    LeaseSigned,
)
from stargate.catalog import Infrastructure, Pool
from stargate.rehearsal.report.grid import Grid, Level
from stargate.rehearsal.report.summary import HAPPENINGS_LIMIT, Happening


class Stand(msgspec.Struct):
    """A pool of the catalog and how it stands."""

    pool: Pool
    held: Level
    used: Level
    down: Level
    nodes: int = 0
    price_micro_usd: int = 0
    leases: dict[str, tuple[int, int]] = {}
    """Active ones: chips, and micro-USD per hour that they cost."""
    rate_micro_usd_per_hour: int = 0
    """What is owed for it now."""
    owed_micro_usd_us: int = 0
    """Micro-USD per hour x microseconds so far."""
    since_us: int = 0
    by_use_micro_usd: int = 0
    """Metered use of what is on demand."""

    def owe(self, at: int) -> None:
        """Count what is owed up to now."""
        self.owed_micro_usd_us += self.rate_micro_usd_per_hour * (at - self.since_us)
        self.since_us = at

    @property
    def owed_micro_usd(self) -> int:
        """Up to the last counting, rounded up."""
        return -(-self.owed_micro_usd_us // HOUR)


class Capacity:
    """All pools, also such as are declared later."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.stands: dict[str, Stand] = {}
        self.infrastructure = Infrastructure()
        self.marks: dict[str, str] = {}
        self._counted: set[str] = set()
        self.signed: dict[str, LeaseSigned] = {}
        self.agreements: dict[str, str] = {}
        """Supply (a pool or a lease) to the agreement it is held under."""
        self._by_use: set[str] = set()
        """Supplies that are paid for as they are used."""
        self.happenings: list[Happening] = []
        self.happened = 0
        self.changes = 0
        """Times that anything changed here."""

    def adopt(self, state: State, at: int) -> None:
        """Go on from a state."""
        records = state.records
        self.marks = dict(records.marks)
        self._counted = set(records.counted)
        self._install(records.infrastructure, at)
        for stand in self.stands.values():
            stand.nodes = records.nodes.get(stand.pool.id, 0)
            stand.price_micro_usd = records.prices.get(stand.pool.id, 0)
        for lease in records.sourcing.leases.values():
            self.agreements[lease.id] = lease.agreement
            if lease.kind == "on_demand":
                self._by_use.add(lease.id)
            if lease.status == "active" and lease.pool in self.stands:
                rate = _rate(lease.price_micro_usd_per_chip_hour, lease.chips, lease.kind)
                self.stands[lease.pool].leases[lease.id] = (lease.chips, rate)
        for stand in self.stands.values():
            self._weigh(stand, at)

    def declared(self, fact: Declared, at: Instant) -> None:
        """What exists was declared. Pools that were counted stay as they were counted."""
        self._install(fact.infrastructure, at)
        known = fact.infrastructure.pools_by_id
        self._counted &= known.keys()
        for stand in self.stands.values():
            pool = known.get(stand.pool.id)
            if pool is None:
                continue
            if pool.id not in self._counted:
                stand.nodes = pool.nodes_at(at)
            price = pool.price_at(at)
            stand.price_micro_usd = 0 if price is None else micro_usd(price)
            self._weigh(stand, at)

    def set_capacity(self, fact: CapacitySet, at: Instant) -> None:
        """A pool has so many nodes now."""
        stand = self.stands[fact.pool]
        per_node = stand.pool.chips_per_node
        says = f"{stand.nodes * per_node} → {fact.nodes * per_node} chips"
        self._note(at, "capacity_set", fact.pool, f"{says} ({'counted' if fact.counted else 'planned'})")
        stand.nodes = fact.nodes
        if fact.counted:
            self._counted.add(fact.pool)
        self._weigh(stand, at)

    def reprice(self, fact: Repriced, at: Instant) -> None:
        """A price changed."""
        stand = self.stands[fact.pool]
        price = fact.price_micro_usd_per_chip_hour
        before = format_usd(stand.price_micro_usd)
        after = "no price" if price is None else f"{format_usd(price)} a chip-hour"
        self._note(at, "repriced", fact.pool, f"{before} → {after}")
        stand.price_micro_usd = price or 0
        self._weigh(stand, at)

    def mark(self, fact: SupplyMarked, at: Instant) -> None:
        """A provider, site or pool is up, draining or lost."""
        self._note(at, "supply_marked", f"{fact.scope} {fact.id}", _said(fact.status, fact))
        if fact.status == "up":
            self.marks.pop(f"{fact.scope}:{fact.id}", None)
        else:
            self.marks[f"{fact.scope}:{fact.id}"] = fact.status
        for stand in self.stands.values():
            self._weigh(stand, at)

    def lease_signed(self, fact: LeaseSigned, at: Instant) -> None:
        """A deal."""
        self.signed[fact.lease] = fact
        self.agreements[fact.lease] = fact.agreement
        if fact.kind == "on_demand":
            self._by_use.add(fact.lease)
        price = format_usd(fact.price_micro_usd_per_chip_hour)
        says = f"{fact.chips} chips of {fact.pool} at {price} a chip-hour, {fact.start} to {fact.until}"
        self._note(at, "lease_signed", fact.lease, says)

    def lease_sized(self, fact: LeaseActivated | LeaseResized, at: Instant) -> None:
        """A lease has so many usable chips now."""
        kind = "lease_activated" if isinstance(fact, LeaseActivated) else "lease_resized"
        self._note(at, kind, fact.lease, f"{fact.chips} chips may be used")
        signed = self.signed.get(fact.lease)
        stand = self._leased(fact.lease) if signed is None else self.stands.get(signed.pool)
        if stand is None:
            return
        if signed is None:
            chips, rate = stand.leases[fact.lease]
            stand.leases[fact.lease] = (fact.chips, rate * fact.chips // chips if chips else rate)
        else:
            rate = _rate(signed.price_micro_usd_per_chip_hour, fact.chips, signed.kind)
            stand.leases[fact.lease] = (fact.chips, rate)
        self._weigh(stand, at)

    def lease_ended(self, fact: LeaseEnded, at: Instant) -> None:
        """A lease is over."""
        self._note(at, "lease_ended", fact.lease, fact.reason or fact.outcome)
        stand = self._leased(fact.lease)
        if stand is not None:
            del stand.leases[fact.lease]
            self._weigh(stand, at)

    def delivery_failed(self, fact: DeliveryFailed, at: Instant) -> None:
        """Chips were not delivered."""
        self._note(at, "delivery_failed", fact.lease, f"{fact.missing_chips} chips are missing")

    def settle(self, at: int) -> None:
        """Count everything up to now."""
        for stand in self.stands.values():
            stand.owe(at)
            for level in (stand.held, stand.used, stand.down):
                level.settle(at)

    def meter(self, pool: str, supply: str, cost_micro_usd: int) -> None:
        """An attempt in a pool is over, and cost so much."""
        if supply in self._by_use:
            self.stands[pool].by_use_micro_usd += cost_micro_usd

    def agreement_of(self, supply: str) -> str:
        """The agreement that a supply is held under; empty: none."""
        return self.agreements.get(supply, "")

    def _install(self, infrastructure: Infrastructure, at: int) -> None:
        self.infrastructure = infrastructure
        known = infrastructure.pools_by_id
        for stand in self.stands.values():
            if stand.pool.id not in known:
                stand.nodes = 0
                self._weigh(stand, at)
        for pool in infrastructure.pools:
            self.agreements[pool.id] = pool.agreement or ""
            if pool.tenure == "on_demand":
                self._by_use.add(pool.id)
            stand_of = self.stands.get(pool.id)
            if stand_of is None:
                held, used, down = (Level(self._grid, at) for _ in range(3))
                self.stands[pool.id] = Stand(pool, held, used, down, since_us=at)
            else:
                stand_of.pool = pool

    def _leased(self, lease: str) -> Stand | None:
        return next((stand for stand in self.stands.values() if lease in stand.leases), None)

    def _weigh(self, stand: Stand, at: int) -> None:
        """Its levels and what it costs from now on."""
        self.changes += 1
        pool = stand.pool
        there = stand.nodes * pool.chips_per_node
        leased = sum(chips for chips, _ in stand.leases.values())
        held = min(there, leased) if pool.tenure == "market" else there
        marks = self.marks
        lost = "lost" in {
            marks.get(f"pool:{pool.id}"),
            marks.get(f"site:{pool.site}"),
            marks.get(f"provider:{pool.provider}"),
        }
        stand.held.set(at, held)
        stand.down.set(at, held if lost else 0)
        stand.owe(at)
        stand.rate_micro_usd_per_hour = sum(rate for _, rate in stand.leases.values())
        if pool.tenure == "reserved":
            stand.rate_micro_usd_per_hour += stand.price_micro_usd * there

    def _note(self, at: Instant, kind: str, subject: str, says: str) -> None:
        self.happened += 1
        if len(self.happenings) < HAPPENINGS_LIMIT:
            self.happenings.append(Happening(at=at, kind=kind, subject=subject, says=says))


def _rate(price_micro_usd_per_chip_hour: int, chips: int, kind: str) -> int:
    return 0 if kind == "on_demand" else price_micro_usd_per_chip_hour * chips


def _said(status: str, fact: SupplyMarked) -> str:
    return f"{status}: {fact.grounds[0].says}" if fact.grounds else status
