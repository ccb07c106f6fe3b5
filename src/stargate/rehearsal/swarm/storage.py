"""The real journal under a run: files that are left as a crash leaves them, also in the midst of a write.

A crash takes the bytes of the file and of its log as they are on disk, tears the log where the last write was under
way, and opens what is left as a restarted server would.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stargate.broker import Entry, Machine
from stargate.journal import SqliteJournal, restart, snapshot_of, to_record, verify


class Storage:
    """A journal in a folder of its own. After each crash it goes on in another file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._journal = SqliteJournal(folder / "0.journal", durable=False)

    def append(self, entries: Sequence[Entry]) -> None:
        """One group commit."""
        self._journal.append([to_record(entry) for entry in entries])

    def save(self, machine: Machine) -> None:
        """A snapshot. All of the machine's entries have been appended."""
        self._journal.save(*snapshot_of(machine))

    def crash(self, torn: Sequence[Entry] = (), cut: float = 0.0) -> tuple[Machine, bool]:
        """The machine that a restart gives, after a crash while these entries were written; whether from a snapshot.

        Raises AssertionError where an entry that was committed is gone, or one that was not is there.
        """
        journal = self._journal
        committed = journal.head()
        file, log = self._bytes(), self._bytes("-wal")
        if torn:
            self.append(torn)
            log = torn_log(log, self._bytes("-wal"), cut)
        journal.close()
        self._number += 1
        path = self._folder / f"{self._number}.journal"
        path.write_bytes(file)
        path.with_name(path.name + "-wal").write_bytes(log)
        self._journal = SqliteJournal(path, durable=False)
        assert self._journal.head() == committed, (
            f"the journal ends at entry {self._journal.head().seq} after a crash; {committed.seq} were committed"
        )
        found = restart(self._journal)
        assert found.head == committed, f"a restart reads up to entry {found.head.seq} of {committed.seq}"
        return found.state, found.snapshot > 0

    def close(self) -> None:
        """The end: the whole chain must verify. Raises AssertionError."""
        found = verify(self._journal, self._journal.head())
        self._journal.close()
        assert found.first_bad is None, f"entry {found.first_bad} of the journal does not verify"

    def _bytes(self, suffix: str = "") -> bytes:
        path = self._folder / f"{self._number}.journal{suffix}"
        return path.read_bytes() if path.exists() else b""


def torn_log(before: bytes, after: bytes, cut: float) -> bytes:
    """A log of which only the first part of the last write has reached the disk; the rest is as it was."""
    first, last = _common(before, after), max(len(before), len(after))
    if len(before) == len(after):
        last -= _common(before[::-1], after[::-1])
    end = first + int((last - first) * cut)
    return after[:end] + before[end:]


def _common(one: bytes, other: bytes) -> int:
    """How many bytes two begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
