"""What may be said to the broker that is not so.

It must answer each with a refusal, with nothing, or with facts after which everything still holds.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from stargate.agreements.right import Terms
from stargate.base.time import DAY, Duration, Instant
from stargate.broker import State
from stargate.broker.command import Cancel, Command, MarkSupply, Report, Scale, SetCapacity, Submit
from stargate.broker.records import AttemptState, WorkloadState
from stargate.broker.sourcing.command import AcknowledgeOffer, AnswerOffer, ReportDelivery, SubmitQuote
from stargate.broker.sourcing.offer import is_open
from stargate.broker.sourcing.records import Lease, Need, Offer
from stargate.catalog import Pool

STRANGER = "nobody"
FAR_STEP = 10**9
T = TypeVar("T")
Tell = Callable[[random.Random, State, Instant], Command | None]


class Lie(NamedTuple):
    """One kind of untruth."""

    name: str
    says: str
    tell: Tell
    """The command; None where there is nothing to lie about."""


def _one(chance: random.Random, things: Iterable[T]) -> T | None:
    found = list(things)
    return chance.choice(found) if found else None


def _of(pick: Callable[[State], Iterable[T]], say: Callable[[T], Command]) -> Tell:
    """A lie about one of the things that are there."""

    def tell(chance: random.Random, state: State, at: Instant) -> Command | None:
        found = _one(chance, pick(state))
        return None if found is None else say(found)

    return tell


def _attempts(*statuses: str) -> Callable[[State], Iterable[AttemptState]]:
    return lambda state: (one for one in state.records.attempts.values() if one.status in statuses)


def _starting(state: State) -> Iterable[AttemptState]:
    return (one for one in state.live.values() if one.started_at is None)


def _live(state: State) -> Iterable[AttemptState]:
    return state.live.values()


_ended = _attempts("ended")


def _said(phase: Any, **more: Any) -> Callable[[AttemptState], Command]:
    return lambda attempt: Report(attempt.id, phase, **more)


def _pools(state: State) -> Iterable[Pool]:
    return state.catalog_pools.values()


def _lost(state: State) -> Iterable[str]:
    return [name for name, status in state.records.marks.items() if status == "lost"]


def _back(name: str) -> Command:
    scope: Any
    scope, _, id = name.partition(":")
    return MarkSupply(scope, id, "up", "a lie")


def _gone(scope: Literal["provider", "site", "pool"]) -> Callable[[str], Command]:
    return lambda id: MarkSupply(scope, id, "lost", "a lie")


def _open_offers(state: State) -> Iterable[Offer]:
    return (offer for offer in state.sourcing.offers.values() if is_open(offer))


def _closed_offers(state: State) -> Iterable[Offer]:
    return (offer for offer in state.sourcing.offers.values() if not is_open(offer))


def _open_leases(state: State) -> Iterable[Lease]:
    return (lease for lease in state.sourcing.leases.values() if lease.open)


def _closed_leases(state: State) -> Iterable[Lease]:
    return (lease for lease in state.sourcing.leases.values() if not lease.open)


def _more_than_there_is(chance: random.Random, state: State, at: Instant) -> Command | None:
    return _quote(chance, state, at, chips=10**6)


def _for_another(chance: random.Random, state: State, at: Instant) -> Command | None:
    return _quote(chance, state, at, provider=chance.choice(sorted(state.providers)))


def _quote(
    chance: random.Random, state: State, at: Instant, chips: int = 0, provider: str = ""
) -> Command | None:
    need: Need | None = _one(chance, (state.sourcing.needs[id] for id in state.sourcing.open_needs))
    pool = _one(chance, _pools(state))
    if need is None or pool is None:
        return None
    terms = Terms(
        chips=chips or max(1, need.missing_chips), price_micro_usd_per_chip_hour=1, start=at,
        duration=Duration(DAY), chip_type=pool.chip, jurisdiction=state.sites[pool.site].jurisdiction,
    )  # fmt: skip
    name = f"lie-{len(state.sourcing.quotes)}"
    return SubmitQuote(name, need.id, provider or pool.provider, pool.id, terms)


def _changed(holder: WorkloadState) -> Command:
    return Submit(holder.id, msgspec.structs.replace(holder.workload, priority=999))


def _runs(state: State) -> Iterable[WorkloadState]:
    return (one for one in state.records.workloads.values() if one.workload.kind != "serve")


def _services(state: State) -> Iterable[WorkloadState]:
    return (one for one in state.records.workloads.values() if one.workload.kind == "serve")


def _nothing(state: State) -> Iterable[str]:
    return ("",)


LIES: tuple[Lie, ...] = (
    Lie("done-early", "An attempt that has not started is reported as done.", _of(_starting, _said("done"))),
    Lie("done-running", "An attempt that goes on running is reported as done.", _of(_live, _said("done"))),
    Lie(
        "no-capacity",
        "The engine claims that it never had room for an attempt that runs.",
        _of(_live, _said("failed", failure="no_capacity")),
    ),
    Lie(
        "blamed-program",
        "A healthy program is said to have failed.",
        _of(_live, _said("failed", failure="user")),
    ),
    Lie(
        "blamed-machine",
        "Healthy infrastructure is said to have broken.",
        _of(_live, _said("failed", failure="infrastructure")),
    ),
    Lie("blamed-nobody", "A failure that nobody had, without a class.", _of(_live, _said("failed"))),
    Lie(
        "stopped-unasked",
        "A stop that nobody asked for and that did not happen.",
        _of(_live, _said("stopped")),
    ),
    Lie("ghost-runs", "An attempt that has ended is said to run.", _of(_ended, _said("running", step=1))),
    Lie("ghost-accepted", "An attempt that has ended is accepted.", _of(_ended, _said("accepted"))),
    Lie("ghost-done", "An attempt that has ended is done once more.", _of(_ended, _said("done", step=7))),
    Lie("step-back", "A checkpoint before the last one.", _of(_live, _said("checkpointed", step=0))),
    Lie(
        "step-ahead",
        "A checkpoint that no run can have reached.",
        _of(_live, _said("checkpointed", step=FAR_STEP)),
    ),
    Lie("step-negative", "A checkpoint of a negative step.", _of(_live, _said("checkpointed", step=-5))),
    Lie("step-none", "A checkpoint of no step at all.", _of(_live, _said("checkpointed"))),
    Lie("begins-before-zero", "A run that begins at a negative step.", _of(_live, _said("running", step=-1))),
    Lie(
        "invented", "A report on an attempt that never was.", _of(_nothing, lambda _: Report("x-0-1", "done"))
    ),
    Lie(
        "next-attempt",
        "A report on the attempt that comes next.",
        _of(_live, lambda one: Report(f"{one.workload}-{one.slot}-{one.number + 1}", "running", step=1)),
    ),
    Lie(
        "metrics",
        "A running attempt ends with figures that cannot be.",
        _of(_live, _said("done", step=FAR_STEP, metrics={"loss": Decimal("-1e30")}, detail="x" * 2_000)),
    ),
    Lie(
        "provider-gone",
        "A provider that works is said to be lost.",
        _of(lambda s: s.providers, _gone("provider")),
    ),
    Lie("site-gone", "A site that works is said to be lost.", _of(lambda s: s.sites, _gone("site"))),
    Lie("pool-gone", "A pool that works is said to be lost.", _of(lambda s: s.catalog_pools, _gone("pool"))),
    Lie("back-again", "What is lost is said to be up.", _of(_lost, _back)),
    Lie("unknown-pool", "A pool that nobody declared is lost.", _of(_nothing, lambda _: _gone("pool")("x"))),
    Lie(
        "counted-none",
        "A full pool is counted as empty halls.",
        _of(_pools, lambda p: SetCapacity(p.id, 0, "a lie")),
    ),
    Lie(
        "counted-more",
        "More nodes are counted than were built.",
        _of(_pools, lambda p: SetCapacity(p.id, 10**6)),
    ),
    Lie("counted-less-than-none", "A negative count of nodes.", _of(_pools, lambda p: SetCapacity(p.id, -1))),
    Lie(
        "delivered-more",
        "More is delivered than was ordered.",
        _of(_open_leases, lambda one: ReportDelivery(one.id, one.ordered_chips * 10)),
    ),
    Lie(
        "delivered-by-another",
        "Somebody else says that the provider delivered.",
        _of(_open_leases, lambda one: ReportDelivery(one.id, one.ordered_chips, reported_by=STRANGER)),
    ),
    Lie(
        "delivered-negative",
        "Fewer than no chips are delivered.",
        _of(_open_leases, lambda one: ReportDelivery(one.id, -8)),
    ),
    Lie(
        "gave-up",
        "A provider that delivers is said to have given up.",
        _of(_open_leases, lambda one: ReportDelivery(one.id, 0, failed=True)),
    ),
    Lie(
        "delivered-after-end",
        "A lease that is over is delivered.",
        _of(_closed_leases, lambda one: ReportDelivery(one.id, one.ordered_chips)),
    ),
    Lie(
        "answer-of-another",
        "Somebody else accepts in the holder's place.",
        _of(_open_offers, lambda one: AnswerOffer(one.id, "accept", STRANGER)),
    ),
    Lie(
        "answer-after-end",
        "An offer that has ended is accepted.",
        _of(_closed_offers, lambda one: AnswerOffer(one.id, "accept", one.right.holder)),
    ),
    Lie(
        "takes-too-much",
        "A holder takes more than it was offered.",
        _of(_open_offers, lambda one: AnswerOffer(one.id, "partial", one.right.holder, chips=one.chips * 9)),
    ),
    Lie(
        "takes-less-than-nothing",
        "A holder takes a negative part.",
        _of(_open_offers, lambda one: AnswerOffer(one.id, "partial", one.right.holder, chips=-8)),
    ),
    Lie(
        "serves-elsewhere",
        "A holder would serve from a pool that is not there.",
        _of(_open_offers, lambda one: AnswerOffer(one.id, "accept", one.right.holder, pool="x")),
    ),
    Lie(
        "received-by-another",
        "Somebody else has received the notice.",
        _of(_open_offers, lambda one: AcknowledgeOffer(one.id, STRANGER)),
    ),
    Lie("quotes-too-much", "A quote for more chips than exist.", _more_than_there_is),
    Lie("quotes-for-another", "A quote for a pool of somebody else.", _for_another),
    Lie(
        "same-name",
        "Other work under a name that is taken.",
        _of(lambda s: s.records.workloads.values(), _changed),
    ),
    Lie("cancels-nothing", "Work that never was is cancelled.", _of(_nothing, lambda _: Cancel("x"))),
    Lie("scales-a-run", "A run is given replicas.", _of(_runs, lambda one: Scale(one.id, 2))),
    Lie(
        "scales-below-none",
        "A service is given fewer than no replicas.",
        _of(_services, lambda one: Scale(one.id, -1)),
    ),
)
