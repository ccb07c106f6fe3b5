"""Following a journal: each hour once, whatever interrupts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from stargate.agreements import Agreement, Period, WorldFact
from stargate.base import wire
from stargate.base.time import HOUR, MINUTE, Instant
from stargate.broker.command import Report
from stargate.ledger import Ledger, Store
from stargate.ledger.intake import Follower, on_chips
from stargate.ledger.intake import follower as module
from tests.broker.world import START, Bench, pool, work

NOON = START.plus(12 * HOUR)


class CutError(Exception):
    """The power fails."""


def bench() -> Bench:
    """Three gangs that run for five hours."""
    found = Bench(pool("a"))
    for number in range(3):
        found.submit(work(f"lm{number}"))
        found.report(f"lm{number}.0.1", "accepted")
    found.wait(5 * HOUR - 10 * MINUTE)
    for number in range(3):
        found.do(Report(f"lm{number}.0.1", "done"))
    return found


def counted(store: Store) -> list[tuple[str, Decimal]]:
    """What is on record."""
    return sorted((event.key, event.quantity) for event in store.usage(Period(START, NOON)))


def test_the_mark_moves_with_what_was_taken(opened: Callable[..., Store]) -> None:
    """It is an hour, and 0 at first."""
    follower = Follower(Ledger(opened()))
    assert follower.mark() == 0
    taken = follower.take(on_chips(bench().state, START, NOON), NOON, NOON)
    assert (taken.new, taken.known, taken.refused) == (15, 0, ())
    assert follower.mark() == NOON


@pytest.mark.parametrize("writes", range(4))
def test_interrupted_anywhere_it_goes_on_and_counts_once(
    opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Batches of 4 of 15 events; the transaction of any of them fails. Done again, the record is the same."""
    monkeypatch.setattr(module, "BATCH", 4)
    state, store = bench().state, opened()
    left = [writes]

    def failing(self: Ledger, events: object, at: Instant, mark: object = None) -> object:
        if not left[0]:
            raise CutError
        left[0] -= 1
        return take(self, events, at, mark)  # type: ignore[arg-type]

    take = Ledger.take
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "take", failing)
        follower = Follower(Ledger(store))
        with pytest.raises(CutError):
            follower.take(on_chips(state, START, NOON), NOON, NOON)
    assert follower.mark() == 0
    taken = Follower(Ledger(store)).take(on_chips(state, START, NOON), NOON, NOON)
    assert (taken.new, taken.known) == (15 - 4 * writes, 4 * writes)
    assert len(counted(store)) == 15
    assert sum(quantity for _, quantity in counted(store)) == 3 * 8 * (5 * 3_600 - 600)


def test_agreements_that_make_no_sense_leave_those_before(opened: Callable[..., Store]) -> None:
    """Facts are put on record all the same; what the ledger said of budgets is not."""
    store = opened()
    follower = Follower(Ledger(store))
    good = paper("good")
    assert follower.declare([good], [], START) == ""
    facts = [
        WorldFact(name="agi", value=True, valid_from=START),
        WorldFact(name="over_budget/red", value="2026-01", valid_from=START),
    ]
    assert "share" in follower.declare([paper("a", circle=True)], facts, START)
    terms = store.terms()
    assert [one.id for one in terms.agreements] == ["good"]
    assert [fact.name for fact in terms.facts] == ["agi"]


def paper(id: str, *, circle: bool = False) -> Agreement:
    """A paper; with `circle`, of two shares that are taken of one another."""
    share = {"kind": "revenue_share", "rate": "0.2"}
    clauses = [
        share | {"id": "one", "payer": "lab", "payee": "alpha", "base": {"includes_shares": ["two"]}},
        share | {"id": "two", "payer": "alpha", "payee": "lab", "base": {"includes_shares": ["one"]}},
    ]
    return wire.convert(
        {"id": id, "customer": "lab", "supplier": "alpha", "clauses": clauses if circle else []}, Agreement
    )
