"""Only the newest attempt may write."""

from __future__ import annotations

import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stargate.engines.local import fence
from stargate.engines.local.fence import EPOCH_FILE, LOCK_FILE, raise_epoch, read_epoch


def test_the_epoch_only_rises(tmp_path: Path) -> None:
    directory = tmp_path / "work" / "checkpoint"
    assert [raise_epoch(directory, number) for number in (1, 3, 2, 3, 4)] == [1, 3, 3, 3, 4]
    assert read_epoch(directory) == 4


def test_of_many_at_once_the_highest_remains(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: raise_epoch(tmp_path, number), range(1, 41)))
    assert read_epoch(tmp_path) == 40


def test_a_spoilt_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / EPOCH_FILE).write_bytes(b"\xff\x00")
    assert read_epoch(tmp_path) == 0
    assert raise_epoch(tmp_path, 1) == 1


def test_a_holder_that_froze_does_not_stop_its_successor(tmp_path: Path) -> None:
    patience, fence.PATIENCE_S = fence.PATIENCE_S, 0.05
    try:
        with (tmp_path / LOCK_FILE).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            assert raise_epoch(tmp_path, 2) == 2
    finally:
        fence.PATIENCE_S = patience
