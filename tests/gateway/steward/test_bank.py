"""Limits over a socket: workers that share them, workers that die, stewards that start anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from stargate.gateway.lending import SqliteBook
from stargate.gateway.limits import NoBankError, Purse, Short, Ticket
from stargate.gateway.record import Application, Scope
from stargate.gateway.steward.bank import BankServer, RemoteBank
from stargate.gateway.steward.branch import Branch
from stargate.gateway.steward.teller import Teller

KEY = Application(
    id="k",
    name="k",
    sha256="k",
    scope=Scope(requests_per_minute=10, concurrent_requests=8, budget_micro_usd=500),
)
pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.us = 1_000_000_000_000_000

    def __call__(self) -> int:
        return self.us


@asynccontextmanager
async def steward(folder: Path, clock: Callable[[], int]) -> AsyncIterator[BankServer]:
    """One life of it, beside a bank that outlives it."""
    teller = Teller(clock)
    book = SqliteBook(folder / "leases.sqlite", clock)
    branch = Branch(book, teller.limit, ("h", str(id(teller))), teller.slots)
    teller.open(branch, branch)
    teller.update([KEY])
    server = BankServer(teller)
    await server.open(folder / "bank")
    running = asyncio.create_task(branch.run(teller.beat))
    try:
        yield server
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await server.close()
        await book.close()


async def test_workers_share_what_there_is(tmp_path: Path) -> None:
    """Ten requests, whoever gets them."""
    clock = Clock()
    async with steward(tmp_path, clock):
        banks = [RemoteBank(tmp_path / "bank", f"w{each}") for each in range(3)]
        purses = [Purse(bank, clock) for bank in banks]
        passed = 0
        for turn in range(40):
            got = await purses[turn % 3].enter(KEY, 1, 1)
            if isinstance(got, Ticket):
                passed += 1
                purses[turn % 3].leave(got, 1, 1)
            clock.us += 300_000 if turn % 3 == 2 else 0
            for purse in purses:
                purse.sweep()
            await asyncio.sleep(0.01)
        assert passed == 10
        for bank in banks:
            await bank.close()


async def test_the_requests_of_a_worker_that_dies_are_over(tmp_path: Path) -> None:
    """Its connection ends, and its slots are free."""
    clock = Clock()
    async with steward(tmp_path, clock):
        first, second = RemoteBank(tmp_path / "bank", "w0"), RemoteBank(tmp_path / "bank", "w1")
        dying, living = Purse(first, clock), Purse(second, clock)
        for _ in range(8):
            assert isinstance(await dying.enter(KEY, 1, 0), Ticket)
        got = await living.enter(KEY, 1, 0)
        assert isinstance(got, Short)
        assert got.kind == "slots"
        await first.close()
        found = None
        for _ in range(200):
            clock.us += 150_000
            found = await living.enter(KEY, 1, 0)
            if isinstance(found, Ticket):
                break
            await asyncio.sleep(0.01)
        assert isinstance(found, Ticket)
        await second.close()


async def test_a_new_steward_learns_what_was_given_out(tmp_path: Path) -> None:
    """A restart is no way to a second minute, more at a time, or more money."""
    clock = Clock()
    bank = RemoteBank(tmp_path / "bank", "w0")
    purse = Purse(bank, clock)
    async with steward(tmp_path, clock):
        open_ = [await purse.enter(KEY, 1, 50) for _ in range(7)]
        assert all(isinstance(each, Ticket) for each in open_)
        clock.us += 1_000_000
        purse.sweep()
    with pytest.raises(NoBankError):
        await purse.enter(KEY, 1, 50)
    async with steward(tmp_path, clock):
        clock.us += 20_000_000  # what the steward before held is no longer believed
        await asyncio.sleep(0.8)  # the worker has come back by itself, and said what it holds
        other_bank = RemoteBank(tmp_path / "bank", "w1")
        other = Purse(other_bank, clock)
        passed = 0
        for _ in range(10):
            got = await other.enter(KEY, 1, 50)
            if isinstance(got, Short):
                assert got.kind == "slots"
                break
            passed += 1
        assert passed == 1, "seven of eight are held"
        await other_bank.close()
    await bank.close()


async def test_nonsense_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    """Others go on."""
    clock = Clock()
    async with steward(tmp_path, clock):
        for junk in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x02\xc1\xc1", b"\x00\x00\x00\x05hello"):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "bank")
            writer.write(junk)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        bank = RemoteBank(tmp_path / "bank", "w0")
        assert isinstance(await Purse(bank, clock).enter(KEY, 1, 0), Ticket)
        await bank.close()


async def test_what_comes_when_nobody_waits_any_more_goes_back(tmp_path: Path) -> None:
    """A client that leaves while its worker asks takes nothing with it."""
    clock = Clock()
    async with steward(tmp_path, clock):
        bank = RemoteBank(tmp_path / "bank", "w0")
        purse = Purse(bank, clock)
        for _ in range(12):
            asking = asyncio.create_task(purse.enter(KEY, 1, 0))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.3)
        clock.us += 3_000_000
        await asyncio.sleep(1.2)
        assert isinstance(await purse.enter(KEY, 1, 0), Ticket)
        await bank.close()
