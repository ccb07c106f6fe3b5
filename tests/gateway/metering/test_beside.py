"""Workers are killed and started anew while a shipper, itself replaced now and then, reads beside them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from pathlib import Path

import pytest

from stargate.base.time import MINUTE
from stargate.gateway.metering import ShipLimits, Shipper
from stargate.gateway.metering.epoch import epochs
from tests.gateway.metering.making import BEGIN, Receiver, admission, nobody, settlement

WORKERS = int(os.environ.get("STARGATE_KILLS", "6"))
SEED = int(os.environ.get("STARGATE_SEED", "1"))
AT_ONCE = 3

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120 + 10 * WORKERS)]


class Workers:
    """What killed workers had been told is on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chance = random.Random(SEED)
        self._room = asyncio.Semaphore(AT_ONCE)
        self.admitted: set[tuple[str, int]] = set()
        self.settled: set[tuple[str, int]] = set()

    async def live(self) -> None:
        """One, until it is killed."""
        async with self._room:
            writers = self._chance.choice((1, 8, 64))
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.gateway.metering.writer", str(self._folder), str(writers)),
                stdout=asyncio.subprocess.PIPE,
            )
            assert worker.stdout is not None
            _, epoch = (await worker.stdout.readline()).decode().split()
            lines = [await worker.stdout.readline() for _ in range(self._chance.randint(0, 40 * writers))]
            worker.kill()
            lines += (await worker.stdout.read()).splitlines(keepends=True)
            await worker.wait()
        for kind, seq in (line.split() for line in lines if line.endswith(b"\n")):
            (self.admitted if kind == b"a" else self.settled).add((epoch, int(seq)))


async def test_all_that_killed_workers_acknowledged_arrives_once(tmp_path: Path) -> None:
    folder, receiver = tmp_path / "spool", Receiver()
    limits = ShipLimits(batch_attempts=50, pause_s=0.01, grace_s=0)

    async def ship() -> None:
        """One after the other, each killed before long."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await Shipper(folder, receiver.send, nobody, lambda: BEGIN + MINUTE, limits).run()

    shipping = asyncio.create_task(ship())
    workers = Workers(folder)
    await asyncio.gather(*(workers.live() for _ in range(WORKERS)))
    shipping.cancel()
    await asyncio.wait([shipping])
    last = Shipper(folder, receiver.send, nobody, lambda: BEGIN + MINUTE, limits)
    for _ in range(3):
        assert await last.ship()
    assert not (await last.backlog()).troubles
    assert not epochs(folder)

    kept = receiver.kept()
    assert workers.admitted
    assert workers.admitted | workers.settled <= kept.keys()
    assert len({epoch for epoch, _ in workers.settled}) <= WORKERS
    for name, usage in kept.items():
        assert usage.admitted == admission(name[1])
        if usage.settled.outcome == "lost":
            assert name not in workers.settled
        else:
            assert usage.settled == settlement(name[1])
