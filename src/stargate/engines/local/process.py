"""Which process is meant: a number alone is not enough, because the system uses numbers again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Container

_LINUX = sys.platform.startswith("linux")
_STATE_FIELD, _START_FIELD = 0, 19
"""In /proc/<pid>/stat, counted after the command name: fields 3 and 22 of proc(5)."""


class Process(msgspec.Struct, frozen=True):
    """A process that can be told from a later one with the same number."""

    pid: int
    started: str
    """Boot and start time as the system tells them; compared, never interpreted."""

    def alive(self) -> bool:
        """Whether this very process runs. A zombie does not."""
        return _started(self.pid) == self.started

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signal this very process. False when it is gone."""
        if not _LINUX:
            return self.alive() and _signal(self.pid, number)
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The handle pins the process: if it is the right one now, it is the one that gets the signal.
            if not self.alive():
                return False
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)
        return True


def identify(pid: int) -> Process | None:
    """The live process of that number, or None."""
    started = _started(pid)
    return Process(pid, started) if started else None


def carrying(variable: str, values: Container[str]) -> list[Process]:
    """Every live process whose environment sets `variable` to one of `values` (Linux; elsewhere none).

    Only a process that wiped its environment is overlooked.
    """
    found = []
    prefix = f"{variable}=".encode()
    for entry in Path("/proc").glob("[0-9]*/environ") if _LINUX else ():
        with suppress(OSError):
            for item in entry.read_bytes().split(b"\0"):
                if item.startswith(prefix) and os.fsdecode(item[len(prefix) :]) in values:
                    found.append(identify(int(entry.parent.name)))
                    break
    return [process for process in found if process is not None]


def _started(pid: int) -> str:
    """Empty when there is no such process, or only its zombie."""
    if not _LINUX:
        listing = subprocess.run(
            ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout.strip()
        return "" if listing.startswith("Z") else listing.partition(" ")[2].strip()
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    fields = stat.rpartition(b") ")[2].split()
    return "" if fields[_STATE_FIELD] in {b"Z", b"X"} else f"{boot}:{fields[_START_FIELD].decode()}"


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
