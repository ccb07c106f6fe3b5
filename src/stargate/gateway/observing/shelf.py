"""Where the processes of a host put what they have counted, for whichever of them is asked.

    METRICS/NAME.lock   held with flock as long as its process lives
    METRICS/NAME        its newest snapshot, replaced about once a second
    METRICS/dead        what processes that are dead had counted, summed up
    METRICS/lock        held by whoever reads: nobody reads while the dead are being summed up

So a counter never goes back when a process dies, and what it had not put here yet, about a second's, is missing.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.gateway.observing.snapshot import Snapshot, Sum

_LOCK, _DEAD, _SUFFIX = "lock", "dead", ".lock"


class _Past(msgspec.Struct, frozen=True):
    snapshot: Snapshot = Snapshot()
    names: tuple[str, ...] = ()
    """Whom it holds whose files may be there still, should their remover have died."""


_SNAPSHOT = wire.unpacker(Snapshot)
_PAST = wire.unpacker(_Past)


class Shelf:
    """One process's place on it. Every method blocks for a moment, and raises OSError."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._name = name
        with self._alone():  # nobody takes it for dead before it holds its lock
            self._lock = os.open(folder / f"{name}{_SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._fold()  # so that no more files lie here than processes die while one lives

    def put(self, snapshot: Snapshot) -> None:
        """In place of the one before."""
        self._replace(self._name, snapshot)

    def close(self) -> None:
        """From now on it is dead."""
        os.close(self._lock)

    def total(self) -> Sum:
        """What all processes of the host have counted, and what the living are."""
        with self._alone():
            past, living = self._fold()
        made = Sum()
        made.add_past(past)
        for snapshot in living:
            made.add(snapshot)
        return made

    def _fold(self) -> tuple[Snapshot, list[Snapshot]]:
        """The dead, summed up and their files removed; and the living, one by one."""
        before = self._past()
        dead: list[str] = []
        living: list[Snapshot] = []
        for name in sorted(
            entry.name.removesuffix(_SUFFIX)
            for entry in os.scandir(self._folder)
            if entry.name.endswith(_SUFFIX)
        ):
            if self._lives(name):
                living.append(self._snapshot(name))
            else:
                dead.append(name)
        if not dead:
            return before.snapshot, living
        made = Sum()
        made.add_past(before.snapshot)
        for name in dead:
            if name not in before.names:
                made.add_past(self._snapshot(name))
        past = _Past(made.past(), tuple(dead))
        try:
            self._replace(_DEAD, past)
        except OSError:  # a full disk: they lie there until there is room, and are summed up each time
            return past.snapshot, living
        for name in dead:
            for path in (name, f".{name}", f"{name}{_SUFFIX}"):
                (self._folder / path).unlink(missing_ok=True)
        return past.snapshot, living

    def _lives(self, name: str) -> bool:
        # The system lets go of a lock when its process ends in any way.
        with suppress(FileNotFoundError):
            file = os.open(self._folder / f"{name}{_SUFFIX}", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(file)
        return False

    def _snapshot(self, name: str) -> Snapshot:
        try:
            found: Snapshot = _SNAPSHOT.decode((self._folder / name).read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):  # it has just begun, or the host lost its power
            return Snapshot()
        return found

    def _past(self) -> _Past:
        try:
            found: _Past = _PAST.decode((self._folder / _DEAD).read_bytes())
        except (FileNotFoundError, msgspec.MsgspecError):
            return _Past()
        return found

    def _replace(self, name: str, content: Snapshot | _Past) -> None:
        fresh = self._folder / f".{name}"
        fresh.write_bytes(wire.pack(content))
        fresh.replace(self._folder / name)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        file = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)
