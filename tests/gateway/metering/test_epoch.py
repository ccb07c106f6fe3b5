from __future__ import annotations

import fcntl
import os
import shutil
import threading
from pathlib import Path

import pytest

from stargate.base.errors import SpoolError
from stargate.gateway.metering import epoch
from stargate.gateway.metering.epoch import LOCK, epochs, make, remove, size_bytes, sweep, take


def test_an_epoch_is_seen_when_it_is_whole(folder: Path) -> None:
    lock = make(folder, "one", {"00000001.seg": b"12345"})
    assert epochs(folder) == ["one"]
    assert size_bytes(folder) == 5
    assert take(folder / "one") == -1, "its maker holds it"
    os.close(lock)
    again = take(folder / "one")
    assert again >= 0
    remove(folder / "one")
    os.close(again)
    assert not list(folder.iterdir())


def test_one_that_is_removed_under_our_hands_is_not_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.close(make(folder, "one", {}))
    real = fcntl.flock

    def removed(file: int, how: int) -> None:
        shutil.rmtree(folder / "one")
        real(file, how)

    monkeypatch.setattr(fcntl, "flock", removed)
    assert take(folder / "one") == -1


def test_nothing_is_there_yet(folder: Path) -> None:
    assert epochs(folder) == []
    assert size_bytes(folder) == 0
    assert take(folder / "one") == -1


def test_what_was_abandoned_is_swept_away(folder: Path) -> None:
    for name in (".new-empty", ".new-begun", ".gone-half", ".gone-lockless"):
        (folder / name).mkdir(parents=True)
    (folder / ".new-begun" / LOCK).touch()
    (folder / ".new-begun" / "00000001.seg").write_bytes(b"1")
    (folder / ".gone-half" / LOCK).touch()
    (folder / ".gone-lockless" / "00000001.seg").write_bytes(b"1")
    os.close(make(folder, "good", {"00000001.seg": b"1"}))
    sweep(folder)
    assert [path.name for path in folder.iterdir()] == ["good"]


def test_one_that_is_being_made_is_left_alone(folder: Path) -> None:
    (folder / ".new-a").mkdir(parents=True)
    (folder / ".new-a" / "00000001.seg").write_bytes(b"1")  # made, and its lock is about to be
    sweep(folder)
    assert (folder / ".new-a").exists()


def test_making_and_sweeping_at_once(folder: Path) -> None:
    """Whatever a sweeper removes under its hands, an epoch that was made is whole and held."""
    over = threading.Event()

    def broom() -> None:
        while not over.is_set():
            sweep(folder)

    sweeper = threading.Thread(target=broom)
    folder.mkdir(parents=True)
    sweeper.start()
    try:
        for number in range(200):
            lock = make(folder, f"e{number}", {"00000001.seg": b"12345", "durable": b"1"})
            assert take(folder / f"e{number}") == -1
            assert sorted(path.name for path in (folder / f"e{number}").iterdir()) == [
                "00000001.seg",
                "durable",
                LOCK,
            ]
            os.close(lock)
    finally:
        over.set()
        sweeper.join()


def test_a_spool_that_something_keeps_removing_is_given_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(epoch, "_fill", gone)
    with pytest.raises(SpoolError, match="is removed whenever it is made"):
        make(folder, "one", {})
