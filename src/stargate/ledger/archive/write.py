"""Writing archives: months that have closed since, each all or nothing, in bounded memory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import duckdb
import numpy as np

from stargate.base.errors import NotFoundError, StateConflictError
from stargate.ledger.archive.duck import connect
from stargate.ledger.archive.manifest import Closing, File, Manifest, digest_of, read, write
from stargate.ledger.record import Month
from stargate.ledger.store import Store
from stargate.ledger.store.copying import COPIED, Copying
from stargate.ledger.store.database import Row

LOCK = ".lock"
ROWS_AT_ONCE = 50_000
"""In memory as Python objects."""
BYTES = {"fingerprint", "line_id", "digest", "hash", "body"}
"""Columns of bytes."""
TEXT = {
    "event", "says", "text_ref", "name", "kind", "payer", "payee", "clause", "unit", "metric", "price_usd",
    "quoted_usd", "portion", "attributes", "party", "provider", "month",
}  # fmt: skip
"""Columns of text. The others are numbers; `corrects` is text in usage."""
Tell = Callable[[str, str, int], None]
_NOTHING = np.iinfo(np.int64).min
"""Stands for no number on the way into DuckDB."""


def extend(store: Store, folder: Path, tell: Tell | None = None) -> tuple[Closing, ...]:
    """Write the months that are closed and not in the archive yet; gives those. Done again, it writes nothing.

    `tell` is called with a month, a table and how many of its rows are written, now and then.
    Raises StateConflictError where the archive is of another ledger.
    """
    folder.mkdir(parents=True, exist_ok=True)
    added: list[Closing] = []
    with _alone(folder), store.snapshot():
        try:
            manifest = read(folder)
        except NotFoundError:
            manifest = Manifest()
        closed = [month for month in store.months() if month.status == "closed"]
        _demand_same(folder, manifest, closed)
        for month in closed[len(manifest.closings) :]:
            before = manifest.closings[-1].upto if manifest.closings else {}
            one = _add(store.copying(), folder, month, before, tell)
            manifest = Manifest(closings=(*manifest.closings, one))
            write(folder, manifest)
            added.append(one)
    return tuple(added)


def _demand_same(folder: Path, manifest: Manifest, closed: list[Month]) -> None:
    for place, one in enumerate(manifest.closings):
        theirs = closed[place] if place < len(closed) else None
        if theirs is None or (theirs.name, theirs.root.hex()) != (one.month, one.root):
            raise StateConflictError(
                f"the archive in {folder} holds {one.month} with the root {one.root[:12]}…, this ledger does not",
                "Name the ledger that it was written from, or another folder.",
            )


def _add(
    copying: Copying,
    folder: Path,
    month: Month,
    before: dict[str, int],
    tell: Tell | None,
) -> Closing:
    """One month: into a hidden folder first, which then takes its name. What a crash left behind is replaced."""
    partial, final = folder / f".{month.name}.partial", folder / month.name
    for leftover in (partial, final):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir()
    upto = copying.extent(month, before)
    files = []
    try:
        connection = connect(partial / "staging")
        try:
            for table in COPIED:
                path = partial / f"{table}.parquet"
                low, high = before.get(table, 0), upto[table]
                rows = _copy(connection, table, copying.rows(table, low, high), path, month.name, tell)
                files.append(
                    File(
                        table=table,
                        path=f"{month.name}/{path.name}",
                        rows=rows,
                        size_bytes=path.stat().st_size,
                        sha256=digest_of(path),
                    )
                )
        finally:
            connection.close()
        (partial / "staging").unlink()
        [block] = copying.rows("block", upto["block"] - 1, upto["block"])
        _settle(partial)
        partial.replace(final)
        _settle(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    assert month.closed_at is not None, "it is closed"
    return Closing(
        month=month.name,
        closed_at=month.closed_at,
        root=month.root.hex(),
        block=bytes(block[4]).hex(),
        upto=upto,
        files=tuple(files),
    )


def _copy(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Iterator[Row],
    path: Path,
    month: str,
    tell: Tell | None,
) -> int:
    """Rows into a Parquet file, by way of a table on disk. Gives how many."""
    columns = COPIED[table]
    kinds = [_kind(table, column) for column in columns]
    named = ", ".join(f"{column} {kind}" for column, kind in zip(columns, kinds, strict=True))
    connection.execute(f"CREATE TABLE copied ({named})")
    taken = ", ".join(
        f"nullif({column}, {_NOTHING})" if kind == "BIGINT" else column
        for column, kind in zip(columns, kinds, strict=True)
    )
    count = 0
    while part := list(islice(rows, ROWS_AT_ONCE)):
        connection.register(
            "part", dict(zip(columns, map(_array, zip(*part, strict=True), kinds), strict=True))
        )
        connection.execute(f"INSERT INTO copied SELECT {taken} FROM part")
        connection.unregister("part")
        count += len(part)
        if tell is not None:
            tell(month, table, count)
    connection.execute("COPY copied TO ? (FORMAT parquet, COMPRESSION zstd)", [str(path)])
    connection.execute("DROP TABLE copied")
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return count


def _settle(folder: Path) -> None:
    """What is named in a folder survives loss of power."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One program at a time writes an archive; the lock goes with the process. Raises StateConflictError."""
    with (folder / LOCK).open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateConflictError(
                f"another program is writing the archive in {folder}", "Run it again when that one has ended."
            ) from None
        yield


def _array(values: Row, kind: str) -> np.ndarray[tuple[int], np.dtype[np.int64 | np.object_]]:
    if kind == "BIGINT":
        return np.array([_NOTHING if value is None else value for value in values], dtype=np.int64)
    return np.array([bytes(value) for value in values] if kind == "BLOB" else values, dtype=np.object_)


def _kind(table: str, column: str) -> str:
    if column in BYTES:
        return "BLOB"
    return "VARCHAR" if column in TEXT or (table, column) == ("usage_event", "corrects") else "BIGINT"
