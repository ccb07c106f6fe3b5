"""A ledger in a PostgreSQL database, for servers that share one. Needs the extra `postgres` (psycopg 3).

Tables lie in the first schema of the connection's search path: `public`, unless the address says another, as
`postgresql://host/books?options=-csearch_path%3Dledger`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from stargate.base.errors import LedgerError
from stargate.ledger.store.database import Row, insertion, too_large
from stargate.ledger.store.schema import APPLICATION_ID, KEPT, STEPS, demand_readable

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as missing:
    raise LedgerError(
        "a ledger in PostgreSQL needs psycopg, which is not installed",
        "Run `pip install 'stargate[postgres]'`.",
    ) from missing

WAIT_SECONDS = 30
"""How long to wait for a connection, and while another process writes."""
FETCHED = 10_000
"""Rows read at a time."""
FEW = 20
"""Rows that are inserted one by one; more are copied."""

_WORDS = {
    "key": "BIGINT PRIMARY KEY",
    "int": "BIGINT",
    "bytes": "BYTEA",
    "text": 'TEXT COLLATE "C"',
    "strict": "",
    "strict_rowless": "",
}
_REFUSE = """CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME; END $$"""
# A server whose client has vanished without a word lets go of the ledger within a minute.
_SESSION = f"""
    SET lock_timeout = '{WAIT_SECONDS}s'; SET jit = off;
    SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"""
_HERE = "current_schema()::regnamespace::oid::int"


class PostgresDatabase:
    """The ledger at `url`, made where there is none and it may be written.

    A commit is acknowledged when it will survive loss of power. `durable=False` leaves out that wait, for
    rehearsals and tests. A connection that was lost is made again for the next transaction.
    """

    def __init__(self, url: str, *, durable: bool = True, readonly: bool = False) -> None:
        self._url = url
        self._name = _shown(url)
        self._session = (
            f"{_SESSION}; SET synchronous_commit = {'on' if durable else 'off'};"
            f" SET default_transaction_read_only = {'on' if readonly else 'off'}"
        )
        self._within = False
        self._cursors = count(1)
        self._copied: set[str] = set()
        self._types: dict[str, list[int]] = {}
        self._connection = self._connected()
        try:
            self._check(readonly=readonly)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The address, without user and password."""
        return self._name

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """See `Database`. The lock is taken first, so that what was committed before is seen."""
        with self._transaction("BEGIN ISOLATION LEVEL READ COMMITTED"):
            self.run(f"SELECT pg_advisory_xact_lock({APPLICATION_ID}, {_HERE})")
            yield

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """See `Database`."""
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"):
            yield

    def run(self, statement: str, values: Row = ()) -> list[Row]:
        """See `Database`."""
        with self._told("used"):
            cursor = self._execute(_marked(statement) if values else statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def find(self, statement: str, names: Row, values: Row = ()) -> list[Row]:
        """See `Database`. Names go as one array, in binary: as text they would take seven times as long."""
        if not names:
            return []
        with self._told("read"):
            query = f"{_marked(statement).removesuffix('IN')}= ANY (%b)"
            return self._execute(query, (*values, list(names))).fetchall()

    def stream(self, statement: str, values: Row = ()) -> Iterator[Row]:
        """See `Database`. Outside a transaction the server keeps the rows until all are read."""
        name = f"stream_{next(self._cursors)}"
        hold = "" if self._within else "WITH HOLD "
        with self._told("read"):
            declare = f"DECLARE {name} NO SCROLL CURSOR {hold}FOR {_marked(statement)}"
            self._execute(declare, [_plain(value) for value in values], literal=True)
            while rows := self._execute(f"FETCH {FETCHED} FROM {name}", binary=True).fetchall():
                yield from rows
            self._execute(f"CLOSE {name}")

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        unique: str = "",
        update: Sequence[str] = (),
    ) -> int:
        """See `Database`. Many rows are copied: into the table itself, or where some are there, beside it."""
        assert self._within, "rows are inserted within a transaction"
        if not rows:
            return 0
        with self._told("written"), self._connection.cursor() as cursor:
            if len(rows) <= FEW:
                slots = f"VALUES ({', '.join(['%s'] * len(columns))})"
                cursor.executemany(insertion(table, columns, slots, unique, update).encode(), rows)
                return cursor.rowcount
            if not unique:
                self._copy(table, table, columns, rows)
                return len(rows)
            if not update and self._copied_new(table, columns, rows):
                return len(rows)
            beside = f"incoming_{table}"
            if beside in self._copied:
                self._execute(f"TRUNCATE {beside}")
            else:
                self._execute(
                    f"CREATE TEMP TABLE IF NOT EXISTS {beside} (LIKE {table}) ON COMMIT DELETE ROWS"
                )
                self._copied.add(beside)
            self._copy(beside, table, columns, rows)
            select = f"SELECT {', '.join(columns)} FROM {beside}"
            # Without `WHERE`, ON CONFLICT would be read as the condition of a join.
            return self._execute(insertion(table, columns, f"{select} WHERE true", unique, update)).rowcount

    def close(self) -> None:
        """See `Database`."""
        self._connection.close()

    # -- the connection ----------------------------------------------------------------------------------------

    def _connected(self) -> psycopg.Connection[Row]:
        given = {"connect_timeout": WAIT_SECONDS} | _read(self._url) | {"client_encoding": "UTF8"}
        with self._told("opened"):
            connection = psycopg.connect(**given, autocommit=True)
            connection.execute(self._session)
            return connection

    def _execute(
        self, statement: str, values: Row | None = None, *, binary: bool = False, literal: bool = False
    ) -> psycopg.Cursor[Row]:
        """Run a statement; where the connection turns out to be lost before a transaction, on a new one.

        `literal`: the values are written into the statement, where the server takes no parameters.
        """
        make = psycopg.ClientCursor if literal else psycopg.Cursor
        try:
            return make(self._connection).execute(statement.encode(), values, binary=binary or None)
        except psycopg.OperationalError:
            if self._within or not self._connection.closed:
                raise
            self._connection = self._connected()
            return make(self._connection).execute(statement.encode(), values, binary=binary or None)

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.run(begin)
        self._within = True
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._within = False
            self._copied.clear()

    def _copied_new(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> bool:
        """Copy rows as if all were new, which is twice as fast; where one is there, nothing was done."""
        self._execute("SAVEPOINT copied")
        try:
            self._copy(table, table, columns, rows)
        except psycopg.errors.UniqueViolation:
            self._execute("ROLLBACK TO SAVEPOINT copied")
            return False
        self._execute("RELEASE SAVEPOINT copied")
        return True

    def _copy(self, to: str, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(columns)
        types = self._types.get(f"{table} {names}")
        if types is None:
            described = self._execute(f"SELECT {names} FROM {table} LIMIT 0").description or []
            types = self._types[f"{table} {names}"] = [column.type_code for column in described]
        statement = f"COPY {to} ({names}) FROM STDIN (FORMAT BINARY)"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    # -- format ------------------------------------------------------------------------------------------------

    def _check(self, *, readonly: bool) -> None:
        """Refuse what cannot hold a ledger, and newer ledgers; bring older ones up to date, or make one."""
        encoding, schema = self.run("SELECT current_setting('server_encoding'), current_schema()")[0]
        if encoding != "UTF8" or schema is None:
            what = f"its encoding is {encoding}" if encoding != "UTF8" else "its search path names no schema"
            raise LedgerError(
                f"{self.name} cannot hold a ledger: {what}", "Make a database in UTF8 with a schema."
            )
        if readonly:
            if not (version := self._version()):
                raise LedgerError(f"{self.name} is not a ledger", "Name the database that the server writes.")
            demand_readable(self.name, version, readonly=True)
            return
        if self._version() != len(STEPS):
            with self.writing():
                demand_readable(self.name, version := self._version(), readonly=False)
                self._migrate(version)

    def _version(self) -> int:
        """The ledger's format; 0: there is none."""
        # Asked of the table itself: what to_regclass says may be older than the lock that was waited for.
        there = "SELECT count(*) FROM pg_class WHERE relname = 'ledger_format' AND relnamespace = {}"
        made = self.run(there.format("current_schema()::regnamespace"))[0][0]
        return int(self.run("SELECT max(version) FROM ledger_format")[0][0]) if made else 0

    def _migrate(self, version: int) -> None:
        for table in KEPT if version else ():
            self.run(f"DROP TRIGGER IF EXISTS {table}_is_kept ON {table}")
            self.run(f"DROP TRIGGER IF EXISTS {table}_is_not_emptied ON {table}")
        if not version:
            self.run("CREATE TABLE ledger_format (version BIGINT NOT NULL)")
            self.run("INSERT INTO ledger_format VALUES (0)")
        for step in STEPS[version:]:
            for statement in step:
                self.run(statement.format_map(_WORDS))
        self.run(_REFUSE)
        for table in KEPT:
            self.run(
                f"CREATE TRIGGER {table}_is_kept BEFORE UPDATE OR DELETE ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
            self.run(
                f"CREATE TRIGGER {table}_is_not_emptied BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
        self.run("UPDATE ledger_format SET version = ?", (len(STEPS),))

    @contextlib.contextmanager
    def _told(self, verb: str) -> Iterator[None]:
        """Faults as LedgerErrors: what the server says first, never the address or the rows."""
        try:
            yield
        except (psycopg.Error, UnicodeError) as error:
            if isinstance(error, psycopg.errors.NumericValueOutOfRange):
                raise too_large(self._name) from error
            said = error.diag.message_primary if isinstance(error, psycopg.Error) else None
            busy = isinstance(error, psycopg.errors.LockNotAvailable)
            raise LedgerError(
                f"the ledger {self._name} cannot be {verb}: {said or _first_line(error)}",
                "Another process is writing for long; do it again."
                if busy
                else "Check that the server runs, then do it again: what is on record already counts once.",
            ) from error


@lru_cache(maxsize=512)
def _marked(statement: str) -> str:
    """A statement with psycopg's marks for values."""
    return statement.replace("%", "%%").replace("?", "%s")


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int) else value


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _read(url: str) -> dict[str, Any]:
    """The parts of an address. What libpq says of a wrong one may quote the password, and is not repeated."""
    if url.partition("://")[2].partition("/")[0].count("@") > 1:
        raise LedgerError("the address of the ledger has two @", "Write an @ within a password as %40.")
    try:
        parts = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        parts = {}
    ports = str(parts.get("port", "0")).split(",")
    if not parts or not all(port.isdecimal() for port in ports):
        raise LedgerError(
            "the address of the ledger cannot be read",
            "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, special characters as %XX.",
        )
    return parts


def _shown(url: str) -> str:
    """Host and database."""
    parts = _read(url)
    port = f":{parts['port']}" if "port" in parts else ""
    schema = re.search(r"search_path=(\w+)", str(parts.get("options", "")))
    of = f" (schema {schema[1]})" if schema else ""
    return f"postgresql://{parts.get('host', '')}{port}/{parts.get('dbname', '')}{of}"
