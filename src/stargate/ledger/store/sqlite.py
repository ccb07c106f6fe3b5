"""A ledger in one SQLite file: the default, for one server on one machine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from stargate.base.errors import LedgerError, NotFoundError
from stargate.ledger.store.database import Row, insertion, too_large
from stargate.ledger.store.schema import APPLICATION_ID, KEPT, STEPS, demand_readable

BUSY_SECONDS = 30.0
"""How long to wait while another process writes."""
FETCHED = 10_000
"""Rows read at a time."""
LOOKED_UP = 500
"""Names in one query."""

_WORDS = {
    "key": "INTEGER PRIMARY KEY",
    "int": "INTEGER",
    "bytes": "BLOB",
    "text": "TEXT",
    "strict": " STRICT",
    "strict_rowless": " STRICT, WITHOUT ROWID",
}


class SqliteDatabase:
    """The file `path`, made (readable by its owner only) where there is none and it may be written.

    Write-ahead log with `synchronous=FULL`: what a transaction wrote survives loss of power. `durable=False`
    leaves out the sync, for rehearsals and tests.
    """

    def __init__(self, path: Path, *, durable: bool = True, readonly: bool = False) -> None:
        self._path = path
        if readonly and not path.is_file():
            raise NotFoundError(f"there is no ledger at {path}", "Name the file that the server writes.")
        with self._told("opened"):
            if not readonly:
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                f"file:{quote(str(path))}?mode={'ro' if readonly else 'rw'}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._told("read"):
                self._check(readonly=readonly)
                if not readonly:
                    self.run("PRAGMA journal_mode = WAL")
                    self.run(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
                    self._migrate()
                self.run("PRAGMA cache_size = -65536")
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The file."""
        return str(self._path)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """See `Database`."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """See `Database`."""
        with self._transaction("BEGIN"):
            yield

    def run(self, statement: str, values: Row = ()) -> list[Row]:
        """See `Database`."""
        with self._told("used"):
            return self._connection.execute(statement, values).fetchall()

    def find(self, statement: str, names: Row, values: Row = ()) -> list[Row]:
        """See `Database`."""
        found: list[Row] = []
        for first in range(0, len(names), LOOKED_UP):
            part = names[first : first + LOOKED_UP]
            found += self.run(f"{statement} ({', '.join('?' * len(part))})", (*values, *part))
        return found

    def stream(self, statement: str, values: Row = ()) -> Iterator[Row]:
        """See `Database`."""
        with self._told("read"):
            cursor = self._connection.execute(statement, values)
            while rows := cursor.fetchmany(FETCHED):
                yield from rows

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        unique: str = "",
        update: Sequence[str] = (),
    ) -> int:
        """See `Database`."""
        slots = f"VALUES ({', '.join('?' * len(columns))})"
        with self._told("written"):
            done = self._connection.executemany(insertion(table, columns, slots, unique, update), rows)
        return max(done.rowcount, 0)

    def close(self) -> None:
        """See `Database`."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.run(begin)
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _check(self, *, readonly: bool) -> None:
        """Refuse foreign files and newer ledgers."""
        kind = self.run("PRAGMA application_id")[0][0]
        empty = not self.run("SELECT count(*) FROM sqlite_schema")[0][0]
        if kind != APPLICATION_ID and not (empty and not readonly):
            raise LedgerError(
                f"{self.name} is not a ledger", "Name another file; this one was left untouched."
            )
        demand_readable(self.name, self._version(), readonly=readonly)

    def _version(self) -> int:
        return int(self.run("PRAGMA user_version")[0][0])

    def _migrate(self) -> None:
        """Bring an older ledger up to date, or make a new one: all of it, or nothing."""
        if self._version() == len(STEPS):
            return
        with self.writing():
            for table in KEPT:
                for verb in ("update", "delete"):
                    self.run(f"DROP TRIGGER IF EXISTS {table}_refuses_{verb}")
            for step in STEPS[self._version() :]:
                for statement in step:
                    self.run(statement.format_map(_WORDS))
            for table in KEPT:
                for verb in ("update", "delete"):
                    self.run(
                        f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table}"
                        f" BEGIN SELECT RAISE(ABORT, 'rows of {table} are never changed or removed'); END"
                    )
            self.run(f"PRAGMA application_id = {APPLICATION_ID}")
            self.run(f"PRAGMA user_version = {len(STEPS)}")

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, OverflowError, UnicodeError) as error:
            if isinstance(error, OverflowError) or "overflow" in str(error):
                raise too_large(str(self._path)) from error
            damaged = getattr(error, "sqlite_errorname", "") in ("SQLITE_CORRUPT", "SQLITE_NOTADB")
            raise LedgerError(
                f"the ledger {self._path} cannot be {verb}: {error}",
                "Name the file that the server writes, or restore it from a backup."
                if damaged
                else "Check free space and permissions; what was not acknowledged was not written.",
            ) from error
