"""Read an epoch back: its records in order with their places, what a crash tore off, and what is damaged.

Memory: one frame. A reader may run beside the worker that writes, up to where that says it is durable.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from stargate.base.errors import SpoolError
from stargate.gateway.metering.epoch import far, segment_path, segments
from stargate.gateway.metering.frame import (
    FRAME_LIMIT_BYTES,
    FRONT_BYTES,
    HEADER,
    MARK,
    OVERHEAD_BYTES,
    RECORDS,
    VERSION,
    Place,
    found,
    next_found,
    seed,
)
from stargate.gateway.record import Admitted, Attempt

BEGIN = Place(0, 0)
_MOST_BYTES = OVERHEAD_BYTES + FRAME_LIMIT_BYTES


class Frame(NamedTuple):
    """What was written at once."""

    start: Place
    end: Place
    """Where to go on."""
    records: list[Attempt]


def durable(folder: Path) -> Place:
    """Up to where its writer has said that all is on disk. Raises OSError."""
    said = far(folder)
    return Place(said.segment, said.offset)


class Reading:
    """Iterates the frames of an epoch between two places. Raises SpoolError on damage, naming file and offset.

    Without an `end` nobody may be writing; what a crash tore off its last write is left out and counted. Beside a
    living worker the end is `durable`. Segments before that of `start` may be gone, none from there on.
    """

    def __init__(self, folder: Path, start: Place = BEGIN, end: Place | None = None) -> None:
        self._folder = folder
        self._start = start
        self._bounded = end is not None
        self._durable = end or durable(folder)
        self.reached = start
        """Where the next frame would begin."""
        self.torn_bytes = 0
        """Cut off so far."""
        self.admitted = -1
        """Number of the last admission; -1: not known, as it began within a segment."""
        self.settled = -1
        """Settlements of the epoch so far; -1: not known."""

    def __iter__(self) -> Iterator[Frame]:
        numbers = [number for number in segments(self._folder) if number >= self._start.segment]
        if self._bounded:
            numbers = [number for number in numbers if number <= self._durable.segment]
        for expected, number in enumerate(numbers, self._start.segment or next(iter(numbers), 0)):
            if number != expected:
                raise missing(segment_path(self._folder, expected))
            yield from self._segment(number, [later for later in numbers if later > number])
            if self.torn_bytes:
                break
        if self.reached < self._durable:
            self._fall_short()

    def _fall_short(self) -> None:
        """It ended before the place up to which its worker had it on disk."""
        segment = max(self.reached.segment, 1)
        path = segment_path(self._folder, segment)
        if not path.exists():
            raise missing(path)
        durable = f"{segment_path(self._folder, self._durable.segment)} byte {self._durable.offset}"
        raise damaged(path, self.reached.offset, f"it ends here, and was durable up to {durable}")

    def _segment(self, number: int, later: list[int]) -> Iterator[Frame]:
        path = segment_path(self._folder, number)
        offset = self._start.offset if number == self._start.segment else 0
        bounded = self._bounded and number == self._durable.segment
        start = seed(self._folder.name, number)
        with path.open("rb", buffering=_MOST_BYTES) as file:
            file.seek(offset)
            while not bounded or offset < self._durable.offset:
                payload = _body(file, start, offset)
                if payload is None:
                    return
                if not payload:
                    self._cut(path, Place(number, offset), later)
                    return
                end = Place(number, offset + FRONT_BYTES + len(payload))
                try:
                    if offset:
                        records = RECORDS.decode(payload)
                        self._follow(records)
                        self.reached = end
                        yield Frame(Place(number, offset), end, records)
                    else:
                        self._open(payload, number)
                        self.reached = end
                except (msgspec.DecodeError, _UnfitError) as error:
                    raise damaged(path, offset, str(error)) from error
                offset = end.offset

    def _open(self, payload: bytes, number: int) -> None:
        """Check what a segment begins with."""
        (header,) = HEADER.decode(payload)
        if header.version != VERSION:
            raise _UnfitError(f"it is of version {header.version}, and this Stargate reads {VERSION}")
        if (header.epoch, header.segment) != (self._folder.name, number):
            raise _UnfitError(f"it says that it is segment {header.segment} of {header.epoch}")
        known = (self.admitted, self.settled)
        if -1 not in known and known != (header.admitted, header.settled):
            raise _UnfitError(
                f"it follows {header.admitted} admissions and {header.settled} settlements; there were {known}"
            )
        self.admitted, self.settled = header.admitted, header.settled

    def _follow(self, records: list[Attempt]) -> None:
        """Admissions are numbered without gaps, in order."""
        for record in records:
            if isinstance(record, Admitted):
                if self.admitted not in {-1, record.seq - 1}:
                    raise _UnfitError(f"admission {record.seq} follows {self.admitted}")
                self.admitted = record.seq
            elif self.settled >= 0:
                self.settled += 1

    def _cut(self, path: Path, place: Place, later: list[int]) -> None:
        """A frame is not whole: torn if nothing readable comes after it, otherwise damaged."""
        offset = place.offset
        rest = path.read_bytes()[offset:]
        if place < self._durable:
            raise damaged(path, offset, "no whole frame is here, though its worker had it on disk")
        after = next_found(rest[1:], seed(self._folder.name, place.segment), offset + 1)
        if after >= 0:
            raise damaged(path, offset, f"no whole frame is here, though one follows at {offset + 1 + after}")
        behind = [each for each in later if holds_records(self._folder, each)]
        if behind:
            raise damaged(path, offset, f"no whole frame is here, though segment {behind[0]} follows")
        self.torn_bytes = len(rest) + sum(segment_path(self._folder, each).stat().st_size for each in later)


class _UnfitError(ValueError):
    """A frame is whole and says what cannot be."""


def _body(file: BinaryIO, seed: int, offset: int) -> bytes | None:
    """The next frame's; nothing if it is not whole; None at the end."""
    front = file.read(FRONT_BYTES)
    if not front:
        return None
    length = min(int.from_bytes(front[len(MARK) : 2 * len(MARK)], "little"), _MOST_BYTES)
    data = front + file.read(length)
    return data[FRONT_BYTES:] if found(data, 0, seed, offset) >= 0 else b""


def holds_records(folder: Path, segment: int) -> bool:
    """Whether a segment holds any whole frame beyond the one that it begins with."""
    data = segment_path(folder, segment).read_bytes()
    start = seed(folder.name, segment)
    length = found(data, 0, start, 0)
    skip = 1 if length < 0 else FRONT_BYTES + length
    return next_found(data[skip:], start, skip) >= 0


def damaged(path: Path, offset: int, says: str) -> SpoolError:
    """What stands there is not what was written."""
    return SpoolError(
        f"{path} is damaged at byte {offset}: {says}",
        "What stands before is still shipped, what follows is kept and not. Put the file back from a copy; without "
        "one, move the epoch's folder out of the spool when its worker has ended, and count what its numbers lack in "
        "the ledger from the endpoints' own bills",
    )


def missing(path: Path) -> SpoolError:
    """A file that must be there is not."""
    return SpoolError(
        f"{path} is missing, and what depends on it is not acknowledged",
        "Put it back from a copy; without one, move the epoch's folder out of the spool when its worker has ended, and "
        "count what its numbers lack in the ledger from the endpoints' own bills",
    )
