"""A process is told from a later one with the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from stargate.engines.local.process import Process, carrying, identify


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], env={"MARK": "here", "PATH": os.defpath})
    yield process
    process.kill()
    process.wait()


def test_a_live_process_is_identified(sleeper: subprocess.Popen[bytes]) -> None:
    found = identify(sleeper.pid)
    assert found is not None
    assert found.alive()
    assert found == identify(sleeper.pid)


def test_a_process_of_the_same_number_that_started_at_another_time_is_left_alone(
    sleeper: subprocess.Popen[bytes],
) -> None:
    earlier = Process(sleeper.pid, "another boot:1")
    assert not earlier.alive()
    assert not earlier.kill()
    assert sleeper.poll() is None


def test_killing_is_told_from_being_too_late(sleeper: subprocess.Popen[bytes]) -> None:
    found = identify(sleeper.pid)
    assert found is not None
    assert found.kill()
    assert sleeper.wait(10) == -signal.SIGKILL
    assert not found.alive()
    assert not found.kill()


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes]) -> None:
    found = identify(sleeper.pid)
    assert found is not None
    os.kill(sleeper.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while found.alive():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert sleeper.returncode is None, "nobody has waited for it yet"
    assert identify(sleeper.pid) is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems hide the environment")
def test_processes_are_found_by_what_their_environment_carries(sleeper: subprocess.Popen[bytes]) -> None:
    assert [found.pid for found in carrying("MARK", {"here"})] == [sleeper.pid]
    assert carrying("MARK", {"her", "elsewhere"}) == []
