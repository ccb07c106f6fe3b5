"""Verification: a whole ledger fits; whatever is changed in its file is named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from stargate.agreements import WorldFact
from stargate.base.time import DAY
from stargate.ledger import Budget, Ledger, Store, open_store
from stargate.ledger.verify import Verified, verify
from tests.ledger.making import BEGIN, MONTHS, closed, events, paper

HARMLESS = {("progress", "seq"), ("progress", "body"), ("progress", "name")}
"""How far readers have come is no part of the record; what cannot be is named all the same."""


def filled(store: Store) -> None:
    """Usage, terms, two closed months, and something late."""
    ledger = Ledger(store)
    ledger.declare([paper()], [WorldFact(name="agi", value=False, valid_from=BEGIN)], BEGIN)
    ledger.allow(Budget(team="red", limit_usd=Decimal(5)), BEGIN)
    ledger.take(events(30), BEGIN, ("journal:main", BEGIN))
    ledger.rate(BEGIN.plus(DAY))
    closed(store)
    ledger.take(events(6, first=30), BEGIN.plus(70 * DAY))
    ledger.rate(BEGIN.plus(70 * DAY))


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
    "account", "balance", "block", "entry", "month", "progress", "source", "standing", "stream", "subject", "terms",
    "usage_event",
)  # fmt: skip
EMPTY = {"imported_file", "imported_record", "imported_sum"}
"""Nothing was imported here."""


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
    assert found == {*TABLES, *EMPTY}


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
        ("DELETE FROM block WHERE seq = (SELECT max(seq) FROM block)", "entry"),
        ("UPDATE progress SET seq = seq + 5", "progress journal:main"),
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
