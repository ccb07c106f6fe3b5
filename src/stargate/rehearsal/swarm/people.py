"""What people do in a run: they cancel, scale, open and revise needs, waive, award, amend, and put facts on record."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import msgspec

from stargate.agreements import WorldFact
from stargate.agreements.clause.access import Residency
from stargate.agreements.right import Requirement
from stargate.base.time import DAY, HOUR, Duration, Instant
from stargate.broker import State
from stargate.broker.command import (
    Cancel,
    Command,
    Declare,
    DeclareFact,
    EndRollout,
    Replace,
    Revise,
    Scale,
)
from stargate.broker.sourcing.command import (
    AwardNeed,
    GrantWaiver,
    OpenNeed,
    ReopenOffer,
    ReviseNeed,
    WithdrawNeed,
    WithdrawQuote,
)
from stargate.rehearsal.swarm.plan import Plan
from stargate.rehearsal.swarm.promises import LAB, MILESTONES

Wish = Callable[[random.Random, State, Instant], Command | None]


def wish(chance: random.Random, state: State, at: Instant) -> Command | None:
    """Something that somebody asks for now; None: nothing comes to mind."""
    return chance.choice(_WISHES)(chance, state, at)


def _cancel(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = [one.id for one in state.records.workloads.values() if not one.ended]
    return Cancel(chance.choice(found)) if found else None


def _scale(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = [one.id for one in state.records.workloads.values() if one.workload.kind == "serve"]
    return Scale(chance.choice(found), chance.randint(0, 4)) if found else None


def _version(chance: random.Random, state: State, at: Instant) -> Command | None:
    """A new version of a service: the same under another command."""
    found = [one for one in state.records.workloads.values() if one.workload.kind == "serve"]
    if not found:
        return None
    one = chance.choice(found)
    to = msgspec.structs.replace(one.workload, run=f"serve version {chance.randint(0, 3)}", rollout=None)
    return Revise(one.id, to, "somebody")


def _end_rollout(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = [one.id for one in state.records.workloads.values() if one.workload.rollout is not None]
    return EndRollout(chance.choice(found), chance.choice(["done", "failed"]), "so it is") if found else None


def _replace(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = [one.id for one in state.live.values()]
    return (
        Replace(chance.choice(found), chance.choice(["replaced", "unready"]), "so it is") if found else None
    )


def _requirement(chance: random.Random, at: Instant) -> Requirement:
    return Requirement(
        chips=chance.choice([8, 16, 32, 64]),
        chip_types=chance.choice([("H100-SXM",), ("H100-SXM", "B200-SXM")]),
        start_by=at.plus(chance.choice([HOUR, DAY, 5 * DAY])),
        duration=Duration(chance.choice([6 * HOUR, 2 * DAY])),
        jurisdictions=chance.choice([(), (), ("US",)]),
        chips_per_node=chance.choice([4, 8]),
        topology=chance.choice(["any", "any", "pool", "block"]),
        max_price_micro_usd_per_chip_hour=chance.choice([None, 3_000_000]),
    )


def _open(chance: random.Random, state: State, at: Instant) -> Command | None:
    name = f"need{len(state.sourcing.needs)}"
    leases = list(state.sourcing.leases)
    renews = chance.choice(leases) if leases and chance.random() < 0.2 else ""
    return OpenNeed(name, _requirement(chance, at), LAB, renews=renews, moving_start=chance.random() < 0.5)


def _revise(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = list(state.sourcing.open_needs)
    return ReviseNeed(chance.choice(found), _requirement(chance, at)) if found else None


def _withdraw(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = list(state.sourcing.open_needs)
    return WithdrawNeed(chance.choice(found)) if found else None


def _reopen(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = list(state.sourcing.offers)
    return ReopenOffer(chance.choice(found)) if found else None


def _award(chance: random.Random, state: State, at: Instant) -> Command | None:
    needs = list(state.sourcing.open_needs)
    if not needs:
        return None
    need = chance.choice(needs)
    mine = [one.id for one in state.sourcing.quotes.values() if one.need == need]
    return AwardNeed(need, chance.choice([*mine, *mine, *(f"list:{pool}" for pool in state.catalog_pools)]))


def _unquote(chance: random.Random, state: State, at: Instant) -> Command | None:
    found = list(state.sourcing.quotes)
    return WithdrawQuote(chance.choice(found)) if found else None


def _waive(chance: random.Random, state: State, at: Instant) -> Command | None:
    offers = list(state.sourcing.offers.values())
    if not offers:
        return None
    right = chance.choice(offers).right
    return GrantWaiver(
        f"waiver{len(state.sourcing.waivers)}", right.clause, right.holder, right.holder, "until",
        waived_until=at.plus(HOUR),
    )  # fmt: skip


_WISHES: tuple[Wish, ...] = (
    _cancel,
    _scale,
    _scale,
    _version,
    _end_rollout,
    _replace,
    _open,
    _open,
    _revise,
    _withdraw,
    _reopen,
    _award,
    _award,
    _unquote,
    _waive,
)


def amend(chance: random.Random, state: State, plan: Plan, at: Instant) -> Command:
    """A paper is taken away or comes back, or a fact on which agreements rest is put on record."""
    if chance.random() < 0.5:
        kept = tuple(one for one in plan.agreements if chance.random() < 0.7)
        policy = msgspec.structs.replace(state.records.policy, preemption=chance.random() < 0.5)
        return Declare(plan.infrastructure, kept, policy)
    holder = chance.choice(sorted(one.party for one in plan.infrastructure.providers))
    if chance.random() < 0.3:
        return DeclareFact(
            WorldFact(name=chance.choice(MILESTONES), value=chance.random() < 0.7, valid_from=at)
        )
    shares = [
        f"share/{paper.id}/{clause.id}"
        for paper in plan.agreements
        for clause in paper.clauses
        if isinstance(clause, Residency) and clause.min_share < 1
    ]
    if shares and chance.random() < 0.5:
        share = chance.choice([Decimal("0.2"), Decimal("0.9")])
        return DeclareFact(WorldFact(name=chance.choice(shares), value=share, valid_from=at))
    names = [f"down/{holder}", f"shipped/phone/{holder}", f"declines/phone/{holder}"]
    return DeclareFact(WorldFact(name=chance.choice(names), value=chance.random() < 0.7, valid_from=at))
