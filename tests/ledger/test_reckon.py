"""Rating in portions: however small they are, months come to the same, and what was written verifies."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from stargate.agreements import Period, WorldFact
from stargate.base.time import DAY, HOUR
from stargate.ledger import Ledger, Store, open_store, reckon
from stargate.ledger.reckon import portions
from stargate.ledger.record.month import span_of
from stargate.ledger.store import usage, writing
from stargate.ledger.verify import verify
from tests.ledger.making import BEGIN, MONTHS, closed, event, events, paper


def booked(store: Store) -> dict[bytes, tuple[int, int, int]]:
    """All lines after use that came in time and late, prices that changed, and a fact that was known late."""
    ledger, dear = Ledger(store), paper()
    rate = msgspec.structs.replace(dear.clauses[0], price_usd=Decimal(3), most_favoured_fact="market")
    dear = msgspec.structs.replace(dear, clauses=(rate, *dear.clauses[1:]))
    ledger.declare([paper()], (), BEGIN)
    ledger.take(events(200), BEGIN)
    ledger.rate(BEGIN)
    ledger.take(events(200, 150), BEGIN)
    ledger.declare([dear], (), BEGIN)
    ledger.rate(BEGIN)
    closed(store)
    late = span_of(MONTHS[-1]).end.plus(10 * DAY)
    ledger.take([*events(50, 350), event(401, quantity=Decimal(7), attributes={})], late)
    ledger.declare([dear], [WorldFact("market", 1, BEGIN.plus(20 * DAY + HOUR // 2))], late)
    ledger.rate(late)
    lines = [line for month in store.months_with_lines() for line in store.lines(month)]
    return {line.key.id: (line.micro, line.posted_micro, line.entries) for line in lines}


def test_months_come_to_the_same_however_small_the_portions(
    opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = open_store(tmp_path_factory.mktemp("whole") / "ledger.sqlite", durable=False)
    expected = booked(whole)
    monkeypatch.setattr(reckon, "PORTION", 7)
    monkeypatch.setattr(usage, "FEW", 10)
    monkeypatch.setattr(writing, "SEALED_AT_ONCE", 20)
    store = opened()
    assert booked(store) == expected
    assert len(expected) > 300
    assert {month.root for month in store.months()} == {month.root for month in whole.months()}
    assert len(list(store.audit().blocks())) > 2 * len(list(whole.audit().blocks()))
    for one in (whole, store):
        assert verify(one.audit()).faults == ()
    whole.close()


def test_portions_lie_between_hours_and_cover_the_span() -> None:
    given = ((3, 5), (4, 30_000), (9, 1), (10, 15_000))
    hours = [(BEGIN.plus(number * HOUR), count) for number, count in given]
    cuts = [BEGIN, BEGIN.plus(4 * HOUR), BEGIN.plus(9 * HOUR), BEGIN.plus(DAY)]
    day = Period(BEGIN, BEGIN.plus(DAY))
    assert [part for part, _ in portions(day, hours)] == [Period(*ends) for ends in pairwise(cuts)]
    assert [events for _, events in portions(day, hours)] == [5, 30_000, 15_001]
    assert list(portions(day, ())) == [(day, 0)]
