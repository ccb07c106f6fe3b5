"""A worker to be killed: `python -m tests.gateway.metering.writer FOLDER WRITERS [LIMIT_BYTES]`.

It tells on standard output, a line for each, what was acknowledged. With a limit its files cannot grow beyond it, as
on a full disk, until it has been refused so often; then the limit is lifted.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
from pathlib import Path

from stargate.base.errors import SpoolError
from stargate.base.time import Instant
from stargate.gateway.metering import Spool, SpoolLimits
from stargate.gateway.record import Attempt
from tests.gateway.metering.making import admission, settlement

REFUSALS = 50


class Worker:
    def __init__(self, folder: Path) -> None:
        self.spool = Spool.open(folder, Instant(time.time_ns() // 1_000), SpoolLimits(segment_bytes=40_000))
        self.refusals = 0

    async def request(self) -> None:
        """Admit and settle one."""
        seq = self.spool.number()
        await self._write(admission(seq))
        tell(f"a {seq}")
        await self._write(settlement(seq))
        tell(f"s {seq}")

    async def _write(self, record: Attempt) -> None:
        try:
            await self.spool.write(record)
        except SpoolError:
            self.refusals += 1
            if self.refusals == REFUSALS:
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                tell("room")
            raise

    async def serve(self, end: float) -> None:
        """Requests, one after the other."""
        while time.monotonic() < end:
            try:
                await self.request()
            except SpoolError:
                await asyncio.sleep(0.001)


def tell(line: str) -> None:
    """Whole lines, at once."""
    os.write(1, line.encode() + b"\n")


async def main(folder: Path, writers: int, limit_bytes: int) -> None:
    if limit_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    worker = Worker(folder)
    tell(f"ready {worker.spool.epoch}")
    end = time.monotonic() + (1.0 if limit_bytes else 60.0)
    await asyncio.gather(*(worker.serve(end) for _ in range(writers)))
    await worker.spool.close()
    tell("closed")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
