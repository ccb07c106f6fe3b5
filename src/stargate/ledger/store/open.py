"""From a file or an address to a store."""

from __future__ import annotations

from pathlib import Path

from stargate.ledger.store.sqlite import SqliteDatabase
from stargate.ledger.store.store import Store


def open_store(where: str | Path, *, readonly: bool = False, durable: bool = True) -> Store:
    """The store at a path of a file, of an archive's folder, or at a `postgresql://` URL.

    Raises LedgerError, or NotFoundError.
    """
    if isinstance(where, str) and where.startswith(("postgresql://", "postgres://")):
        from stargate.ledger.store.postgres import PostgresDatabase  # noqa: PLC0415 # psycopg is an extra

        return Store(PostgresDatabase(where, durable=durable, readonly=readonly))
    if Path(where).is_dir():
        from stargate.ledger.archive import Archive  # noqa: PLC0415 # DuckDB is an extra

        return Archive(Path(where))
    return Store(SqliteDatabase(Path(where), durable=durable, readonly=readonly))
