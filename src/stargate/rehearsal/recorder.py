"""Writes a rehearsal's entries to a journal, many at once: nobody outside acts on them, so none is waited for."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from stargate.broker import Entry
from stargate.journal import Journal, to_record

ENTRIES_AT_ONCE = 2_000


class Recorder:
    """A sink of `Play` that fills a journal. As a context manager it writes the rest on leaving without an error."""

    def __init__(self, journal: Journal, at_once: int = ENTRIES_AT_ONCE) -> None:
        assert at_once > 0, "something is written at a time"
        self._journal = journal
        self._at_once = at_once
        self._waiting: list[Entry] = []

    def __call__(self, entries: tuple[Entry, ...]) -> None:
        """Keep the entries, and write when there are enough."""
        self._waiting += entries
        if len(self._waiting) >= self._at_once:
            self.flush()

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
