from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from stargate.base import wire
from stargate.base.errors import SpoolError
from stargate.gateway.metering import Spool
from stargate.gateway.metering.epoch import DURABLE, Far, far, pack_far, segment_path, segments
from stargate.gateway.metering.frame import Header, Place, body, frame, seed
from stargate.gateway.metering.reading import Reading, durable
from stargate.gateway.metering.tail import Tail, first_frame
from stargate.gateway.record import Attempt
from tests.gateway.metering.making import (
    admission,
    attempt,
    attempts,
    only,
    opened,
    records,
    settlement,
    whole,
)


def read(epoch: Path) -> tuple[list[Attempt], int]:
    """What is there, and how many bytes were cut off."""
    reading = Reading(epoch)
    found = [record for frame in reading for record in frame.records]
    return found, reading.torn_bytes


def written(folder: Path, writes: int, **limits: int) -> Path:
    """An epoch with so many attempts, two frames each, and its worker gone."""

    async def write() -> None:
        spool = opened(folder, **limits)
        for _ in range(writes):
            await attempt(spool)
        await spool.close()

    asyncio.run(write())
    return only(folder)


def behind(epoch: Path, place: Place) -> None:
    """As if its worker had said only this, as when the machine lost power."""
    (epoch / DURABLE).write_bytes(pack_far(Far(place.segment, place.offset, 0)))


def test_every_cut_of_the_last_write_is_found(folder: Path) -> None:
    epoch = written(folder, 3)
    frames = list(Reading(epoch))
    path = segment_path(epoch, 1)
    whole_bytes = path.read_bytes()
    last = frames[-1].start
    behind(epoch, last)
    for length in range(last.offset, len(whole_bytes)):
        path.write_bytes(whole_bytes[:length])
        assert read(epoch) == ([r for f in frames[:-1] for r in f.records], length - last.offset)
    path.write_bytes(whole_bytes)
    assert read(epoch) == ([r for f in frames for r in f.records], 0)


@pytest.mark.parametrize("debris", [b"\0", b"\xff", b"\xc1SGf"])
def test_a_write_of_which_any_part_never_came_is_torn(folder: Path, debris: bytes) -> None:
    """A file may have grown to its new length without what was to be in it."""
    epoch = written(folder, 3)
    frames = list(Reading(epoch))
    path = segment_path(epoch, 1)
    whole_bytes = path.read_bytes()
    last = frames[-1].start.offset
    behind(epoch, frames[-1].start)
    for length in range(last, len(whole_bytes)):
        rest = len(whole_bytes) - length
        path.write_bytes(whole_bytes[:length] + (debris * rest)[:rest])
        if path.read_bytes() == whole_bytes:
            continue
        assert read(epoch) == ([r for f in frames[:-1] for r in f.records], len(whole_bytes) - last)


def test_a_torn_end_is_cut_off_for_good_when_the_epoch_is_resumed(folder: Path) -> None:
    epoch = written(folder, 3)
    last = list(Reading(epoch))[-1].start
    behind(epoch, last)
    path = segment_path(epoch, 1)
    os.truncate(path, path.stat().st_size - 1)

    async def resume() -> int:
        spool, standing = Spool.resume(epoch)
        assert list(standing.open) == [3]
        assert path.stat().st_size == last.offset
        await spool.write(settlement(3))
        await spool.close()
        return standing.torn_bytes

    assert asyncio.run(resume()) > 0
    assert read(epoch)[1] == 0
    assert len(whole(records(epoch))) == 3


def test_a_segment_that_was_being_begun_is_torn(folder: Path) -> None:
    epoch = written(folder, 3)
    before = records(epoch)
    head = first_frame(Header(1, epoch.name, 2, 3, 3))
    for length in (0, 1, len(head) - 1, len(head)):
        segment_path(epoch, 2).write_bytes(head[:length])
        assert read(epoch) == (before, length if length < len(head) else 0)


# -- beside a living worker -------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_reader_goes_on_where_it_stopped(folder: Path) -> None:
    spool = opened(folder, segment_bytes=1_000)
    epoch = only(folder)
    place, found = Place(0, 0), []
    for count in (1, 0, 7, 30):
        await attempts(spool, count)
        for each in Reading(epoch, place, durable(epoch)):
            found += each.records
            place = each.end
    assert len(whole(found)) == 38
    await spool.close()
    assert found == records(epoch)


@pytest.mark.anyio
async def test_what_is_written_and_not_yet_durable_is_not_read(folder: Path) -> None:
    spool = opened(folder)
    await attempt(spool)
    epoch = only(folder)
    end = durable(epoch)
    with segment_path(epoch, 1).open("ab") as file:  # as the worker's thread between write and sync
        file.write(frame(body([wire.pack(admission(2))]), seed(epoch.name, 1), end.offset))
    assert [len(each.records) for each in Reading(epoch, end=durable(epoch))] == [1, 1]
    assert len(records(epoch)) == 3, "once it is dead, all that is there counts"
    await spool.close()


# -- damage -----------------------------------------------------------------------------------------------


def test_damage_before_the_end_names_file_and_offset(folder: Path) -> None:
    epoch = written(folder, 4)
    frames = list(Reading(epoch))
    path = segment_path(epoch, 1)
    whole_bytes = path.read_bytes()
    for number, each in enumerate(frames[:-1]):
        for at in (each.start.offset, each.start.offset + 5, each.end.offset - 1):
            spoilt = bytearray(whole_bytes)
            spoilt[at] ^= 0x55
            path.write_bytes(spoilt)
            behind(epoch, Place(1, 0))
            reading = iter(Reading(epoch))
            for good in frames[:number]:
                assert next(reading) == good
            with pytest.raises(
                SpoolError, match=rf"{path.name} is damaged at byte {each.start.offset}: .* follows"
            ):
                next(reading)


def test_what_was_durable_is_never_called_torn(folder: Path) -> None:
    """The last write was acknowledged. Its damage is no crash's doing."""
    epoch = written(folder, 2)
    path = segment_path(epoch, 1)
    whole_bytes = path.read_bytes()
    path.write_bytes(whole_bytes[:-1])
    with pytest.raises(SpoolError, match="though its worker had it on disk"):
        read(epoch)
    path.write_bytes(whole_bytes[: list(Reading(_copy(epoch, whole_bytes)))[-1].start.offset])
    with pytest.raises(SpoolError, match="it ends here, and was durable up to"):
        read(epoch)


def _copy(epoch: Path, first: bytes) -> Path:
    copy = epoch.parent.parent / "copy" / epoch.name
    shutil.copytree(epoch, copy)
    segment_path(copy, 1).write_bytes(first)
    return copy


def test_a_segment_that_is_missing_is_named(folder: Path) -> None:
    epoch = written(folder, 20, segment_bytes=1_000)
    assert len(segments(epoch)) >= 4
    taken = segment_path(epoch, 3).read_bytes()
    segment_path(epoch, 3).unlink()
    with pytest.raises(SpoolError, match=r"00000003\.seg is missing"):
        read(epoch)
    segment_path(epoch, 3).write_bytes(taken)
    segment_path(epoch, segments(epoch)[-1]).unlink()
    with pytest.raises(SpoolError, match=r"is missing|it ends here"):
        read(epoch)


def test_a_segment_that_lost_its_end_is_noticed(folder: Path) -> None:
    epoch = written(folder, 20, segment_bytes=1_000)
    path = segment_path(epoch, 2)
    last = [each for each in Reading(epoch) if each.start.segment == 2][-1]
    os.truncate(path, last.start.offset)
    with pytest.raises(SpoolError, match=r"00000003\.seg is damaged at byte 0: it follows"):
        read(epoch)


def test_a_segment_whose_end_is_spoilt_is_damaged_if_another_follows(folder: Path) -> None:
    epoch = written(folder, 20, segment_bytes=1_000)
    behind(epoch, Place(1, 0))
    path = segment_path(epoch, 2)
    last = [each for each in Reading(epoch) if each.start.segment == 2][-1]
    os.truncate(path, last.end.offset - 1)
    with pytest.raises(
        SpoolError, match=rf"{path.name} is damaged at byte {last.start.offset}: .* segment 3 follows"
    ):
        read(epoch)


def test_a_file_of_another_epoch_is_refused(folder: Path) -> None:
    epoch = written(folder, 2)
    other = epoch.with_name("20260310T120000000000Z-0000000000000000")
    epoch.rename(other)
    with pytest.raises(SpoolError, match="is damaged at byte 0"):
        read(other)


def test_a_newer_form_is_not_guessed_at(folder: Path) -> None:
    epoch = written(folder, 1)
    segment_path(epoch, 1).write_bytes(first_frame(Header(2, epoch.name, 1, 0, 0)))
    with pytest.raises(SpoolError, match="it is of version 2, and this Stargate reads 1"):
        read(epoch)


def test_admissions_are_numbered_without_gaps(folder: Path) -> None:
    epoch = written(folder, 2)
    tail = Tail(epoch, far(epoch), 2, 1 << 20)
    tail.append([wire.pack(admission(4))], 1, 0)
    tail.close()
    with pytest.raises(SpoolError, match="admission 4 follows 2"):
        read(epoch)
