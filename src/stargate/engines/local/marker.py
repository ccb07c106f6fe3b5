"""The start-once marker of an attempt, its outcome, and the list of attempts an agent may still report on.

An attempt's directory is prepared under another name and renamed into place: it exists whole or not
at all, and of all who try only one succeeds. From then on the attempt never starts again. Its outcome
is a file that is written once; the first writer wins, so agent and engine cannot disagree for long.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from itertools import count
from os import getpid
from typing import TYPE_CHECKING, TypeVar

import msgspec

from stargate.base.wire import from_json, to_json
from stargate.engines.local.layout import Home, Layout, sync_directory, write_once, write_whole
from stargate.engines.local.progress import read_progress
from stargate.engines.local.wire import Job, Outcome

if TYPE_CHECKING:
    from pathlib import Path

INDEX_LIMIT = 1_000
"""An agent reports on at most this many ended attempts unasked, the newest ones."""

_T = TypeVar("_T")
_made = count()


def claim(home: Home, job: Job) -> bool:
    """Mark an attempt as started. False when it already was; then nothing has changed."""
    return _make(home, {"job.json": to_json(job)})


def bar(home: Home, outcome: Outcome) -> bool:
    """Mark an attempt that never started as ended, so it never will. False when it has started."""
    return _make(home, {"outcome.json": to_json(outcome)})


def read_job(home: Home) -> Job | None:
    """What the attempt was to run; None for one that never started."""
    return _read(home.job, Job)


def read_outcome(home: Home) -> Outcome | None:
    """How the attempt ended; None when it has not, or never started."""
    return _read(home.outcome, Outcome)


def conclude(home: Home, outcome: Outcome) -> Outcome:
    """Record how a started attempt ended. The outcome that stands: this one, or an earlier one."""
    if not write_once(home.outcome, to_json(outcome)):
        return read_outcome(home) or outcome
    return outcome


def lost_outcome(home: Home, detail: str) -> Outcome:
    """The outcome of an attempt whose provider broke: what it had reached is in its progress file."""
    told = read_progress(home.progress)
    return Outcome("failed", "infrastructure", told.step if told else None, detail)


def list_attempts(layout: Layout, provider: str) -> list[str]:
    """The attempts in a provider's index, oldest first."""
    entries = []
    with suppress(FileNotFoundError):
        for path in layout.index(provider).iterdir():
            with suppress(FileNotFoundError):
                entries.append((path.stat().st_mtime_ns, path.name))
    return [name for _, name in sorted(entries)]


def enlist(layout: Layout, provider: str, attempt: str) -> None:
    """Note, before it is claimed, that this agent is to report on an attempt."""
    layout.index(provider).joinpath(attempt).touch(mode=0o600)


def delist(layout: Layout, provider: str, attempt: str) -> None:
    """Forget it. Its directory stays: it is what keeps the attempt from starting again."""
    layout.index(provider).joinpath(attempt).unlink(missing_ok=True)


def unfinished(layout: Layout, provider: str) -> list[str]:
    """Attempts that were started at a provider and have no outcome."""
    return [
        attempt
        for attempt in list_attempts(layout, provider)
        if layout.home(attempt).path.is_dir() and read_outcome(layout.home(attempt)) is None
    ]


def _make(home: Home, files: dict[str, bytes]) -> bool:
    parent = home.path.parent
    if home.path.exists():
        return False
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = parent / f".new-{home.path.name}-{getpid()}-{next(_made)}"
    fresh.mkdir(mode=0o700)
    try:
        for name, data in files.items():
            write_whole(fresh / name, data, durable=True)
        try:
            # Fails on a directory that is not empty, and a marker never is.
            fresh.rename(home.path)
        except OSError:
            if not home.path.exists():
                raise
            return False
        sync_directory(parent)
        return True
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return from_json(path.read_bytes(), kind)
    except (OSError, msgspec.MsgspecError):
        return None
