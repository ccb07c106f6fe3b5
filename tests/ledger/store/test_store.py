"""What a store keeps, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from stargate.base.errors import LedgerError, LimitError
from stargate.base.time import HOUR, Instant
from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record import Draft, LineKey
from stargate.ledger.record.month import span_of
from stargate.ledger.store import writing
from stargate.ledger.store.chain import GENESIS
from stargate.ledger.store.schema import KEPT
from tests.ledger.making import BEGIN, MONTHS, chain_broken_at, closed, event, events, paper

Opened = Callable[..., Store]
LATER = Instant.parse("2026-03-05")


def draft(number: int, amount: int) -> Draft:
    start = span_of("2026-01").start.plus(number * HOUR)
    line = LineKey(
        kind="usage", payer="lab", payee="alpha", month="2026-01", start=start, end=start.plus(HOUR)
    )
    return Draft(line=line, amount_micro=amount, micro=abs(amount), says=f"{amount} of {number}")


def test_an_event_counts_once_however_often_it_comes(opened: Opened) -> None:
    ledger = Ledger(opened())
    assert ledger.take(events(60), BEGIN).new == 60
    taken = ledger.take([*events(80, 30), event(3), event(3)], BEGIN.plus(HOUR))
    assert (taken.new, taken.known, taken.refused) == (50, 32, ())
    kept = list(ledger.store.usage(span_of("2026-01")))
    kept += list(ledger.store.usage(span_of("2026-02")))
    assert sorted(kept, key=lambda item: item.key) == events(110)
    assert chain_broken_at(ledger.store) is None


def test_an_event_that_contradicts_itself_is_refused_and_the_others_are_taken(opened: Opened) -> None:
    ledger = Ledger(opened())
    ledger.take(events(40), BEGIN)
    other = event(7, quantity=Decimal(1))
    taken = ledger.take([other, event(100), event(100, party="x"), event(8)], BEGIN)
    assert (taken.new, taken.known) == (1, 1)
    assert [(item.place, item.key) for item in taken.refused] == [(0, "event-000007"), (2, "event-000100")]
    assert event(7) in list(ledger.store.usage(span_of("2026-01"))), "the first one stands"
    assert chain_broken_at(ledger.store) is None


def test_equal_quantities_prices_and_orders_of_attributes_are_the_same_content(opened: Opened) -> None:
    ledger = Ledger(opened())
    said = event(1, quantity=Decimal("1.50"), quoted_usd=Decimal("2.0"), attributes={"a": "1", "b": "2"})
    again = event(1, quantity=Decimal("1.5"), quoted_usd=Decimal(2), attributes={"b": "2", "a": "1"})
    ledger.take([said], BEGIN)
    assert ledger.take([again], BEGIN).known == 1


def test_what_an_error_interrupts_leaves_nothing_behind(opened: Opened) -> None:
    store = opened()

    def interrupted() -> None:
        with store.writing(BEGIN) as writing:
            writing.take(events(50))
            writing.post([draft(1, 5)], usage_seq=50)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert store.position().block == 0
    assert store.balances() == {}
    with store.writing(BEGIN) as writing:
        assert writing.take(events(50)).new == 50, "numbers of names that were undone are not used again"
    used = [*store.usage(span_of("2026-01")), *store.usage(span_of("2026-02"))]
    assert sorted(used, key=lambda item: item.key) == events(50)
    assert chain_broken_at(store) is None


def test_entries_of_a_line_add_up_and_move_both_accounts(opened: Opened) -> None:
    store = opened()
    with store.writing(BEGIN) as writing:
        writing.post([draft(number, 10 + number) for number in range(30)], usage_seq=0)
        writing.post([draft(3, -4), draft(3, 1), draft(4, 0)], usage_seq=0)
    with store.writing(BEGIN) as writing:
        assert writing.post([draft(number, 1) for number in range(25)], usage_seq=0) == 25
    total = sum(range(10, 40)) - 4 + 1 + 25
    assert store.balances() == {"alpha:lab:usage:usd": -total, "lab:alpha:usage:usd": total}
    lines = {line.key.start: line for line in store.lines("2026-01")}
    third = lines[span_of("2026-01").start.plus(3 * HOUR)]
    assert (third.posted_micro, third.entries) == (13 - 4 + 1 + 1, 4)
    entries = list(store.entries())
    assert [entry.seq for entry in entries] == list(range(1, 58))
    assert len({entry.id for entry in entries}) == 57
    (sums,) = store._database.run("SELECT sum(amount), count(*) FROM posting")
    assert (int(sums[0]), sums[1]) == (0, 114)
    assert chain_broken_at(store) is None


def test_what_comes_late_is_booked_later_and_names_the_first_entry(opened: Opened) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    ledger.take(events(40), BEGIN)
    ledger.close("2026-01", LATER)
    firsts = {entry.line.id: entry.seq for entry in store.entries() if entry.line.month == "2026-01"}
    line = next(entry.line for entry in store.entries() if entry.line.id in firsts)
    with store.writing(LATER) as writing:
        known = Draft(line=line, amount_micro=7, micro=7, says="late")
        writing.post([known, known, draft(99, 3), draft(99, 4)], usage_seq=40)
    late = list(store.entries(month="2026-02"))[-4:]
    first = late[2].seq
    assert [entry.corrects for entry in late] == [firsts[line.id], firsts[line.id], None, first]


def test_a_batch_has_a_limit(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "BATCH_LIMIT", 10)
    with pytest.raises(LimitError, match="limit is 10"):
        Ledger(opened()).take(events(11), BEGIN)


KEY = {
    "source": "name",
    "account": "path",
    "stream": "digest",
    "subject": "digest",
    "block": "hash",
    "month": "root",
}


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_the_database_refuses_to_change_the_record(opened: Opened, change: str) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    ledger.take(events(30), BEGIN)
    ledger.close("2026-01", LATER)
    filled = [table for table in KEPT if store._database.run(f"SELECT 1 FROM {table} LIMIT 1")]
    assert set(filled) >= {"usage_event", "terms", "entry", *KEY}
    for table in filled:
        with pytest.raises(LedgerError, match=f"rows of {table} are never changed or removed"):
            store._database.run(change.format(table, *[KEY.get(table, "recorded_us")] * 2))
    assert chain_broken_at(store) is None


def test_a_reader_sees_one_state_and_writes_nothing(opened: Opened) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.take(events(30), BEGIN)
    reader = opened(readonly=True)
    with reader.snapshot():
        before = reader.position()
        ledger.take(events(30, 100), BEGIN)
        assert reader.position() == before
        assert len(list(reader.usage(span_of("2026-01")))) < 60
    assert reader.position() == store.position()
    with pytest.raises(LedgerError), reader.writing(BEGIN) as writing:
        writing.take(events(1, 500))
    assert store.position().usage_seq == 60


def test_rows_may_be_read_while_others_are_asked_for_and_written(opened: Opened) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.take(events(50), BEGIN)
    rows = store._database.stream("SELECT seq FROM usage_event WHERE seq % 2 = ? ORDER BY seq", (0,))
    first = next(rows)
    assert store.position().usage_seq == 50
    ledger.take(events(10, 50), BEGIN)
    seen = [first[0], *(seq for (seq,) in rows)]
    assert seen[:25] == list(range(2, 51, 2))


def test_months_close_alike_whatever_the_parts_the_order_and_the_store(
    opened: Opened, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    backwards = events(300)[::-1]
    for first in range(0, 300, 70):
        ledger.take(backwards[max(first - 20, 0) : first + 70], BEGIN)
        ledger.rate(BEGIN)
    other = open_store(tmp_path_factory.mktemp("other") / "ledger.sqlite", durable=False)
    plain = Ledger(other)
    plain.declare([paper()], (), BEGIN)
    plain.take(events(300), BEGIN)
    assert closed(store) == closed(other)
    assert list(closed(store)) == list(MONTHS)
    assert store.balances() == other.balances()
    assert chain_broken_at(store) is None
    assert chain_broken_at(other) is None
    other.close()


def test_the_chain_shows_what_was_changed_behind_the_back_of_the_database(opened: Opened) -> None:
    store = opened()
    ledger = Ledger(store)
    ledger.declare([paper()], (), BEGIN)
    ledger.take(events(30), BEGIN)
    ledger.rate(BEGIN)
    assert store.position().hash != GENESIS
    drop = {"postgres": "DROP TRIGGER entry_is_kept ON entry"}
    where = "postgres" if store.name.startswith("postgres") else "sqlite"
    store._database.run(drop.get(where, "DROP TRIGGER entry_refuses_update"))
    store._database.run("UPDATE entry SET amount = amount + 1 WHERE seq = 5")
    assert chain_broken_at(store) == 3
