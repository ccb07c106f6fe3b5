"""The past: the state as it was before an entry, rebuilt from the journal on a reader of its own.

Used to explain a decision with what was known when it was made. Folding history back takes time and memory, so one
such question is answered at a time, and how far it may go is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from stargate.base.errors import LimitError, NotFoundError
from stargate.broker import Entry, Ground, State
from stargate.journal import GENESIS, Head, Reader, Record, Snapshot, SqliteReader, Verification, to_entry
from stargate.journal.restart import restart

T = TypeVar("T")


class Until:
    """A journal that ends at entry `last`: a `Reader` in front of another one."""

    def __init__(self, reader: Reader, last: int) -> None:
        self._reader = reader
        self._last = last

    def head(self) -> Head:
        """The last entry that is seen."""
        if self._last == 0:
            return GENESIS
        record = next(self._reader.read(after=self._last - 1, limit=1))
        return Head(record.seq, record.hash)

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Entries with seq > `after`, none beyond the end."""
        left = max(0, self._last - after)
        return self._reader.read(after, left if limit is None else min(limit, left))

    def snapshots(self) -> tuple[int, ...]:
        """Those of entries that are seen, newest first."""
        return tuple(seq for seq in self._reader.snapshots() if seq <= self._last)

    def snapshot(self, seq: int) -> Snapshot:
        """The snapshot at entry `seq`."""
        return self._reader.snapshot(seq)

    def latest(self) -> Snapshot | None:
        """The newest snapshot that is seen."""
        return next((self._reader.snapshot(seq) for seq in self.snapshots()), None)

    def verify(self, expected: Head | None = None) -> Verification:
        """Check the whole journal, not only what is seen."""
        return self._reader.verify(expected)

    def close(self) -> None:
        """Close the journal behind it."""
        self._reader.close()


class History:
    """Questions to the journal of a running server. Each opens the file anew, beside the writer."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._turn = asyncio.Semaphore(1)

    async def entries(self, after: int, limit: int) -> list[Entry]:
        """Entries with seq > `after`."""
        return await asyncio.to_thread(self._entries, after, limit)

    async def entry(self, seq: int) -> Entry:
        """One entry. Raises NotFoundError."""
        found = await self.entries(seq - 1, 1) if seq > 0 else []
        if not found:
            raise NotFoundError(f"no entry {seq} in the journal", "`GET /v1/journal` lists entries")
        return found[0]

    async def grounds(self, seqs: Iterable[int]) -> dict[int, tuple[Ground, ...]]:
        """The recorded grounds of entries, by seq."""
        return await asyncio.to_thread(self._grounds, sorted(set(seqs)))

    async def before(self, seq: int, view: Callable[[State], T]) -> T:
        """What `view` makes of the state before entry `seq`. Raises LimitError when that is too far back."""
        async with self._turn:
            return await asyncio.to_thread(self._before, seq, view)

    async def verify(self) -> Verification:
        """Check every hash of the journal."""
        async with self._turn:
            return await asyncio.to_thread(self._verify)

    def _entries(self, after: int, limit: int) -> list[Entry]:
        with SqliteReader(self._path) as reader:
            return [to_entry(record) for record in reader.read(after, limit)]

    def _grounds(self, seqs: list[int]) -> dict[int, tuple[Ground, ...]]:
        with SqliteReader(self._path) as reader:
            found = (to_entry(record) for seq in seqs for record in reader.read(seq - 1, 1))
            return {entry.seq: entry.fact.grounds for entry in found}

    def _verify(self) -> Verification:
        with SqliteReader(self._path) as reader:
            return reader.verify()

    def _before(self, seq: int, view: Callable[[State], T]) -> T:
        with SqliteReader(self._path) as reader:
            past = Until(reader, seq - 1)
            start = next(iter(past.snapshots()), 0)
            if seq - start > self._limit:
                raise LimitError(
                    f"entry {seq} is {seq - start} entries away from the nearest snapshot before it, and"
                    f" {self._limit} is the bound",
                    "its recorded grounds are in `GET /v1/journal`",
                )
            return view(restart(past).state.state)
