"""`stargate rehearse --sweep`: what is said, written and refused; interrupted; on a real Ray cluster."""

from __future__ import annotations

import csv
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Run, until
from tests.cli.rehearse.files import lay

COMMAND = (sys.executable, "-c", "from stargate.cli import main; main()")
HEED = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
HEEDFUL = (sys.executable, "-c", HEED + COMMAND[2])
"""As from a terminal: what a shell starts in the background is born with Ctrl-C ignored, and passes that on."""
LOOPBACK = "127.0.0.2"
"""Ray takes 127.0.0.1 for the machine's address in its network; this one it leaves as it is."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trace, a scenario, a sweep."""
    return lay(tmp_path)


def test_seeds_and_values(run: Run, folder: Path) -> None:
    out = folder / "out"
    words = ("rehearse", folder / "tiny.yaml", "--seeds", 2, "--workers", 1, "--report", out)
    values = ("--set", "policy.backfill=easy,none")
    ran = run(*words, *values)
    assert ran.code == 0
    assert "the same in every run: " in ran.out
    assert [line.split()[:4] for line in ran.out.splitlines() if line.startswith("average wait")] == [
        ["average", "wait", "seconds", "easy"], ["average", "wait", "seconds", "none"],
    ]  # fmt: skip
    again = run(*words, *values, "--json")
    assert "runs kept from before: 4 of 4" in again.err
    said = again.json
    assert said == json.loads((out / "sweep.json").read_text())
    assert (said["seeds"], said["runs"], said["failed"]) == ([3, 4], 4, 0)
    rows = list(csv.DictReader((out / "sweep.csv").read_text().splitlines()))
    assert {row["policy.backfill"] for row in rows} == {"easy", "none"}
    for point in said["points"]:
        for row in rows:
            if row["policy.backfill"] == point["overrides"]["policy.backfill"]:
                assert float(row["mean"]) == point["figures"][row["figure"]]["mean"]
    alone = run("rehearse", folder / "tiny.yaml", "--json").json
    assert said["points"][0]["digests"]["3"] == alone["state_digest"], "easy is what the policy is anyway"
    assert said["points"][1]["digests"]["3"] != alone["state_digest"]


def test_a_file_says_the_same_and_options_go_before_it(run: Run, folder: Path) -> None:
    said = run("rehearse", "--sweep", folder / "sweep.yaml", "--workers", 1, "--json").json
    assert (said["seeds"], len(said["points"])) == ([1, 2], 2)
    words = ("--seeds", 1, "--set", "policy.backfill=none", "--workers", 1, "--json")
    less = run("rehearse", "--sweep", folder / "sweep.yaml", *words).json
    assert (less["seeds"], [point["overrides"] for point in less["points"]]) == (
        [3], [{"policy.backfill": "none"}],
    )  # fmt: skip


def test_a_trace_over_policies_and_chips(run: Run, folder: Path) -> None:
    words = ("--policy", "easy", "--set", "chips=8,16", "--workers", 1, "--json")
    said = run("rehearse", folder / "jobs.swf", *words).json
    waits = [point["figures"]["average_wait_seconds"]["mean"] for point in said["points"]]
    assert waits == [30.0, 0.0]


def test_a_run_that_fails_is_told_and_the_others_count(run: Run, folder: Path) -> None:
    ran = run("rehearse", folder / "tiny.yaml", "--set", "faults.storm.id=home,elsewhere", "--workers", 1)
    assert ran.code == 1
    assert "average wait seconds" in ran.out
    assert "failed: faults.storm.id=elsewhere, seed 3:" in ran.err
    assert "there is no pool 'elsewhere'" in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--seeds", "2"), "nothing is named"),
        (("--sweep", "nowhere.yaml"), "no such file"),
        (("--sweep", "tiny.yaml"), "no document here begins with `sweep:`"),
        (("tiny.yaml", "--sweep", "sweep.yaml"), "Leave tiny.yaml out"),
        (("tiny.yaml", "--set", "horizn=3d"), "unknown field 'horizn'"),
        (("tiny.yaml", "--set", "policy.backfill=none,esay"), "Did you mean 'easy'"),
        (("tiny.yaml", "--set", "faults.strom.lasts=3d"), "Did you mean 'storm'"),
        (("tiny.yaml", "--set", "backfill"), "is no parameter of a sweep"),
        (("tiny.yaml", "--seeds", "2", "--schedule", "s.csv"), "--schedule does not go with a sweep"),
        (("jobs.swf", "--seeds", "2"), "same with every seed"),
        (("jobs.swf", "--set", "polic=fifo"), "Did you mean 'policy'"),
        (("tiny.yaml", "--ray", "auto", "--workers", "2"), "--workers is for processes here"),
    ],
)
def test_mistakes_are_named(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(folder)
    ran = run("rehearse", *words)
    assert ran.code == 2
    assert says in ran.err


def test_nobody_at_the_address_is_said_at_once(run: Run, folder: Path) -> None:
    ran = run("rehearse", folder / "tiny.yaml", "--seeds", 1, "--ray", f"{LOOPBACK}:{free_port()}")
    assert ran.code == 1
    assert "no Ray cluster answers" in ran.err


def test_ctrl_c_ends_it_and_the_same_command_goes_on(run: Run, folder: Path) -> None:
    """As a terminal does it: everybody of the group gets the signal."""
    out = folder / "out"
    words = ["rehearse", str(folder / "tiny.yaml"), "--seeds", "500", "--workers", "1", "--report", str(out)]
    runs = out / "runs.jsonl"
    with subprocess.Popen(
        [*HEEDFUL, *words], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            until(lambda: runs.exists() and runs.read_bytes().count(b"\n") >= 2, 200)
        finally:
            os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    kept = runs.read_bytes().count(b"\n")
    assert 2 <= kept < 500
    words[3] = str(kept)
    again = run(*words, "--json")
    assert f"runs kept from before: {kept} of {kept}" in again.err
    assert again.json["failed"] == 0


def free_port() -> int:
    """One that nobody listens at."""
    with socket.socket() as found:
        found.bind((LOOPBACK, 0))
        port: int = found.getsockname()[1]
        return port


class Cluster(msgspec.Struct, frozen=True):
    """A Ray cluster of one node."""

    address: str
    environment: dict[str, str]


STARTED = b"Ray runtime started"
TRIES = 3
"""Ray gives a node half a minute to start, which a busy machine may not do at once."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A head process of its own, with its own ports on loopback; it is ended with all that it started."""
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    log = tmp_path / "ray.log"
    for _ in range(TRIES):
        port = free_port()
        head = start_head(port, environment, log)
        try:
            until(lambda: head.poll() is not None or STARTED in log.read_bytes(), 90)  # noqa: B023
            if head.poll() is None:
                yield Cluster(f"{LOOPBACK}:{port}", environment)
                return
        finally:
            end(head)
    pytest.fail(f"Ray did not start: {log.read_text()}")


def start_head(port: int, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """`ray start --head`, in the foreground and in a process group of its own."""
    words = [
        "start", "--head", "--block", f"--node-ip-address={LOOPBACK}", f"--port={port}", "--num-cpus=2",
        f"--object-store-memory={80 * 2**20}", "--include-dashboard=false", "--disable-usage-stats",
    ]  # fmt: skip
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-c", "from ray.scripts.scripts import main; main()", *words],
            env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip


def end(head: subprocess.Popen[bytes]) -> None:
    """It ends what it has started; what is left after a while is killed."""
    head.terminate()
    try:
        head.wait(45)
    except subprocess.TimeoutExpired:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_ray_cluster_gives_what_processes_give_bit_for_bit(
    run: Run, folder: Path, cluster: Cluster
) -> None:
    words = ["rehearse", "--sweep", str(folder / "sweep.yaml"), "--json"]
    here = run(*words, "--workers", 2)
    begun = time.monotonic()
    there = subprocess.run(
        [*COMMAND, *words, "--ray", cluster.address], env=cluster.environment, capture_output=True, text=True,
        timeout=250, check=False,
    )  # fmt: skip
    assert there.returncode == 0, f"after {time.monotonic() - begun:.0f} s: {there.stderr}"
    assert here.json["failed"] == 0
    assert there.stdout == here.out
