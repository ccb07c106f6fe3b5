"""Counters of a host: none is lost when a process dies, none counts twice, and none ever goes back."""

from __future__ import annotations

import multiprocessing
import random
import signal
from pathlib import Path

import pytest

from stargate.gateway.observing import Shelf, Snapshot
from stargate.gateway.observing.snapshot import Sum


def counted(count: int, code: str = "x") -> Snapshot:
    """A process that has refused so many, which took half a millisecond each; it has one open."""
    buckets = [0] * 17
    buckets[3] = count
    return Snapshot(
        [("refusals", (code,), count)],
        [("spool_commit_seconds", (), buckets, count * 500)],
        [("open_requests", (), 1), ("routes_version", (), count), ("routes_age_seconds", (), count)],
    )


def refusals(made: Sum) -> int:
    return sum(made.counters.get("refusals", {}).values())


def test_the_living_are_summed_up(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path, "one"), Shelf(tmp_path, "other")
    one.put(counted(3))
    other.put(counted(4, "y"))
    made = one.total()
    assert made.counters["refusals"] == {("x",): 3, ("y",): 4}
    assert made.histograms["spool_commit_seconds"][()].counts[3] == 7
    assert made.histograms["spool_commit_seconds"][()].sum_us == 3_500
    assert made.gauges["open_requests"][()] == 2
    assert made.gauges["routes_version"][()] == 3
    assert made.gauges["routes_age_seconds"][()] == 4


def test_what_the_dead_had_counted_stays_and_what_they_were_does_not(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path, "one"), Shelf(tmp_path, "other")
    one.put(counted(3))
    other.put(counted(4))
    other.close()
    for _ in range(3):
        made = one.total()
        assert refusals(made) == 7
        assert made.histograms["spool_commit_seconds"][()].counts[3] == 7
        assert made.gauges["open_requests"][()] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dead", "lock", "one", "one.lock"]
    one.close()
    assert refusals(Shelf(tmp_path, "third").total()) == 7


def test_the_dead_count_once_when_who_sums_them_up_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Shelf(tmp_path, "one"), Shelf(tmp_path, "other")
    other.put(counted(4))
    other.close()

    def dies(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", dies)
        with pytest.raises(KeyboardInterrupt):
            one.total()
    assert (tmp_path / "other").exists()
    assert refusals(one.total()) == 4
    assert not (tmp_path / "other").exists()
    third = Shelf(tmp_path, "third")
    third.put(counted(1))
    third.close()
    assert refusals(one.total()) == 5


def test_on_a_full_disk_it_is_told_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Shelf(tmp_path, "one"), Shelf(tmp_path, "other")
    one.put(counted(3))
    other.put(counted(4))
    other.close()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        for _ in range(3):
            assert refusals(one.total()) == 7
        with pytest.raises(OSError, match="No space"):
            one.put(counted(5))
    one.put(counted(5))
    for _ in range(3):
        assert refusals(one.total()) == 9


def test_the_dead_are_summed_up_though_nobody_asks(tmp_path: Path) -> None:
    """A worker that dies again and again leaves no heap of files."""
    for number in range(20):
        shelf = Shelf(tmp_path, f"w{number}")
        shelf.put(counted(1))
        shelf.close()
    last = Shelf(tmp_path, "last")
    assert len(list(tmp_path.iterdir())) == 3
    assert refusals(last.total()) == 20


def test_what_cannot_be_read_counts_nothing(tmp_path: Path) -> None:
    """As after a loss of power: the file's name was on disk, its content not."""
    one, other = Shelf(tmp_path, "one"), Shelf(tmp_path, "other")
    one.put(counted(3))
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "dead").write_bytes(b"\xc1")
    assert refusals(one.total()) == 3
    other.close()
    assert refusals(one.total()) == 3


def test_what_another_release_counts_is_left_out(tmp_path: Path) -> None:
    one = Shelf(tmp_path, "one")
    one.put(Snapshot([("gone", (), 3)], [("spool_commit_seconds", (), [1, 2], 9)], [("gone_too", (), 1)]))
    made = one.total()
    assert not made.counters
    assert not made.histograms
    assert not made.gauges


def test_a_metric_has_so_many_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stargate.gateway.observing.snapshot.SERIES_LIMIT", 10)
    one = Shelf(tmp_path, "one")
    one.put(Snapshot([("refusals", (f"code-{number}",), 1) for number in range(25)]))
    found = one.total().counters["refusals"]
    assert len(found) == 11
    assert found["other",] == 15


def _count(folder: Path, name: str, seed: int) -> None:
    shelf, count = Shelf(folder, name), 0
    rng = random.Random(seed)
    while not (folder / ".stop").exists():
        count += rng.randrange(5)
        shelf.put(counted(count))


def test_nothing_goes_back_while_processes_are_killed(tmp_path: Path) -> None:
    """Two readers, who see each other's sums; writers that die at any moment."""
    spawn = multiprocessing.get_context("spawn")
    readers = [Shelf(tmp_path, "r1"), Shelf(tmp_path, "r2")]
    rng = random.Random(7)
    living = []
    last = last_commits = 0
    for turn in range(2):
        living += [
            spawn.Process(target=_count, args=(tmp_path, f"w{turn}-{number}", number)) for number in range(2)
        ]
        for process in living[-2:]:
            process.start()
        while not all((tmp_path / f"w{turn}-{number}").exists() for number in range(2)):
            readers[0].total()
        for step in range(30):
            made = readers[step % 2].total()
            commits = sum(sum(each.counts) for each in made.histograms["spool_commit_seconds"].values())
            assert refusals(made) >= last
            assert commits == refusals(made) >= last_commits
            last, last_commits = refusals(made), commits
            if step == 15:
                victim = living.pop(rng.randrange(len(living)))
                assert victim.pid is not None
                victim.kill()
                victim.join()
                assert victim.exitcode == -signal.SIGKILL
    (tmp_path / ".stop").touch()
    for process in living:
        process.join()
    final = refusals(readers[0].total())
    assert final >= last > 0
    assert refusals(readers[1].total()) == final
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        "dead", "lock", "r1.lock", "r2.lock",
    ]  # fmt: skip
