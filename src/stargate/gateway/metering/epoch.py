"""The folder of an epoch, which is one worker's life: how it comes to be, who holds it, what is in it, how it goes.

    SPOOL/20261122T134501123456Z-9f86d081884c7d65/
      lock            held with flock as long as its worker lives
      00000001.seg …  what was written, oldest first
      durable         how far that is on disk, for who reads beside a living worker
      cursor          how far the receiver has acknowledged it

A folder whose name begins with a dot is being made or removed.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from stargate.base.errors import SpoolError, StateConflictError
from stargate.base.time import Instant

LOCK = "lock"
DURABLE = "durable"
SUFFIX = ".seg"
ATTEMPTS = 8
_MADE, _GONE = ".new-", ".gone-"
_TIME = "%Y%m%dT%H%M%S%fZ"
_RANDOM_BYTES = 8
_FAR = Struct("<IIQ")


class Far(NamedTuple):
    """How far an epoch is durable."""

    segment: int
    offset: int
    settled: int
    """Settlements up to there."""


def name_of(at: Instant) -> str:
    """A new epoch's: sorts by time, and no two hosts make the same."""
    return f"{at.datetime().strftime(_TIME)}-{secrets.token_hex(_RANDOM_BYTES)}"


def segment_path(folder: Path, segment: int) -> Path:
    """Where a segment is."""
    return folder / f"{segment:08}{SUFFIX}"


def segments(folder: Path) -> list[int]:
    """Numbers of the segments that are there, oldest first. None where the epoch is gone."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                int(entry.name.removesuffix(SUFFIX)) for entry in entries if entry.name.endswith(SUFFIX)
            )
    except FileNotFoundError:
        return []


def epochs(spool: Path) -> list[str]:
    """Those in a spool, oldest first. None where there is no spool yet."""
    try:
        with os.scandir(spool) as entries:
            return sorted(
                entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")
            )
    except FileNotFoundError:
        return []


def size_bytes(spool: Path) -> int:
    """What all segments of a spool take."""
    return sum(size for name in epochs(spool) for size in _sizes(spool / name))


def _sizes(folder: Path) -> Iterator[int]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):
                    yield entry.stat().st_size


def sync_folder(folder: Path) -> None:
    """Names that were made or removed in it are on disk. Raises OSError."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def far(folder: Path) -> Far:
    """As its writer said last: at least so far. Raises OSError."""
    try:
        data = (folder / DURABLE).read_bytes()
    except FileNotFoundError:
        data = b""
    return Far(*_FAR.unpack(data)) if len(data) == _FAR.size else Far(0, 0, 0)


def pack_far(far: Far) -> bytes:
    """The content of the file `durable`."""
    return _FAR.pack(*far)


# -- who holds it -----------------------------------------------------------------------------------------


def take(folder: Path) -> int:
    """The lock of an epoch whose worker is dead, held until the descriptor is closed; -1: it lives, or is gone.

    The operating system releases it when a process ends in any way, so a lock is never stale. Raises OSError.
    """
    try:
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return -1
    if os.fstat(file).st_nlink == 0:  # it was removed before we had it
        os.close(file)
        return -1
    return file


def taken(folder: Path) -> int:
    """The lock of a dead epoch. Raises StateConflictError where somebody holds it, OSError."""
    file = take(folder)
    if file < 0:
        raise StateConflictError(
            f"the epoch {folder} is being written or is gone",
            "It is read beside its worker; what that leaves unsettled is settled when it has ended",
        )
    return file


# -- how it comes to be and goes --------------------------------------------------------------------------


def make(spool: Path, name: str, content: dict[str, bytes]) -> int:
    """A new epoch with these files, all durable, under its name only when it is whole. Its lock, held.

    Raises SpoolError.
    """
    fresh = spool / f"{_MADE}{name}"
    lock = -1
    try:
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            with suppress(FileNotFoundError):  # swept away as if abandoned, before its lock was held: again
                fresh.mkdir(mode=0o700, exist_ok=True)
                lock = os.open(fresh / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(lock, fcntl.LOCK_EX)
                _fill(fresh, content)
                fresh.rename(spool / name)
                sync_folder(spool)
                return lock
            if lock >= 0:
                os.close(lock)
                lock = -1
    except OSError as error:
        if lock >= 0:
            os.close(lock)
        shutil.rmtree(fresh, ignore_errors=True)
        raise SpoolError(
            f"no epoch can be begun in {spool}: {error.strerror}",
            "A gateway needs to write there, and room: see `df` and the folder's permissions",
        ) from error
    raise SpoolError(
        f"the epoch {fresh} is removed whenever it is made", "Find out who else removes files in the spool"
    )


def _fill(folder: Path, content: dict[str, bytes]) -> None:
    for name, data in content.items():
        write_new(folder / name, data)
    sync_folder(folder)


def write_new(path: Path, data: bytes) -> None:
    """A file with this content, on disk; its name is so after `sync_folder`. Raises OSError."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_at(file, data, 0)
        os.fdatasync(file)
    finally:
        os.close(file)


def write_at(file: int, data: bytes, offset: int) -> None:
    """All of it: a disk that is nearly full takes a part and says so only at the next. Raises OSError."""
    done = os.pwrite(file, data, offset)
    while done < len(data):
        done += os.pwrite(file, data[done:], offset + done)


def remove(folder: Path) -> None:
    """Remove an epoch. Whoever calls holds its lock and has seen everything acknowledged. Raises OSError."""
    gone = folder.with_name(f"{_GONE}{folder.name}")
    folder.rename(gone)  # first out of sight, as a whole: half an epoch would look damaged
    sync_folder(folder.parent)
    shutil.rmtree(gone)


def sweep(spool: Path) -> None:
    """Remove what was being made or removed when its process died. Raises OSError."""
    for path in sorted(spool.iterdir()):
        if not path.name.startswith((_MADE, _GONE)):
            continue
        lock = take(path)
        if path.name.startswith(_GONE) or lock >= 0:
            shutil.rmtree(path, ignore_errors=True)
        elif not (path / LOCK).exists():
            with suppress(OSError):  # only if it is empty: its maker may be about to fill it
                path.rmdir()
        if lock >= 0:
            os.close(lock)
