"""What a journal is: the append-only record of facts that the broker's state is folded from.

`Reader` is enough to replay, verify, export and show; `Journal` adds the one writer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from stargate.journal.chain import Head, Record
from stargate.journal.snapshot import Snapshot
from stargate.journal.verify import Verification

FORMAT = 1
"""The format written. A journal of a newer format is refused, never guessed at."""

RECORD_LIMIT_BYTES = 64 * 2**20
"""The largest body of one entry."""

SNAPSHOTS_KEPT = 2
"""The newest, and one before it in case the newest does not prove itself."""


class Reader(Protocol):
    """A journal that is looked at. It sees committed entries only, also while a writer goes on."""

    def head(self) -> Head:
        """The last committed entry's seq and hash; seq 0 for an empty journal."""

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Entries with seq > `after`, in order, at most `limit`. Raises JournalError on a damaged file."""

    def snapshots(self) -> tuple[int, ...]:
        """The entries that snapshots exist for, newest first."""

    def snapshot(self, seq: int) -> Snapshot:
        """The snapshot at entry `seq`. Raises JournalError when there is none or it is damaged."""

    def latest(self) -> Snapshot | None:
        """The newest snapshot that is whole and belongs to this chain."""

    def verify(self, expected: Head | None = None) -> Verification:
        """Check every hash. `expected` is a head noted earlier: it also shows entries cut off the end."""

    def close(self) -> None:
        """Release files and locks. Closing twice is harmless."""


class Journal(Reader, Protocol):
    """A journal that is written, by one process at a time."""

    def append(self, records: Sequence[Record]) -> Head:
        """Commit all records or none, durably, and give the new head.

        The first record's seq is head + 1 and the others follow without a gap. Raises JournalError: on
        records out of order (nothing was written; the journal stays usable), when another writer took
        over, and when the commit fails. After a failed commit it is unknown whether the batch is in,
        so every further append is refused: stop, restart, replay.
        """

    def save(self, seq: int, form: str, digest: str, data: bytes) -> None:
        """Keep the state after entry `seq`. Raises JournalError; the entries stay safe when it does."""
