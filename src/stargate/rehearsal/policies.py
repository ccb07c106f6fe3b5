"""Policies by name, for comparison: the plain ones that every scheduler's paper is measured against, and our own."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from stargate.base.errors import NotFoundError
from stargate.broker.policy import Migration, Policy, SourcingPolicy

PolicyName = Literal["fifo", "sjf", "easy", "srtf", "own"]
"""`fifo`: in order of arrival, nobody passes the first. `sjf`: the shortest requested time first, likewise. `easy`:
`fifo`, and behind the first whoever cannot delay it. `srtf`: what has least left first, also before what runs, and
behind the first whoever cannot delay it. `own`: the policy that is given."""

NAMES: tuple[PolicyName, ...] = get_args(PolicyName)
DEPTH = 1_000_000
"""A plain policy asks everybody who waits."""


def named(name: str, own: Policy | None = None) -> Policy:
    """The policy of that name. Raises NotFoundError.

    Plain ones know no priorities, teams, prices or purchases; `own` is the given policy as it is.
    """
    if name == "own":
        return own or Policy()
    orders: dict[str, tuple[Literal["fifo", "sjf", "srtf"], Literal["easy", "none"]]] = {
        "fifo": ("fifo", "none"),
        "sjf": ("sjf", "none"),
        "easy": ("fifo", "easy"),
        "srtf": ("srtf", "easy"),
    }
    if name not in orders:
        raise NotFoundError(f"no policy is called {name!r}", f"choose one of {', '.join(NAMES)}")
    order, backfill = orders[name]
    return msgspec.structs.replace(
        own or Policy(),
        order=order,
        backfill=backfill,
        preemption=order == "srtf",
        backfill_depth=DEPTH,
        teams=(),
        migration=Migration(enabled=False),
        sourcing=SourcingPolicy(automatic=False),
    )
