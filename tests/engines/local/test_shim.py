"""A shim, driven as its agent does: whatever happens, nothing of its rank is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stargate.engines.local import shim
from stargate.engines.local.shim import TAIL_BYTES, Log, Spec, descendants
from tests.engines.processes import alive, eventually, with_environment

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


class Driven:
    """A shim with its pipes."""

    def __init__(
        self, folder: Path, *scripts: str, agent: int = 0, limit: int = 1 << 20, path: str = ""
    ) -> None:
        self.folder = folder
        self.mark = f"SHIM_TEST={folder}"
        names = ("run",) if len(scripts) == 1 else ("setup", "run")
        spec: Spec = {
            "agent": agent or os.getpid(),
            "phases": [
                {"name": name, "argv": ["bash", "-c", script]}
                for name, script in zip(names, scripts, strict=True)
            ],
            "env": {"PATH": path or os.environ["PATH"], "SHIM_TEST": str(folder)},
            "cwd": str(folder),
            "log": str(folder / "log"),
            "shared_log": str(folder / "shared"),
            "prefix": "[7] ",
            "log_limit_bytes": limit,
            "exit_file": str(folder / "exit"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", shim.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={},
            start_new_session=True,
            bufsize=0,
        )
        self.send(shim.frame(spec))

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        event: dict[str, Any] = json.loads(self.process.stdout.readline())
        return event

    def until_exit(self) -> int:
        """The code of the last event, once the shim itself has ended."""
        while (event := self.hear())["event"] != "exit":
            pass
        assert self.process.wait(20) == 0
        assert json.loads((self.folder / "exit").read_text()) == {
            "phase": event["phase"],
            "code": event["code"],
        }
        return int(event["code"])

    def pids(self) -> list[int]:
        """What the rank has running."""
        return with_environment(self.mark)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""


Drive = Callable[..., Driven]


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    made: list[Driven] = []

    def make(*scripts: str, **options: Any) -> Driven:
        made.append(Driven(tmp_path, *scripts, **options))
        return made[-1]

    yield make
    for driven in made:
        driven.process.kill()
        driven.process.wait()
        for pipe in (driven.process.stdin, driven.process.stdout):
            assert pipe is not None
            pipe.close()
        for pid in driven.pids():
            os.kill(pid, signal.SIGKILL)


def test_code_and_output_are_kept(drive: Drive) -> None:
    driven = drive("echo out; echo err >&2; printf unfinished; exit 3")
    assert driven.until_exit() == 3
    assert driven.log() == "out\nerr\nunfinished"
    assert (driven.folder / "shared").read_text() == "[7] out\n[7] err\n[7] unfinished\n"


def test_a_rank_killed_from_outside_says_by_which_signal(drive: Drive) -> None:
    assert drive("kill -SEGV $$").until_exit() == -signal.SIGSEGV


def test_the_second_phase_waits_to_be_told(drive: Drive) -> None:
    driven = drive("echo one", "echo two")
    assert [driven.hear()["event"] for _ in range(2)] == ["started", "ended"]
    assert driven.log() in ("", "one\n")
    driven.send(b"g")
    assert driven.until_exit() == 0
    assert driven.log() == "one\ntwo\n"


def test_a_failed_first_phase_is_the_last(drive: Drive) -> None:
    driven = drive("exit 4", "echo two")
    assert driven.until_exit() == 4
    assert driven.log() == ""


def test_what_set_up_leaves_running_lives_as_long_as_the_run(drive: Drive) -> None:
    driven = drive("sleep 1000 & echo $! > helper", "kill -0 $(cat helper) && echo there")
    driven.send(b"g")
    assert driven.until_exit() == 0
    assert driven.log() == "there\n"
    assert driven.pids() == []


def test_what_a_rank_leaves_in_the_background_ends_with_it(drive: Drive) -> None:
    driven = drive("setsid bash -c 'trap \"\" TERM; sleep 1000' & sleep 1000 & sleep 0.2; exit 0")
    assert driven.until_exit() == 0
    assert driven.pids() == []


def test_sigterm_reaches_the_program_behind_the_shell_and_lets_it_finish(drive: Drive) -> None:
    program = "import signal,sys,time; signal.signal(15, lambda *_: (time.sleep(0.3), print('saved'), sys.exit(143)));"
    driven = drive(f'{sys.executable} -c "{program} print(1, flush=True); time.sleep(1000)"; echo after')
    eventually(lambda: "1" in driven.log())
    driven.send(b"t")
    assert driven.until_exit() in {-signal.SIGTERM, 143}
    assert "saved" in driven.log(), "the shell dies at once, and the program has its grace nevertheless"


def test_kill_ends_what_ignores_sigterm_and_leaves_sessions(drive: Drive) -> None:
    inner = "trap '' TERM; echo up; while true; do sleep 1000; done"
    driven = drive(f'trap "" TERM; setsid bash -c "{inner}" & (setsid bash -c "{inner}" &); {inner}')
    eventually(lambda: driven.log().count("up") == 3)
    driven.send(b"t")
    assert len(driven.pids()) >= 3
    driven.send(b"k")
    driven.until_exit()
    assert driven.pids() == []


def test_the_end_of_the_agent_is_the_end_of_the_rank(drive: Drive) -> None:
    driven = drive("(setsid sleep 1000 &); sleep 1000")
    eventually(lambda: len(driven.pids()) >= 2)
    assert driven.process.stdin is not None
    driven.process.stdin.close()
    assert driven.process.wait(20) == 1
    assert driven.pids() == []
    driven.process.stdin = Path(os.devnull).open("wb")  # noqa: SIM115 - closed by the fixture


def test_an_agent_that_is_not_the_parent_any_more_is_gone(drive: Drive) -> None:
    driven = drive("sleep 1000", agent=1 << 22)
    assert driven.process.wait(20) == 1
    assert driven.pids() == []


def test_the_death_of_the_shim_is_the_death_of_the_first_process(drive: Drive) -> None:
    driven = drive("exec sleep 1000")
    assert driven.hear()["event"] == "started"
    driven.process.kill()
    driven.process.wait()
    eventually(lambda: driven.pids() == [])


def test_sigterm_to_the_shim_is_passed_on(drive: Drive) -> None:
    driven = drive("echo up; exec sleep 1000")
    eventually(lambda: driven.log() == "up\n")
    driven.process.terminate()
    assert driven.until_exit() == -signal.SIGTERM


def test_a_command_that_cannot_start_says_why(drive: Drive, tmp_path: Path) -> None:
    driven = drive("true", path=str(tmp_path))
    assert driven.until_exit() == 127
    assert "cannot start 'bash'" in driven.log()


def test_the_log_keeps_its_beginning_and_its_end(drive: Drive) -> None:
    driven = drive("echo first; yes 0123456789abcde | head -c 3000000; echo; echo last", limit=100_000)
    assert driven.until_exit() == 0
    log = driven.log()
    assert log.startswith("first\n")
    assert log.endswith("\nlast\n")
    assert len(log) < 100_000 + TAIL_BYTES + 200
    assert "left out" in log


def test_lines_without_end_reach_the_shared_log_as_well(drive: Drive) -> None:
    driven = drive("head -c 200000 /dev/zero | tr '\\0' x")
    assert driven.until_exit() == 0
    assert (driven.folder / "shared").read_text().count("x") == 200_000


def test_a_log_that_cannot_be_written_loses_output_only(tmp_path: Path) -> None:
    log = Log("/dev/full", 100)
    log.write(b"lost")
    log.close()


def test_descendants_spare_what_they_are_told_to() -> None:
    process = subprocess.Popen(["bash", "-c", "sleep 1000 & sleep 1000"], start_new_session=True)
    try:
        below = eventually(lambda: found if len(found := descendants(process.pid)) == 2 else None)
        assert set(descendants(os.getpid())) >= {process.pid, *below}
        assert not set(descendants(os.getpid(), spare={process.pid})) & {process.pid, *below}
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    eventually(lambda: not any(alive(pid) for pid in below))


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 4, 8])
def test_sigterm_is_never_lost_however_early_it_comes(drive: Drive, delay_ms: int) -> None:
    for _ in range(4):
        driven = drive("exec sleep 1000")
        assert driven.hear()["event"] == "started"
        time.sleep(delay_ms / 1000)
        driven.send(b"t")
        assert driven.until_exit() == -signal.SIGTERM
