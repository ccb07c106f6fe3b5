"""Teams that have spent what they may in a month: their new work waits, what has begun goes on.

Who counts the money says so by a fact of the world, `over_budget/TEAM`, whose value is the month. It holds for that
month until another one under the same name says something else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from stargate.agreements import WorldFact
from stargate.base.time import Instant
from stargate.broker.ground import Ground

if TYPE_CHECKING:
    from stargate.broker.records import Slot, WorkloadState
    from stargate.broker.state import State

OVER_BUDGET = "over_budget/"
"""What the names of these facts begin with; the team follows."""
WITHIN = "none"
"""The value that lets a team's work start again."""


def spent_up(facts: Iterable[WorldFact]) -> dict[str, WorldFact]:
    """The last of these facts of each team."""
    return {fact.name.removeprefix(OVER_BUDGET): fact for fact in facts if fact.name.startswith(OVER_BUDGET)}


def over_budget(state: State, holder: WorkloadState, slot: Slot, at: Instant) -> Ground | None:
    """Why a slot may not start now: its team's budget is spent. None: it may, or it has run before."""
    fact = state.spent_up.get(holder.workload.team) if slot.number == 0 else None
    if fact is None or fact.value != at.datetime().strftime("%Y-%m"):
        return None
    team, spent = holder.workload.team, f" ({fact.source})" if fact.source else ""
    return Ground(
        f"team {team} has spent its budget of {fact.value}{spent}: what has begun goes on, and new work waits for the"
        f" next month, or until `stargate budget set {team} --limit-usd N` raises it",
        facts=(str(fact),),
    )
