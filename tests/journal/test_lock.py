from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stargate.base.errors import JournalError, StateConflictError
from stargate.journal.lock import WriterLock


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    first = WriterLock(tmp_path / "journal.db")
    with pytest.raises(StateConflictError, match=f"another server .process {os.getpid()} on "):
        WriterLock(tmp_path / "journal.db")
    first.release()
    first.release()
    WriterLock(tmp_path / "journal.db").release()


def test_other_journals_have_locks_of_their_own(tmp_path: Path) -> None:
    first, second = WriterLock(tmp_path / "one.db"), WriterLock(tmp_path / "two.db")
    first.release()
    second.release()


def test_a_killed_holder_leaves_it_free(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from stargate.journal.lock import WriterLock;"
        "lock = WriterLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "journal.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StateConflictError, match=f"process {holder.pid} on "):
            WriterLock(tmp_path / "journal.db")
        holder.kill()
    WriterLock(tmp_path / "journal.db").release()


def test_a_program_started_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    """Running attempts outlive the server that started them."""
    lock = WriterLock(tmp_path / "journal.db")
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as attempt:
        assert attempt.stdout is not None
        attempt.stdout.readline()
        lock.release()
        WriterLock(tmp_path / "journal.db").release()
        attempt.communicate()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(JournalError, match=r"lock file .*data/journal.db-lock cannot be opened"):
        WriterLock(tmp_path / "data" / "journal.db")
