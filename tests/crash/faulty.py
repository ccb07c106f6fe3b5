"""A journal that crashes where it is told to, and leaves on disk what a crash at that point leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stargate.journal import Head, Record, Snapshot, SqliteJournal, Verification
from tests.crash.image import image, wal_bytes

Point = Literal["before", "torn", "committed", "effect", "unacknowledged"]
POINTS: tuple[Point, ...] = ("before", "torn", "committed", "effect", "unacknowledged")
"""Before a write; in the middle of it; after its commit; after its first effect; after its last, unacknowledged."""


class SimulatedCrash(BaseException):
    """The server is gone. No handler of errors may see it. `disk` is what it left."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        super().__init__(str(disk))


@dataclass(frozen=True)
class Crash:
    """Crash at this point of the first write from this number on that comes to it. Saving a snapshot is a write too."""

    write: int
    point: Point
    torn_fraction: float = 0.5
    """How much of the write reaches the disk, where it is torn."""


class FaultyJournal:
    """A `Journal` that stands before a real one."""

    def __init__(self, path: Path, crash: Crash | None = None) -> None:
        self.inner = SqliteJournal(path, durable=False)
        # From here on the log only grows, so that a torn write can be cut out of it.
        self.inner._writing.execute("PRAGMA wal_autocheckpoint = 0")
        self.inner._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self.writes = 0
        self.crash = crash
        self.reached: list[tuple[int, Point]] = []
        """Every point that was passed."""

    def append(self, records: Sequence[Record]) -> Head:
        """Append, or crash."""
        self._write(lambda: self.inner.append(records))
        return self.inner.head()

    def save(self, seq: int, form: str, digest: str, data: bytes) -> None:
        """Save a snapshot, or crash."""
        self._write(lambda: self.inner.save(seq, form, digest, data))
        self.effect()
        self.acknowledging()

    def effect(self) -> None:
        """The server says so after each effect that it has passed on."""
        self._at(self.writes - 1, "effect")

    def acknowledging(self) -> None:
        """The server says so when nothing is left but to acknowledge."""
        self._at(self.writes - 1, "unacknowledged")

    def head(self) -> Head:
        return self.inner.head()

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        return self.inner.read(after, limit)

    def snapshots(self) -> tuple[int, ...]:
        return self.inner.snapshots()

    def snapshot(self, seq: int) -> Snapshot:
        return self.inner.snapshot(seq)

    def latest(self) -> Snapshot | None:
        return self.inner.latest()

    def verify(self, expected: Head | None = None) -> Verification:
        return self.inner.verify(expected)

    def close(self) -> None:
        self.inner.close()

    def _write(self, work: Callable[[], object]) -> None:
        write = self.writes
        self.writes += 1
        self._at(write, "before")
        length = wal_bytes(self.inner.path)
        work()
        written = wal_bytes(self.inner.path) - length
        assert written > 0, "the log was not folded meanwhile"
        fraction = self.crash.torn_fraction if self.crash is not None else 0.0
        self._at(write, "torn", length + int(written * fraction))
        self._at(write, "committed")

    def _at(self, write: int, point: Point, keep_wal_bytes: int | None = None) -> None:
        self.reached.append((write, point))
        if self.crash is None or write < self.crash.write or point != self.crash.point:
            return
        self.crash = None
        folder = self.inner.path.parent
        name, _, number = folder.name.partition("-")
        after = folder.with_name(f"{name}-{int(number or 0) + 1}")
        raise SimulatedCrash(image(self.inner.path, after, keep_wal_bytes=keep_wal_bytes))
