"""The SQLite form of a journal: tables, format number, and the way a file is opened."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from stargate.base.errors import JournalError, NotFoundError
from stargate.journal.journal import FORMAT

APPLICATION_ID = 0x53544752
"""`STGR`: SQLite's application_id, so that a file shows what it is (also to `file`)."""

BUSY_SECONDS = 5.0
"""How long to wait for a lock that a foreign tool holds on the file before giving up."""

FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file raises: SQLite's own message may quote bytes that are no text."""

_STRICT_SINCE = (3, 37, 0)

_TABLES = (
    """CREATE TABLE fact (
        seq INTEGER PRIMARY KEY CHECK (seq > 0),
        at INTEGER NOT NULL,
        cause TEXT NOT NULL,
        kind TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32)
    ) STRICT""",
    """CREATE TRIGGER fact_is_never_changed BEFORE UPDATE ON fact
    BEGIN SELECT RAISE(ABORT, 'facts are never changed'); END""",
    """CREATE TRIGGER fact_is_never_removed BEFORE DELETE ON fact
    BEGIN SELECT RAISE(ABORT, 'facts are never removed'); END""",
    """CREATE TABLE snapshot (
        seq INTEGER PRIMARY KEY,
        hash BLOB NOT NULL,
        form TEXT NOT NULL,
        digest TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        checksum BLOB NOT NULL,
        data BLOB NOT NULL
    ) STRICT""",
    """CREATE TABLE writer (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        epoch INTEGER NOT NULL
    ) STRICT""",
    "INSERT INTO writer VALUES (1, 0)",
)


def connect_to_write(path: Path, *, durable: bool) -> sqlite3.Connection:
    """Open for writing; make the file (readable by its owner only) and its tables where they are missing."""
    if sqlite3.sqlite_version_info < _STRICT_SINCE:
        raise JournalError(
            f"this Python comes with SQLite {sqlite3.sqlite_version}, which has no STRICT tables",
            "Use a Python with SQLite 3.37 or newer.",
        )
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unreadable(path, error) from error
    connection = _connect(path, "rw")
    try:
        check_format(connection, path, new_is_fine=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        if _format(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _TABLES:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
    except FAULTS as error:
        connection.close()
        raise unreadable(path, error) from error
    except JournalError:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open for reading beside a writer, or alone. Raises NotFoundError, or JournalError on a foreign file."""
    if not path.is_file():
        raise NotFoundError(f"there is no journal at {path}", "Name the file that the server writes.")
    connection = _connect(path, "ro")
    try:
        check_format(connection, path)
    except JournalError as error:
        connection.close()
        if not _cannot_open(error) or _has_log(path):
            raise
        # A cleanly closed journal in a directory that cannot be written, as on a backup: SQLite wants to
        # create its index of the log there. Without a log nothing needs one.
        connection = _connect(path, "ro", "&immutable=1")
        try:
            check_format(connection, path)
        except JournalError:
            connection.close()
            raise
    return connection


def check_format(connection: sqlite3.Connection, path: Path, *, new_is_fine: bool = False) -> None:
    """Refuse foreign files and newer formats. Raises JournalError."""
    try:
        found = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        version = _format(connection)
    except FAULTS as error:
        raise unreadable(path, error) from error
    if found == 0 and tables == 0 and new_is_fine:
        return
    if found != APPLICATION_ID:
        raise JournalError(
            f"{path} is not a Stargate journal", "Name another file; this one was left untouched."
        )
    if version > FORMAT:
        raise JournalError(
            f"the journal {path} has format {version}; this program reads up to format {FORMAT}",
            "Use the newer Stargate that wrote it.",
        )


def unreadable(path: Path, error: Exception) -> JournalError:
    """The JournalError for a fault of the file or the disk."""
    return JournalError(
        f"the journal {path} cannot be used: {error}",
        "Check the disk and the file's permissions; if the file is damaged, restore it from a backup.",
    )


def _connect(path: Path, mode: str, more: str = "") -> sqlite3.Connection:
    # Transactions are begun and ended in plain sight (isolation_level=None). One connection is used by
    # several threads in turn, under a lock of its owner.
    try:
        return sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}{more}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    except FAULTS as error:
        raise unreadable(path, error) from error


def _format(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _cannot_open(error: JournalError) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorname.startswith(
        ("SQLITE_CANTOPEN", "SQLITE_READONLY")
    )


def _has_log(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0
