"""What the agreements say to sourcing in a pool, as one sentence."""

from __future__ import annotations

from stargate.base.time import Instant
from stargate.broker.ground import Ground
from stargate.broker.sourcing.records import Need
from stargate.broker.sourcing.request import pool_request
from stargate.broker.sourcing.view import View
from stargate.catalog import Pool


def objection(view: View, need: Need, pool: Pool, chips: int, at: Instant) -> Ground | None:
    """Why the need may not be served there; None: it may.

    That a right must be honoured first is no objection: the machine sees to it before anything is signed.
    """
    if need.workload is not None and pool.engine.kind == "none":
        return Ground(f"{pool.id} has no engine: no work can be started there")
    decision = view.decision(at, pool_request(view, need, pool, chips, tuple(need.refusals)))
    if decision.outcome not in {"forbid", "conflict"}:
        return None
    reasons = [reason for reason in decision.reasons if reason.effect == "forbid"] or list(decision.reasons)
    if not reasons:
        return Ground(f"the agreements answer {decision.outcome}")
    first = reasons[0]
    return Ground(first.says, clause=first.clause, facts=first.facts)


def preferred(view: View, need: Need, pool: Pool, chips: int, at: Instant) -> bool:
    """Whether a clause prefers the pool."""
    decision = view.decision(at, pool_request(view, need, pool, chips, tuple(need.refusals)))
    return decision.outcome == "prefer"
