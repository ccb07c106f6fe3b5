"""Budgets: who has spent how much of what, and what the broker is told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.agreements import WorldFact
from stargate.base.time import Instant
from stargate.ledger import Budget, BudgetState, Ledger, Store, UsageEvent
from stargate.ledger.settle.budget import budget_states, to_declare

AT = Instant.parse("2026-04-10")
"""Nine days of thirty have passed."""


def states(*budgets: Budget, **spent: int) -> tuple[BudgetState, ...]:
    """How these teams stand, with so many dollars spent."""
    return budget_states(budgets, {team: usd * 10**6 for team, usd in spent.items()}, "2026-04", AT)


def budget(limit: Any = 100, **changes: Any) -> Budget:
    return Budget(**({"team": "red", "limit_usd": None if limit is None else Decimal(limit)} | changes))


@pytest.mark.parametrize(
    ("spent", "status"), [(0, "within"), (79, "within"), (80, "warning"), (99, "warning"), (100, "over")]
)
def test_from_a_fraction_on_it_warns_and_at_the_limit_it_is_over(spent: int, status: str) -> None:
    """80 % unless said otherwise."""
    (state,) = states(budget(), red=spent)
    assert (state.status, state.left_micro_usd) == (status, (100 - spent) * 10**6)


def test_the_forecast_goes_on_at_the_pace_so_far() -> None:
    """$30 in nine days are $100 in thirty; before the month began there is no pace."""
    (state,) = states(budget(), red=30)
    assert state.forecast_micro_usd == 100 * 10**6
    (early,) = budget_states([budget()], {"red": 5}, "2026-05", AT)
    assert early.forecast_micro_usd == 5


def test_the_last_one_counts_and_that_of_the_month_before_that_of_every_month() -> None:
    """A budget without a limit is none."""
    assert states(budget(10), budget(20))[0].limit_micro_usd == 20 * 10**6
    assert states(budget(10, month="2026-04"), budget(20))[0].limit_micro_usd == 10 * 10**6
    assert states(budget(10, month="2026-05"), budget(20))[0].limit_micro_usd == 20 * 10**6
    assert states(budget(10), budget(None)) == ()
    assert states(budget(None, month="2026-04"), budget(20)) == ()


def test_the_broker_is_told_what_it_does_not_know() -> None:
    """Once who may start nothing new, with the figures; once that they may again, also those without a budget."""
    over = states(budget(then="block"), red=120)
    (fact,) = to_declare(over, {}, AT)
    assert (fact.name, fact.value, fact.source) == ("over_budget/red", "2026-04", "$120.00 of $100.00")
    known = {"red": fact}
    assert to_declare(over, known, AT) == ()
    before = {"red": WorldFact(name="over_budget/red", value="2026-03", valid_from=AT)}
    assert to_declare(over, before, AT) == (fact,)
    for now in (states(budget(200, then="block"), red=120), states(budget(then="warn"), red=120), ()):
        (lifted,) = to_declare(now, known, AT)
        assert (lifted.name, lifted.value) == ("over_budget/red", "none")
        assert to_declare(now, {"red": lifted}, AT) == ()
    assert to_declare(states(budget(then="warn"), red=120), {}, AT) == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [("team", ""), ("limit_usd", -1), ("warn", Decimal(0)), ("warn", Decimal(2)), ("month", "2026-13")],
)
def test_what_makes_no_sense_is_refused(field: str, value: Any) -> None:
    """With the field's name in the message."""
    with pytest.raises(ValueError, match=field if field != "month" else "2026-13"):
        budget(**({"limit": value} if field == "limit_usd" else {field: value}))


def test_the_ledger_adds_up_what_each_team_was_charged(opened: Callable[..., Store]) -> None:
    """Use without a price, of another month and of other teams is left out; the same budget is written once."""
    ledger = Ledger(opened())
    events = [
        ("a", "red", "2", "2026-04-02"), ("b", "red", "3", "2026-04-09"), ("c", "blue", "2", "2026-04-02"),
        ("d", "red", None, "2026-04-02"), ("e", "red", "2", "2026-05-01"),
    ]  # fmt: skip
    ledger.take(
        [
            UsageEvent(
                source="s", key=key, metric="output_tokens", quantity=Decimal(10), start=Instant.parse(day),
                party="lab", provider="alpha", quoted_usd=None if price is None else Decimal(price),
                attributes={"team": team},
            )
            for key, team, price, day in events
        ],
        AT,
    )  # fmt: skip
    ledger.rate(AT)
    for _ in range(2):
        ledger.allow(budget(60), AT)
    assert ledger.store.position().terms_seq == 1
    (state,) = ledger.budgets("2026-04", AT)
    assert (state.team, state.spent_micro_usd, state.left_micro_usd) == ("red", 50 * 10**6, 10 * 10**6)
