"""How teams stand to their budgets, and what the broker is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from stargate.agreements import WorldFact
from stargate.base.money import format_usd, micro_usd
from stargate.base.time import Instant
from stargate.broker.budget import OVER_BUDGET, WITHIN
from stargate.ledger.record.budget import Budget
from stargate.ledger.record.month import span_of


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """One team in one month."""

    team: str
    month: str
    limit_micro_usd: int
    spent_micro_usd: int
    """Charged for use on record, at its prices; what clauses add when the month closes is nobody's budget."""
    left_micro_usd: int
    """Below zero: what was spent beyond it."""
    forecast_micro_usd: int
    """For the whole month, at the pace so far."""
    status: Literal["within", "warning", "over"]
    then: Literal["warn", "block"]

    def __str__(self) -> str:
        spent, limit = format_usd(self.spent_micro_usd), format_usd(self.limit_micro_usd)
        return f"team {self.team} has spent {spent} of {limit} in {self.month}"


def budget_states(
    budgets: Iterable[Budget], spent_micro_usd: Mapping[str, int], month: str, at: Instant
) -> tuple[BudgetState, ...]:
    """How each team stands that has a limit in a month, by name. `budgets` are in the order of the record."""
    last = {(budget.team, budget.month): budget for budget in budgets}
    teams = sorted({team for team, _ in last})
    found = (last.get((team, month)) or last.get((team, "")) for team in teams)
    return tuple(
        _state(budget, budget.limit_usd, spent_micro_usd.get(budget.team, 0), month, at)
        for budget in found
        if budget is not None and budget.limit_usd is not None
    )


def _state(budget: Budget, limit_usd: Decimal, spent: int, month: str, at: Instant) -> BudgetState:
    limit, span = micro_usd(limit_usd), span_of(month)
    passed = min(at, span.end) - span.start
    over = spent >= limit
    return BudgetState(
        team=budget.team,
        month=month,
        limit_micro_usd=limit,
        spent_micro_usd=spent,
        left_micro_usd=limit - spent,
        forecast_micro_usd=spent * (span.end - span.start) // passed if passed > 0 else spent,
        status="over" if over else "warning" if spent >= limit * budget.warn else "within",
        then=budget.then,
    )


def to_declare(
    states: Sequence[BudgetState], known: Mapping[str, WorldFact], at: Instant
) -> tuple[WorldFact, ...]:
    """The facts that the broker does not know yet: who may start nothing new, and who may again.

    `known` are the last ones it was told, by team.
    """
    blocked = {state.team: state for state in states if state.status == "over" and state.then == "block"}
    lifted = [team for team, fact in known.items() if fact.value != WITHIN and team not in blocked]
    news = [state for team, state in blocked.items() if team not in known or known[team].value != state.month]
    return (
        *(_fact(team, WITHIN, "", at) for team in sorted(lifted)),
        *(_fact(state.team, state.month, _figures(state), at) for state in news),
    )


def _figures(state: BudgetState) -> str:
    return f"{format_usd(state.spent_micro_usd)} of {format_usd(state.limit_micro_usd)}"


def _fact(team: str, value: str, source: str, at: Instant) -> WorldFact:
    return WorldFact(name=f"{OVER_BUDGET}{team}", value=value, valid_from=at, recorded_at=at, source=source)
