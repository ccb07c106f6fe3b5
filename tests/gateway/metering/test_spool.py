from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stargate.base.errors import SpoolError, StateConflictError
from stargate.base.time import SECOND
from stargate.gateway.metering import Spool
from stargate.gateway.metering.epoch import epochs, segments
from stargate.gateway.metering.frame import FRAME_LIMIT_RECORDS
from stargate.gateway.metering.reading import Reading
from stargate.gateway.record import Admitted
from tests.gateway.metering.making import (
    BEGIN,
    admission,
    attempt,
    attempts,
    only,
    opened,
    records,
    settlement,
    whole,
)

pytestmark = pytest.mark.anyio


async def test_what_is_written_is_read_back(folder: Path) -> None:
    spool = opened(folder)
    seqs = await attempts(spool, 200)
    assert seqs == list(range(1, 201))
    assert spool.epoch == only(folder).name
    await spool.close()
    found = records(only(folder))
    assert sorted(whole(found)) == seqs
    assert {record for record in found if isinstance(record, Admitted)} == {admission(seq) for seq in seqs}


async def test_writers_share_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    spool = opened(folder)
    monkeypatch.setattr(os, "fdatasync", syncs.append)
    await attempts(spool, 500)
    await spool.close()
    assert 2 <= len(syncs) <= 40, "1,000 records of 500 writers gather into few writes"


async def test_nothing_is_acknowledged_before_it_is_on_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder)
    go_on = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(
        os, "fdatasync", lambda _: asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
    )
    writing = asyncio.create_task(spool.write(admission(1)))
    await asyncio.sleep(0.05)
    assert not writing.done(), "the loop went on, the writer did not"
    go_on.set()
    await writing
    monkeypatch.undo()
    await spool.close()


async def test_epochs_sort_by_time_and_are_never_the_same(folder: Path) -> None:
    spools = [Spool.open(folder, BEGIN.plus(number * SECOND)) for number in (2, 0, 1)]
    same = [Spool.open(folder, BEGIN.plus(3 * SECOND)) for _ in range(5)]
    names = [spools[1].epoch, spools[2].epoch, spools[0].epoch]
    assert epochs(folder)[:3] == names
    assert len(epochs(folder)) == 8
    for each in (*spools, *same):
        await each.close()


async def test_segments_end_at_their_size_and_numbers_go_on(folder: Path) -> None:
    spool = opened(folder, segment_bytes=2_000)
    for _ in range(40):
        await attempt(spool)
    await spool.close()
    epoch = only(folder)
    assert len(segments(epoch)) >= 4
    assert max(path.stat().st_size for path in epoch.glob("*.seg")) < 2_400
    assert len(whole(records(epoch))) == 40


async def test_a_settlement_belongs_to_an_open_admission(folder: Path) -> None:
    spool = opened(folder)
    with pytest.raises(SpoolError, match=r"attempt 1 of .* is not open"):
        await spool.write(settlement(1))
    await attempt(spool)
    with pytest.raises(SpoolError, match=r"attempt 1 of .* is not open"):
        await spool.write(settlement(1))
    await spool.close()
    assert len(records(only(folder))) == 2


async def test_a_number_that_is_not_used_is_given_out_again(folder: Path) -> None:
    spool = opened(folder)
    assert spool.number() == spool.number() == 1
    with pytest.raises(SpoolError, match=r"admission 2 of .* comes where 1 is due"):
        await spool.write(admission(2))
    assert await attempt(spool) == 1
    await spool.close()


async def test_a_record_that_is_too_large_is_refused(folder: Path) -> None:
    spool = opened(folder)
    await spool.write(admission(1))
    with pytest.raises(SpoolError, match=r"300,0.. bytes"):
        await spool.write(settlement(1, said=b"x" * 300_000))
    await spool.write(settlement(1))
    await spool.close()


async def test_many_large_records_take_several_frames(folder: Path) -> None:
    spool = opened(folder)
    await asyncio.gather(*(spool.write(admission(seq)) for seq in range(1, 51)))
    await asyncio.gather(*(spool.write(settlement(seq, said=b"x" * 20_000)) for seq in range(1, 51)))
    await spool.close()
    assert len(whole(records(only(folder)))) == 50


async def test_a_frame_holds_no_more_than_its_limit(folder: Path) -> None:
    spool = opened(folder)
    await attempts(spool, 5_000)
    await spool.close()
    sizes = [len(frame.records) for frame in Reading(only(folder))]
    assert sum(sizes) == 10_000
    assert max(sizes) <= FRAME_LIMIT_RECORDS


async def test_nothing_is_written_after_closing(folder: Path) -> None:
    spool = opened(folder)
    writing = [asyncio.create_task(spool.write(admission(seq))) for seq in range(1, 6)]
    await asyncio.sleep(0)
    await spool.close()
    await asyncio.gather(*writing)  # what waited was written
    with pytest.raises(SpoolError, match="is closed"):
        await spool.write(admission(6))
    await spool.close()
    assert len(records(only(folder))) == 5


async def test_closing_goes_on_when_who_asked_for_it_is_cancelled(folder: Path) -> None:
    spool = opened(folder)
    await attempt(spool)
    closing = asyncio.create_task(spool.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    await spool.close()
    resumed, _ = Spool.resume(only(folder))
    await resumed.close()


async def test_a_living_worker_keeps_its_epoch(folder: Path) -> None:
    spool = opened(folder)
    with pytest.raises(StateConflictError, match="is being written"):
        Spool.resume(only(folder))
    await spool.close()
    resumed, standing = Spool.resume(only(folder))
    assert not standing.open
    await resumed.close()


async def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SpoolError, match=r"no epoch can be begun in .*: Not a directory"):
        opened(tmp_path / "file" / "spool")


# -- limits -----------------------------------------------------------------------------------------------


async def test_a_queue_that_is_full_takes_no_admission_but_every_settlement(folder: Path) -> None:
    spool = opened(folder, waiting_records=3)
    await asyncio.gather(*(spool.write(admission(seq)) for seq in (1, 2, 3)))
    results = await asyncio.gather(
        *(spool.write(admission(seq)) for seq in (4, 5, 6, 7)),
        spool.write(settlement(1)),
        return_exceptions=True,
    )
    assert [type(each) for each in results] == [type(None)] * 3 + [SpoolError, type(None)]
    assert "3 records wait to be written" in str(results[3])
    assert spool.number() == 7
    await spool.close()


async def test_open_admissions_are_bounded(folder: Path) -> None:
    spool = opened(folder, open_records=2)
    await spool.write(admission(1))
    await spool.write(admission(2))
    with pytest.raises(SpoolError, match="2 admissions are not settled"):
        await spool.write(admission(3))
    await spool.write(settlement(1))
    await spool.write(admission(3))
    assert spool.open_records == 2
    await spool.close()


async def test_a_full_spooladmits_again_when_something_was_shipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stargate.gateway.metering.spool.SURVEY_S", 0.0)
    earlier = opened(folder)
    await attempts(earlier, 100)
    await earlier.close()
    spool = opened(folder, disk_bytes=8_000)
    with pytest.raises(SpoolError, match="bytes of 8,000 are taken"):
        await spool.write(admission(1))
    for path in (folder / earlier.epoch).glob("*.seg"):
        path.unlink()
    for _ in range(1_000):  # it looks again when it is asked, and then says what it knows
        with contextlib.suppress(SpoolError):
            await attempt(spool)
            break
        await asyncio.sleep(0.01)
    assert spool.number() == 2
    await spool.close()


@pytest.mark.parametrize("limit", [{"disk_bytes": 1_500}, {"free_bytes": 1 << 60}])
async def test_what_was_admitted_is_settled_in_a_full_spool(
    folder: Path, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int]
) -> None:
    spool = opened(folder, **limit)
    if "free_bytes" in limit:
        free = iter([1 << 60] * 5)
        monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_bavail=next(free, 0), f_frsize=1))
        spool._tail.survey()
    while True:
        seq = spool.number()
        try:
            await spool.write(admission(seq))
        except SpoolError:
            break
    assert spool.open_records == seq - 1 > 2
    await asyncio.gather(*(spool.write(settlement(each)) for each in range(1, seq)))
    await spool.close()
    assert len(whole(records(only(folder)))) == seq - 1


# -- a disk that fails ------------------------------------------------------------------------------------


def failing(
    monkeypatch: pytest.MonkeyPatch, name: str, error: int, *, half: bool = False
) -> Callable[[], None]:
    """Let a call of `os` fail, perhaps after doing half of it. What is returned mends it."""
    real: Callable[..., Any] = getattr(os, name)

    def fail(file: int, *rest: Any) -> int:
        if half and rest:
            real(file, rest[0][: len(rest[0]) // 2], *rest[1:])
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(os, name, fail)
    return lambda: monkeypatch.setattr(os, name, real)


@pytest.mark.parametrize(
    ("call", "error", "half"),
    [("pwrite", errno.ENOSPC, True), ("pwrite", errno.EIO, False), ("fdatasync", errno.EIO, False)],
)
async def test_a_failed_write_leaves_nothing_and_the_spoolgoes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int, half: bool
) -> None:
    spool = opened(folder)
    await attempts(spool, 3)
    await spool.write(admission(4))
    mend = failing(monkeypatch, call, error, half=half)
    refused = await asyncio.gather(
        spool.write(settlement(4)),
        *(spool.write(admission(seq)) for seq in (5, 6, 7)),
        return_exceptions=True,
    )
    assert all(isinstance(each, SpoolError) and os.strerror(error) in str(each) for each in refused), refused
    assert spool.number() == 5, "the numbers are given out anew"
    assert spool.open_records == 1, "the settlement is owed"
    with pytest.raises(SpoolError, match="is not open"):
        await spool.write(settlement(4))
    mend()
    assert await attempts(spool, 4) == [5, 6, 7, 8]
    assert spool.open_records == 0
    await spool.close()
    found = records(only(folder))
    assert sorted(whole(found)) == list(range(1, 9))
    assert found[7] == settlement(4), "what is owed comes first"
    # After a failed sync nobody knows what of a file is on disk: another is begun.
    assert len(segments(only(folder))) == (2 if call == "fdatasync" else 1)


async def test_a_settlement_that_failed_is_written_when_that_is_possible(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stargate.gateway.metering.spool.AGAIN_S", 0.01)
    spool = opened(folder)
    await spool.write(admission(1))
    tries: list[int] = []
    real = os.pwrite

    def fail(file: int, data: bytes, offset: int) -> int:
        if len(data) > 16:
            tries.append(offset)
            if len(tries) < 4:
                raise OSError(errno.ENOSPC, "No space left")
        return real(file, data, offset)

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(SpoolError, match="No space left"):
        await spool.write(settlement(1))
    for _ in range(1_000):
        await asyncio.sleep(0.01 if spool.open_records else 0)
    assert len(tries) == 4
    await spool.close()
    assert records(only(folder)) == [admission(1), settlement(1)]


@pytest.mark.parametrize("room", [True, False])
async def test_what_is_owed_is_tried_once_more_when_closing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, room: bool
) -> None:
    spool = opened(folder)
    await spool.write(admission(1))
    mend = failing(monkeypatch, "pwrite", errno.ENOSPC)
    with pytest.raises(SpoolError):
        await spool.write(settlement(1))
    if room:
        mend()
    await spool.close()
    mend()
    assert len(records(only(folder))) == (2 if room else 1)


async def test_what_waits_behind_a_failed_write_fails_with_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder)
    mend = failing(monkeypatch, "pwrite", errno.ENOSPC)
    first = asyncio.create_task(spool.write(admission(1)))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(spool.write(admission(seq))) for seq in (2, 3)]
    results = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [type(each) for each in results] == [SpoolError] * 3
    mend()
    assert await attempts(spool, 2) == [1, 2]
    await spool.close()
    assert len(whole(records(only(folder)))) == 2


async def test_a_partial_frame_that_cannot_be_cut_off_is_cut_off_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder)
    await attempt(spool)
    mend = [
        failing(monkeypatch, "pwrite", errno.ENOSPC, half=True),
        failing(monkeypatch, "ftruncate", errno.EIO),
    ]
    with pytest.raises(SpoolError, match="No space left"):
        await spool.write(admission(2))
    mend[0]()
    with pytest.raises(SpoolError, match="Input/output"):
        await spool.write(admission(2))
    mend[1]()
    assert await attempt(spool) == 2
    await spool.close()
    assert len(whole(records(only(folder)))) == 2


async def test_a_segment_that_cannot_be_begun_leaves_the_last_in_use(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder, segment_bytes=300)
    await attempt(spool)
    mend = failing(monkeypatch, "pwrite", errno.ENOSPC, half=True)
    with pytest.raises(SpoolError):
        await spool.write(admission(2))
    mend()
    assert segments(only(folder)) == [1]
    await attempts(spool, 3)
    await spool.close()
    assert len(whole(records(only(folder)))) == 4


async def test_an_error_that_nobody_thought_of_reaches_who_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = opened(folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *_: 1 / 0)
        with pytest.raises(SpoolError, match="division by zero"):
            await spool.write(admission(1))
    await attempt(spool)
    await spool.close()


# -- who is cancelled -------------------------------------------------------------------------------------


async def test_who_is_cancelled_knows_whether_it_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client left while its admission was being written: if that is on disk, it has to be settled."""
    spool = opened(folder)
    writing = asyncio.create_task(spool.write(admission(1)))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.sleep(0)
    writing.cancel()  # more than once
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert spool.open_records == 1
    await spool.write(settlement(1))

    mend = failing(monkeypatch, "pwrite", errno.ENOSPC)
    writing = asyncio.create_task(spool.write(admission(2)))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(SpoolError):
        await writing
    mend()
    assert spool.open_records == 0
    assert await attempt(spool) == 2
    await spool.close()
    assert len(whole(records(only(folder)))) == 2
