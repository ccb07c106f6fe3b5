"""What a disk may hold after a crash: copies of a journal's files, cut, garbled or mixed.

SQLite's index of its log (`-shm`) lives in memory and does not survive a loss of power, so no image has one.
"""

from __future__ import annotations

from pathlib import Path

WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
PAGE_BYTES = 4_096
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
"""The format of SQLite's write-ahead log: a header, then frames of a header and one page each."""


def wal(path: Path) -> Path:
    """The log of the journal at `path`."""
    return path.with_name(path.name + "-wal")


def wal_bytes(path: Path) -> int:
    """How long the log is; 0 where there is none."""
    return wal(path).stat().st_size if wal(path).exists() else 0


def image(path: Path, folder: Path, *, keep_wal_bytes: int | None = None) -> Path:
    """Copy the journal at `path` as a crash would leave it, with the log cut after so many bytes."""
    folder.mkdir()
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    if wal(path).exists():
        wal(copy).write_bytes(wal(path).read_bytes()[:keep_wal_bytes])
    return copy
