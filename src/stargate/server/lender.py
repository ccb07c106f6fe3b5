"""The bank of all gateways: what hosts may spend of the limits and budgets of keys, as the keys are now.

What is given of a minute lies in a file of its own that no loss of power needs to spare. Money lies with the log of
requests, so that what arrives as spent is in one step no longer leased.
"""

from __future__ import annotations

import msgspec

from stargate.gateway.lending import SqliteBook
from stargate.gateway.limits import Slice, Wish, limit_of
from stargate.gateway.limits.lease import Leased, Leasing
from stargate.server.auth import Keyring
from stargate.server.driver import Driver
from stargate.server.request_log import RequestLog, holder

MONEY = "money"


class Lender:
    """Answers hosts."""

    def __init__(self, driver: Driver, keyring: Keyring, book: SqliteBook, log: RequestLog) -> None:
        self._driver = driver
        self._keyring = keyring
        self._book = book
        self._log = log

    async def lend(self, leasing: Leasing, source: str) -> Leased:
        """A slice for each wish. Raises InternalError where nobody can say now what is left."""
        named = msgspec.structs.replace(leasing, node=holder(source, leasing.node))
        money = _part(named, money=True)
        minute = await self._book.lend(_part(named, money=False), self._limit)
        lent: tuple[Slice, ...] = ()
        if money.wishes or money.returned:  # each costs a write that must be durable
            lent = (await self._log.lend(money, self._limit, self._driver.now())).slices
        found = {True: iter(lent), False: iter(minute.slices)}
        slices = tuple(next(found[wish.kind == MONEY]) for wish in leasing.wishes)
        return Leased(slices, minute.hosts)

    async def close(self) -> None:
        """Let go."""
        await self._book.close()

    def _limit(self, wish: Wish) -> int:
        """Keys that are no longer good have none."""
        key = self._keyring.find(wish.application)
        if key is None or key.scope is None or key.refusal(self._driver.now()):
            return 0
        return limit_of(key.application(), wish.kind)


def _part(leasing: Leasing, *, money: bool) -> Leasing:
    """What of it is about money, or about all else."""
    return msgspec.structs.replace(
        leasing,
        wishes=tuple(wish for wish in leasing.wishes if (wish.kind == MONEY) == money),
        returned=tuple(each for each in leasing.returned if (each.kind == MONEY) == money),
        slots=None if money else leasing.slots,
    )
