"""How a delivery stands: which tranches are due, in grace, missed or late, and what that gives the customer."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from stargate.agreements.clause import Delivery, Tranche
from stargate.agreements.clause.capacity import TerminationScope
from stargate.agreements.condition import Comparison
from stargate.agreements.horizon import Horizon
from stargate.agreements.world import World, WorldFact
from stargate.base.time import DAY, Instant

TrancheStatus = Literal["pending", "in_grace", "missed", "delivered", "delivered_late"]


class TrancheState(NamedTuple):
    """One tranche at an instant."""

    tranche: Tranche
    status: TrancheStatus
    grace_ends: Instant
    """Exclusive: delivery before it is in time."""
    days_late: int
    """Started days beyond grace, until delivery or now."""
    credit: Decimal
    """The fraction of the tranche's fee that lateness has earned."""
    termination: TerminationScope | None
    """What the customer may end now, because it is missed."""
    fact: WorldFact | None
    """The delivery on record."""
    needs: str
    """The fact that records it."""


def tranche_states(clause: Delivery, ref: str, world: World, horizon: Horizon) -> tuple[TrancheState, ...]:
    """Every tranche of a delivery clause (`ref`: `agreement/clause`), in order."""
    return tuple(_state(clause, item, ref, world, horizon) for item in clause.tranches)


def _state(clause: Delivery, tranche: Tranche, ref: str, world: World, horizon: Horizon) -> TrancheState:
    grace = clause.grace if tranche.grace is None else tranche.grace
    grace_ends = tranche.due.plus(grace)
    name = tranche.delivered_fact or f"delivered/{ref}/{tranche.id}"
    fact = Comparison(name).first(world, horizon)
    seen = horizon.at if fact is None else fact.valid_from
    days_late = max(0, -(-(seen - grace_ends) // DAY))
    if fact is None and days_late:
        horizon.reached(grace_ends.plus(days_late * DAY + 1))  # another day starts then
    # Undelivered at the very end of grace is late from that instant on, if by no day yet.
    late = horizon.reached(grace_ends) if fact is None else seen > grace_ends
    status: TrancheStatus
    if fact is not None:
        status = "delivered_late" if late else "delivered"
    elif late:
        status = "missed"
    else:
        status = "in_grace" if horizon.reached(tranche.due) else "pending"
    terms = tranche.late_credit or clause.late_credit
    credit = Decimal(0) if terms is None else min(terms.max, terms.per_day * days_late)
    right = tranche.termination_right or clause.termination_right
    scope = right.scope if right is not None and status == "missed" else None
    return TrancheState(tranche, status, grace_ends, days_late, credit, scope, fact, name)
