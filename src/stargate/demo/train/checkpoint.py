"""Checkpoints: whole or not there, and only from the attempt that may write.

Parameters, optimiser state and step go into one file, synced and then renamed into place; with the seed that is all,
because the order of the data is a pure function of seed and step. Before the rename the program reads `EPOCH`, under
a shared lock on `EPOCH.lock`: if a newer attempt has started, this one was given up for dead and must not write.
"""

from __future__ import annotations

import fcntl
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stargate.base.errors import StateConflictError
from stargate.demo.train.adam import State

KEPT = 2
"""Older checkpoints are removed."""
_DAMAGED = (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile)
"""What reading a file raises that is no whole checkpoint."""


class SupersededError(StateConflictError):
    """A newer attempt of the same job has started: this one must end."""


class ForeignError(StateConflictError):
    """The checkpoints are of another run."""


@dataclass(frozen=True)
class Store:
    """The checkpoints of one run. `epoch` is this attempt's number; 0: nobody fences."""

    directory: Path
    run: str
    """What must be equal for a checkpoint to fit: seed and text."""
    epoch: int = 0

    def save(self, state: State) -> None:
        """Write the state. Raises SupersededError, OSError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"step-{state.step:08d}.npz"
        fresh = self.directory / f".{path.name}.{os.getpid()}"
        try:
            with fresh.open("wb") as file:
                np.savez(
                    file,
                    run=np.array(self.run),
                    step=np.array(state.step),
                    parameters=state.parameters,
                    mean=state.mean,
                    square=state.square,
                )
                file.flush()
                os.fsync(file.fileno())
            with self._allowed():
                fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
        _sync(self.directory)
        for old in self._paths()[KEPT:]:
            old.unlink(missing_ok=True)

    def load(self) -> State | None:
        """The newest state that can be read; None without one. Raises ForeignError."""
        for path in self._paths():
            with suppress(*_DAMAGED), path.open("rb") as file, np.load(file) as saved:
                if str(saved["run"]) != self.run:
                    raise ForeignError(
                        f"{path} is of another run ({saved['run']}, not {self.run})",
                        "Choose another checkpoint directory, or the seed and the Python of that run.",
                    )
                return State(int(saved["step"]), saved["parameters"], saved["mean"], saved["square"])
        return None

    def _paths(self) -> list[Path]:
        """Newest first."""
        return sorted(self.directory.glob("step-*.npz"), reverse=True)

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        """While the shared lock is held no newer attempt can begin."""
        with (self.directory / "EPOCH.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            with suppress(FileNotFoundError):
                newest = int((self.directory / "EPOCH").read_text(encoding="ascii"))
                if self.epoch and newest > self.epoch:
                    raise SupersededError(f"attempt number {newest} has started; this is number {self.epoch}")
            yield


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
