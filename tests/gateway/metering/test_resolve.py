from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from stargate.base.errors import SpoolError, StateConflictError
from stargate.base.time import MINUTE
from stargate.gateway.metering.resolve import resolve
from stargate.gateway.record import Settled, Tokens
from tests.gateway.metering.making import (
    BEGIN,
    admission,
    attempts,
    nobody,
    only,
    opened,
    records,
    settlement,
    whole,
)

pytestmark = pytest.mark.anyio
LATER = BEGIN + MINUTE


class Endpoints:
    """`plain` cannot say, `exact` can, `away` cannot be reached."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.away = True

    async def ask(self, endpoint: str, request: str) -> Tokens | None:
        self.asked.append((endpoint, request))
        if endpoint == "away" and self.away:
            raise TimeoutError
        return None if endpoint == "plain" else Tokens(400, 0, 77, 0)


async def left(folder: Path, *endpoints: str) -> Path:
    """The epoch of a worker that died with one attempt open at each of these, after ten that were settled."""
    spool = opened(folder)
    await attempts(spool, 10)
    for endpoint in endpoints:
        await spool.write(admission(spool.number(), endpoint=endpoint))
    await spool.close()
    return only(folder)


def resolved(epoch: Path) -> dict[int, Settled]:
    return {seq: settled for seq, settled in whole(records(epoch)).items() if settled.outcome == "lost"}


async def test_what_an_endpoint_says_is_booked_and_otherwise_an_estimate(folder: Path) -> None:
    epoch = await left(folder, "plain", "exact")
    endpoints = Endpoints()
    assert await resolve(epoch, LATER, endpoints.ask) == 0
    assert resolved(epoch) == {
        11: Settled(11, LATER, "lost", 0, Tokens(400, 0, 0, 0), "estimate", False),
        12: Settled(12, LATER, "lost", 0, Tokens(400, 0, 77, 0), "lookup", False),
    }
    assert endpoints.asked == [("plain", "req-11.0"), ("exact", "req-12.0")]


async def test_it_is_settled_once(folder: Path) -> None:
    epoch = await left(folder, "plain")
    for minutes in range(3):
        assert await resolve(epoch, LATER + minutes * MINUTE, nobody) == 0
    assert len(resolved(epoch)) == 1


async def test_an_endpoint_that_is_away_is_asked_later_and_not_for_ever(folder: Path) -> None:
    epoch = await left(folder, "away", "plain", "away")
    endpoints = Endpoints()
    assert await resolve(epoch, LATER, endpoints.ask) == 2
    assert list(resolved(epoch)) == [12]
    endpoints.away = False
    assert await resolve(epoch, LATER, endpoints.ask) == 0
    assert [settled.counted for settled in resolved(epoch).values()] == ["estimate", "lookup", "lookup"]


async def test_patience_ends(folder: Path) -> None:
    epoch = await left(folder, "away")
    assert await resolve(epoch, BEGIN + 60 * MINUTE - 1, Endpoints().ask) == 1
    assert await resolve(epoch, BEGIN + 60 * MINUTE, Endpoints().ask) == 0
    assert [settled.counted for settled in resolved(epoch).values()] == ["estimate"]


async def test_an_endpoint_that_is_away_is_not_asked_about_each(folder: Path) -> None:
    epoch = await left(folder, *["away"] * 200)
    endpoints = Endpoints()
    assert await resolve(epoch, LATER, endpoints.ask) == 200
    assert len(endpoints.asked) <= 64


async def test_nobody_settles_for_a_living_worker(folder: Path) -> None:
    spool = opened(folder)
    await spool.write(admission(1))
    with pytest.raises(StateConflictError):
        await resolve(only(folder), LATER, nobody)
    await spool.write(settlement(1))
    await spool.close()


async def test_a_failure_while_resolving_leaves_the_rest_for_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = await left(folder, *["plain"] * 100)
    real, writes = os.pwrite, iter([True])

    def fail(file: int, data: bytes, offset: int) -> int:
        if len(data) > 16 and not next(writes, False):
            raise OSError(28, "No space left on device")
        return real(file, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        with pytest.raises(SpoolError, match="No space left"):
            await resolve(epoch, LATER, nobody)
    before = resolved(epoch)
    assert 0 < len(before) < 100
    await resolve(epoch, LATER + MINUTE, nobody)
    after = resolved(epoch)
    assert len(after) == 100
    assert all(after[seq] == settled for seq, settled in before.items())


async def test_who_is_cancelled_lets_go_of_the_epoch(folder: Path) -> None:
    epoch = await left(folder, "plain")
    resolving = asyncio.create_task(resolve(epoch, LATER, nobody))
    await asyncio.sleep(0)
    resolving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resolving
    assert await resolve(epoch, LATER, nobody) == 0
    assert len(resolved(epoch)) == 1
