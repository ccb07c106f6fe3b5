"""The result depends on seed and steps alone: not on interruptions, and not on the number of ranks."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stargate.demo.train.run import DONE, PEER_LOST, REFUSED, TERMINATED

STEPS = 60
PATIENCE_S = 40.0


class Job:
    """The training job on some ranks, started by hand."""

    def __init__(self, folder: Path, ranks: int, epoch: int = 1, delay_ms: int = 0, seed: int = 1) -> None:
        self.progress_file = folder / f"progress-{epoch}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "stargate.demo.train", "--steps", str(STEPS), "--seed", str(seed)]
        command += ["--checkpoint-every", "10", "--step-delay-ms", str(delay_ms)]
        self.ranks = []
        for rank in range(ranks):
            told = {
                "STARGATE_RANK": str(rank),
                "STARGATE_WORLD_SIZE": str(ranks),
                "STARGATE_MASTER_PORT": str(port),
                "STARGATE_EPOCH": str(epoch),
                "STARGATE_ATTEMPT": f"job.0.{epoch}",
                "STARGATE_CHECKPOINT_DIR": str(folder / "checkpoint"),
                "STARGATE_PROGRESS_FILE": str(self.progress_file),
                "STARGATE_CHECKPOINT_REQUEST": str(folder / "request"),
            }
            log = (folder / f"log-{epoch}-{rank}").open("wb")
            self.ranks.append(subprocess.Popen(command, env={**os.environ, **told}, stdout=log, stderr=log))
            log.close()

    def progress(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self.progress_file.read_text())
        except FileNotFoundError:
            return {}
        return told

    def until_step(self, step: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.progress().get("step", 0) < step:
            assert time.monotonic() < deadline
            assert self.ranks[0].poll() is None, "it ended before"
            time.sleep(0.005)

    def send(self, number: int) -> None:
        for rank in self.ranks:
            rank.send_signal(number)

    def codes(self) -> list[int]:
        return [rank.wait(PATIENCE_S) for rank in self.ranks]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    job = Job(tmp_path_factory.mktemp("undisturbed"), ranks=1)
    assert job.codes() == [DONE]
    return job.progress()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[list[Job]]:
    started: list[Job] = []
    yield started
    for job in started:
        for rank in job.ranks:
            rank.kill()
            rank.wait()


def test_an_undisturbed_run_learns(undisturbed: dict[str, Any]) -> None:
    assert undisturbed["done"]
    assert undisturbed["first_step"] == 1
    assert undisturbed["step"] == undisturbed["total_steps"] == undisturbed["checkpoint_step"] == STEPS
    assert undisturbed["loss"] < 3.2, "guessing at random gives 4.6"


@pytest.mark.parametrize("ranks", [2, 3, 4])
def test_the_number_of_ranks_does_not_change_a_bit(
    tmp_path: Path, jobs: list[Job], undisturbed: dict[str, Any], ranks: int
) -> None:
    jobs.append(Job(tmp_path, ranks))
    assert jobs[0].codes() == [DONE] * ranks
    assert jobs[0].progress()["loss"] == undisturbed["loss"]


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_step_and_resumed_it_ends_the_same(
    tmp_path: Path, jobs: list[Job], undisturbed: dict[str, Any], seed: int
) -> None:
    chance = random.Random(seed)
    begun_at: list[int] = []
    for epoch, ranks in enumerate((2, 3, 2), start=1):
        jobs.append(Job(tmp_path, ranks, epoch, delay_ms=20))
        (tmp_path / "checkpoint").mkdir(exist_ok=True)
        (tmp_path / "checkpoint" / "EPOCH").write_text(str(epoch))
        if epoch == 3:
            break
        reached = begun_at[-1] if begun_at else 0
        jobs[-1].until_step(reached + chance.randint(1, 22))
        jobs[-1].send(signal.SIGKILL)
        assert jobs[-1].codes() == [-signal.SIGKILL] * ranks
        begun_at.append(jobs[-1].progress()["step"])
    assert jobs[-1].codes() == [DONE, DONE]
    end = jobs[-1].progress()
    assert end["loss"] == undisturbed["loss"]
    assert end["first_step"] % 10 == 1, "it went on from a checkpoint"


def test_told_to_stop_it_saves_and_goes_on_where_it_was(
    tmp_path: Path, jobs: list[Job], undisturbed: dict[str, Any]
) -> None:
    jobs.append(Job(tmp_path, 3, delay_ms=20))
    jobs[0].until_step(13)
    jobs[0].send(signal.SIGTERM)
    assert jobs[0].codes() == [TERMINATED] * 3
    saved = jobs[0].progress()["checkpoint_step"]
    assert saved == jobs[0].progress()["step"] >= 13
    jobs.append(Job(tmp_path, 2, epoch=2))
    assert jobs[1].codes() == [DONE, DONE]
    assert jobs[1].progress()["first_step"] == saved + 1
    assert jobs[1].progress()["loss"] == undisturbed["loss"]


def test_when_a_rank_is_lost_the_others_save_and_leave(tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(Job(tmp_path, 3, delay_ms=20))
    jobs[0].until_step(13)
    jobs[0].ranks[1].kill()
    assert jobs[0].codes() == [PEER_LOST, -signal.SIGKILL, PEER_LOST]
    assert jobs[0].progress()["checkpoint_step"] >= 13


def test_it_saves_when_it_is_asked_to(tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(Job(tmp_path, 1, delay_ms=50))
    jobs[0].until_step(2)
    (tmp_path / "request").touch()
    deadline = time.monotonic() + PATIENCE_S
    while not jobs[0].progress().get("checkpoint_step"):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert jobs[0].progress()["checkpoint_step"] % 10, "not one of those that were due anyway"


def test_an_overtaken_attempt_leaves_without_writing(tmp_path: Path, jobs: list[Job]) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "EPOCH").write_text("2")
    jobs.append(Job(tmp_path, 1, epoch=1))
    assert jobs[0].codes() == [REFUSED]
    assert list((tmp_path / "checkpoint").glob("*step*")) == []


def test_checkpoints_of_another_seed_are_refused(tmp_path: Path, jobs: list[Job]) -> None:
    jobs.append(Job(tmp_path, 1))
    assert jobs[0].codes() == [DONE]
    jobs.append(Job(tmp_path, 1, epoch=2, seed=2))
    assert jobs[1].codes() == [REFUSED]
    assert "another run" in (tmp_path / "log-2-0").read_text()
