"""What a host gives its workers: what it leased, and its part of a limit while the bank is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from stargate.gateway.lending import SqliteBook
from stargate.gateway.limits import NoBankError, Returned, Wish
from stargate.gateway.limits.lease import Leased, Leasing, Limits
from stargate.gateway.limits.purse import UNKNOWN
from stargate.gateway.record import Application, Scope
from stargate.gateway.steward.branch import Branch
from stargate.gateway.steward.teller import Teller
from tests.gateway.steward.virtual import clock_us, run

KEY = Application(
    "k",
    "k",
    "k",
    Scope(requests_per_minute=90, tokens_per_minute=9_000, concurrent_requests=9, budget_micro_usd=500),
)


class Bank:
    """It counts how often it is asked, and may be away."""

    def __init__(self) -> None:
        self.book = SqliteBook(":memory:", clock_us)
        self.asked = 0
        self.away = False

    async def lend(self, leasing: Leasing, limits: Limits) -> Leased:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.away:
            raise NoBankError("away", "wait")
        return await self.book.lend(leasing, limits)

    async def close(self) -> None:
        await self.book.close()


def host(bank: Bank, name: str = "h") -> tuple[Teller, asyncio.Task[None]]:
    teller = Teller(clock_us)
    branch = Branch(bank, teller.limit, (name, "s"), teller.slots)
    teller.open(branch, branch)
    teller.update([KEY])
    return teller, asyncio.create_task(branch.run(teller.beat))


def within(main: Callable[[Bank], Coroutine[Any, Any, None]]) -> None:
    async def opened() -> None:
        bank = Bank()
        try:
            await main(bank)
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    run(opened())


def test_most_is_given_without_asking_anybody() -> None:
    """And many that wait are one question."""

    async def main(bank: Bank) -> None:
        teller, _ = host(bank)
        got = 0
        for _ in range(30):
            wishes = [[Wish("k", "tokens", 20, 200)] for _ in range(4)]
            found = await asyncio.gather(*(teller.give("w", each) for each in wishes))
            got += sum(slices[0].count for slices in found)
            await asyncio.sleep(0.1)
        assert got >= 30 * 4 * 20
        assert bank.asked < 20

    within(main)


def test_while_the_bank_is_away_each_host_gives_its_part() -> None:
    """Of what is counted by the minute or at a time; of money nothing, as nobody knows what is left."""

    async def main(bank: Bank) -> None:
        tellers = [host(bank, name)[0] for name in "abc"]
        await asyncio.sleep(6)
        bank.away = True
        await asyncio.sleep(6)
        passed = {"requests": 0, "slots": 0}
        for teller in tellers:
            for kind in passed:
                for _ in range(100):
                    (given,) = await teller.give("w", [Wish("k", kind, 1)])  # type: ignore[arg-type]
                    passed[kind] += max(0, given.count)
            (money,) = await teller.give("w", [Wish("k", "money", 1)])
            assert money.count == UNKNOWN
        assert passed == {"requests": 90, "slots": 9}
        bank.away = False
        await asyncio.sleep(3)
        (given,) = await tellers[0].give("w", [Wish("k", "requests", 1)])
        assert given.count == 0, "the bank was told what had been given meanwhile"
        (money,) = await tellers[0].give("w", [Wish("k", "money", 1)])
        assert money.count == 1
        await asyncio.sleep(65)
        (given,) = await tellers[0].give("w", [Wish("k", "requests", 1)])
        assert given.count == 1

    within(main)


def test_what_is_at_hand_is_spent_while_the_bank_is_away() -> None:
    """Money too."""

    async def main(bank: Bank) -> None:
        teller, _ = host(bank)
        await teller.give("w", [Wish("k", "money", 10, 400)])
        bank.away = True
        (given,) = await teller.give("w", [Wish("k", "money", 20)])
        assert given.count == 20

    within(main)


def test_what_lies_idle_reaches_other_hosts_within_seconds() -> None:
    async def main(bank: Bank) -> None:
        (one, _), (other, _) = host(bank, "a"), host(bank, "b")
        wishes = [Wish("k", "requests", 90), Wish("k", "slots", 9), Wish("k", "money", 500)]
        held = await one.give("w", wishes)
        assert [each.count for each in held] == [90, 9, 500]
        assert [each.count for each in await other.give("v", wishes)] == [0, 0, 0]
        one.take_back(
            "w",
            [
                Returned("k", wish.kind, given.count, given.given_us)
                for wish, given in zip(wishes, held, strict=True)
            ],
        )
        await asyncio.sleep(4)
        assert [each.count for each in await other.give("v", wishes)] == [90, 9, 500]

    within(main)


def test_the_requests_of_a_worker_that_died_are_over() -> None:
    async def main(bank: Bank) -> None:
        teller, _ = host(bank)
        await teller.give("w", [Wish("k", "slots", 9)])
        assert (await teller.give("v", [Wish("k", "slots", 1)]))[0].count == 0
        teller.forget("w")
        await asyncio.sleep(0.2)
        assert (await teller.give("v", [Wish("k", "slots", 9)]))[0].count == 9

    within(main)


@pytest.mark.parametrize("kind", ["requests", "tokens", "slots", "money"])
def test_a_key_that_nobody_knows_is_given_nothing(kind: str) -> None:
    async def main(bank: Bank) -> None:
        teller, _ = host(bank)
        (given,) = await teller.give("w", [Wish("nobody", kind, 1)])  # type: ignore[arg-type]
        assert given.count == 0

    within(main)


def test_what_was_just_given_is_among_what_is_held() -> None:
    """However fast one question follows another."""

    async def main(bank: Bank) -> None:
        teller, _ = host(bank)
        await asyncio.sleep(2)
        others = []
        for nth in range(6):
            others.append(asyncio.create_task(teller.give(f"w{nth}", [Wish("k", "slots", 1)])))
            await asyncio.sleep(0.004)
        assert sum([(await each)[0].count for each in others]) == 6
        elsewhere, _ = host(bank, "other")
        (given,) = await elsewhere.give("v", [Wish("k", "slots", 4)])
        assert given.count == 0

    within(main)


def test_money_for_whoever_has_gone_goes_back() -> None:
    async def main(bank: Bank) -> None:
        teller, _ = host(bank)
        asking = asyncio.create_task(teller.give("w", [Wish("k", "money", 500)]))
        await asyncio.sleep(0.005)
        asking.cancel()
        await asyncio.sleep(2)
        (given,) = await host(bank, "other")[0].give("v", [Wish("k", "money", 500)])
        assert given.count == 500

    within(main)
