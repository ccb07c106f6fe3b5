"""What is opened: new and older ledgers, and what is none; what goes wrong is said without secrets."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stargate.base.errors import LedgerError, NotFoundError
from stargate.base.time import DAY
from stargate.ledger import Ledger, Store, open_store
from stargate.ledger.record.month import span_of
from stargate.ledger.store import postgres, schema, sqlite
from tests.ledger.cluster import Cluster
from tests.ledger.making import BEGIN, MONTHS, chain_broken_at, events, roots
from tests.ledger.store import golden

Opened = Callable[..., Store]
MODULES = (sqlite, postgres, schema)


@pytest.fixture
def kept(where: str) -> str:
    """The address of an older ledger, as it was kept."""
    with pytest.MonkeyPatch.context() as patch:
        golden.older(patch, *MODULES)
        store = open_store(where, durable=False)
        golden.fill(store)
        store.close()
    return where


def test_a_step_is_never_edited() -> None:
    kept = json.loads(golden.KEPT.read_text())
    assert kept["first_step"] == golden.first_step(), "add a step; until a release, write the file again"


def test_an_older_ledger_is_brought_up_to_date_and_goes_on(kept: str, tmp_path: Path) -> None:
    store, plain = open_store(kept, durable=False), open_store(tmp_path / "new.sqlite", durable=False)
    golden.write(plain)
    assert store.position() == plain.position()
    for each in (store, plain):
        assert chain_broken_at(each) is None
        ledger = Ledger(each)
        assert ledger.take(events(60), BEGIN).new == 20
        ledger.close(MONTHS[1], span_of(MONTHS[1]).end.plus(DAY))
        with pytest.raises(LedgerError, match="never changed or removed"):
            each._database.run("DELETE FROM usage_event")
    assert store.imported() == ()
    assert roots(store) == roots(plain)
    assert store.balances() == plain.balances()
    again = open_store(kept, readonly=True)
    assert again.position() == store.position()
    for each in (store, plain, again):
        each.close()


def test_an_older_ledger_is_not_only_read(kept: str) -> None:
    with pytest.raises(LedgerError, match=f"has format 1; this program reads {len(schema.STEPS)}"):
        open_store(kept, readonly=True)


def test_a_step_that_fails_leaves_the_older_ledger(kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            broken = ("CREATE TABLE half (id {int}){strict}", "CREATE TABLE line (id {int}){strict}")
            patch.setattr(module, "STEPS", (schema.STEPS[0], broken))
        with pytest.raises(LedgerError, match="line"):
            open_store(kept, durable=False)
    golden.older(monkeypatch, *MODULES)
    store = open_store(kept, durable=False)
    with pytest.raises(LedgerError, match="half"):
        store._database.run("SELECT * FROM half")
    with pytest.raises(LedgerError, match="never changed or removed"):
        store._database.run("DELETE FROM entry")
    assert store.position().entry_seq > 0
    store.close()


def test_a_newer_ledger_is_refused(opened: Opened, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened()
    for module in MODULES:
        monkeypatch.setattr(module, "STEPS", schema.STEPS[:1])
    for readonly in (False, True):
        with pytest.raises(LedgerError, match="this program reads up to 1"):
            open_store(where, readonly=readonly)


def test_several_who_open_a_new_ledger_at_once_make_one(where: str) -> None:
    stores: list[Store] = []
    faults: list[Exception] = []

    def make() -> None:
        try:
            stores.append(open_store(where, durable=False))
        except LedgerError as error:
            faults.append(error)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, len(stores)) == ([], 4)
    Ledger(stores[0]).take(events(5), BEGIN)
    assert stores[3].position().usage_seq == 5
    for store in stores:
        store.close()
        store.close()


def test_what_is_not_there_is_not_made_to_be_read(where: str) -> None:
    with pytest.raises((LedgerError, NotFoundError), match=r"is not a ledger|there is no ledger"):
        open_store(where, readonly=True)


# -- files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"a diary", b"SQLite format 3\x00 and nothing more"])
def test_other_files_are_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(LedgerError):
        open_store(path)
    assert path.read_bytes() == content


def test_databases_of_others_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE month (name TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="is not a ledger"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_ledger_is_for_its_owner(tmp_path: Path) -> None:
    open_store(tmp_path / "ledger").close()
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o600


# -- PostgreSQL ---------------------------------------------------------------------------------------------


def test_tables_of_others_are_left_alone(cluster: Cluster) -> None:
    import psycopg

    where = cluster.make()
    with psycopg.connect(where) as other:
        other.execute("CREATE TABLE month (name TEXT)")
    with pytest.raises(LedgerError, match='relation "month" already exists'):
        open_store(where)
    with psycopg.connect(where) as other:
        found = other.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        )
        assert found.fetchall() == [("month",)]


def test_a_search_path_without_a_schema_is_refused(cluster: Cluster) -> None:
    with pytest.raises(LedgerError, match="its search path names no schema"):
        open_store(cluster.url("nowhere"))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://books:s3cret@localhost:1/books", "postgresql://localhost:1/books cannot be opened"),
        ("postgresql://books:s3c@ret@localhost:1/books", "has two @"),
        ("postgresql://books:1/s3cret@localhost/books?sslmode", "cannot be read"),
        ("postgresql://books@localhost:s3cret/books", "cannot be read"),
        (
            "postgresql://localhost/books?password=s3cret&port=1",
            "postgresql://localhost:1/books cannot be opened",
        ),
    ],
)
def test_no_secret_is_said(address: str, says: str) -> None:
    with pytest.raises(LedgerError, match=says) as caught:
        open_store(address)
    said: BaseException | None = caught.value
    while said is not None:
        assert "s3c" not in str(said)
        said = said.__cause__


def test_without_psycopg_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "stargate.ledger.store.postgres")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"pip install 'stargate\[postgres\]'"):
        open_store("postgresql://localhost/books")


def test_a_connection_that_was_lost_is_made_again(cluster: Cluster) -> None:
    store = open_store(cluster.make(), durable=False)
    ledger = Ledger(store)
    ledger.take(events(30), BEGIN)
    database: Any = store._database
    database._connection.pgconn.finish()
    assert store.position().usage_seq == 30
    database._connection.pgconn.finish()
    assert ledger.take(events(50), BEGIN).known == 30
    store.close()


def test_who_waits_too_long_for_another_writer_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = cluster.make()
    one, other = open_store(where, durable=False), open_store(where, durable=False)
    other._database.run("SET lock_timeout = '50ms'")
    with (
        one.writing(BEGIN),
        pytest.raises(LedgerError, match="Another process is writing"),
        other.writing(BEGIN),
    ):
        pass
    assert Ledger(other).take(events(3), BEGIN).new == 3
    one.close()
    other.close()
