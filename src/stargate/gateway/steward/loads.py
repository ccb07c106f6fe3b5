"""What the workers of a host tell of themselves, as one: counts that only rise, over the deaths of workers."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from pathlib import Path

import msgspec

from stargate.base import wire
from stargate.base.time import Instant
from stargate.gateway.metering.epoch import take
from stargate.gateway.record import Busy, Load, Wanted

_LOAD = wire.unpacker(Load)


class Loads:
    """Of one host, from the beginning of its steward."""

    def __init__(self, folder: Path, node: str, began: Instant) -> None:
        self._folder = folder
        self._node = node
        self._began = began
        self._begun: Counter[str] = Counter()
        self._unserved: Counter[str] = Counter()
        self._last: dict[str, Load] | None = None
        """By worker, as it was read last; None: nothing has been read yet."""

    def read(self, version: int) -> Load:
        """As it is now. Where no worker serves, nothing older than `version` is served."""
        found = self._found()
        for name, load in found.items():
            # What workers had counted when this steward began was for the one before it.
            before = load if self._last is None else self._last.get(name, Load())
            for id, busy in load.endpoints.items():
                self._begun[id] += max(0, busy.begun - before.endpoints.get(id, Busy()).begun)
            for id, wanted in load.models.items():
                self._unserved[id] += max(0, wanted.unserved - before.models.get(id, Wanted()).unserved)
        self._last = found
        opened, waiting = Counter[str](), Counter[str]()
        for load in found.values():
            opened.update({id: busy.open for id, busy in load.endpoints.items()})
            waiting.update({id: wanted.waiting for id, wanted in load.models.items()})
        return Load(
            node=self._node,
            began=self._began,
            routes=min((load.routes for load in found.values()), default=version),
            endpoints={id: Busy(self._begun[id], opened[id]) for id in self._begun.keys() | opened.keys()},
            models={
                id: Wanted(self._unserved[id], waiting[id]) for id in self._unserved.keys() | waiting.keys()
            },
        )

    def forget(self, endpoints: set[str]) -> None:
        """Keep counts of these endpoints only, and of those that are in use."""
        used = {id for load in (self._last or {}).values() for id in load.endpoints}
        for id in self._begun.keys() - endpoints - used:
            del self._begun[id]

    def _found(self) -> dict[str, Load]:
        """What living workers say, by name; what others left is removed."""
        found: dict[str, Load] = {}
        for path in sorted((self._folder / "load").glob("[!.]*")):
            if not _lives(self._folder / "spool" / path.name):
                path.unlink(missing_ok=True)
                continue
            with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError, ValueError):
                found[path.name] = _LOAD.decode(path.read_bytes())
        return found


def _lives(epoch: Path) -> bool:
    """Whether the worker of an epoch does."""
    lock = take(epoch)
    if lock < 0:
        return epoch.exists()
    os.close(lock)
    return False
