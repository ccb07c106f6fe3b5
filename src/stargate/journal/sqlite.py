"""The journal in one SQLite file: the default, for one server on one machine.

Write-ahead log with `synchronous=FULL`: each append is one transaction and one fsync of the log, so an
acknowledged entry survives loss of power. Measured by `bench/journal.py`: NORMAL, which would not
promise that, saves 0.2 ms per commit, and group commit makes that a few microseconds per entry.

Two guards keep a second writer out: a lock that the operating system holds for the process (lock.py),
and an epoch in the file, raised by each opening and checked inside each transaction, which also
stops a first writer whose lock file was removed or sits on a file system without locks.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from stargate.base.errors import JournalError
from stargate.journal.chain import Head, Record, fault, link
from stargate.journal.journal import RECORD_LIMIT_BYTES, SNAPSHOTS_KEPT
from stargate.journal.lock import WriterLock
from stargate.journal.reader import SqliteReader
from stargate.journal.schema import connect_to_write
from stargate.journal.snapshot import Snapshot, seal

_INSERT = "INSERT INTO fact (seq, at, cause, kind, body, hash) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_SNAPSHOT = (
    "INSERT OR REPLACE INTO snapshot (seq, hash, form, digest, size_bytes, checksum, data)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_PRUNE_SNAPSHOTS = (
    "DELETE FROM snapshot WHERE seq NOT IN (SELECT seq FROM snapshot ORDER BY seq DESC LIMIT ?)"
)
_TAKE_OVER = "UPDATE writer SET epoch = epoch + 1 RETURNING epoch"


class SqliteJournal(SqliteReader):
    """A `Journal` in the file `path`, made where there is none. Safe to call from several threads.

    Raises StateConflictError while another process writes the journal; JournalError when the file cannot be
    used, is of a newer format, or its last entry is damaged. `durable=False` leaves out the fsync: for
    rehearsals and tests, where losing power may cost the file.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        resolved = path.resolve()
        self._stopped = ""
        self._turn = threading.Lock()
        self._lock = WriterLock(resolved)
        try:
            self._writing = connect_to_write(resolved, durable=durable)
            try:
                super().__init__(resolved)
                self._epoch = self._take_over()
                self._head = self._checked_head()
            except BaseException:
                self._writing.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def head(self) -> Head:
        """The last committed entry; seq 0 for an empty journal."""
        return self._head

    def append(self, records: Sequence[Record]) -> Head:
        """Commit all records or none, durably, and give the new head. See `Journal.append`."""
        with self._turn:
            self._demand_usable()
            if not records:
                return self._head
            rows = self._sealed(records)
            try:
                with self._transaction():
                    self._writing.executemany(_INSERT, rows)
            except sqlite3.Error as error:
                self._stopped = f"a commit failed: {error}"
                raise JournalError(
                    f"entries {rows[0][0]} to {rows[-1][0]} could not be written to {self.path}: {error}",
                    "Nothing in them was acknowledged. Mend the cause (most often a full disk) and start the "
                    "server again: it goes on from what the journal holds.",
                ) from error
            except BaseException:
                self._stopped = self._stopped or "a commit was interrupted"
                raise
            self._head = Head(rows[-1][0], rows[-1][5])
            return self._head

    def save(self, seq: int, form: str, digest: str, data: bytes) -> None:
        """Keep the state after entry `seq`, and the one before it; older ones go. See `Journal.save`."""
        chain_hash = self._hash_at(seq)
        if chain_hash is None:
            raise JournalError(
                f"a snapshot at entry {seq} was to be saved, but the journal ends at {self._head.seq}",
                "Save the state after the entries it is made of are appended.",
            )
        sealed = seal(Snapshot(seq, chain_hash, form, digest, data))
        with self._turn:
            self._demand_usable()
            try:
                with self._transaction():
                    self._writing.execute(_INSERT_SNAPSHOT, msgspec.structs.astuple(sealed))
                    self._writing.execute(_PRUNE_SNAPSHOTS, (SNAPSHOTS_KEPT,))
            except sqlite3.Error as error:
                raise JournalError(
                    f"the snapshot at entry {seq} could not be written to {self.path}: {error}",
                    "No entry is affected; a restart replays more of them until a snapshot can be saved.",
                ) from error

    def close(self) -> None:
        """Fold the log into the file, and let another process write. Closing twice is harmless."""
        with self._turn:
            self._stopped = self._stopped or "it was closed"
            # The reading connection goes first: SQLite cleans up when the last one closes, and that must
            # be one that may write.
            super().close()
            with contextlib.suppress(sqlite3.Error):
                self._writing.close()
            self._lock.release()

    def _demand_usable(self) -> None:
        if self._stopped:
            raise JournalError(
                f"the journal {self.path} takes no more entries: {self._stopped}",
                "Start the server again; it goes on from what the journal holds.",
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, and only while this is still the newest writer."""
        self._writing.execute("BEGIN IMMEDIATE")
        try:
            epoch = self._writing.execute("SELECT epoch FROM writer").fetchone()[0]
            if epoch != self._epoch:
                self._stopped = "another server took it over"
                raise JournalError(
                    f"another server took over the journal {self.path} (epoch {epoch}, not {self._epoch})",
                    "Let one server run on a journal, and keep its -lock file on a file system with locks.",
                )
            yield
            self._writing.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._writing.execute("ROLLBACK")
            raise

    def _sealed(self, records: Sequence[Record]) -> list[tuple[int, int, str, str, bytes, bytes]]:
        rows = []
        head, previous = self._head.seq, self._head.hash
        for seq, record in enumerate(records, head + 1):
            if record.seq != seq:
                raise JournalError(
                    f"entry {record.seq} was to be appended where entry {seq} belongs",
                    "Entries are numbered without a gap; the journal was left as it was.",
                )
            size = len(record.body)
            if size > RECORD_LIMIT_BYTES:
                raise JournalError(
                    f"entry {seq} ({record.kind}) has {size} bytes; the limit is {RECORD_LIMIT_BYTES}",
                    "Declare less at once; the journal was left as it was.",
                )
            previous = link(previous, record)
            rows.append((seq, record.at, record.cause, record.kind, record.body, previous))
        return rows

    def _take_over(self) -> int:
        try:
            return int(self._writing.execute(_TAKE_OVER).fetchall()[0][0])
        except sqlite3.Error as error:
            raise JournalError(
                f"the journal {self.path} cannot be written: {error}",
                "Check free space, and that the server's user may write the file and its directory.",
            ) from error

    def _checked_head(self) -> Head:
        """The head, once the last entry has proved itself: a damaged end shows before anything is added."""
        head = SqliteReader.head(self)
        if not head.seq:
            return head
        before = head.seq - 1
        previous = self._hash_at(before)
        problem = f"entry {before} is missing"
        if previous is not None:
            problem = "".join(fault(Head(before, previous), record) for record in self.read(before))
        if problem:
            raise JournalError(
                f"the end of the journal {self.path} is damaged: {problem}",
                "Run `stargate journal verify` and restore the file from a backup; nothing was changed.",
            )
        return head
