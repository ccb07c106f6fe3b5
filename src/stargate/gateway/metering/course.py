"""How far one epoch is shipped: what is read next, what is acknowledged, which segments may go.

Blocking; one batch and the admissions that are open are all that is in memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from stargate.base.errors import SpoolError
from stargate.gateway.metering.cursor import Cursor, read_cursor, write_cursor
from stargate.gateway.metering.epoch import far, remove, segment_path, segments, take
from stargate.gateway.metering.frame import Place
from stargate.gateway.metering.reading import Reading, damaged, durable
from stargate.gateway.metering.standing import opened_before
from stargate.gateway.record import Admitted, Settled


class Usage(NamedTuple):
    """An attempt, told in full. `(epoch, admitted.seq)` is its name for ever: who has it already drops it."""

    epoch: str
    admitted: Admitted
    settled: Settled


class Batch(NamedTuple):
    """What is sent at once."""

    usages: list[Usage]
    start: Place
    end: Place
    opened: dict[int, tuple[Admitted, int]]
    """Admitted within it and not settled within it, with the segment."""
    living: bool
    """Its worker was alive when it was read."""
    torn_bytes: int


class Course:
    """Reads an epoch on from where it was acknowledged. Raises SpoolError on damage, OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        cursor = read_cursor(folder)
        self._place = cursor.place
        self._settled = cursor.settled
        self._open = opened_before(folder, cursor)

    @property
    def open_records(self) -> int:
        """Admissions before the place reached that are not settled there."""
        return len(self._open)

    def unshipped(self) -> int:
        """Settlements that are on disk and not acknowledged."""
        return max(0, far(self.folder).settled - self._settled)

    def oldest_us(self) -> int:
        """When the first of them was written; 0: there is none."""
        if self.unshipped():
            for frame in Reading(self.folder, self._place, durable(self.folder)):
                for record in frame.records:
                    if isinstance(record, Settled):
                        return record.at_us
        return 0

    def read(self, attempts: int) -> Batch:
        """What comes next: about so many attempts. It ends with a frame, and may be empty."""
        lock = take(self.folder)
        living = lock < 0
        try:
            if not living:
                self._sync_end()
            reading = Reading(self.folder, self._place, durable(self.folder) if living else None)
            return self._batch(reading, attempts, living=living)
        finally:
            if not living:
                os.close(lock)

    def _batch(self, reading: Reading, attempts: int, *, living: bool) -> Batch:
        usages: list[Usage] = []
        opened: dict[int, tuple[Admitted, int]] = {}
        end = self._place
        try:
            for frame in reading:
                for record in frame.records:
                    if isinstance(record, Admitted):
                        opened[record.seq] = (record, frame.start.segment)
                        continue
                    found = opened.pop(record.seq, None) or self._open.get(record.seq)
                    if found is None:
                        path = segment_path(self.folder, frame.start.segment)
                        raise damaged(
                            path, frame.start.offset, f"attempt {record.seq} is settled and was not open"
                        )
                    usages.append(Usage(self.folder.name, found[0], record))
                end = frame.end
                if len(usages) >= attempts:
                    break
        except SpoolError:
            if end == self._place:
                raise
            # What stands before the damage is good: it is said when nothing else is left.
        return Batch(usages, self._place, end, opened, living, reading.torn_bytes)

    def _sync_end(self) -> None:
        # Its worker may have died between writing and syncing: what is shipped must not vanish with the machine.
        for number in segments(self.folder)[-1:]:
            file = os.open(segment_path(self.folder, number), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fdatasync(file)
            finally:
                os.close(file)

    def acknowledge(self, batch: Batch) -> None:
        """A batch has arrived: remember it, then let go of segments that nobody needs."""
        assert batch.start == self._place, "batches are acknowledged in order"
        for usage in batch.usages:
            self._open.pop(usage.admitted.seq, None)
        self._open.update(batch.opened)
        self._place = batch.end
        self._settled += len(batch.usages)
        if batch.usages:
            write_cursor(self.folder, Cursor(1, self._place, self._settled, tuple(self._open)))
            self._prune()

    def _prune(self) -> None:
        needed = {segment for _, segment in self._open.values()}
        for number in segments(self.folder):
            if number < self._place.segment and number not in needed:
                segment_path(self.folder, number).unlink()

    def remove(self, batch: Batch) -> bool:
        """Remove the epoch after its last batch, an empty one; False: there is something to do about it yet."""
        if batch.living or self._open or batch.end != batch.start:
            return False
        lock = take(self.folder)
        if lock < 0:
            return False
        try:
            remove(self.folder)
        finally:
            os.close(lock)
        return True
