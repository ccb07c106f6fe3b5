"""A small world for sourcing: pools, providers, rights and a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from stargate.agreements import Decision, Fate, Reason, Request
from stargate.agreements.right import Calendar, Requirement, Right, Terms, Window
from stargate.base import wire
from stargate.base.errors import NotFoundError
from stargate.base.time import DAY, Duration, Instant
from stargate.broker import sourcing
from stargate.broker.policy import SourcingPolicy
from stargate.broker.sourcing.command import AnswerOffer, OpenNeed, SourcingCommand
from stargate.broker.sourcing.fact import SourcingFact
from stargate.broker.sourcing.records import Lease, Need, Offer, SourcingState
from stargate.catalog import DatedCount, EngineRef, Pool, Price, Provider, Site

T0 = Instant.parse("2025-02-03T12:00:00Z")  # a Monday
LAB = "openai"
EVER = Instant(0)
UTC_DAYS = Calendar("utc")
FactT = TypeVar("FactT")

SETTLE_LIMIT = 500


def usd(amount: str) -> int:
    """USD to micro-USD."""
    return int(Decimal(amount) * 1_000_000)


def pool(
    id: str,
    provider: str,
    nodes: int = 16,
    price: str | None = "2.00",
    site: str = "texas",
    chip: str = "h100",
    from_: Instant = EVER,
    **more: Any,
) -> Pool:
    """A market pool of 8-chip nodes."""
    prices = () if price is None else (Price(usd_per_chip_hour=Decimal(price), from_=EVER),)
    plain: dict[str, Any] = {
        "tenure": "market", "chips_per_node": 8, "block_nodes": 4, "prices": prices,
        "nodes": (DatedCount(nodes=nodes, from_=from_),), "engine": EngineRef("local"),
    }  # fmt: skip
    return Pool(id=id, provider=provider, site=site, chip=chip, **{**plain, **more})


def right(clause: str = "msft/rofr", holder: str = "microsoft", **changes: Any) -> Right:
    """A capability right with a window of ten days."""
    plain = Right(clause, holder, LAB, "capability", 1, Window(10), UTC_DAYS)
    return msgspec.structs.replace(plain, **changes)


def requirement(**changes: Any) -> Requirement:
    """64 H100 in the US for 30 days, within 60 days."""
    plain = Requirement(
        chips=64, chip_types=("h100",), start_by=T0.plus(60 * DAY), duration=Duration(30 * DAY),
        jurisdictions=("US",), chips_per_node=8, topology="any",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


def terms(**changes: Any) -> Terms:
    """A deal that meets `requirement()`."""
    plain = Terms(
        chips=64, price_micro_usd_per_chip_hour=usd("2"), start=T0.plus(30 * DAY), duration=Duration(30 * DAY),
        chip_type="h100", jurisdiction="US-TX",
    )  # fmt: skip
    return msgspec.structs.replace(plain, **changes)


POOLS = (
    pool("az-tx", "azure", price="2.50"),
    pool("oci-tx", "oci", price="2.00"),
    pool("cw-nj", "coreweave", price="2.20", site="jersey"),
    pool("sb-tx", "softbank", nodes=4, price="1.80"),
)
PARTIES = {
    "azure": "microsoft",
    "oci": "oracle",
    "coreweave": "coreweave",
    "softbank": "softbank",
    "aws": "amazon",
}
PLACES = {"texas": "US-TX", "jersey": "US-NJ", "oslo": "NO"}

Scope = Mapping[str, Any]


class World:
    """Satisfies sourcing's View and Host; rights and forbids are what a test says they are."""

    def __init__(self, *rights: Right, pools: tuple[Pool, ...] = POOLS, **policy: Any) -> None:
        self.sourcing = SourcingState()
        self.sourcing_policy = SourcingPolicy(**policy)
        self.catalog_pools = {one.id: one for one in pools}
        self.providers = {id: Provider(id=id, party=party) for id, party in PARTIES.items()}
        self.sites = {id: Site(id=id, jurisdiction=code) for id, code in PLACES.items()}
        self.clauses: list[tuple[Scope, Right]] = [({}, one) for one in rights]
        self.forbidden: dict[str, str] = {}
        """Pool or provider to the clause that forbids it."""
        self.liked: set[str] = set()
        self.marks: dict[str, str] = {}
        self.over: set[str] = set()
        """Workloads that no longer wait."""
        self.now = T0
        self.log: list[tuple[Instant, SourcingFact]] = []
        self.placeable: dict[str, int] = {}
        """Chips of active leases, as the broker would index them."""
        self.watch: list[Callable[[World, SourcingFact], None]] = []

    # -- View ----------------------------------------------------------------------------------------------

    def unchanged(self, at: Instant) -> bool:
        return False

    def note_review(self) -> None:
        pass

    def wanted(self, need: Need) -> bool:
        return need.workload not in self.over

    def chip_id(self, name: str) -> str:
        if name.lower() not in {"h100", "h200", "b200", "mi300x"}:
            raise NotFoundError(f"no chip {name!r}", "name one of the catalog's")
        return name.lower()

    def status_of(self, one: Pool) -> str:
        return self.marks.get(one.id) or self.marks.get(one.provider) or "up"

    def nodes_at(self, one: Pool, at: Instant) -> int:
        return one.nodes_at(at)

    def rights(self, at: Instant, request: Request) -> tuple[Right, ...]:
        covering = [
            one
            for scope, one in self.clauses
            if at < one.until and all(request.attributes.get(name) == value for name, value in scope.items())
        ]
        return tuple(sorted(covering, key=lambda one: (one.rank, one.clause)))

    def fate(self, at: Instant, right: Right) -> Fate:
        now = next((one for _, one in self.clauses if one.clause == right.clause), None)
        if now is None:
            return Fate("amended", right.on_amendment, "the right was removed")
        if at >= now.until:
            return Fate("ended", right.at_end, "the right has ended")
        if now.suspended:
            return Fate("suspended", says=now.suspended)
        if _terms(now) != _terms(right):
            return Fate("amended", right.on_amendment, "the right was changed")
        return Fate("live")

    def decision(self, at: Instant, request: Request) -> Decision:
        asked = (request.attributes.get("pool"), request.attributes.get("provider"))
        for name in asked:
            if name in self.forbidden:
                clause = self.forbidden[name]
                return Decision("forbid", (Reason(clause, "forbid", f"{clause} closes {name}"),))
        return Decision("prefer" if self.liked & set(asked) else "permit")

    # -- Host ----------------------------------------------------------------------------------------------

    def add_lease(self, lease: Lease) -> None:
        assert lease.id not in self.placeable
        self.placeable[lease.id] = lease.chips

    def drop_supply(self, supply_id: str) -> None:
        self.placeable.pop(supply_id, None)

    # -- driving -------------------------------------------------------------------------------------------

    def do(self, command: SourcingCommand, at: Instant | None = None) -> tuple[SourcingFact, ...]:
        """Time passes until `at`, the command is handled, and everything that follows at once."""
        if at is not None:
            self.run_until(Instant(at - 1))
            self.now = at
        before = len(self.log)
        self._apply(sourcing.decide(self, command, self.now))
        self.settle()
        return tuple(fact for _, fact in self.log[before:])

    def run_until(self, at: Instant) -> None:
        """Time passes, timer by timer."""
        while (due := sourcing.next_due(self.sourcing)) is not None and due <= at:
            self.now = max(self.now, due)
            self.settle()
        self.now = max(self.now, at)

    def review(self) -> None:
        """The world has changed."""
        for _ in range(SETTLE_LIMIT):
            facts = sourcing.review(self, self.now)
            if not facts:
                return
            self._apply(facts)
            self.settle()
        raise AssertionError("review does not settle")

    def lose(self, lease: str) -> None:
        """The supply under a lease is lost, as the broker's recovery says it."""
        self._apply(sourcing.reopen(self, self.sourcing.leases[lease].need, lease, self.now))
        self.settle()

    def settle(self) -> None:
        for _ in range(SETTLE_LIMIT):
            facts = sourcing.decide_due(self, self.now)
            if not facts:
                due = sourcing.next_due(self.sourcing)
                assert due is None or due > self.now, "something due was not dealt with"
                return
            self._apply(facts)
        raise AssertionError("sourcing does not settle")

    def _apply(self, facts: tuple[SourcingFact, ...]) -> None:
        for fact in facts:
            entry = Entry(len(self.log) + 1, self.now, fact)
            sourcing.evolve(self, entry)  # type: ignore[arg-type]  # an entry in all that matters here
            self.log.append((self.now, fact))
            for effect in sourcing.react(self, entry):  # type: ignore[arg-type]
                assert effect.id.startswith(f"{entry.seq}.")
                assert effect.party
            for look in self.watch:
                look(self, fact)

    # -- looking -------------------------------------------------------------------------------------------

    def facts(self, kind: type[FactT]) -> list[FactT]:
        """Facts of one kind, in order."""
        return [fact for _, fact in self.log if isinstance(fact, kind)]

    def need(self, id: str = "n") -> Need:
        return self.sourcing.needs[id]

    def offers(self) -> list[tuple[str, str]]:
        """Holder and status of every offer, in order."""
        return [(one.right.holder, one.status) for one in self.sourcing.offers.values()]

    def offer(self, number: int = -1) -> Offer:
        return list(self.sourcing.offers.values())[number]

    def leases(self) -> list[tuple[str, int, str]]:
        """Pool, chips and status of every lease, in order."""
        return [(one.pool, one.ordered_chips, one.status) for one in self.sourcing.leases.values()]

    def lease(self, number: int = -1) -> Lease:
        return list(self.sourcing.leases.values())[number]

    def open(
        self, id: str = "n", at: Instant | None = None, wanted: Requirement | None = None, **more: Any
    ) -> Need:
        """Open a need and see what follows."""
        self.do(OpenNeed(id, wanted or requirement(), LAB, **more), at)
        return self.need(id)

    def answer(self, answer: Any, at: Instant | None = None, **more: Any) -> Offer:
        """The holder of the last offer answers."""
        offer = self.offer()
        more = {"answered_by": offer.right.holder, "offer": offer.id, **more}
        if answer == "cannot_meet":
            more.setdefault("unmet", ("start_by",))
        self.do(AnswerOffer(answer=answer, **more), at)
        return self.sourcing.offers[more["offer"]]

    def days(self, count: float) -> Instant:
        """Instant so many days after the beginning."""
        return T0.plus(round(count * DAY))

    def check_snapshot(self) -> None:
        """What was packed comes back, and replaying the log gives the same."""
        packed = wire.pack(self.sourcing)
        assert wire.pack(wire.unpacker(SourcingState).decode(packed)) == packed
        again = SourcingState()
        facts = wire.unpacker(list[tuple[Instant, SourcingFact]]).decode(wire.pack(self.log))
        for at, fact in facts:
            sourcing.apply(again, fact, at)
        assert wire.pack(again) == packed


def _terms(one: Right) -> Right:
    return msgspec.structs.replace(one, until=EVER, suspended="")


class Entry(msgspec.Struct, frozen=True):
    """A journal entry as sourcing sees it."""

    seq: int
    at: Instant
    fact: Any
