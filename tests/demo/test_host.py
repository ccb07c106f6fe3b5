"""The demo's server: up when it is said to be, and gone whatever happens."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stargate.base.errors import InternalError
from stargate.demo import host as hosting
from stargate.demo.api import Api
from stargate.demo.host import Host


def test_a_server_that_does_not_answer_is_an_error_of_ours() -> None:
    """Not one of the library below."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        api = Api(f"http://127.0.0.1:{taken.getsockname()[1]}", "key")
        with pytest.raises(InternalError, match="did not answer /v1/status"):
            api.get("/v1/status")
        api.close()


def test_a_server_that_does_not_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last words are in the error; a process left over would fail this test."""
    monkeypatch.setattr(hosting, "FILES", tmp_path / "nowhere")
    with pytest.raises(InternalError, match=r"did not start.*nowhere"):
        Host(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_takes_everything_with_it(tmp_path: Path, told: signal.Signals) -> None:
    """Also when somebody closes the terminal: the server is in a session of its own."""
    data = tmp_path / "data"
    process = subprocess.Popen(
        [sys.executable, "-c", "from stargate.cli import main; main()", "demo", "--data", str(data)],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(data.glob("local/agents/*.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline, "no provider's agent was started"
        time.sleep(0.05)
    process.send_signal(told)
    assert process.wait(60) == 128 + told
    left = [each for each in psutil.process_iter(["cmdline"]) if str(data) in str(each.info["cmdline"])]
    assert left == []
