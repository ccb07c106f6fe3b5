"""Marks of what a run has reached. Over many seeds each of `WANTED` must be reached, or the swarm proves little."""

from __future__ import annotations

from collections.abc import Iterable

from stargate.broker import Fact
from stargate.broker.fact import Ended, Requeued, Stopping, SupplyMarked, WorkloadEnded
from stargate.broker.sourcing.fact import LeaseEnded, NeedClosed, OfferEnded, QuoteEnded
from stargate.rehearsal.swarm.case import FAULTS
from stargate.rehearsal.swarm.lies import LIES

WANTED: tuple[str, ...] = (
    *(f"Ended {outcome}" for outcome in ("done", "failed", "stopped", "lost")),
    *(
        f"Stopping {why}"
        for why in ("preempted", "migrated", "cancelled", "drained", "lease_end", "scaled_down", "capacity")
    ),
    *(f"Requeued {why}" for why in ("recovery", "restart", "none")),
    *(f"WorkloadEnded {how}" for how in ("succeeded", "failed", "cancelled")),
    *(
        f"OfferEnded {how}"
        for how in ("accepted", "partial", "declined", "cannot_meet", "lapsed", "waived", "withdrawn", "void")
    ),
    *(f"NeedClosed {how}" for how in ("met", "withdrawn", "unmet")),
    *(f"LeaseEnded {how}" for how in ("ended", "failed")),
    *(f"QuoteEnded {how}" for how in ("signed", "expired")),
    *(f"SupplyMarked {how}" for how in ("up", "draining", "lost")),
    *("OfferSubscribed", "OfferReceived", "MarketOpened", "LeaseResized", "DeliveryFailed", "CoverGranted"),
    *(
        "WaiverGranted",
        "TailExpired",
        "NeedRevised",
        "NeedReopened",
        "Repriced",
        "CapacitySet",
        "FactDeclared",
    ),
    *(f"fault {name}" for name in FAULTS),
    *(f"lie {lie.name}" for lie in LIES),
    *("crash unwritten", "crash written", "crash while an offer is open", "crash while work stops"),
)
"""Rare states and branches, by name."""


def marks_of(fact: Fact) -> Iterable[str]:
    """What a fact says was reached."""
    name = type(fact).__name__
    yield name
    if isinstance(fact, Ended | OfferEnded | WorkloadEnded | LeaseEnded | NeedClosed | QuoteEnded):
        yield f"{name} {fact.outcome}"
    elif isinstance(fact, Stopping):
        yield f"{name} {fact.reason}"
    elif isinstance(fact, Requeued):
        yield f"{name} {fact.counts}"
    elif isinstance(fact, SupplyMarked):
        yield f"{name} {fact.status}"
