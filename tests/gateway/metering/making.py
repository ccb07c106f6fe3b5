"""Attempts and epochs to test with, and a receiver that remembers all it is sent."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Iterable, Sequence
from pathlib import Path

from stargate.base.time import Instant
from stargate.gateway.metering import Spool, SpoolLimits, Usage
from stargate.gateway.metering.epoch import epochs
from stargate.gateway.metering.reading import Reading
from stargate.gateway.record import Admitted, Attempt, Settled, Tokens

BEGIN = Instant.parse("2026-03-10T12:00:00Z")
RESERVED = Tokens(400, 0, 1_000, 0)


def admission(
    seq: int, request: str = "", nth: int = 0, endpoint: str = "plain", at_us: int = BEGIN
) -> Admitted:
    return Admitted(
        seq,
        at_us,
        request or f"req-{seq}",
        nth,
        "key-1",
        "chat/completions",
        "lm",
        endpoint,
        "why",
        7,
        RESERVED,
        90,
    )


def settlement(seq: int, *, said: bytes = b'{"total_tokens":410}', at_us: int = 0) -> Settled:
    used = Tokens(400, 128, 10, 3)
    return Settled(seq, at_us or BEGIN + seq, "done", 200, used, "upstream", True, 10, 20, said)


def opened(folder: Path, **limits: int) -> Spool:
    return Spool.open(folder, BEGIN, SpoolLimits(**limits))


async def attempt(spool: Spool) -> int:
    """Admitted, then settled."""
    seq = spool.number()
    await spool.write(admission(seq))
    await spool.write(settlement(seq))
    return seq


async def attempts(spool: Spool, count: int) -> list[int]:
    """So many at once."""
    return await asyncio.gather(*(attempt(spool) for _ in range(count)))


def only(folder: Path) -> Path:
    """The one epoch of a spool."""
    (name,) = epochs(folder)
    return folder / name


def records(epoch: Path) -> list[Attempt]:
    """All that a dead epoch holds."""
    return [record for frame in Reading(epoch) for record in frame.records]


def whole(found: Iterable[Attempt]) -> dict[int, Settled]:
    """Settlements by number, after holding the epoch to what it promises."""
    numbers: list[int] = []
    settled: dict[int, Settled] = {}
    for record in found:
        if isinstance(record, Admitted):
            numbers.append(record.seq)
        else:
            assert record.seq in numbers[-100_000:], "settled before it was admitted"
            assert record.seq not in settled, "settled twice"
            settled[record.seq] = record
    assert numbers == list(range(1, len(numbers) + 1)), "numbers have gaps or come twice"
    return settled


class Receiver:
    """Takes batches as the ledger does: it keeps one of each name, and here all that came."""

    def __init__(self) -> None:
        self.came: dict[tuple[str, int], list[Usage]] = collections.defaultdict(list)
        self.batches = 0
        self.away = False

    async def send(self, batch: Sequence[Usage]) -> None:
        if self.away:
            raise ConnectionError("nobody listens")
        self.take(batch)

    def take(self, batch: Sequence[Usage]) -> None:
        assert batch, "an empty batch is not sent"
        self.batches += 1
        for usage in batch:
            assert usage.admitted.seq == usage.settled.seq
            self.came[usage.epoch, usage.admitted.seq].append(usage)

    def kept(self) -> dict[tuple[str, int], Usage]:
        """One of each; copies say the same."""
        for copies in self.came.values():
            assert all(copy == copies[0] for copy in copies), "sent again, and not the same"
        return {name: copies[0] for name, copies in self.came.items()}


async def nobody(endpoint: str, request: str) -> Tokens | None:
    """No endpoint can say anything."""
    return None
