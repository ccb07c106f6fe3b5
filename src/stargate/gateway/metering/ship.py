"""Ship what workers have written to where it is kept: every attempt at least once, in the order of settling.

Nothing is removed before it is acknowledged, and what is sent again after a crash has the name it had before. So the
receiver, which drops names that it has, counts each attempt exactly once.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from stargate.base.errors import StargateError
from stargate.base.time import SECOND
from stargate.gateway.metering.course import Batch, Course, Usage
from stargate.gateway.metering.epoch import LOCK, epochs, size_bytes, sweep, take
from stargate.gateway.metering.resolve import Ask, resolve

Send = Callable[[Sequence[Usage]], Awaitable[None]]
"""Returns when all of it is durable at the receiver. Raises anything where that is not certain."""
T = TypeVar("T")


class ShipLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much is sent at a time, and how often."""

    batch_attempts: int = 1_000
    """A batch ends with the write that reaches this: it is larger by less than FRAME_LIMIT_RECORDS."""
    batches: int = 16
    """Of one epoch, before the next has its turn."""
    pause_s: float = 0.5
    """After everything was sent."""
    longest_pause_s: float = 30.0
    """While the receiver is away, the pause doubles up to this."""
    grace_s: float = 2.0
    """A worker has died: endpoints notice, stop, and know what they have counted, before they are asked."""
    resolve_s: float = 30.0
    """An endpoint that cannot be reached is asked again after this about what a dead worker left."""


class Backlog(msgspec.Struct, frozen=True):
    """What is not yet with the receiver."""

    attempts: int
    """Settled on disk and not acknowledged."""
    oldest_us: int
    """When the first of them was settled; 0: there is none."""
    unresolved: int
    """Left open by dead workers, until an endpoint can be asked about them."""
    epochs: int
    size_bytes: int
    """Of all segments."""
    torn_bytes: int
    """What crashes tore off and nobody had been told of, since this shipper began."""
    away: str
    """Why the receiver has not acknowledged the last batch; empty: it has."""
    troubles: tuple[str, ...]
    """Epochs that cannot be read, and why. They are kept."""


class Shipper:
    """Ships a folder of epochs. Two at a time would remove what the other reads: `run` lets one work."""

    def __init__(
        self,
        folder: Path,
        send: Send,
        ask: Ask,
        clock_us: Callable[[], int],
        limits: ShipLimits | None = None,
    ) -> None:
        self._folder = folder
        self._send = send
        self._ask = ask
        self._clock_us = clock_us
        self._limits = limits or ShipLimits()
        self._courses: dict[str, Course] = {}
        self._troubles: dict[str, str] = {}
        self._unresolved: dict[str, int] = {}
        self._resolve_us: dict[str, int] = {}
        """When an epoch may be resolved again."""
        self._torn_bytes: dict[str, int] = {}
        self._torn_before_bytes = 0
        self._away = ""
        self._first = ""
        """Whose turn it is."""
        self._disk = asyncio.Lock()

    async def run(self) -> None:
        """Ship until cancelled. While another process ships this spool, it waits for that to end. Raises OSError."""
        while (lock := self._alone()) < 0:
            self._away = "another process ships this spool"
            await asyncio.sleep(self._limits.pause_s)
        self._away = ""
        try:
            await self._blocking(partial(sweep, self._folder))
            await self._ship_on()
        finally:
            os.close(lock)

    async def _ship_on(self) -> None:
        pause_s = self._limits.pause_s
        while True:
            arrived = await self.ship()
            pause_s = self._limits.pause_s if arrived else min(self._limits.longest_pause_s, pause_s * 2)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - hosts that do not come all at once

    def _alone(self) -> int:
        """The lock of the spool itself; -1: another has it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / LOCK).touch(mode=0o600)
        return take(self._folder)

    async def ship(self) -> bool:
        """One turn through all epochs; False: the receiver did not acknowledge, and the turn ended there."""
        names = await self._blocking(partial(epochs, self._folder))
        for gone in self._courses.keys() - set(names):
            self._forget(gone)
        for name in [name for name in names if name >= self._first] + [
            name for name in names if name < self._first
        ]:
            try:
                arrived = await self._ship_epoch(name)
            except (StargateError, OSError) as error:
                self._troubles[name] = str(error)
                continue
            self._troubles.pop(name, None)
            if not arrived:
                self._first = (
                    f"{name}~"  # the next: a batch that is refused for ever must not hold up the others
                )
                return False
        self._first = ""
        return True

    async def backlog(self) -> Backlog:
        """What is not yet with the receiver."""
        attempts, oldest_us, count, taken_bytes = await self._blocking(self._measured)
        return Backlog(
            attempts,
            oldest_us,
            sum(self._unresolved.values()),
            count,
            taken_bytes,
            self._torn_before_bytes + sum(self._torn_bytes.values()),
            self._away,
            tuple(self._troubles.values()),
        )

    # -- one epoch -----------------------------------------------------------------------------------------

    async def _ship_epoch(self, name: str) -> bool:
        """Whether all that was sent has arrived."""
        course = await self._blocking(partial(self._course, name))
        for _ in range(self._limits.batches):
            batch = await self._blocking(partial(course.read, self._limits.batch_attempts))
            self._torn_bytes[name] = max(self._torn_bytes.get(name, 0), batch.torn_bytes)
            if batch.start == batch.end:
                if not await self._more(course, batch):
                    break
                continue
            if batch.usages and not await self._arrived(batch):
                return False
            await self._blocking(partial(course.acknowledge, batch))
        return True

    async def _arrived(self, batch: Batch) -> bool:
        try:
            await self._send(batch.usages)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was acknowledged
            self._away = f"{type(error).__name__}: {error}"
            return False
        self._away = ""
        return True

    async def _more(self, course: Course, batch: Batch) -> bool:
        """All is shipped so far. A dead worker's epoch is resolved, after which there is more; then it is removed."""
        name = course.folder.name
        if await self._blocking(partial(course.remove, batch)):
            self._forget(name)
            return False
        if batch.living or not course.open_records:
            return False
        now_us = self._clock_us()
        if now_us < self._resolve_us.setdefault(name, now_us + round(self._limits.grace_s * SECOND)):
            return False
        self._resolve_us[name] = now_us + round(self._limits.resolve_s * SECOND)
        self._unresolved[name] = await resolve(course.folder, now_us, self._ask)
        return True

    def _course(self, name: str) -> Course:
        course = self._courses.get(name)
        if course is None:
            course = self._courses[name] = Course(self._folder / name)
        return course

    def _forget(self, name: str) -> None:
        self._torn_before_bytes += self._torn_bytes.pop(name, 0)
        for kept in (self._courses, self._troubles, self._unresolved, self._resolve_us):
            kept.pop(name, None)

    def _measured(self) -> tuple[int, int, int, int]:
        attempts, oldest_us, names = 0, 0, epochs(self._folder)
        for name in names:
            try:
                course = self._course(name)
                attempts += course.unshipped()
                mine_us = course.oldest_us()
            except (StargateError, OSError) as error:
                self._troubles[name] = str(error)
                continue
            oldest_us = min(filter(None, (oldest_us, mine_us)), default=0)
        return attempts, oldest_us, len(names), size_bytes(self._folder)

    async def _blocking(self, work: Callable[[], T]) -> T:
        """One at a time, beside the loop: what reads and removes files must not meet itself."""
        async with self._disk:
            return await asyncio.to_thread(work)
