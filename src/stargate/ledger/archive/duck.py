"""The tables of an archive, asked by DuckDB. Needs the extra `archive`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from stargate.base.errors import LedgerError
from stargate.ledger.store.database import Row

try:
    import duckdb
except ImportError as missing:
    raise LedgerError(
        "an archive needs DuckDB, which is not installed", "Run `pip install 'stargate[archive]'`."
    ) from missing

MEMORY_LIMIT = "1GB"
"""Of DuckDB; what does not fit goes to a temporary folder."""
FETCHED = 10_000
"""Rows read at a time."""
LOOKED_UP = 1_000
"""Names in one query."""


def connect(path: Path | None = None, *, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """A database of its own, in memory or in a file, that fetches nothing from anywhere."""
    connection = duckdb.connect(":memory:" if path is None else str(path))
    settings = [f"memory_limit = '{MEMORY_LIMIT}'", "integer_division = true"]
    settings += ["autoinstall_known_extensions = false", "autoload_known_extensions = false"]
    if threads is not None:
        settings.append(f"threads = {threads}")
    for setting in settings:
        connection.execute(f"SET GLOBAL {setting}")
    return connection


class DuckDatabase:
    """Views over the files of an archive. A `Database` that nothing can be written to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection = connect()

    @property
    def name(self) -> str:
        """The folder."""
        return str(self._folder)

    def view(self, name: str, query: str) -> None:
        """Let a table stand for a query."""
        with self._told():
            self._connection.execute(f"CREATE VIEW {name} AS {query}")

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """See `Database`. Raises LedgerError."""
        raise self._closed()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """See `Database`: files that are there never change."""
        yield

    def run(self, statement: str, values: Row = ()) -> list[Row]:
        """See `Database`."""
        return list(self.stream(statement, values))

    def find(self, statement: str, names: Row, values: Row = ()) -> list[Row]:
        """See `Database`."""
        found: list[Row] = []
        for first in range(0, len(names), LOOKED_UP):
            part = names[first : first + LOOKED_UP]
            found += self.run(f"{statement} ({', '.join('?' * len(part))})", (*values, *part))
        return found

    def stream(self, statement: str, values: Row = ()) -> Iterator[Row]:
        """See `Database`."""
        with self._told():
            cursor = self._connection.cursor()
            cursor.execute(statement, [int(one) if isinstance(one, int) else one for one in values])
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
        """See `Database`. Raises LedgerError."""
        raise self._closed()

    def close(self) -> None:
        """See `Database`."""
        self._connection.close()

    def _closed(self) -> LedgerError:
        return LedgerError(
            f"{self.name} is an archive, which only further months are added to",
            "Name the ledger itself with --ledger.",
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except duckdb.CatalogException as error:
            raise LedgerError(
                f"the archive {self.name} does not hold what this asks for: {_line(error)}",
                "Ask the ledger itself: an archive holds usage, entries and terms.",
            ) from error
        except (duckdb.Error, OSError) as error:
            raise LedgerError(
                f"the archive {self.name} cannot be read: {_line(error)}",
                "Find the files that changed: stargate ledger archive DIR --check.",
            ) from error


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
