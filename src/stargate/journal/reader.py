"""Reads a SQLite journal, beside its writer or alone. Nothing here changes a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stargate.base.errors import JournalError
from stargate.journal import verify as checking
from stargate.journal.chain import GENESIS, Head, Record
from stargate.journal.schema import FAULTS, connect_to_read, unreadable
from stargate.journal.snapshot import Sealed, Snapshot, unseal

PAGE_RECORDS = 1_000
"""Read at a time. Between pages no transaction is open, so a slow reader never keeps the log growing."""

_READ = "SELECT seq, at, cause, kind, body, hash FROM fact WHERE seq > ? ORDER BY seq LIMIT ?"
_SNAPSHOT = "SELECT seq, hash, form, digest, size_bytes, checksum, data FROM snapshot WHERE seq = ?"


class SqliteReader:
    """A `Reader` of the journal at `path`. Raises NotFoundError when there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._reading = connect_to_read(self.path)

    def head(self) -> Head:
        """The last committed entry; seq 0 for an empty journal."""
        rows = self._rows("SELECT seq, hash FROM fact ORDER BY seq DESC LIMIT 1")
        return Head(*rows[0]) if rows else GENESIS

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Entries with seq > `after`, in order, at most `limit`."""
        assert after >= 0, "entries are numbered from 1"
        left = limit
        while left is None or left > 0:
            rows = self._rows(_READ, after, PAGE_RECORDS if left is None else min(left, PAGE_RECORDS))
            if not rows:
                return
            yield from starmap(Record, rows)
            if rows[-1][0] <= after:
                raise unreadable(self.path, sqlite3.DatabaseError(f"entries after {after} are out of order"))
            after = rows[-1][0]
            if left is not None:
                left -= len(rows)

    def snapshots(self) -> tuple[int, ...]:
        """The entries that snapshots exist for, newest first."""
        return tuple(row[0] for row in self._rows("SELECT seq FROM snapshot ORDER BY seq DESC"))

    def snapshot(self, seq: int) -> Snapshot:
        """The snapshot at entry `seq`."""
        rows = self._rows(_SNAPSHOT, seq)
        if not rows:
            raise JournalError(f"there is no snapshot at entry {seq}", "`snapshots` lists those there are.")
        return unseal(Sealed(*rows[0]))

    def latest(self) -> Snapshot | None:
        """The newest snapshot that is whole and belongs to this chain."""
        for seq in self.snapshots():
            try:
                snapshot = self.snapshot(seq)
            except JournalError:
                continue
            if snapshot.hash == self._hash_at(seq):
                return snapshot
        return None

    def verify(self, expected: Head | None = None) -> checking.Verification:
        """Check every hash, up to the first bad entry."""
        return checking.verify(self, expected)

    def close(self) -> None:
        """Release the file. Closing twice is harmless."""
        self._reading.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _hash_at(self, seq: int) -> bytes | None:
        if seq == GENESIS.seq:
            return GENESIS.hash
        rows = self._rows("SELECT hash FROM fact WHERE seq = ?", seq)
        return bytes(rows[0][0]) if rows else None

    def _rows(self, statement: str, *values: int) -> list[tuple[Any, ...]]:
        try:
            return self._reading.execute(statement, values).fetchall()
        except FAULTS as error:
            raise unreadable(self.path, error) from error
