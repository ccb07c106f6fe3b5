"""From a need to a signed lease: offers to holders of rights, market, award, delivery, loss of a supplier.

What lives here: the commands, facts, records and decisions of sourcing. The law it follows (windows,
comparisons, sharing) is `agreements.refusal`; which rights are live is asked of the agreements; placing
work on a lease is the rest of the broker.
"""

from __future__ import annotations

from stargate.broker.sourcing.decide import decide, decide_due, next_due, review
from stargate.broker.sourcing.delivery import reopen
from stargate.broker.sourcing.evolve import apply, evolve
from stargate.broker.sourcing.react import react
from stargate.broker.sourcing.transitions import TABLES

__all__ = [
    "TABLES",
    "apply",
    "decide",
    "decide_due",
    "evolve",
    "next_due",
    "react",
    "reopen",
    "review",
]
