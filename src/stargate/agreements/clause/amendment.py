"""Amendments, and with them the closed list of clause kinds."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from stargate.agreements.clause.access import (
    Entitlement,
    ExclusiveServing,
    FirstRefusal,
    FirstShip,
    Residency,
)
from stargate.agreements.clause.capacity import Backstop, CapacityReservation, Delivery, Option
from stargate.agreements.clause.common import ClauseBase
from stargate.agreements.clause.life import ConditionPrecedent, Survival, Term, Termination, Trigger, Waiver
from stargate.agreements.clause.money import (
    Commitment,
    EquityGrant,
    Holding,
    Netting,
    Prepayment,
    Price,
    RevenueShare,
    ServiceLevel,
)


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some fields of a clause get new values; the rest stays."""

    clause: str
    set: dict[str, Any]


class Amendment(ClauseBase, frozen=True, tag="amendment"):
    """From its date on clauses are removed, replaced, changed or added. Before, nothing is different."""

    of: str = ""
    """The agreement it amends; default: what the document `amends`, or the agreement it stands in."""
    removes: tuple[str, ...] = ()
    replaces: tuple[Clause, ...] = ()
    """Whole clauses; each takes the place of the one with the same id."""
    changes: tuple[Change, ...] = ()
    adds: tuple[Clause, ...] = ()
    on_open_offers: Literal["", "complete", "void"] = ""
    """What becomes of offers still open under removed or replaced rights; default: as the right says."""

    def check(self) -> None:
        """Its date is a date: what depends on facts is a trigger's work."""
        if self.from_ is not None and not isinstance(self.from_, str):
            raise ValueError(
                "from: an amendment takes effect on a date; use a trigger for what depends on facts"
            )
        if not (self.removes or self.replaces or self.changes or self.adds):
            raise ValueError("the amendment changes nothing: give removes, replaces, changes or adds")


Clause = (
    FirstRefusal
    | FirstShip
    | ExclusiveServing
    | Residency
    | Entitlement
    | CapacityReservation
    | Delivery
    | Option
    | Backstop
    | Price
    | Commitment
    | Prepayment
    | RevenueShare
    | Netting
    | ServiceLevel
    | EquityGrant
    | Holding
    | Term
    | Trigger
    | ConditionPrecedent
    | Amendment
    | Termination
    | Survival
    | Waiver
)
