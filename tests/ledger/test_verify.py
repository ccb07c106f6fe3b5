"""Verification: a whole ledger fits; whatever is changed in its file is named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from stargate.agreements import WorldFact
from stargate.base.time import DAY
from stargate.ledger import Budget, Ledger, Store, open_store
from stargate.ledger.focus.bring import bring
from stargate.ledger.verify import Verified, verify
from tests.ledger.making import BEGIN, MONTHS, closed, events, paper

HARMLESS = {("progress", "seq"), ("progress", "body"), ("progress", "name")}
"""How far readers have come is no part of the record; what cannot be is named all the same."""


HEADER = b"ProviderName,BillingPeriodStart,BillingCurrency,BilledCost,EffectiveCost,ChargePeriodStart,Tags\n"
BILLS = (
    b'AWS,2026-01-01,USD,1.10,1.05,x,"two\nlines"\nAWS,2026-01-01,USD,2.05,2,x,\n\nOracle,2026-02-01,EUR,1E+3,7,x,\n',
    b"AWS,2026-03-01,USD,5,5,x,\n",
)
"""Of others, as files of FOCUS: with a record of two lines, and an empty line after another."""


def filled(store: Store) -> None:
    """Usage, terms, two closed months, something late, and bills of others."""
    ledger = Ledger(store)
    ledger.declare([paper()], [WorldFact(name="agi", value=False, valid_from=BEGIN)], BEGIN)
    ledger.allow(Budget(team="red", limit_usd=Decimal(5)), BEGIN)
    ledger.take(events(30), BEGIN, ("journal:main", BEGIN))
    ledger.rate(BEGIN.plus(DAY))
    closed(store)
    ledger.take(events(6, first=30), BEGIN.plus(70 * DAY))
    ledger.rate(BEGIN.plus(70 * DAY))
    for number, bill in enumerate(BILLS, 1):
        bring(store, f"bill-{number}.csv", partial(BytesIO, HEADER + bill), BEGIN)


def test_a_ledger_verifies(opened: Callable[..., Store]) -> None:
    """On either database; an empty one too."""
    store = opened()
    assert verify(store.audit()).ok
    filled(store)
    found = verify(store.audit())
    assert found.faults == ()
    assert (found.usage, found.closed) == (36, len(MONTHS))
    assert verify(store.audit(), found.head).ok


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in a file that nobody has changed."""
    path = tmp_path_factory.mktemp("whole") / "ledger.sqlite"
    store = open_store(path, durable=False)
    filled(store)
    store.close()
    return path


class Copy:
    """A copy of it whose rows can be changed."""

    def __init__(self, whole: Path, path: Path) -> None:
        self.path = path
        shutil.copy(whole, path)
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.run("PRAGMA ignore_check_constraints = ON")
        for (name,) in self.run("SELECT name FROM sqlite_schema WHERE type = 'trigger'"):
            self.run(f"DROP TRIGGER {name}")

    def run(self, statement: str) -> list[tuple[object, ...]]:
        return self.connection.execute(statement).fetchall()

    def verified(self) -> Verified:
        self.connection.close()
        store = open_store(self.path, readonly=True)
        try:
            return verify(store.audit())
        finally:
            store.close()


TABLES = (
    "account", "balance", "block", "entry", "imported_file", "imported_record", "imported_sum", "month", "progress",
    "source", "standing", "stream", "subject", "terms", "usage_event",
)  # fmt: skip

CHANGES = {
    "INTEGER": "coalesce({0}, 0) + 1000000",
    "TEXT": "coalesce({0}, '') || '1'",
    "BLOB": "zeroblob(length({0}) + 1)",
}


def test_all_tables_are_looked_at(whole: Path) -> None:
    """A table that is added later is one that somebody must verify."""
    with sqlite3.connect(whole) as connection:
        found = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
    assert found == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_any_value_that_is_changed_is_named(whole: Path, tmp_path: Path, table: str) -> None:
    """Of every column, in the last row."""
    missed = []
    copy = Copy(whole, tmp_path / "first.sqlite")
    described = copy.run(f"PRAGMA table_info({table})")
    key = described[0][1]
    for number, (_, column, kind, *_) in enumerate(described):
        copy = Copy(whole, tmp_path / f"{number}.sqlite")
        change = CHANGES[str(kind)].format(column)
        copy.run(f"UPDATE {table} SET {column} = {change} WHERE {key} = (SELECT max({key}) FROM {table})")
        if copy.verified().ok and (table, column) not in HARMLESS:
            missed.append(column)
    assert missed == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("UPDATE usage_event SET micro = micro + 1 WHERE seq = 7", "usage event 7"),
        ("DELETE FROM usage_event WHERE seq = 7", "block"),
        ("UPDATE terms SET body = x'00' WHERE seq = 1", "terms 1"),
        ("UPDATE entry SET amount = amount + 1 WHERE seq = 3", "line"),
        ("UPDATE entry SET amount = amount + 1 WHERE seq = 3", "balance"),
        ("UPDATE entry SET says = 'nothing' WHERE seq = 3", "block"),
        ("DELETE FROM balance WHERE account = 1", "balance of account 1"),
        (
            "UPDATE month SET root = zeroblob(32) WHERE name = '2026-01' AND status = 'closed'",
            "month 2026-01",
        ),
        ("DELETE FROM block WHERE seq = (SELECT max(seq) FROM block)", "imported_file 2"),
        ("DELETE FROM block WHERE seq > 5", "entry"),
        ("UPDATE progress SET seq = seq + 5", "progress journal:main"),
        ("UPDATE imported_record SET body = x'00' WHERE file = 1 AND number = 2", "imported record 1/2"),
        ("UPDATE imported_record SET body = x'00' WHERE file = 1 AND number = 2", "imported file 1"),
        ("INSERT INTO imported_record VALUES (1, 4, x'00', x'00')", "imported record 1/4"),
        ("INSERT INTO imported_record VALUES (1, 0, x'00', x'00')", "imported record 1/0"),
        ("DELETE FROM imported_record WHERE file = 1 AND number = 1", "imported record 1/1"),
        ("DELETE FROM imported_record WHERE file = 1 AND number > 1", "imported record 1/2 to 3"),
        ("INSERT INTO imported_record VALUES (3, 1, x'00', x'00')", "imported record of file 3"),
        ("UPDATE imported_file SET name = 'other' WHERE seq = 2", "block"),
        ("UPDATE imported_file SET digest = zeroblob(32) WHERE seq = 2", "imported file 2"),
        ("DELETE FROM imported_file WHERE seq = 2", "imported sum of file 2"),
        ("DELETE FROM imported_file WHERE seq = 2", "block"),
        (
            (
                "INSERT INTO imported_file SELECT 3, 99, x'01', name, dataset, version, head, 0, 0 FROM imported_file"
                " LIMIT 1"
            ),
            "imported_file 3",
        ),
        (
            "UPDATE imported_sum SET billed = '3.16' WHERE provider = 'AWS' AND file = 1",
            "imported sum 1/AWS/2026-01/USD",
        ),
        (
            "UPDATE imported_sum SET records = 3 WHERE provider = 'Oracle'",
            "imported sum 1/Oracle/2026-02/EUR",
        ),
        ("DELETE FROM imported_sum WHERE provider = 'Oracle'", "imported sum 1/Oracle/2026-02/EUR"),
        (
            "INSERT INTO imported_sum VALUES (2, 'IBM', '2026-03', 'USD', 1, '5', '5')",
            "imported sum 2/IBM/2026-03/USD",
        ),
        ("UPDATE imported_sum SET billed = 'much'", "imported sums"),
        (
            (
                "INSERT INTO usage_event SELECT -1, 9, event, fingerprint, stream, micro, 0, 0, '', 0 FROM usage_event"
                " LIMIT 1"
            ),
            "usage_event -1",
        ),
    ],
)
def test_what_was_changed_is_named(whole: Path, tmp_path: Path, change: str, where: str) -> None:
    """By its number, or by the block that covers it."""
    copy = Copy(whole, tmp_path / "ledger.sqlite")
    copy.run(change)
    found = copy.verified()
    assert any(fault.where.startswith(where) for fault in found.faults), [
        str(fault) for fault in found.faults
    ]


def test_a_history_that_was_written_anew_is_known_by_a_head_that_was_noted(
    whole: Path, tmp_path: Path
) -> None:
    """It fits in itself, and is another one."""
    store = open_store(whole, readonly=True)
    noted = verify(store.audit()).head
    store.close()
    other = open_store(tmp_path / "other.sqlite", durable=False)
    Ledger(other).take(events(5), BEGIN)
    found = verify(other.audit(), noted)
    assert [fault.says for fault in found.faults] == [
        "it is not the one that was noted: history was written anew"
    ]
    other.close()
