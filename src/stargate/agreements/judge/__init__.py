"""One judge for each kind of clause that decides requests. All read a question and a clause, nothing else.

What is here says what a single clause says. Which clauses are asked, which are silent because an exception
speaks, and what follows from all answers together, is in `decide`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stargate.agreements.clause import (
    CapacityReservation,
    Clause,
    Delivery,
    Entitlement,
    ExclusiveServing,
    FirstRefusal,
    FirstShip,
    Option,
    Residency,
    Termination,
)
from stargate.agreements.judge import (
    capacity,
    entitlement,
    exclusive_serving,
    exit,  # noqa: A004  # the exit from an agreement
    first_refusal,
    first_ship,
    residency,
)
from stargate.agreements.judge.rule import Judge, Live, Question, Rule, Verdict

NOTHING: frozenset[str] = frozenset()


class Bench(NamedTuple):
    """How a kind is judged."""

    judge: Judge
    actions: Callable[[Clause], frozenset[str]]
    bound: str
    """The field that names the party whose requests it is about; empty: it is about everybody's."""
    looks_at: frozenset[str]
    """Attributes it reads beside its scope."""
    narrows: tuple[str, str] = ("", "")
    """A field that stands for a filter, and the attribute it filters: products, product."""


def _always(*actions: str) -> Callable[[Clause], frozenset[str]]:
    chosen = frozenset(actions)
    return lambda _: chosen


def _named(clause: Clause) -> frozenset[str]:
    assert isinstance(clause, ExclusiveServing | Residency), "kinds that list their actions"
    return frozenset(clause.actions)


def _granted(clause: Clause) -> frozenset[str]:
    assert isinstance(clause, Entitlement), "the kind that grants rights"
    return frozenset(entitlement.ACTIONS[right] for right in clause.rights)


BENCHES: dict[type, Bench] = {
    FirstRefusal: Bench(first_refusal.judge, _always("source"), "grantor", first_refusal.LOOKS_AT),
    FirstShip: Bench(
        first_ship.judge, _always("ship"), "grantor", first_ship.LOOKS_AT, ("products", "product")
    ),
    ExclusiveServing: Bench(
        exclusive_serving.judge, _named, "grantor", frozenset({"product"}), ("products", "product")
    ),
    Residency: Bench(residency.judge, _named, "grantor", residency.LOOKS_AT),
    Entitlement: Bench(entitlement.judge, _granted, "", entitlement.LOOKS_AT, ("assets", "asset")),
    Option: Bench(capacity.judge_option, _always("exercise", "source"), "", capacity.LOOKS_AT),
    CapacityReservation: Bench(
        capacity.judge_reservation, _always("cancel", "modify"), "", capacity.LOOKS_AT
    ),
    Delivery: Bench(exit.judge_delivery, _always("terminate"), "", exit.LOOKS_AT),
    Termination: Bench(exit.judge_termination, _always("terminate"), "", exit.LOOKS_AT),
}

__all__ = ["BENCHES", "NOTHING", "Bench", "Judge", "Live", "Question", "Rule", "Verdict"]
