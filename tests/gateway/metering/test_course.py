from __future__ import annotations

import os
from pathlib import Path

import pytest

from stargate.base import wire
from stargate.gateway.metering.course import Course
from stargate.gateway.metering.epoch import epochs, far, segment_path
from stargate.gateway.metering.frame import body, frame, seed
from stargate.gateway.record import Attempt
from tests.gateway.metering.making import admission, attempt, only, opened, settlement

pytestmark = pytest.mark.anyio


def append(epoch: Path, *records: Attempt) -> Path:
    """As the worker's thread between writing and syncing."""
    path = segment_path(epoch, 1)
    offset = far(epoch).offset
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(frame(body([wire.pack(record) for record in records]), seed(epoch.name, 1), offset))
    return path


async def test_beside_a_living_worker_only_what_is_durable_is_read(folder: Path) -> None:
    spool = opened(folder)
    await attempt(spool)
    append(only(folder), admission(2), settlement(2))
    batch = Course(only(folder)).read(10)
    assert batch.living
    assert [usage.admitted.seq for usage in batch.usages] == [1]
    await spool.close()


async def test_what_a_dead_worker_wrote_is_synced_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder)
    await attempt(spool)
    await spool.close()
    path = append(only(folder), admission(2), settlement(2))
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda file: synced.append(os.fstat(file).st_ino))
    batch = Course(only(folder)).read(10)
    assert not batch.living
    assert [usage.admitted.seq for usage in batch.usages] == [1, 2]
    assert synced == [path.stat().st_ino]


async def test_a_worker_that_died_after_it_was_read_keeps_its_epoch(folder: Path) -> None:
    """Its last words came between the last look and the end."""
    spool = opened(folder)
    await attempt(spool)
    course = Course(only(folder))
    course.acknowledge(course.read(10))
    last = course.read(10)
    assert (last.usages, last.living) == ([], True)
    await attempt(spool)
    await spool.close()
    assert not course.remove(last)
    batch = course.read(10)
    assert [usage.admitted.seq for usage in batch.usages] == [2]
    assert not course.remove(batch), "it is not acknowledged yet"
    course.acknowledge(batch)
    assert course.remove(course.read(10))
    assert not epochs(folder)
