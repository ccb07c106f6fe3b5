from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stargate.base.time import MINUTE
from stargate.gateway.metering import ShipLimits, Shipper, Usage
from stargate.gateway.metering.cursor import FILE, read_cursor
from stargate.gateway.metering.epoch import epochs, segment_path, segments
from stargate.gateway.record import Tokens
from tests.gateway.metering.making import (
    BEGIN,
    Receiver,
    admission,
    attempt,
    attempts,
    nobody,
    only,
    opened,
    settlement,
)

pytestmark = pytest.mark.anyio


def shipper(folder: Path, receiver: Receiver, **limits: int) -> Shipper:
    return Shipper(folder, receiver.send, nobody, lambda: BEGIN + MINUTE, ShipLimits(grace_s=0, **limits))


async def test_each_attempt_of_each_worker_arrives(folder: Path) -> None:
    receiver = Receiver()
    spools = [opened(folder, segment_bytes=3_000) for _ in range(3)]
    ships = shipper(folder, receiver, batch_attempts=20)
    for _ in range(5):
        for number, spool in enumerate(spools):
            await attempts(spool, 10 + number)
        assert await ships.ship()
    kept = receiver.kept()
    assert set(kept) == {
        (spool.epoch, seq) for number, spool in enumerate(spools) for seq in range(1, 5 * (10 + number) + 1)
    }
    assert kept[spools[0].epoch, 3] == Usage(spools[0].epoch, admission(3), settlement(3))
    for spool in spools:
        await spool.close()


async def test_a_batch_is_about_as_large_as_was_asked(folder: Path) -> None:
    spool, sizes = opened(folder), []

    async def send(batch: Sequence[Usage]) -> None:
        sizes.append(len(batch))

    for _ in range(100):
        await attempt(spool)
    await Shipper(folder, send, nobody, lambda: BEGIN, ShipLimits(batch_attempts=8)).ship()
    assert sizes == [8] * 12 + [4]
    await spool.close()


async def test_only_what_is_settled_is_shipped(folder: Path) -> None:
    spool, receiver = opened(folder), Receiver()
    ships = shipper(folder, receiver)
    await spool.write(admission(1))
    await attempt(spool)
    await ships.ship()
    assert [seq for _, seq in receiver.kept()] == [2]
    await spool.write(settlement(1))
    await ships.ship()
    assert [seq for _, seq in receiver.kept()] == [2, 1]
    await spool.close()


async def test_segments_go_when_they_are_acknowledged_and_settled(folder: Path) -> None:
    """One that waits for hours keeps its own segment, not all that came after it."""
    spool, receiver = opened(folder, segment_bytes=1_000), Receiver()
    epoch = only(folder)
    ships = shipper(folder, receiver)
    await attempts(spool, 5)
    await spool.write(admission(6))
    slow = segments(epoch)[-1]
    for _ in range(30):
        await attempt(spool)
    assert len(segments(epoch)) > 4
    receiver.away = True
    assert not await ships.ship()
    assert segments(epoch)[0] == 1, "nothing goes before it is acknowledged"
    receiver.away = False
    await ships.ship()
    last = segments(epoch)[-1]
    assert segments(epoch) == [slow, last]
    assert read_cursor(epoch).open == (6,)

    again = shipper(folder, receiver)  # a new one finds what is open
    await spool.write(settlement(6))
    await again.ship()
    await attempts(spool, 20)
    await again.ship()
    assert slow not in segments(epoch)
    assert len(receiver.kept()) == 56
    await spool.close()


async def test_the_epoch_of_a_dead_worker_is_resolved_and_goes(folder: Path) -> None:
    spool, receiver = opened(folder), Receiver()
    await attempts(spool, 3)
    await spool.write(admission(4))
    ships = shipper(folder, receiver)
    await ships.ship()
    assert epochs(folder) == [spool.epoch], "it lives"
    await spool.close()
    await ships.ship()
    assert receiver.kept()[spool.epoch, 4].settled.outcome == "lost"
    assert not epochs(folder)
    assert (await ships.backlog()).epochs == 0


async def test_an_epoch_waits_for_an_endpoint_that_is_away(folder: Path) -> None:
    spool, receiver, now = opened(folder), Receiver(), [BEGIN + 0]
    asked = []

    async def ask(endpoint: str, request: str) -> Tokens | None:
        asked.append(request)
        if len(asked) < 3:
            raise ConnectionRefusedError
        return Tokens(5, 0, 6, 0)

    await spool.write(admission(1))
    await spool.close()
    ships = Shipper(folder, receiver.send, ask, lambda: now[0], ShipLimits(grace_s=2, resolve_s=30))
    times = []
    for seconds in (0, 1, 2, 10, 31, 32, 61, 62):
        now[0] = BEGIN + seconds * 1_000_000
        count = len(asked)
        assert await ships.ship()
        times += [seconds] * (len(asked) - count)
        assert (await ships.backlog()).unresolved == (1 if 2 <= seconds < 62 else 0)
    assert times == [2, 32, 62]
    assert receiver.kept()[spool.epoch, 1].settled.tokens == Tokens(5, 0, 6, 0)


async def test_what_waits_is_told(folder: Path) -> None:
    spool, receiver = opened(folder), Receiver()
    ships = shipper(folder, receiver)
    receiver.away = True
    assert (await ships.backlog()).attempts == 0
    await attempts(spool, 7)
    assert not await ships.ship()
    backlog = await ships.backlog()
    assert (backlog.attempts, backlog.oldest_us, backlog.epochs) == (7, BEGIN + 1, 1)
    assert backlog.size_bytes == sum(path.stat().st_size for path in only(folder).glob("*.seg"))
    assert backlog.away == "ConnectionError: nobody listens"
    receiver.away = False
    await ships.ship()
    await attempts(spool, 2)
    backlog = await ships.backlog()
    assert (backlog.attempts, backlog.oldest_us, backlog.away) == (2, BEGIN + 8, "")
    await spool.close()


async def test_it_tries_again_when_the_receiver_is_away_ever_more_seldom(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, receiver = opened(folder), Receiver()
    await attempt(spool)
    receiver.away = True
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)
        receiver.away = len(pauses) < 6
        if len(pauses) == 8:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(random, "uniform", lambda _, most: most)
    limits = ShipLimits(pause_s=1, longest_pause_s=10)
    with pytest.raises(asyncio.CancelledError):
        await Shipper(folder, receiver.send, nobody, lambda: BEGIN, limits).run()
    assert pauses == [2, 4, 8, 10, 10, 10, 1, 1]
    assert len(receiver.kept()) == 1
    await spool.close()


async def test_one_at_a_time_ships(folder: Path) -> None:
    """A steward that was given up for dead ships on beside its successor, until it ends."""
    spool, first, second = opened(folder), Receiver(), Receiver()
    limits = ShipLimits(pause_s=0.01)
    old, new = (Shipper(folder, each.send, nobody, lambda: BEGIN, limits) for each in (first, second))
    old_run = asyncio.create_task(old.run())
    await attempt(spool)
    await until(lambda: len(first.came) == 1)
    new_run = asyncio.create_task(new.run())
    await attempt(spool)
    await until(lambda: len(first.came) == 2)
    assert (await new.backlog()).away == "another process ships this spool"
    old_run.cancel()
    await asyncio.wait([old_run])
    await attempt(spool)
    await until(lambda: len(second.came) == 1)
    assert (await new.backlog()).away == ""
    assert [seq for _, seq in second.kept()] == [3]
    new_run.cancel()
    await asyncio.wait([new_run])
    await spool.close()


async def until(true: Callable[[], bool]) -> None:
    """Give others their turn until it is so."""
    for _ in range(3_000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never was")


async def test_a_batch_that_is_refused_for_ever_holds_up_no_other_epoch(folder: Path) -> None:
    receiver = Receiver()
    first, second = opened(folder), opened(folder)
    names = sorted((first.epoch, second.epoch))

    async def send(batch: Sequence[Usage]) -> None:
        if batch[0].epoch == names[0]:
            raise ValueError("not this one")
        await receiver.send(batch)

    await attempt(first)
    await attempt(second)
    ships = Shipper(folder, send, nobody, lambda: BEGIN, ShipLimits())
    assert not await ships.ship()
    assert not await ships.ship()
    assert list(receiver.kept()) == [(names[1], 1)]
    assert (await ships.backlog()).attempts == 1
    await first.close()
    await second.close()


async def test_a_cursor_that_cannot_be_written_is_written_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, receiver = opened(folder, segment_bytes=1_000), Receiver()
    ships = shipper(folder, receiver, batch_attempts=5)
    for _ in range(20):
        await attempt(spool)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("stargate.gateway.metering.cursor.write_new", full)
        await ships.ship()
        assert "No space left" in (await ships.backlog()).troubles[0]
        assert segments(only(folder))[0] == 1, "nothing goes that is not remembered"
    await ships.ship()
    backlog = await ships.backlog()
    assert (backlog.attempts, backlog.troubles) == (0, ())
    assert len(segments(only(folder))) == 1
    assert [len(copies) for copies in receiver.came.values()] == [1] * 20
    await spool.close()


# -- damage -----------------------------------------------------------------------------------------------


async def test_damage_stops_its_epoch_after_what_is_good_and_no_other(folder: Path) -> None:
    receiver = Receiver()
    spool, other = opened(folder), opened(folder)
    for _ in range(5):
        await attempt(spool)
        await attempt(other)
    path = segment_path(folder / spool.epoch, 1)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    ships = shipper(folder, receiver)
    for _ in range(3):
        assert await ships.ship()
    kept = receiver.kept()
    assert sorted(seq for epoch, seq in kept if epoch == spool.epoch) == [1, 2, 3, 4]
    assert len(kept) == 9
    (trouble,) = (await ships.backlog()).troubles
    assert str(path) in trouble
    assert "is damaged at byte" in trouble
    await spool.close()
    await other.close()
    await ships.ship()
    assert epochs(folder) == [spool.epoch], "it is kept, the other is gone"


async def test_a_cursor_that_is_lost_sends_all_again_or_says_what_is_missing(folder: Path) -> None:
    spool, receiver = opened(folder, segment_bytes=1_000), Receiver()
    epoch = only(folder)
    await attempts(spool, 3)
    await shipper(folder, receiver).ship()
    (epoch / FILE).unlink()
    await shipper(folder, receiver).ship()
    assert all(len(copies) == 2 for copies in receiver.came.values())
    assert len(receiver.kept()) == 3
    for _ in range(10):
        await attempt(spool)
    await shipper(folder, receiver).ship()
    (epoch / FILE).write_bytes(b"{")
    ships = shipper(folder, receiver)
    await ships.ship()
    assert "cursor cannot be read" in (await ships.backlog()).troubles[0]
    (epoch / FILE).unlink()
    await ships.ship()
    assert "cursor is missing" in (await ships.backlog()).troubles[0]
    await spool.close()


async def test_what_a_crash_tore_off_is_counted(folder: Path) -> None:
    spool, receiver = opened(folder), Receiver()
    await attempts(spool, 3)
    epoch = only(folder)
    await spool.close()
    with segment_path(epoch, 1).open("ab") as file:
        file.write(b"\xc1SGf half a frame")
    ships = shipper(folder, receiver)
    await ships.ship()
    assert (await ships.backlog()).torn_bytes == 17
    assert len(receiver.kept()) == 3
    assert not epochs(folder)
