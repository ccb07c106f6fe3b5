"""A server whose clock runs fast, to be killed: `python -m tests.crash.counting FOLDER EPOCH_NS`.

An hour passes in half a second. Work comes and ends without pause; every quarter of a second the ledger catches up.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from pathlib import Path

import msgspec

from stargate.base.time import Instant
from stargate.broker.command import Submit
from stargate.server import Limits
from stargate.server.house import SERVER
from tests.server.test_driver import job
from tests.server.world import configured, staged

BEGIN = Instant.parse("2026-03-10")
FASTER = 7_200


def clock_since(epoch_ns: int) -> Instant:
    """The time of that world."""
    return BEGIN.plus((time.time_ns() - epoch_ns) * FASTER // 1_000)


async def serve(folder: Path, epoch_ns: int) -> None:
    """Until killed."""
    config = configured(folder, limits=Limits(ledger_s=0.25))
    async with staged(config, clock=lambda: clock_since(epoch_ns)) as stage:
        print("ready", flush=True)
        while True:
            work = msgspec.structs.replace(job(), team=f"team-{uuid.uuid4().int % 3}")
            await stage.house.ask(SERVER, Submit(uuid.uuid4().hex, work))
            await asyncio.sleep(0.05)
            stage.engine.tick()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
