"""How much of each key's budget this host may still spend, by what the control plane says that all hosts have spent.

Hosts tell what they spent when they ship it, so together they may pass a budget by what is not shipped yet. What this
host has told since its steward began is in the sum of all, and in what its allotment has given out: it counts once.
"""

from __future__ import annotations

from collections.abc import Iterable

from stargate.gateway.record import Application, Budgets, Spent

_NOTHING = Spent(0, 0)


class Shares:
    """Of one host."""

    def __init__(self) -> None:
        self._begun: dict[str, int] | None = None
        """What this host had told when its steward began; None: the control plane has not been heard yet."""
        self._spent: dict[str, Spent] = {}

    def hear(self, budgets: Budgets) -> None:
        """What is spent as of now."""
        self._spent = budgets.spent
        if self._begun is None:
            self._begun = {id: spent.own_micro_usd for id, spent in budgets.spent.items()}

    def money(self, applications: Iterable[Application]) -> dict[str, int]:
        """What the allotment may give out in all, by key with a budget. Until anything is heard: all of it."""
        return {each.id: self._money(each) for each in applications if each.scope.budget_micro_usd}

    def _money(self, application: Application) -> int:
        spent = self._spent.get(application.id, _NOTHING)
        given = spent.own_micro_usd - (self._begun or {}).get(application.id, 0)
        return max(0, application.scope.budget_micro_usd - spent.month_micro_usd + given)
