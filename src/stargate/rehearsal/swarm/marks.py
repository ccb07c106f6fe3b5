"""Marks of what a run has reached. Over many seeds each of `WANTED` must be reached, or the swarm proves little.

Every step of every table of states is a mark, every outcome of a fact, every answer of the agreements by the kind of
clause that gave it, every lie and every fault. What cannot be reached at all is named in `NEVER`, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args

from stargate.broker import Fact, State
from stargate.broker.fact import (
    CancelRequested,
    Ended,
    Placed,
    Requeued,
    Scaled,
    Stopping,
    Submitted,
    SupplyMarked,
    WorkloadEnded,
)
from stargate.broker.sourcing.fact import (
    DeliveryFailed,
    LeaseActivated,
    LeaseEnded,
    LeaseResized,
    LeaseSigned,
    NeedClosed,
    NeedOpened,
    OfferAnswered,
    OfferEnded,
    OfferMade,
    QuoteEnded,
)
from stargate.broker.sourcing.transitions import LEASE, NEED, OFFER, QUOTE
from stargate.broker.transitions import ATTEMPT, SLOT, WORKLOAD
from stargate.rehearsal.swarm.case import FAULTS
from stargate.rehearsal.swarm.lies import LIES

TABLES: dict[str, dict[tuple[str, type], str]] = {
    "attempt": ATTEMPT, "slot": SLOT, "workload": WORKLOAD, "need": NEED, "offer": OFFER, "quote": QUOTE,
    "lease": LEASE,
}  # fmt: skip

NEVER: dict[str, str] = {
    "slot waiting + WorkloadEnded": "a run ends when its one slot is done, and a cancellation empties the queue first",
}
"""Marks that no run can reach, and why."""

OUTCOMES: dict[str, tuple[str, ...]] = {
    "Ended": ("done", "failed", "stopped", "lost"),
    "Ended failed": ("no_capacity", "preempted", "infrastructure", "user"),
    "Stopping": ("preempted", "migrated", "cancelled", "drained", "lease_end", "scaled_down", "capacity"),
    "Stopping preempted": ("for its team", "for another"),
    "Requeued": ("recovery", "restart", "none", "elsewhere", "later"),
    "WorkloadEnded": ("succeeded", "failed", "cancelled"),
    "SupplyMarked": ("up", "draining", "lost"),
    "Placed": ("on a lease", "by backfill", "beyond quota", "before its deadline", "on part of a node"),
    "NeedOpened": ("for work", "for a deadline", "by hand", "for a renewal"),
    "NeedClosed": ("met", "withdrawn", "unmet"),
    "OfferMade": ("first_offer", "match", "capability", "shared", "again"),
    "OfferAnswered": ("too late", "in time"),
    "OfferEnded": (
        "accepted", "partial", "declined", "cannot_meet", "lapsed", "waived", "withdrawn", "void", "not_taken",
        "unallocated",
    ),
    "QuoteEnded": ("signed", "withdrawn", "expired", "released"),
    "LeaseSigned": ("with a holder", "on the market", "at a list price", "as cover"),
    "LeaseResized": ("more came", "cut"),
    "DeliveryFailed": ("with time to cure", "for good"),
    "LeaseEnded": ("ended", "failed"),
    "cured": ("after a failed delivery",),
    "answer": ("refused", "repeated"),
    "crash": (
        "unwritten", "written", "torn", "torn on disk", "within a group commit", "while an offer is open",
        "while work stops",
    ),
    "restart": ("from a snapshot", "from entries", "from a journal", "from a journal and its snapshot"),
    "snapshot": ("saved",),
    "commit": ("of many commands", "command by command"),
    "verdict": ("permit", "forbid", "must_offer", "prefer", "conflict"),
    "reason": ("excepted", "overridden", "ended", "suspended", "waived", "pending"),
    "clause": (
        "FirstRefusal must_offer", "FirstRefusal permit", "ExclusiveServing permit", "ExclusiveServing forbid",
        "Residency forbid", "Residency prefer", "Residency permit", "Option forbid",
    ),
    "swizzle": ("down one by one", "healed in another order"),
}  # fmt: skip
"""What else is looked for, by the name in front."""


def _of_tables() -> Iterator[str]:
    for name, table in TABLES.items():
        for state, fact in table:
            yield f"{name} {state or 'new'} + {fact.__name__}"


WANTED: tuple[str, ...] = tuple(
    mark
    for mark in (
        *(kind.__name__ for kind in get_args(Fact)),
        *_of_tables(),
        *(f"{name} {how}" for name, ways in OUTCOMES.items() for how in ways),
        *(f"fault {name}" for name in FAULTS),
        *(f"lie {lie.name}" for lie in LIES),
    )
    if mark not in NEVER
)
"""Rare states and branches, by name: each must be reached."""

SELDOM = frozenset({
    "LeaseSigned as cover", "OfferEnded unallocated", "Stopping migrated", "TermsChanged",
    "clause Residency permit", "crash torn on disk", "need asking + NeedReopened", "need asking + TermsChanged",
    "need market + TermsChanged", "offer partial + OfferAnswered", "offer subscribed + OfferKept",
    "offer unallocated + OfferAnswered", "reason suspended", "restart from a journal",
})  # fmt: skip
"""Those that a million events reach fewer than thirty times, or not: asked of long swarms only."""


def moves_of(state: State, fact: Any) -> Iterator[str]:
    """The steps in the tables of states that a fact is; `state` is that before it."""
    name = type(fact).__name__
    records, sourcing = state.records, state.sourcing
    if hasattr(fact, "attempt"):
        attempt = records.attempts.get(fact.attempt)
        yield f"attempt {'new' if attempt is None else attempt.status} + {name}"
        if isinstance(fact, Ended) and attempt is not None:
            yield f"slot placed + {name}"
    for kind, held in (
        ("need", sourcing.needs), ("offer", sourcing.offers), ("quote", sourcing.quotes),
        ("lease", sourcing.leases),
    ):  # fmt: skip
        id = getattr(fact, kind, None)
        if id:
            known = held.get(id)
            yield f"{kind} {'new' if known is None else known.status} + {name}"
    if isinstance(fact, LeaseActivated | LeaseResized) and sourcing.leases[fact.lease].delivery == "curing":
        yield "cured after a failed delivery"
    if isinstance(fact, Placed | Requeued):
        yield f"slot {records.workloads[fact.workload].slots[fact.slot].status} + {name}"
    elif isinstance(fact, Submitted):
        yield from (f"workload new + {name}", f"slot new + {name}")
    elif isinstance(fact, CancelRequested | WorkloadEnded):
        holder = records.workloads[fact.workload]
        yield f"workload {holder.status} + {name}"
        yield from (f"slot {slot.status} + {name}" for slot in holder.slots)
    elif isinstance(fact, Scaled):
        slots = records.workloads[fact.workload].slots
        if fact.replicas > len(slots):
            yield f"slot new + {name}"
        yield from (f"slot {slot.status} + {name}" for slot in slots)


def marks_of(state: State, fact: Fact) -> Iterator[str]:
    """What a fact says was reached; `state` is that after it."""
    name = type(fact).__name__
    yield name
    more = _MORE.get(type(fact))
    if more is not None:
        for how in more(state, fact):
            yield f"{name} {how}"


def _ended(state: State, fact: Ended) -> Iterable[str]:
    if fact.outcome == "failed":
        return (fact.outcome, f"failed {fact.failure}")
    return (fact.outcome,)


def _stopping(state: State, fact: Stopping) -> Iterable[str]:
    if fact.reason != "preempted":
        return (fact.reason,)
    own = any("its team is at its quota" in ground.says for ground in fact.grounds)
    return (fact.reason, f"preempted for {'its team' if own else 'another'}")


def _requeued(state: State, fact: Requeued) -> Iterator[str]:
    yield fact.counts
    if fact.avoid:
        yield "elsewhere"
    if fact.not_before > state.records.at:
        yield "later"


def _placed(state: State, fact: Placed) -> Iterator[str]:
    work = state.records.workloads[fact.workload].workload
    if fact.supply in state.sourcing.leases:
        yield "on a lease"
    if any(ground.says.startswith("backfilled") for ground in fact.grounds):
        yield "by backfill"
    team = state.teams.get(work.team)
    if team is not None and state.team_chips.get(work.team, 0) > team.nominal_chips:
        yield "beyond quota"
    if work.deadline is not None and fact.expected_end <= work.deadline:
        yield "before its deadline"
    if fact.chips_per_node < state.catalog_pools[fact.pool].chips_per_node:
        yield "on part of a node"


def _need_opened(state: State, fact: NeedOpened) -> Iterator[str]:
    if fact.renews:
        yield "for a renewal"
    if fact.workload is None:
        yield "by hand"
        return
    yield "for work"
    if state.records.workloads[fact.workload].workload.deadline is not None:
        yield "for a deadline"


def _offer_made(state: State, fact: OfferMade) -> Iterator[str]:
    yield fact.right.mode
    if fact.shared:
        yield "shared"
    need = state.sourcing.needs[fact.need]
    if sum(state.sourcing.offers[id].right.clause == fact.right.clause for id in need.offers) > 1:
        yield "again"


def _lease_signed(state: State, fact: LeaseSigned) -> Iterator[str]:
    yield "with a holder" if fact.clause else "on the market"
    if fact.quote.startswith("list:"):
        yield "at a list price"
    if fact.covers:
        yield "as cover"


def _lease_resized(state: State, fact: LeaseResized) -> Iterable[str]:
    provider = state.sourcing.leases[fact.lease].provider
    return ("cut" if any(one.says.startswith(f"{provider}:") for one in fact.grounds) else "more came",)


def _delivery_failed(state: State, fact: DeliveryFailed) -> Iterable[str]:
    return ("with time to cure" if fact.cure_until > state.records.at else "for good",)


_MORE: dict[type, Any] = {
    Ended: _ended,
    Stopping: _stopping,
    Requeued: _requeued,
    Placed: _placed,
    NeedOpened: _need_opened,
    OfferMade: _offer_made,
    LeaseSigned: _lease_signed,
    LeaseResized: _lease_resized,
    DeliveryFailed: _delivery_failed,
    OfferAnswered: lambda _, fact: ("in time" if fact.effect else "too late",),
    **dict.fromkeys(
        (OfferEnded, WorkloadEnded, LeaseEnded, NeedClosed, QuoteEnded), lambda _, f: (f.outcome,)
    ),
    SupplyMarked: lambda _, fact: (fact.status,),
}


def answers_of(state: State) -> Iterator[str]:
    """What the agreements have said of late, by the kind of clause that said it."""
    if not state.book.agreements:
        return
    kinds = {
        f"{agreement.id}/{clause.id}": type(clause).__name__
        for agreement in state.book.agreements
        for clause in agreement.clauses
    }
    for _, _, decision in state.book.view(state.records.world_facts, state.clock).answers.values():
        yield f"verdict {decision.outcome}"
        for reason in decision.reasons:
            yield f"reason {reason.effect}"
            yield f"clause {kinds.get(reason.clause)} {reason.effect}"
