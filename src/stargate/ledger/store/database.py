"""What a store asks of a database. Statements are written once, with `?` for values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from stargate.base.errors import LimitError

Row = Sequence[Any]


class Database(Protocol):
    """One connection to one database, used by one thread at a time. Faults are LedgerErrors."""

    @property
    def name(self) -> str:
        """The file or address, without secrets: for messages."""

    def writing(self) -> AbstractContextManager[None]:
        """A transaction: all or nothing, durable when it ends, alone in writing meanwhile."""

    def reading(self) -> AbstractContextManager[None]:
        """A transaction that sees one state of the database, whatever is written meanwhile."""

    def run(self, statement: str, values: Row = ()) -> list[Row]:
        """Run a statement and give its rows."""

    def find(self, statement: str, names: Row, values: Row = ()) -> list[Row]:
        """The rows of a query that ends with `IN`, for any number of names; `values` come before them."""

    def stream(self, statement: str, values: Row = ()) -> Iterator[Row]:
        """The rows of a query, a bounded number at a time in memory."""

    def insert(
        self,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        unique: str = "",
        update: Sequence[str] = (),
    ) -> int:
        """Insert rows, any number, within a transaction that writes; gives how many were.

        With `unique`, those whose unique columns are there are left out, or change the columns `update`.
        """

    def close(self) -> None:
        """Let go of it. Closing twice is harmless."""


def insertion(
    table: str, columns: Sequence[str], values: str, unique: str = "", update: Sequence[str] = ()
) -> str:
    """An INSERT of `values`, a VALUES or SELECT, and what it does about rows that are there."""
    changes = ", ".join(f"{column} = excluded.{column}" for column in update)
    conflict = f" ON CONFLICT ({unique}) DO {f'UPDATE SET {changes}' if update else 'NOTHING'}"
    return f"INSERT INTO {table} ({', '.join(columns)}) {values}{conflict if unique else ''}"


def too_large(name: str) -> LimitError:
    """Sums that 64 bits do not hold; nothing of them was written."""
    return LimitError(
        f"what {name} holds adds up to more than 9.2 trillion USD, or units of a metric",
        "Look for what was counted wrong, and take it back by events that name it with `corrects`.",
    )
