"""Kill the shipper at each of its steps, start another, and hold what arrived: each attempt, once after deduplication.

A step is a call that changes what is on disk, or a batch sent. The process dies before it, or right after it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from stargate.base.time import MINUTE
from stargate.gateway.metering import ShipLimits, Shipper, Spool, SpoolLimits, Usage
from stargate.gateway.metering.epoch import LOCK, epochs, sweep
from stargate.gateway.record import Tokens
from tests.gateway.metering.making import BEGIN, Receiver, admission, attempt

CALLS = ("pwrite", "fdatasync", "fsync", "ftruncate", "rename", "replace", "unlink", "rmdir")
LIVING = "living"


class KilledError(OSError):
    """Nothing happens any more."""


class Death:
    """Counts steps, and dies at one of them."""

    def __init__(self, step: float, *, after: bool) -> None:
        self._step = step
        self._after = after
        self.steps = 0

    def step(self, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Do it, unless dead."""
        self.steps += 1
        if self.steps > self._step or (self.steps == self._step and not self._after):
            raise KilledError(5, "killed")
        done = work(*args, **options)
        if self.steps == self._step:
            raise KilledError(5, "killed")
        return done

    def wrapped(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, as a step."""
        return lambda *args, **options: self.step(work, *args, **options)

    @property
    def dead(self) -> bool:
        return self.steps >= self._step


async def written(folder: Path) -> set[tuple[str, int]]:
    """Three epochs: all settled; some open, one of which an endpoint knows; with a living worker. What must arrive."""
    due = set()
    for name, opens in (("whole", 0), ("left", 4), (LIVING, 2)):
        spool = Spool.open(folder, BEGIN, SpoolLimits(segment_bytes=700))
        for number in range(12):
            await attempt(spool)
            if number < opens:
                await spool.write(admission(spool.number(), endpoint="exact" if number == 1 else "plain"))
        await spool.close()
        numbers = list(range(1, 13 + opens))
        if name == LIVING:
            (folder.parent / LIVING).write_text(spool.epoch)
            numbers = [seq for seq in numbers if seq not in {2, 4}]
        due |= {(spool.epoch, seq) for seq in numbers}
    return due


class Steward:
    """Runs shippers over a copy of those epochs until one is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.receiver = Receiver()
        self._at_us = count(BEGIN + MINUTE)
        living = folder / (folder.parent / LIVING).read_text()
        self._lock = os.open(living / LOCK, os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        os.close(self._lock)

    async def ship(self, death: Death) -> bool:
        """One shipper's life: turns until there is nothing left to do."""

        async def send(batch: Sequence[Usage]) -> None:
            death.step(self.receiver.take, batch)

        async def ask(endpoint: str, request: str) -> Tokens | None:
            return Tokens(1, 0, 2, 0) if endpoint == "exact" else None

        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, death.wrapped(getattr(os, name)))
            try:
                sweep(self.folder)
                ships = Shipper(
                    self.folder, send, ask, lambda: next(self._at_us), ShipLimits(batch_attempts=5, grace_s=0)
                )
                for _ in range(6):
                    await ships.ship()
                    if death.dead:
                        return False
            except KilledError:
                return False
        return True


def template(folder: Path) -> set[tuple[str, int]]:
    return asyncio.run(written(folder / "template"))


def lives(folder: Path, step: float, *, after: bool) -> tuple[Steward, int]:
    """A shipper that dies at a step, then others, until one is done; steps of the first."""
    copy = folder / "copy"
    shutil.copytree(folder / "template", copy)
    steward = Steward(copy)
    try:
        death = Death(step, after=after)
        done = asyncio.run(steward.ship(death))
        if not done:
            assert asyncio.run(steward.ship(Death(float("inf"), after=False)))
        return steward, death.steps
    finally:
        steward.close()


def held(steward: Steward, due: set[tuple[str, int]]) -> None:
    """What the receiver keeps, and what is left on disk."""
    kept = steward.receiver.kept()
    assert set(kept) == due
    lost = [usage.settled for usage in kept.values() if usage.settled.outcome == "lost"]
    assert sorted(settled.counted for settled in lost) == ["estimate"] * 3 + ["lookup"]
    assert len(epochs(steward.folder)) == 1, "the dead are gone, the living is there"
    shutil.rmtree(steward.folder)


def test_a_shipper_killed_at_every_step(folder: Path) -> None:
    folder.mkdir()
    due = template(folder)
    undisturbed, steps = lives(folder, float("inf"), after=False)
    held(undisturbed, due)
    assert all(len(copies) == 1 for copies in undisturbed.receiver.came.values())
    assert steps > 60
    again = 0
    for step in range(1, steps + 1):
        for after in (False, True):
            steward, _ = lives(folder, step, after=after)
            again += sum(len(copies) - 1 for copies in steward.receiver.came.values())
            held(steward, due)
    assert again, "a shipper that dies between sending and remembering sends again"


def test_a_shipper_killed_again_and_again(folder: Path) -> None:
    """Each dies a few steps further on: little by little, all arrives."""
    folder.mkdir()
    due = template(folder)
    for stride in (7, 11, 23):
        shutil.copytree(folder / "template", folder / "copy")
        steward = Steward(folder / "copy")
        for life in count(1):
            if asyncio.run(steward.ship(Death(stride + life, after=bool(life % 2)))):
                break
            assert life < 1_000
        steward.close()
        assert life > 3
        held(steward, due)
