"""What the agreements say to sourcing in a pool."""

from __future__ import annotations

from dataclasses import dataclass

from stargate.base.time import Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.request import pool_request
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether a need may be served in a pool."""

    ground: Ground | None = None
    """Why not; None: it may be."""
    preferred: bool = False
    """A clause prefers the pool."""


def permit(view: View, need: Need, pool: Pool, chips: int, at: Instant) -> Permit:
    """The agreements' answer, in one sentence.

    That a right must be honoured first is no objection: the machine sees to it before anything is signed.
    """
    if need.workload is not None and pool.engine.kind == "none":
        return Permit(Ground("the pool has no engine: no work can be started there"))
    decision = view.decision(at, pool_request(view, need, pool, chips, tuple(need.refusals)))
    if decision.outcome not in {"forbid", "conflict"}:
        return Permit(preferred=decision.outcome == "prefer")
    reasons = [reason for reason in decision.reasons if reason.effect == "forbid"] or list(decision.reasons)
    if not reasons:
        return Permit(Ground(f"the agreements answer {decision.outcome}"))
    first = reasons[0]
    return Permit(Ground(first.says, clause=first.clause, facts=first.facts))
