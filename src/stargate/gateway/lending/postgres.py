"""Limits in a PostgreSQL database that every host asks itself, so that they hold without the control plane too.

Needs the extra `postgres` (psycopg 3). Tables lie in the first schema of the connection's search path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Any

from stargate.base.errors import InputError, Problem
from stargate.gateway.lending.book import HOSTS, Book
from stargate.gateway.lending.shelf import SCHEMA, Database
from stargate.gateway.limits import NoBankError

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError as missing:
    raise InputError(
        (
            Problem(
                "limits in PostgreSQL need psycopg, which is not installed",
                "Run `pip install 'stargate[postgres]'`.",
            ),
        )
    ) from missing

WAIT_S = 2
"""For a connection, and for another host's transaction."""
_SESSION = (
    f"SET lock_timeout = '{WAIT_S}s'; SET statement_timeout = '{WAIT_S}s'; SET jit = off;"
    " SET synchronous_commit = off; SET tcp_keepalives_idle = 20;"
    " SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)
_LOCK = "SELECT pg_advisory_xact_lock(key) FROM (SELECT unnest(%s::bigint[]) AS key ORDER BY 1) AS keys"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class PostgresBook(Book):
    """In the database at a `postgresql://` address. Its clock is everybody's."""

    def __init__(self, url: str) -> None:
        super().__init__()
        try:
            said = conninfo_to_dict(url)
        except psycopg.Error as error:
            problem = Problem(
                f"the address of the limits cannot be read: {type(error).__name__}",
                "Write it as postgresql://USER@HOST/DATABASE, and the password into PGPASSWORD.",
            )
            raise InputError((problem,)) from None
        self._url = url
        self._name = f"the database {said.get('dbname', '')} at {said.get('host', 'localhost')}"
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextmanager
    def _transaction(self, names: Sequence[str]) -> Iterator[tuple[Database, int]]:
        try:
            connection = self._open()
            with connection.transaction():
                # Each statement after the locks sees what everybody before has committed.
                connection.execute(_LOCK, (sorted({_key(name) for name in names}),))
                (at_us,) = connection.execute(_NOW).fetchone() or (0,)
                yield _Words(connection), at_us
        except psycopg.Error as error:
            self._close()
            raise NoBankError(
                f"{self._name} cannot be used: {str(error).splitlines()[:1]}",
                "Look whether the database runs and takes connections from here",
            ) from error

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(self._url, autocommit=True, connect_timeout=WAIT_S)
            connection.execute(_SESSION)
            with connection.transaction():
                connection.execute(_LOCK, ([0],))  # two that create a table at once would fail
                for statement in (*SCHEMA, HOSTS):
                    connection.execute(statement)
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


class _Words:
    """Statements as the shelf writes them."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[Any] = ()) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._connection.execute(statement.replace("?", "%s"), values)


def _key(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)
