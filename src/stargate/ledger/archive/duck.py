"""The tables of an archive, asked by DuckDB. Needs the extra `archive`."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
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

READING, WRITING = "1GB", "256MB"
"""What DuckDB takes of memory; what does not fit goes to disk for a while."""
FETCHED = 10_000
"""Rows read at a time."""
LOOKED_UP = 1_000
"""Names in one query."""


def connect(path: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A database to read with, in memory, or one to write with, in a file; it fetches nothing from anywhere.

    The one to write with works through rows in their order, so that the same rows make the same bytes.
    """
    connection = duckdb.connect(":memory:" if path is None else str(path))
    spill = Path(tempfile.gettempdir()) / f"stargate-{secrets.token_hex(8)}"
    settings = {
        "memory_limit": READING if path is None else WRITING,
        "temp_directory": str(spill).replace("'", "''"),
        "integer_division": "true",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if path is not None:
        settings |= {"threads": "1", "temp_directory": f"{path}.spill".replace("'", "''")}
    for name, value in settings.items():
        connection.execute(f"SET GLOBAL {name} = '{value}'")
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
