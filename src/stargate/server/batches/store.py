"""Where files and batches lie: a table of each, the files beside it, and answers as they come.

A file is whole on disk before its row is there, and its row is gone before it is: what lies there without a row is left
from a crash, and is removed at the next start.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from stargate.base import wire
from stargate.base.errors import LimitError, NotFoundError, StateConflictError
from stargate.base.time import DAY, SECOND, Instant
from stargate.gateway.batch import Result
from stargate.gateway.record import Tokens
from stargate.gateway.serving.usage import usage_in
from stargate.server.batches.record import ENDED, Answered, Batch, File, Purpose

FILES_LIMIT = 1_000
"""Of one key."""
BYTES_LIMIT = 10 * 10**9
"""Of one key's files, and of the answers that are to become files."""
OPEN_LIMIT = 20
"""Batches of one key that have not ended."""
BATCHES_LIMIT = 10_000
"""Of one key; the oldest that have ended are forgotten first."""
KEPT_LIMIT_S = 30 * DAY // SECOND
KEPT_S = KEPT_LIMIT_S
"""How long files are kept: at most, and where nobody says."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, purpose TEXT NOT NULL,
    bytes INTEGER NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, name TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS file_owner ON file (owner, seq);
CREATE INDEX IF NOT EXISTS file_expires ON file (expires);
CREATE TABLE IF NOT EXISTS batch (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, ended INTEGER NOT NULL, body BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS batch_owner ON batch (owner, seq);
CREATE INDEX IF NOT EXISTS batch_open ON batch (ended, seq);
CREATE TABLE IF NOT EXISTS answer (
    batch TEXT NOT NULL, line INTEGER NOT NULL, status INTEGER NOT NULL, request TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (batch, line)
) STRICT;
"""
_BATCH = wire.unpacker(Batch)
_FILE = "id, owner, purpose, bytes, created, expires, name"


class Store:
    """One folder; one thread at a time uses it. `sqlite3.Error` and OSError come as they are."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = sqlite3.connect(
            folder / "batches.sqlite", isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(SCHEMA)
        known = {id for (id,) in self._database.execute("SELECT id FROM file")}
        for path in folder.glob("file-*"):
            if path.name not in known:
                path.unlink()

    def close(self) -> None:
        """Let go."""
        self._database.close()

    # -- files -------------------------------------------------------------------------------------------------

    def fresh(self) -> Path:
        """Where a new file may be written, before it is added."""
        return self._folder / f"file-{secrets.token_hex(12)}"

    def path(self, id: str) -> Path:
        """Where a file lies that is known."""
        return self._folder / id

    def room(self, owner: str) -> int:
        """Bytes that a key may keep beside what it keeps. Raises LimitError where that is too many files already."""
        count, held = self._database.execute(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM file WHERE owner = ?", (owner,)
        ).fetchone()
        (answered,) = self._database.execute(
            "SELECT coalesce(sum(length(answer.body)), 0) FROM batch JOIN answer ON answer.batch = batch.id"
            " WHERE batch.ended = 0 AND batch.owner = ?",
            (owner,),
        ).fetchone()
        if count >= FILES_LIMIT:
            raise LimitError(
                f"this key keeps {count:,} files, the limit", "delete some with `DELETE /v1/files/ID`"
            )
        left: int = BYTES_LIMIT - held - answered
        if left <= 0:
            raise LimitError(
                f"this key keeps {BYTES_LIMIT:,} bytes, the limit", "delete files with `DELETE /v1/files/ID`"
            )
        return left

    def add(self, path: Path, owner: str, name: str, at: Instant, kept_s: int) -> File:
        """Keep a file that was written to a path that `fresh` gave, and is not empty. Raises LimitError."""
        self.room(owner)
        size = self.settle(path)
        found = File(path.name, owner, "batch", size, at, at.plus(kept_s * SECOND), name)
        self._insert(found)
        return found

    def _insert(self, file: File) -> None:
        self._database.execute(
            f"INSERT INTO file ({_FILE}) VALUES (?,?,?,?,?,?,?)",  # noqa: S608 - names of columns
            (file.id, file.owner, file.purpose, file.bytes, file.created, file.expires, file.name),
        )

    def file(self, id: str, owner: str) -> File:
        """A key's own. Raises NotFoundError."""
        row = self._database.execute(
            f"SELECT {_FILE} FROM file WHERE id = ? AND owner = ?",  # noqa: S608 - likewise
            (id, owner),
        ).fetchone()
        if row is None:
            raise _unknown("file", id)
        return _file(row)

    def files(
        self, owner: str, purpose: str, after: str, limit: int, *, newest_first: bool
    ) -> tuple[list[File], bool]:
        """A page of a key's files, and whether there are more. Raises NotFoundError for an `after` that is none."""
        where, order = self._from("file", owner, after, newest_first=newest_first)
        rows = self._database.execute(
            f"SELECT {_FILE} FROM file WHERE owner = ? AND (? = '' OR purpose = ?) AND {where} {order} LIMIT ?",  # noqa: S608 - likewise
            (owner, purpose, purpose, limit + 1),
        ).fetchall()
        return [_file(row) for row in rows[:limit]], len(rows) > limit

    def remove(self, id: str, owner: str) -> None:
        """Forget a file. Raises NotFoundError; StateConflictError where a batch still needs it."""
        self.file(id, owner)
        for batch in self.open():
            if batch.input_file == id:
                raise StateConflictError(
                    f"{id} is the input of {batch.id}, which has not ended", "cancel that batch first"
                )
        self._database.execute("DELETE FROM file WHERE id = ?", (id,))
        self.path(id).unlink(missing_ok=True)

    def sweep(self, at: Instant) -> int:
        """Remove what has expired, but for what a batch still needs. Gives how many files that were."""
        needed = {batch.input_file for batch in self.open()}
        rows = self._database.execute("SELECT id FROM file WHERE expires <= ? LIMIT 1000", (at,)).fetchall()
        gone = [id for (id,) in rows if id not in needed]
        for id in gone:
            self._database.execute("DELETE FROM file WHERE id = ?", (id,))
            self.path(id).unlink(missing_ok=True)
        return len(gone)

    def settle(self, path: Path) -> int:
        """See that a file that was written is on disk; an empty one is removed. Gives its bytes."""
        size = path.stat().st_size
        if not size:
            path.unlink()
            return 0
        for each in (path, self._folder):
            number = os.open(each, os.O_RDONLY)
            try:
                os.fsync(number)
            finally:
                os.close(number)
        return size

    # -- batches -----------------------------------------------------------------------------------------------

    def begin(self, batch: Batch) -> Batch:
        """Put a new batch on record; one of that id stays as it is. Gives what is on record.

        Raises NotFoundError for its input, StateConflictError where that id has another, LimitError.
        """
        with suppress(NotFoundError):
            known = self.batch(batch.id, batch.owner)
            if (known.input_file, known.operation) != (batch.input_file, batch.operation):
                raise StateConflictError(f"{known.id} is another batch", "use another Idempotency-Key")
            return known
        self.file(batch.input_file, batch.owner)
        self.room(batch.owner)
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            still, total = self._database.execute(
                "SELECT coalesce(sum(ended = 0), 0), count(*) FROM batch WHERE owner = ?", (batch.owner,)
            ).fetchone()
            if still >= OPEN_LIMIT:
                raise LimitError(
                    f"{still} batches of this key have not ended, the limit", "wait, or cancel one"
                )
            if total >= BATCHES_LIMIT:
                self._database.execute(
                    "DELETE FROM batch WHERE seq IN (SELECT seq FROM batch WHERE owner = ? AND ended = 1"
                    " ORDER BY seq LIMIT ?)",
                    (batch.owner, total - BATCHES_LIMIT + 1),
                )
            self._database.execute(
                "INSERT INTO batch (id, owner, ended, body) VALUES (?,?,0,?)",
                (batch.id, batch.owner, wire.pack(batch)),
            )
        return batch

    def change(self, id: str, change: Callable[[Batch], Batch]) -> Batch:
        """Make another of a batch, as it is at that moment. Gives what it is then. Raises NotFoundError."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            return self._save(change(self.batch(id)))

    def _save(self, batch: Batch) -> Batch:
        self._database.execute(
            "UPDATE batch SET ended = ?, body = ? WHERE id = ?",
            (batch.status in ENDED, wire.pack(batch), batch.id),
        )
        return batch

    def batch(self, id: str, owner: str | None = None) -> Batch:
        """A batch, where an owner is given only its own. Raises NotFoundError."""
        row = self._database.execute(
            "SELECT body FROM batch WHERE id = ? AND (? IS NULL OR owner = ?)", (id, owner, owner)
        ).fetchone()
        if row is None:
            raise _unknown("batch", id)
        found: Batch = _BATCH.decode(row[0])
        return found

    def batches(self, owner: str, after: str, limit: int) -> tuple[list[Batch], bool]:
        """A page of a key's batches, newest first, and whether there are more. Raises NotFoundError."""
        where, order = self._from("batch", owner, after, newest_first=True)
        rows = self._database.execute(
            f"SELECT body FROM batch WHERE owner = ? AND {where} {order} LIMIT ?",  # noqa: S608 - made here
            (owner, limit + 1),
        ).fetchall()
        return [_BATCH.decode(body) for (body,) in rows[:limit]], len(rows) > limit

    def open(self) -> list[Batch]:
        """Those that have not ended."""
        rows = self._database.execute("SELECT body FROM batch WHERE ended = 0 ORDER BY seq").fetchall()
        return [_BATCH.decode(body) for (body,) in rows]

    def _from(
        self, table: Literal["file", "batch"], owner: str, after: str, *, newest_first: bool
    ) -> tuple[str, str]:
        order = f"ORDER BY seq {'DESC' if newest_first else 'ASC'}"
        if not after:
            return "1", order
        row = self._database.execute(
            f"SELECT seq FROM {table} WHERE id = ? AND owner = ?",  # noqa: S608 - made here
            (after, owner),
        ).fetchone()
        if row is None:
            raise _unknown(table, after)
        return f"seq {'<' if newest_first else '>'} {row[0]:d}", order

    # -- answers -----------------------------------------------------------------------------------------------

    def answer(self, id: str, results: Sequence[Result]) -> Batch:
        """Keep answers, of each line the first. Gives the batch as it is then. Raises NotFoundError."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            batch = self.batch(id)
            good = bad = 0
            tokens = batch.tokens
            for each in results if batch.status in {"in_progress", "cancelling"} else ():
                if each.line >= batch.lines:
                    continue
                new = self._database.execute(
                    "INSERT OR IGNORE INTO answer VALUES (?,?,?,?,?)",
                    (id, each.line, each.status, each.request, each.body),
                ).rowcount
                if new < 1:
                    continue
                if 200 <= each.status < 300:
                    good += 1
                    tokens = _added(tokens, each.body)
                else:
                    bad += 1
            return self._save(
                msgspec.structs.replace(
                    batch, completed=batch.completed + good, failed=batch.failed + bad, tokens=tokens
                )
            )

    def done(self, id: str) -> tuple[tuple[int, int], ...]:
        """Lines that have answers, as spans."""
        spans: list[tuple[int, int]] = []
        for (line,) in self._database.execute("SELECT line FROM answer WHERE batch = ? ORDER BY line", (id,)):
            if spans and spans[-1][1] == line:
                spans[-1] = (spans[-1][0], line + 1)
            else:
                spans.append((line, line + 1))
        return tuple(spans)

    def answers(self, id: str) -> Iterator[Answered]:
        """In the order of their lines."""
        rows = self._database.execute(
            "SELECT line, status, request, body FROM answer WHERE batch = ? ORDER BY line", (id,)
        )
        return (Answered(*row) for row in rows)

    def end(self, batch: Batch, files: Sequence[File]) -> None:
        """A batch has ended, with its files, and its answers are forgotten: all of it, or nothing."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            for file in files:
                self._insert(file)
            self._save(batch)
            self._database.execute("DELETE FROM answer WHERE batch = ?", (batch.id,))


def _file(row: tuple[str, str, Purpose, int, int, int, str]) -> File:
    id, owner, purpose, size, created, expires, name = row
    return File(id, owner, purpose, size, Instant(created), Instant(expires), name)


def _added(tokens: Tokens, body: bytes) -> Tokens:
    found = usage_in(body)
    if found is None:
        return tokens
    more = found[0]
    return Tokens(*(getattr(tokens, name) + getattr(more, name) for name in Tokens.__struct_fields__))


def _unknown(what: Literal["file", "batch"], id: str) -> NotFoundError:
    """The one answer for what does not exist and what is not the caller's."""
    many = {"file": "files", "batch": "batches"}[what]
    return NotFoundError(f"no {what} {id!r}", f"`GET /v1/{many}` lists those of this key")
