"""The fencing number of a checkpoint directory: only the newest attempt may write there.

Before attempt n starts, the engine raises `EPOCH` to n. A program reads it under a shared lock on
`EPOCH.lock` and renames a checkpoint in only if it still is its own number (`STARGATE_EPOCH`), so an
attempt that was given up for dead and comes back cannot overwrite what its successor wrote.
"""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stargate.engines.local.layout import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EPOCH_FILE = "EPOCH"
LOCK_FILE = "EPOCH.lock"
PATIENCE_S = 2.0
"""A holder of the shared lock needs microseconds; one that is frozen inside it must not stop its successor."""


def read_epoch(directory: Path) -> int:
    """The number of the newest attempt; 0 before the first, or if the file says nothing sensible."""
    try:
        text = (directory / EPOCH_FILE).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if text.isdigit() else 0


def raise_epoch(directory: Path, number: int) -> int:
    """Create the directory and raise its epoch to `number`. The epoch that holds now: more than `number` if late."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(directory / LOCK_FILE):
        current = read_epoch(directory)
        if current < number:
            write_whole(directory / EPOCH_FILE, f"{number}\n".encode(), durable=True)
            return number
        return current


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Exclusive for `PATIENCE_S`; after that without the lock, at the risk of one late rename."""
    deadline = time.monotonic() + PATIENCE_S
    with path.open("a") as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                break
        yield
