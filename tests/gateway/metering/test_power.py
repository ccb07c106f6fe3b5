"""Take the power away at every sync of a worker and of a shipper: whatever the disk then holds, the count is right."""

from __future__ import annotations

import asyncio
import copy
import os
import random
from pathlib import Path
from typing import NamedTuple

import pytest

from stargate.base.time import MINUTE
from stargate.gateway.metering import ShipLimits, Shipper, Spool, SpoolLimits
from stargate.gateway.metering.epoch import sweep
from tests.gateway.metering.making import BEGIN, Receiver, admission, nobody, settlement
from tests.gateway.metering.platter import Platter

SEED = int(os.environ.get("STARGATE_SEED", "1"))
IMAGES = int(os.environ.get("STARGATE_IMAGES", "2"))
"""Of each sync."""


class Cut(NamedTuple):
    """The power went."""

    image: Path
    admitted: frozenset[tuple[str, int]]
    """What writers had been told is on disk."""
    settled: frozenset[tuple[str, int]]
    receiver: Receiver


class World:
    """A worker and a shipper, and what anybody was told."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.spools = folder / "spool"
        self.spools.mkdir(parents=True)
        self.receiver = Receiver()
        self.cuts: list[Cut] = []
        self._images = folder / "images"
        self._images.mkdir()
        self._admitted: set[tuple[str, int]] = set()
        self._settled: set[tuple[str, int]] = set()
        self._platter = Platter(self.spools, patch, self._cut)

    def _cut(self) -> None:
        for _ in range(IMAGES):
            image = self._images / str(len(self.cuts))
            told = frozenset(self._admitted), frozenset(self._settled), copy.deepcopy(self.receiver)
            self._platter.image(image, random.Random(SEED * 1_000_000 + len(self.cuts)))
            self.cuts.append(Cut(image, *told))

    async def request(self, spool: Spool, *, settle: bool = True) -> None:
        seq = spool.number()
        await spool.write(admission(seq))
        self._admitted.add((spool.epoch, seq))
        if settle:
            await spool.write(settlement(seq))
            self._settled.add((spool.epoch, seq))

    async def run(self) -> None:
        """Two workers after each other; the first dies with something open."""
        ships = Shipper(
            self.spools,
            self.receiver.send,
            nobody,
            lambda: BEGIN + MINUTE,
            ShipLimits(batch_attempts=4, grace_s=0),
        )
        for opens in (3, 0):
            spool = Spool.open(self.spools, BEGIN, SpoolLimits(segment_bytes=600))
            for number in range(4):
                await asyncio.gather(*(self.request(spool) for _ in range(3)))
                await self.request(spool, settle=number >= opens)
                if number % 2:
                    await ships.ship()
            await spool.close()
            await ships.ship()


async def recovered(cut: Cut) -> None:
    """Start again from what the disk holds."""
    sweep(cut.image)
    ships = Shipper(cut.image, cut.receiver.send, nobody, lambda: BEGIN + 2 * MINUTE, ShipLimits(grace_s=0))
    for _ in range(3):
        assert await ships.ship()
    backlog = await ships.backlog()
    assert not backlog.troubles, backlog.troubles
    assert backlog.epochs == 0, "all is shipped and gone"
    kept = cut.receiver.kept()
    assert cut.admitted <= kept.keys(), "an admission that was acknowledged is gone"
    for name, usage in kept.items():
        assert usage.admitted == admission(name[1])
        if name in cut.settled:
            assert usage.settled == settlement(name[1]), (
                "a settlement that was acknowledged is not what arrived"
            )


def test_the_power_goes_at_every_sync(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World(folder, patch)
        asyncio.run(world.run())
    assert len(world.receiver.kept()) == 32
    assert len(world.cuts) > 100
    for cut in world.cuts:
        asyncio.run(recovered(cut))
