"""The one mutable state: the records, and the indexes derived from them. Owned by one Machine, changed by evolve."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from stargate.agreements import Book, Decision, Fate, Request, decide, fate
from stargate.agreements.right import Right
from stargate.agreements.rights import rights
from stargate.base import wire
from stargate.base.errors import NotFoundError
from stargate.base.time import FOREVER, Instant
from stargate.broker.ask import Ask, expected_run, least_chips
from stargate.broker.backlog import Backlog
from stargate.broker.budget import spent_up
from stargate.broker.commitment import committed_micro_usd
from stargate.broker.ends import Ends
from stargate.broker.nodes import NodeMap
from stargate.broker.order import join, leave, waiting_rank
from stargate.broker.permits import Permits
from stargate.broker.policy import SourcingPolicy, Team
from stargate.broker.quiet import Quiet
from stargate.broker.records import AttemptState, Records, Slot, WorkloadState
from stargate.broker.reserve import Rest, Starts
from stargate.broker.shortage import needs_of, waits_for
from stargate.broker.sourcing.records import Lease, Need, SourcingState
from stargate.broker.sourcing.timers import look_unless_covered
from stargate.broker.supply import Supply, SupplyClass, SupplyIndex
from stargate.broker.tally import Tally
from stargate.broker.verdicts import Verdicts
from stargate.catalog import Pool, Provider, Site
from stargate.workloads import Workload

if TYPE_CHECKING:
    from stargate.broker.sizing import Estimator

_RECORDS = wire.unpacker(Records)
NAMES_KEPT = 10_000
"""Names of chips, as people wrote them, of which it is remembered who is meant."""


class Waiting(NamedTuple):
    """A place in the queue: the lowest rank first, then first come, first served."""

    order: int
    """The rank that policy's order gives it: minus the priority, where that decides."""
    seq: int
    workload: str
    slot: int


class State:
    """Records and indexes. Only `evolve` writes; `decide`, `react` and `explain` read."""

    _backlog: Backlog | None  # the queue by size, once somebody has asked for it
    quiet: dict[Waiting, Quiet]  # those that wait for room and nothing else

    def __init__(self, records: Records | None = None) -> None:
        self.records = records if records is not None else Records()
        self.clock = self.records.at
        """The latest moment at which a command was handled; it never goes back, and a restart may forget some of it."""
        self.estimator: Estimator | None = None
        """Whom to ask how long work takes; None: the shipped performance model. Nothing that is kept depends on it."""
        self.providers: Mapping[str, Provider] = {}
        self.sites: Mapping[str, Site] = {}
        self.catalog_pools: Mapping[str, Pool] = {}
        self.book = Book.compile(())
        self.nodes: dict[str, NodeMap] = {}
        self.supplies, self.tally = SupplyIndex(self.nodes), Tally()
        self.queue: list[Waiting] = []
        self.asks: dict[Waiting, Ask] = {}
        """What those that have been looked at ask for, as long as they wait."""
        self.live: dict[str, AttemptState] = {}
        """Attempts that hold nodes."""
        self.live_on: dict[str, dict[str, AttemptState]] = {}
        """The same by pool."""
        self.ends = Ends(self.live_on)
        """The same in order of their expected ends."""
        self.sharing: dict[str, int] = {}
        """By pool: how many of them use only part of their nodes."""
        self.stopping: dict[str, AttemptState] = {}
        """Those that were asked to stop."""
        self.lost_on: dict[str, dict[str, AttemptState]] = {}
        """Attempts given up for lost, by pool, until their supply comes back and they are told to stop."""
        self.back: tuple[AttemptState, ...] = ()
        """Those whose supply came back with the last such fact."""
        self.teams: dict[str, Team] = {}
        self.team_chips: dict[str, int] = {}
        self.provider_chips: dict[str, int] = {}
        self.chips_in_use = self.open_workloads = self.nominal_chips = 0
        """The last: the sum of all teams' quotas."""
        self.committed: dict[str, int] = {}
        """Agreement to micro-USD that must be spent under it."""
        self._backlog = None
        self._chip_ids: dict[str, str] = {}
        self._egress: dict[str, Decimal] = {}
        self.timers: list[tuple[Instant, str]] = []
        """A heap of moments at which something may be due, and the pool it concerns; stale ones do no harm."""
        self.market_seq = 0
        """The last fact after which an open need may find what it did not find before."""
        self._reviewed: tuple[int, Instant] = (-1, FOREVER)
        """Which of these open needs have seen, and until when agreements say the same to them."""
        self.starts: Starts = {}
        self.at_rest: Rest | None = None
        """Set while nothing that matters to the queue has happened, but for newcomers, since a pass found no work."""
        self.due_pools: set[str] = set()
        """Pools of which a date has come that was not looked at yet."""
        self._derive()

    # -- what sourcing looks at (sourcing.view.View) ---------------------------------------------------------

    @property
    def sourcing(self) -> SourcingState:
        """Needs, offers, quotes and leases."""
        return self.records.sourcing

    @property
    def sourcing_policy(self) -> SourcingPolicy:
        """How to buy."""
        return self.records.policy.sourcing

    def unchanged(self, at: Instant) -> bool:
        """Whether open needs would find what they found when they were last looked at."""
        seq, until = self._reviewed
        return seq == self.market_seq and at < until

    def note_review(self) -> None:
        """Open needs have been looked at, and none could move on."""
        self._reviewed = (self.market_seq, self.promised_until() or FOREVER)

    def wanted(self, need: Need) -> bool:
        """Whether the slot that a need was opened for still waits; a need of nobody's work always is wanted."""
        return waits_for(self, need)

    def chip_id(self, name: str) -> str:
        """The catalog's id of a chip as a person calls it. Raises NotFoundError."""
        found = self._chip_ids.get(name)
        if found is None:
            found = self.records.infrastructure.chip_named(name).id
            if len(self._chip_ids) < NAMES_KEPT:
                self._chip_ids[name] = found
        return found

    def nodes_at(self, pool: Pool, at: Instant) -> int:
        """Operational nodes: as counted where somebody counts, else as the catalog says for `at`."""
        return self.records.nodes[pool.id] if pool.id in self.records.counted else pool.nodes_at(at)

    def rights(self, at: Instant, request: Request) -> tuple[Right, ...]:
        """Live first-refusal rights that cover the request, in rank order."""
        return rights(self.book, self.records.world_facts, at, request)

    def fate(self, at: Instant, right: Right) -> Fate:
        """What has become of a right under which an offer is open."""
        return fate(self.book, self.records.world_facts, at, right)

    def decision(self, at: Instant, request: Request) -> Decision:
        """What the agreements say."""
        return decide(self.book, self.records.world_facts, at, request)

    # -- looking up -----------------------------------------------------------------------------------------

    def workload(self, workload_id: str) -> WorkloadState:
        """Raises NotFoundError."""
        found = self.records.workloads.get(workload_id)
        if found is None:
            raise NotFoundError(f"no workload {workload_id!r}", "`stargate ps` lists them")
        return found

    def slot(self, place: Waiting) -> tuple[WorkloadState, Slot]:
        """The workload and slot at a place of the queue."""
        holder = self.records.workloads[place.workload]
        return holder, holder.slots[place.slot]

    def status_of(self, pool: Pool) -> str:
        """The worst of what was said of the pool, its site and its provider: lost, draining or up."""
        marks = self.records.marks
        if not marks:
            return "up"
        keys = (f"pool:{pool.id}", f"site:{pool.site}", f"provider:{pool.provider}")
        said = {marks.get(key) for key in keys}
        return "lost" if "lost" in said else "draining" if "draining" in said else "up"

    def place_of(self, holder: WorkloadState, slot: int) -> Waiting:
        """Where a slot stands in the queue, or would if it waited."""
        return Waiting(waiting_rank(self, holder, slot), holder.seq, holder.id, slot)

    @property
    def backlog(self) -> Backlog:
        """The queue by size, expected run and team."""
        if self._backlog is None:
            self._backlog = Backlog()
            for place in self.queue:
                self._backlog.add(place, *self._size(self.records.workloads[place.workload].workload))
        return self._backlog

    def _size(self, work: Workload) -> tuple[int, int, str]:
        """The least gang that will do, how long it should be there, and whose it is."""
        run_us = FOREVER if work.kind == "serve" else expected_run(self, work)
        return least_chips(work), run_us, work.team

    def held_chips(self) -> int:
        """All chips under owned, reserved, on-demand or leased supply."""
        return self.supplies.held_chips()

    def egress_usd_per_gib(self, *, site: str = "", provider: str = "") -> Decimal:
        """The lowest egress price of a site's or provider's pools; 0 where none is known."""
        return self._egress.get(f"site:{site}" if site else f"provider:{provider}", Decimal(0))

    def next_due(self) -> Instant | None:
        """When to wake at the latest."""
        sourcing = self.records.sourcing
        due = self.timers[0][0] if self.timers else None
        if sourcing.timers and (due is None or sourcing.timers[0].at < due):
            due = sourcing.timers[0].at
        if self.book.agreements and (self.queue or sourcing.open_needs):
            promised = self.promised_until()
            if promised is not None and (due is None or promised < due):
                due = promised
        return due

    def promised_until(self) -> Instant | None:
        """The next date at which what agreements or waivers said so far may change; None: none is known."""
        if not self.book.agreements:
            return None
        until = self.book.view(self.records.world_facts, self.clock).until(self.clock)
        if self.sourcing.waivers:
            until = min(
                until, *(one.until for one in self.sourcing.waivers if one.until > self.clock), FOREVER
            )
        return until if until < FOREVER else None

    def digest(self) -> str:
        """A fingerprint of all records: equal for equal histories."""
        return hashlib.blake2b(self.pack(), digest_size=16).hexdigest()

    # -- snapshots ------------------------------------------------------------------------------------------

    def pack(self) -> bytes:
        """The records as bytes."""
        return wire.pack(self.records)

    @classmethod
    def unpack(cls, data: bytes) -> State:
        """The state that `pack` wrote. Raises msgspec.DecodeError on foreign bytes."""
        return cls(_RECORDS.decode(data))

    # -- derived indexes: each is kept by evolve, and rebuilt here from the records ----------------------------

    def set_timer(self, at: Instant, pool: str = "") -> None:
        """Ask to be woken, and to have the pool looked at."""
        if at < FOREVER:
            heapq.heappush(self.timers, (at, pool))

    def _set_timer_ahead(self, at: Instant, pool: str = "") -> None:
        """The same for a moment that may have passed: then there is nothing to be woken for."""
        if at > self.records.at:
            self.set_timer(at, pool)

    def pop_due(self, at: Instant) -> bool:
        """Take the timers that are due; whether there were any. Their pools are in `due_pools` from now on."""
        due, timers = bool(self.due_pools), self.timers
        while timers and timers[0][0] <= at:
            _, pool = heapq.heappop(timers)
            due = True
            if pool in self.catalog_pools:
                self.due_pools.add(pool)
        return due

    def enqueue(self, holder: WorkloadState, slot: int) -> Waiting:
        """A slot waits; its place."""
        place = self.place_of(holder, slot)
        join(self.queue, place)
        if self._backlog is not None:
            self._backlog.add(place, *self._size(holder.workload))
        self._set_waiting_timers(holder, holder.slots[slot])
        return place

    def _set_waiting_timers(self, holder: WorkloadState, slot: Slot) -> None:
        """When the slot may be tried, and when it is too late to wait for held capacity."""
        work = holder.workload
        if slot.not_before:
            self._set_timer_ahead(slot.not_before)
        if work.deadline is not None:
            usual = expected_run(self, work)
            durations = {size.duration or usual for size in work.sizes} or {usual}
            for latest in sorted(work.deadline.plus(1 - duration) for duration in durations):
                self._set_timer_ahead(latest)

    def await_retry(self, need: Need) -> None:
        """A need that could not be met may be asked for again after a while."""
        if need.workload is not None and need.closed_at is not None:
            self._set_timer_ahead(need.closed_at.plus(self.sourcing_policy.start_within))

    def dequeue(self, holder: WorkloadState, slot: int) -> None:
        """A slot no longer waits."""
        place = self.place_of(holder, slot)
        leave(self.queue, place)
        self.quiet.pop(place, None)
        self.asks.pop(place, None)
        if self._backlog is not None:
            self._backlog.remove(place, *self._size(holder.workload))
        if self.records.sourcing.needs:
            for need in needs_of(self, holder.id, slot)[-1:]:
                look_unless_covered(self.sourcing, need, self.records.at)

    def occupy(self, attempt: AttemptState) -> None:
        """The attempt's gang takes its nodes (again: after a restart some may be nodes that the pool has lost)."""
        name, pool, per_node = attempt.id, attempt.pool, attempt.chips_per_node
        assert name not in self.live, f"{name} holds nodes already"
        nodes, chips = self.nodes[pool], attempt.chips
        nodes.restore(attempt.nodes, per_node)
        self.supplies.note(pool)
        supply = self.supplies.by_id.get(attempt.supply)
        if supply is not None:
            supply.used += chips
            assert supply.chips is None or supply.used <= supply.chips, f"supply {supply.id} is over-used"
        self.live[name] = attempt
        self.live_on.setdefault(pool, {})[name] = attempt
        self.ends.add(attempt)
        if per_node < nodes.chips_per_node:
            self.sharing[pool] = self.sharing.get(pool, 0) + 1
        if attempt.status == "stopping":
            self.stopping[name] = attempt
        self._count(attempt, chips)

    def vacate(self, attempt: AttemptState) -> None:
        """The attempt's gang gives its nodes back."""
        name, pool, per_node = attempt.id, attempt.pool, attempt.chips_per_node
        del self.live[name]
        self.stopping.pop(name, None)
        del self.live_on[pool][name]
        self.ends.remove(attempt)
        chips, nodes = attempt.chips, self.nodes[pool]
        if per_node < nodes.chips_per_node:
            self.sharing[pool] -= 1
        nodes.give(attempt.nodes, per_node)
        self.supplies.note(pool)
        supply = self.supplies.by_id.get(attempt.supply)
        if supply is not None:
            supply.used -= chips
            assert supply.used >= 0, f"supply {supply.id} got back more than it gave"
        self._count(attempt, -chips)

    def resize(self, pool: str, nodes: int) -> None:
        """A pool has so many nodes from now on."""
        self.nodes[pool].resize(nodes)
        self.supplies.note(pool)
        self.supplies.forget_held()

    def add_lease(self, lease: Lease) -> None:
        """An active lease becomes supply."""
        pool = self.catalog_pools.get(lease.pool)
        if pool is None or lease.id in self.supplies.by_id:
            return
        supply = Supply(
            lease.id,
            pool.id,
            SupplyClass(pool.provider, pool.site, lease.kind, lease.agreement),
            chip=pool.chip,
            party=self.providers[pool.provider].party,
            price=lease.price_micro_usd_per_chip_hour,
            chips=lease.chips,
            until=lease.until,
        )
        supply.used = sum(a.chips for a in self.live_on.get(pool.id, {}).values() if a.supply == lease.id)
        supply.marginal = self.marginal_of(supply)
        self.supplies.add(supply)
        self._set_end_timers(pool.id, lease.until)

    def _set_end_timers(self, pool: str, until: Instant) -> None:
        if until >= FOREVER:
            return
        self.set_timer(Instant(max(0, until - self.records.policy.migration.lease_end_notice)), pool)
        self.set_timer(until, pool)

    def drop_supply(self, supply_id: str) -> None:
        """A lease or holding is over; what runs on it is stopped by its own facts."""
        if supply_id in self.supplies.by_id:
            self.supplies.remove(supply_id)

    def is_committed(self, agreement: str) -> bool:
        """Whether spend is still owed under an agreement, used or not."""
        return self.records.burned.get(agreement, 0) < self.committed.get(agreement, 0)

    def marginal_of(self, supply: Supply) -> int:
        """Micro-USD per chip-hour that using a supply adds to what is paid anyway."""
        paid = supply.kind.tenure != "on_demand" or self.is_committed(supply.kind.agreement)
        return 0 if paid else supply.price

    def reorder(self, agreement: str) -> None:
        """A commitment began, ended or was used up: its supplies change their place in the price order."""
        for supply in self.supplies.by_id.values():
            if supply.kind.agreement == agreement:
                self.supplies.set_marginal(supply, self.marginal_of(supply))

    def derive_committed(self, at: Instant) -> None:
        """What is committed now: agreements and facts change it, and so does time."""
        before, self.committed = self.committed, committed_micro_usd(self.book, self.records.world_facts, at)
        for agreement in sorted(before.keys() | self.committed.keys()):
            if before.get(agreement) != self.committed.get(agreement):
                self.reorder(agreement)

    def redeclare(self) -> None:
        """Rebuild what follows from the declared catalog, agreements and policy; running work keeps its nodes."""
        self.live, self.live_on, self.stopping, self.lost_on = {}, {}, {}, {}
        self.ends, self.sharing, self.tally = Ends(self.live_on), {}, Tally()
        self.queue, self.timers = [], []
        self.team_chips, self.provider_chips, self.chips_in_use = {}, {}, 0
        self._derive()

    def _count(self, attempt: AttemptState, chips: int) -> None:
        work, provider = self.records.workloads[attempt.workload].workload, attempt.provider
        teams, providers = self.team_chips, self.provider_chips
        teams[work.team] = teams.get(work.team, 0) + chips
        providers[provider] = providers.get(provider, 0) + chips
        self.chips_in_use += chips
        if self.records.policy.preemption or self.records.policy.migration.enabled:  # nobody else looks at it
            supply = self.supplies.by_id.get(attempt.supply)
            (self.tally.add if chips > 0 else self.tally.remove)(attempt, work, supply)

    def _derive(self) -> None:
        records, catalog = self.records, self.records.infrastructure
        self.providers = catalog.providers_by_id
        self.sites = catalog.sites_by_id
        self.catalog_pools = catalog.pools_by_id
        self.book = Book.compile(records.agreements)
        self.nodes = {
            pool.id: NodeMap(records.nodes.get(pool.id, 0), pool.chips_per_node, pool.block_nodes)
            for pool in catalog.pools
        }
        self.teams = {team.id: team for team in records.policy.teams}
        self.nominal_chips = sum(team.nominal_chips for team in records.policy.teams)
        self.due_pools = set(self.catalog_pools)
        self.supplies, self.starts = SupplyIndex(self.nodes), {}
        self.permits, self.verdicts = Permits(), Verdicts()
        self._egress, self._chip_ids = {}, {}
        self.spent_up = spent_up(records.world_facts)
        self.committed = committed_micro_usd(self.book, records.world_facts, records.at)
        for pool in catalog.pools:
            self._derive_pool(pool)
        for lease in records.sourcing.leases.values():
            if lease.status == "active":
                self.add_lease(lease)
        self._derive_live()
        self._derive_queue()

    def _derive_pool(self, pool: Pool) -> None:
        if pool.tenure != "market":
            supply = Supply(
                pool.id,
                pool.id,
                SupplyClass(pool.provider, pool.site, pool.tenure, pool.agreement or ""),
                chip=pool.chip,
                party=self.providers[pool.provider].party,
                price=self.records.prices.get(pool.id),
                until=pool.until or FOREVER,
            )
            supply.marginal = self.marginal_of(supply)
            self.supplies.add(supply)
            self._set_end_timers(pool.id, supply.until)
        moments = [count.from_ for count in pool.nodes] + [price.from_ for price in pool.prices]
        moments += [price.until for price in pool.prices if price.until is not None]
        for moment in moments:
            self._set_timer_ahead(moment, pool.id)
        for key in (f"site:{pool.site}", f"provider:{pool.provider}"):
            known = self._egress.get(key, pool.egress_usd_per_gib)
            self._egress[key] = min(known, pool.egress_usd_per_gib)

    def _derive_live(self) -> None:
        """Attempts take their nodes again, also those on nodes that a pool has lost since."""
        for attempt in self.records.attempts.values():
            if attempt.status != "ended":
                self.occupy(attempt)
            elif attempt.outcome == "lost" and not attempt.fence_seq:
                self.lost_on.setdefault(attempt.pool, {})[attempt.id] = attempt

    def _derive_queue(self) -> None:
        waiting = []
        self.open_workloads = 0
        for holder in self.records.workloads.values():
            if holder.ended:
                continue
            self.open_workloads += 1
            for number, slot in enumerate(holder.slots):
                if slot.status == "waiting":
                    waiting.append(self.place_of(holder, number))
                    self._set_waiting_timers(holder, slot)
        self.queue, self._backlog, self.asks, self.quiet = sorted(waiting), None, {}, {}
        for need in self.sourcing.needs.values():
            self.await_retry(need)
