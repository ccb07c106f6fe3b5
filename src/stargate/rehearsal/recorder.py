"""Writes a rehearsal's entries to a journal, many at once: nobody outside acts on them, so none is waited for."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from stargate.broker import Entry
from stargate.journal import Journal, SqliteReader, to_record

ENTRIES_AT_ONCE = 2_000


class Recorder:
    """A sink of `Play` that fills a new journal.

    `before` is the journal that the rehearsal goes on from: what it had by then is copied first, so that the new one is
    whole. As a context manager it writes the rest on leaving without an error.
    """

    def __init__(
        self, journal: Journal, at_once: int = ENTRIES_AT_ONCE, *, before: Path | None = None
    ) -> None:
        assert at_once > 0, "something is written at a time"
        self._journal = journal
        self._at_once = at_once
        self._before = before
        self._waiting: list[Entry] = []
        self.since = 0
        """The last entry that was there before."""

    def __call__(self, entries: tuple[Entry, ...]) -> None:
        """Keep the entries, and write when there are enough."""
        if self._before is not None:
            self._copy(self._before, entries[0].seq - 1)
            self._before = None
        self._waiting += entries
        if len(self._waiting) >= self._at_once:
            self.flush()

    def _copy(self, before: Path, last: int) -> None:
        with SqliteReader(before) as reader:
            records = reader.read(limit=last)
            while batch := list(islice(records, self._at_once)):
                self._journal.append(batch)
        self.since = last

    def flush(self) -> None:
        """Write what is kept. Raises what the journal raises; nothing of it is lost here then."""
        if self._waiting:
            self._journal.append([to_record(entry) for entry in self._waiting])
            self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.flush()
