"""Looking at the system's processes without the code under test, and waiting for conditions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PATIENCE_S = 20.0
"""How long a condition may take on a busy machine before a test fails."""


def eventually(condition: Callable[[], T | None], says: str = "") -> T:
    """What `condition` gives, as soon as it is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"it did not come true in {PATIENCE_S} s: {says or condition}"
        time.sleep(0.005)
    return result


def alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b") ")[2][:1] not in (b"Z", b"X")


def with_environment(text: str) -> list[int]:
    """Live processes in whose environment (as they were started) this text stands."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if text.encode() in (entry / "environ").read_bytes() and alive(int(entry.name)):
                    found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    """The number of its parent."""
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()[1])


def children_of(pid: int) -> list[int]:
    """Its live direct children."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if parent_of(int(entry.name)) == pid and alive(int(entry.name)):
                    found.append(int(entry.name))
    return sorted(found)
