"""How an epoch stands: which of its admissions are not settled. Read from what is kept of it, and its cursor."""

from __future__ import annotations

from pathlib import Path

import msgspec

from stargate.gateway.metering.cursor import Cursor, read_cursor
from stargate.gateway.metering.epoch import Far, segment_path, segments
from stargate.gateway.metering.frame import Place
from stargate.gateway.metering.reading import Reading, damaged
from stargate.gateway.record import Admitted


class Standing(msgspec.Struct):
    """An epoch that nobody writes, read to its end."""

    open: dict[int, Admitted]
    """Admissions that are not settled, in order."""
    far: Far
    admitted: int
    """Number of the last admission."""
    torn_bytes: int
    """Left out at the end."""


def opened_before(folder: Path, cursor: Cursor) -> dict[int, tuple[Admitted, int]]:
    """Admissions before the cursor that were not settled there, by number, with the segment each is in.

    Raises SpoolError where one is not there, OSError.
    """
    left = set(cursor.open)
    kept: dict[int, tuple[Admitted, int]] = {}
    for number in segments(folder):
        if not left or number > cursor.place.segment:
            break
        size = segment_path(folder, number).stat().st_size
        for frame in Reading(folder, Place(number, 0), min(cursor.place, Place(number, size))):
            for record in frame.records:
                if isinstance(record, Admitted) and record.seq in left:
                    left.discard(record.seq)
                    kept[record.seq] = (record, number)
    if left:
        raise damaged(
            segment_path(folder, cursor.place.segment),
            cursor.place.offset,
            f"admission {min(left)} is open here, and is in none of the segments before",
        )
    return kept


def standing(folder: Path) -> Standing:
    """Read what is kept of an epoch. Its lock must be held. Raises SpoolError on damage, OSError."""
    cursor = read_cursor(folder)
    waiting = {seq: admitted for seq, (admitted, _) in opened_before(folder, cursor).items()}
    reading = Reading(folder, Place(cursor.place.segment, 0))
    for frame in reading:
        for record in frame.records if frame.start >= cursor.place else ():
            if isinstance(record, Admitted):
                waiting[record.seq] = record
            elif waiting.pop(record.seq, None) is None:
                path = segment_path(folder, frame.start.segment)
                raise damaged(path, frame.start.offset, f"attempt {record.seq} is settled and was not open")
    far = Far(reading.reached.segment, reading.reached.offset, reading.settled)
    return Standing(waiting, far, reading.admitted, reading.torn_bytes)
