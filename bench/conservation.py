"""A second account of a rehearsal, from its facts alone: nothing is used that is not there, nothing is counted twice.

It shares no code with the report: every node has its chips, every attempt its price, and at the end the sums are
held against the summary.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction

from stargate.broker import Entry
from stargate.broker.fact import Accepted, CapacitySet, Declared, Ended, Placed, Started
from stargate.broker.sourcing.fact import LeaseActivated, LeaseEnded, LeaseResized, LeaseSigned
from stargate.catalog import Infrastructure, Pool
from stargate.rehearsal.report.summary import Place, Summary

HOUR_US = 3_600_000_000
WRONG_LIMIT = 20
CLOSE = 1e-6


class Conservation:
    """A sink of entries, from the first one on."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.attempts = 0
        self.infrastructure = Infrastructure()
        self._pools: dict[str, Pool] = {}
        self._nodes: dict[str, int] = {}
        self._taken: dict[str, Counter[int]] = defaultdict(Counter)
        """Chips in use of each node."""
        self._live: dict[str, tuple[Placed, int]] = {}
        self._accepted: dict[str, int] = {}
        self._leases: dict[str, LeaseSigned] = {}
        self._active: dict[str, tuple[int, int]] = {}
        """Chips of a lease, and since when."""
        self._since: dict[str, int] = {}
        self._used: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._let: Counter[str] = Counter()
        self._cost: Counter[str] = Counter()
        self._burned: Counter[str] = Counter()
        self._owed: dict[str, Fraction] = defaultdict(Fraction)

    def __call__(self, entries: tuple[Entry, ...]) -> None:
        """Take in entries, in order."""
        for entry in entries:
            fact, at = entry.fact, int(entry.at)
            if isinstance(fact, Placed):
                self._placed(fact, at)
            elif isinstance(fact, Accepted | Started):
                self._accepted.setdefault(fact.attempt, at)
            elif isinstance(fact, Ended):
                self._ended(fact, at)
            elif isinstance(fact, Declared):
                self._declared(fact, entry)
            elif isinstance(fact, CapacitySet):
                self._stood(fact.pool, at)
                self._nodes[fact.pool] = fact.nodes
            else:
                self._leased(fact, at)

    def compare(self, summary: Summary) -> list[str]:
        """Everything that is wrong, and where the summary says something else. Nothing may come after it."""
        ends = int(summary.ends)
        for attempt in list(self._live):
            placed, _ = self._live[attempt]
            self._spent(placed, ends, self._exact(placed, ends))
        for pool in self._pools:
            self._stood(pool, ends)
        for lease in list(self._active):
            self._unlet(lease, ends)
        for place in summary.pools:
            self._compare_place(place)
        for agreement in summary.agreements:
            self._close(
                f"burned under {agreement.id}", agreement.burned_micro_usd, self._burned[agreement.id]
            )
        paid = sum(place.paid_micro_usd for place in summary.providers)
        self._close("paid", summary.paid_micro_usd, paid)
        time = summary.chip_time
        parts = (
            time.useful_chip_hours, time.discarded_chip_hours, time.saving_chip_hours, time.redone_chip_hours,
            time.overhead_chip_hours,
        )  # fmt: skip
        self._close("used chip-hours in parts", time.used_chip_hours, sum(parts))
        self._close("used chip-hours", time.used_chip_hours, sum(self._used.values()) / HOUR_US)
        if min(parts) < 0:
            self._say(f"a part of the chip-hours is negative: {parts}")
        return self.wrong

    # -- facts -----------------------------------------------------------------------------------------------------

    def _declared(self, fact: Declared, entry: Entry) -> None:
        self.infrastructure = fact.infrastructure
        for pool in fact.infrastructure.pools:
            self._pools[pool.id] = pool
            self._nodes[pool.id] = pool.nodes_at(entry.at)
            self._since[pool.id] = int(entry.at)

    def _placed(self, fact: Placed, at: int) -> None:
        self.attempts += 1
        self._live[fact.attempt] = fact, at
        pool, taken, there = self._pools[fact.pool], self._taken[fact.pool], self._nodes[fact.pool]
        if len(set(fact.nodes)) != len(fact.nodes):
            self._say(f"{fact.attempt} has a node twice")
        for node in fact.nodes:
            taken[node] += fact.chips_per_node
            if taken[node] > pool.chips_per_node or node >= there:
                self._say(f"{fact.attempt} uses {taken[node]} chips of node {node} of {fact.pool}")

    def _ended(self, fact: Ended, at: int) -> None:
        placed, _ = self._live[fact.attempt]
        if abs(fact.cost_micro_usd - self._exact(placed, at)) > 1:
            self._say(
                f"{fact.attempt} costs {fact.cost_micro_usd}, and should {float(self._exact(placed, at))}"
            )
        self._spent(placed, at, fact.cost_micro_usd)

    def _spent(self, placed: Placed, at: int, cost: int | Fraction) -> None:
        since = self._live.pop(placed.attempt)[1]
        self._accepted.pop(placed.attempt, None)
        taken = self._taken[placed.pool]
        for node in placed.nodes:
            taken[node] -= placed.chips_per_node
        self._used[placed.pool] += len(placed.nodes) * placed.chips_per_node * (at - since)
        self._cost[placed.pool] += round(cost)
        lease = self._leases.get(placed.supply)
        agreement = self._pools[placed.pool].agreement if lease is None else lease.agreement
        if agreement:
            self._burned[agreement] += round(cost)

    def _exact(self, placed: Placed, at: int) -> Fraction:
        chips = len(placed.nodes) * placed.chips_per_node
        ran = at - self._accepted.get(placed.attempt, at)
        return Fraction(placed.price_micro_usd_per_chip_hour * chips * ran, HOUR_US)

    def _leased(self, fact: object, at: int) -> None:
        if isinstance(fact, LeaseSigned):
            self._leases[fact.lease] = fact
        elif isinstance(fact, LeaseActivated | LeaseResized):
            self._unlet(fact.lease, at)
            self._active[fact.lease] = fact.chips, at
        elif isinstance(fact, LeaseEnded):
            self._unlet(fact.lease, at)

    def _unlet(self, lease: str, at: int) -> None:
        if lease in self._active:
            chips, since = self._active.pop(lease)
            signed = self._leases[lease]
            self._let[signed.pool] += chips * (at - since)
            if signed.kind != "on_demand":
                price = signed.price_micro_usd_per_chip_hour
                self._owed[signed.pool] += Fraction(price * chips * (at - since), HOUR_US)

    def _stood(self, name: str, at: int) -> None:
        """Count what was there since it last changed, at a price that was in force all the time."""
        pool, since = self._pools[name], self._since[name]
        chips = self._nodes[name] * pool.chips_per_node
        self._since[name] = at
        if pool.tenure == "market":
            return
        self._held[name] += chips * (at - since)
        if pool.tenure == "reserved" and chips and at > since:
            prices = {pool.price_at(price.from_) for price in pool.prices}
            if len(prices) != 1:
                self._say(f"{name} has several prices, and this account knows how to count one")
            for price in prices:
                self._owed[name] += Fraction(price or 0) * 1_000_000 * chips * (at - since) / HOUR_US

    # -- the end ---------------------------------------------------------------------------------------------------

    def _compare_place(self, place: Place) -> None:
        pool = self._pools[place.id]
        held = self._let[pool.id] if pool.tenure == "market" else self._held[pool.id]
        self._close(f"used of {pool.id}", place.used_chip_hours, self._used[pool.id] / HOUR_US)
        self._close(f"held of {pool.id}", place.held_chip_hours, held / HOUR_US)
        if pool.tenure != "market" and place.used_chip_hours > place.held_chip_hours:
            self._say(f"{pool.id} was used more than it was held")
        # Each attempt's cost is rounded by itself.
        if abs(place.metered_micro_usd - self._cost[pool.id]) > self.attempts:
            self._say(f"{pool.id} cost {place.metered_micro_usd}, and should {self._cost[pool.id]}")
        self._close(f"owed for {pool.id}", place.owed_micro_usd, float(self._owed[pool.id]))
        chip_w = self._chip_w(pool)
        if chip_w is not None:
            busy_w, idle_w = chip_w
            idle = max(0.0, place.held_chip_hours - place.used_chip_hours - place.down_chip_hours)
            mwh = (place.used_chip_hours * busy_w + idle * idle_w) / 1e6
            self._close(f"energy of {pool.id}", place.energy_mwh, mwh)

    def _chip_w(self, pool: Pool) -> tuple[float, float] | None:
        """Rated power x (share of the chip + share of the host) x PUE, at work and idle."""
        from stargate.performance.energy import draw_of

        rated = self.infrastructure.chip_named(pool.chip).figure("tdp_w")
        if rated is None or self.infrastructure.sites_by_id[pool.site].pue is not None:
            return None
        host, pue = draw_of("host").point, draw_of("pue").point
        return tuple(
            float(rated.central) * (draw_of(part).point + host) * pue for part in ("compute", "idle")
        )  # type: ignore[return-value]  # two of them

    def _close(self, what: str, said: float, counted: float) -> None:
        if abs(said - counted) > CLOSE * max(1.0, abs(counted)):
            self._say(f"{what}: the summary has {said}, the facts give {counted}")

    def _say(self, what: str) -> None:
        if len(self.wrong) < WRONG_LIMIT:
            self.wrong.append(what)
