"""Limits over a socket: workers that share them, workers that die, stewards that start anew."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stargate.gateway.limits import Allotment, NoBankError, Purse, Short, Ticket
from stargate.gateway.record import Application, Scope
from stargate.gateway.steward.bank import BankServer, RemoteBank

KEY = Application(
    id="k",
    name="k",
    sha256="k",
    scope=Scope(requests_per_minute=10, concurrent_requests=8, budget_micro_usd=500),
)


class Clock:
    def __init__(self) -> None:
        self.us = 1_000_000_000_000_000

    def __call__(self) -> int:
        return self.us


async def opened(path: Path, clock: Clock, money: int = 500) -> BankServer:
    allotment = Allotment()
    allotment.update([KEY], {"k": money})
    server = BankServer(allotment, clock)
    await server.open(path)
    return server


@pytest.mark.anyio
async def test_workers_share_what_there_is(tmp_path: Path) -> None:
    """Ten requests, whoever gets them."""
    clock = Clock()
    server = await opened(tmp_path / "bank", clock)
    banks = [RemoteBank(tmp_path / "bank", f"w{each}") for each in range(3)]
    purses = [Purse(bank, clock) for bank in banks]
    passed = 0
    for turn in range(30):
        got = await purses[turn % 3].enter(KEY, 1, 1)
        if isinstance(got, Ticket):
            passed += 1
            purses[turn % 3].leave(got, 1, 1)
        clock.us += 300_000 if turn % 3 == 2 else 0
        for purse in purses:
            purse.sweep()
    assert passed == 10
    for bank in banks:
        await bank.close()
    await server.close()


@pytest.mark.anyio
async def test_the_requests_of_a_worker_that_dies_are_over(tmp_path: Path) -> None:
    """Its connection ends, and its slots are free."""
    clock = Clock()
    server = await opened(tmp_path / "bank", clock)
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
        found = await living.enter(KEY, 1, 0)
        if isinstance(found, Ticket):
            break
        await asyncio.sleep(0.01)
    assert isinstance(found, Ticket)
    await second.close()
    await server.close()


@pytest.mark.anyio
async def test_a_new_steward_learns_what_was_given_out(tmp_path: Path) -> None:
    """A restart is no way to a second minute, more at a time, or more money."""
    clock = Clock()
    server = await opened(tmp_path / "bank", clock)
    bank = RemoteBank(tmp_path / "bank", "w0")
    purse = Purse(bank, clock)
    for _ in range(7):
        ticket = await purse.enter(KEY, 1, 50)
        assert isinstance(ticket, Ticket)
        purse.leave(ticket, 1, 50)
    purse.sweep()
    clock.us += 1_000_000
    purse.sweep()
    await server.close()
    with pytest.raises(NoBankError):
        await purse.enter(KEY, 1, 50)
    server = await opened(tmp_path / "bank", clock)
    passed = 0
    for _ in range(10):
        got = await purse.enter(KEY, 1, 50)
        if isinstance(got, Ticket):
            passed += 1
            purse.leave(got, 1, 50)
    assert passed == 3
    await bank.close()
    await server.close()


@pytest.mark.anyio
async def test_nonsense_ends_the_connection_and_nothing_else(tmp_path: Path) -> None:
    """Others go on."""
    clock = Clock()
    server = await opened(tmp_path / "bank", clock)
    for junk in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x02\xc1\xc1", b"\x00\x00\x00\x05hello"):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "bank")
        writer.write(junk)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    bank = RemoteBank(tmp_path / "bank", "w0")
    assert isinstance(await Purse(bank, clock).enter(KEY, 1, 0), Ticket)
    await bank.close()
    await server.close()
