"""Ship a great backlog and tell how much memory that took: `python -m tests.gateway.metering.millions FOLDER ATTEMPTS`.

The receiver is away at first. Prints, as JSON: how many attempts arrived, and by how much the peak of resident memory
grew (KiB) from before there was a backlog until all was shipped.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from stargate.base import wire
from stargate.gateway.metering import ShipLimits, Shipper, Usage
from stargate.gateway.metering.epoch import epochs, far
from stargate.gateway.metering.tail import Tail
from tests.gateway.metering.making import BEGIN, admission, attempts, nobody, only, opened, settlement

FRAME_ATTEMPTS = 250


def peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def main(folder: Path, count: int) -> None:
    spool = opened(folder)
    await attempts(spool, 10)
    await spool.close()
    before_kib = peak_kib()
    write(only(folder), 11, count)
    seen = 0
    away = True

    async def send(batch: Sequence[Usage]) -> None:
        nonlocal seen
        if away:
            raise ConnectionError
        assert [usage.admitted.seq for usage in batch] == list(range(seen + 1, seen + len(batch) + 1))
        seen += len(batch)

    ships = Shipper(folder, send, nobody, lambda: BEGIN, ShipLimits(batches=10**9))
    for _ in range(20):
        assert not await ships.ship()
    backlog = await ships.backlog()
    away = False
    assert await ships.ship()
    grown_kib = peak_kib() - before_kib
    print(
        json.dumps(
            {
                "waited": backlog.attempts,
                "arrived": seen,
                "grown_kib": grown_kib,
                "left": len(epochs(folder)),
            }
        )
    )


def write(epoch: Path, first: int, last: int) -> None:
    """As its worker would have, without waiting for anybody."""
    tail = Tail(epoch, far(epoch), first - 1, 8 << 20)
    for begin in range(first, last + 1, FRAME_ATTEMPTS):
        seqs = range(begin, min(begin + FRAME_ATTEMPTS, last + 1))
        admitted = [wire.pack(admission(seq)) for seq in seqs]
        tail.append([*admitted, *(wire.pack(settlement(seq)) for seq in seqs)], len(seqs), len(seqs))
    tail.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
