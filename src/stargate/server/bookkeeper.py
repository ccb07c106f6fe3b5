"""Keeps the ledger beside the broker: each minute, and when an hour is full, it counts what has happened since.

The broker never waits for it: the state is read between two batches, a bounded part at a time, and all that
touches the ledger runs on a thread of its own. Where the ledger cannot be reached, the next round tries again and goes
on from where it was: how far it has come is on record with what was counted.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice, takewhile
from typing import NamedTuple, TypeVar

from stargate.agreements import Agreement, WorldFact
from stargate.base.errors import StargateError
from stargate.base.time import HOUR, SECOND, Instant
from stargate.broker import State
from stargate.broker.command import DeclareFact
from stargate.broker.records import AttemptState
from stargate.ledger import BudgetState, Ledger, Store, open_store
from stargate.ledger.intake import Follower, OnChips, hour_of, on_chips
from stargate.ledger.record.month import month_of
from stargate.ledger.settle.budget import to_declare
from stargate.server.driver import Driver

T = TypeVar("T")
_log = logging.getLogger(__name__)

PORTION = 2_000
"""Attempts looked at in one go, on the loop."""
SOON_S = 0.05
"""The shortest pause: an hour that is all but full."""


class _Seen(NamedTuple):
    """What the state said at a moment."""

    at: Instant
    """Whatever happened before it is in the state."""
    agreements: tuple[Agreement, ...]
    facts: tuple[WorldFact, ...]
    """Those that were not seen before."""


class Bookkeeper:
    """Counts one broker's journal into the ledger at `where`."""

    def __init__(self, where: str, every_s: float) -> None:
        self.where = where
        self.failure = ""
        """Why the last round did not count; empty: it did."""
        self._notices: tuple[str, ...] = ()
        self._every_s = every_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._store: Store | None = None
        self._agreements: tuple[Agreement, ...] | None = None
        """As they were put on record last."""
        self._faulty = ""
        self._facts = 0
        """How many of the broker's facts of the world are on record."""
        self._states: tuple[tuple[int, int, str], tuple[BudgetState, ...]] | None = None
        """How teams stand, and with which record and month that was so."""
        self._over = 0
        """The first so many attempts had ended in an hour that is counted."""

    async def open(self) -> Instant:
        """Open the ledger; gives up to when it was counted before, 0 where that cannot be known now."""
        try:
            return await self._aside(self._mark)
        except StargateError as error:
            self._failed(error)
            return Instant(0)

    async def run(self, driver: Driver) -> None:
        """Round after round, until cancelled."""
        while True:
            await self.round(driver)
            to_hour_s = (HOUR - driver.now() % HOUR) / SECOND
            await asyncio.sleep(max(SOON_S, min(self._every_s, to_hour_s)))

    async def round(self, driver: Driver) -> None:
        """Count what has happened since the last one. What goes wrong is said in `failure`, and tried again."""
        try:
            await self._count(driver)
            self.failure = ""
        except Exception as error:  # noqa: BLE001 - the broker goes on, whatever becomes of the ledger
            self._failed(error)
            await self._aside(self._let_go)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What an operator should look at."""
        behind = (f"the ledger is behind: {self.failure}",) if self.failure else ()
        return (*behind, *self._notices)

    async def read(self, question: Callable[[Ledger], T]) -> T:
        """The answer of the ledger as it is on record, by a connection of its own. Raises LedgerError."""
        return await asyncio.to_thread(partial(_asked, self.where, question))

    async def write(self, command: Callable[[Ledger], T]) -> T:
        """Let something be put on record, in turn with what is counted. Raises what it raises."""
        return await self._aside(lambda: command(self._follower().ledger))

    async def close(self) -> None:
        """Finish what is being written, and let go of the ledger."""
        await self._aside(self._let_go)
        self._thread.shutdown(wait=False)

    # -- a round -----------------------------------------------------------------------------------------------

    async def _count(self, driver: Driver) -> None:
        mark = await self._aside(self._mark)
        seen = await driver.read(partial(self._glance, driver))
        hour = hour_of(seen.at)
        found, over = await self._found(driver, mark, hour) if hour > mark else ([], self._over)
        states = await self._aside(partial(self._put_down, seen, found, max(hour, mark)))
        self._over, self._facts = over, self._facts + len(seen.facts)
        known = await driver.read(lambda state: dict(state.spent_up))
        for fact in to_declare(states, known, seen.at):
            await driver.ask(f"ledger/{uuid.uuid4().hex}", DeclareFact(fact))

    def _glance(self, driver: Driver, state: State) -> _Seen:
        records = state.records
        facts = tuple(islice(records.world_facts, self._facts, None))
        return _Seen(driver.settled(), records.agreements, facts)

    async def _found(self, driver: Driver, mark: Instant, hour: Instant) -> tuple[list[OnChips], int]:
        """Who was on chips in the hours between, and how many of the first attempts need no look again."""
        found: list[OnChips] = []
        start, over = self._over, self._over
        while True:
            seen, ended, part = await driver.read(partial(_portion, start, mark, hour))
            found += part
            if over == start:
                over += ended
            start += seen
            if seen < PORTION:
                return found, over

    def _put_down(self, seen: _Seen, found: Sequence[OnChips], hour: Instant) -> tuple[BudgetState, ...]:
        """All of it on record, rated. On the ledger's thread."""
        follower = self._follower()
        if seen.agreements is not self._agreements or seen.facts:
            self._faulty = follower.declare(seen.agreements, seen.facts, seen.at)
            self._agreements = seen.agreements
        taken = follower.take(found, hour, seen.at)
        follower.ledger.rate(seen.at)
        states = self._budgets(follower.ledger, seen.at)
        faulty = (f"the ledger goes on with the agreements before: {self._faulty}",) if self._faulty else ()
        self._notices = (
            *faulty,
            *(f"usage {one.key} of {one.source} was refused: {one.says}" for one in taken.refused),
            *(str(state) for state in states if state.status != "within"),
        )
        return states

    def _budgets(self, ledger: Ledger, at: Instant) -> tuple[BudgetState, ...]:
        now, month = ledger.store.position(), month_of(at)
        asked = (now.entry_seq, now.terms_seq, month)
        if self._states is None or self._states[0] != asked:
            self._states = (asked, ledger.budgets(month, at))
        return self._states[1]

    # -- the ledger's thread -----------------------------------------------------------------------------------

    async def _aside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _follower(self) -> Follower:
        if self._store is None:
            self._store = open_store(self.where)
        return Follower(Ledger(self._store))

    def _mark(self) -> Instant:
        return self._follower().mark()

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = self._agreements = self._states = None

    def _failed(self, error: Exception) -> None:
        says = error.message if isinstance(error, StargateError) else f"{type(error).__name__}: {error}"
        if says != self.failure:
            _log.warning("the ledger is behind: %s", says, exc_info=not isinstance(error, StargateError))
        self.failure = says


def _portion(start: int, mark: Instant, hour: Instant, state: State) -> tuple[int, int, tuple[OnChips, ...]]:
    """So many attempts after `start`: how many, how many of the first had ended by `hour`, who was on chips."""
    attempts = tuple(islice(state.records.attempts.values(), start, start + PORTION))
    ended = sum(1 for _ in takewhile(lambda attempt: _ended(attempt, hour), attempts))
    return len(attempts), ended, tuple(on_chips(state, mark, hour, attempts))


def _ended(attempt: AttemptState, hour: Instant) -> bool:
    return attempt.ended_at is not None and attempt.ended_at <= hour


def _asked(where: str, question: Callable[[Ledger], T]) -> T:
    store = open_store(where, readonly=True)
    try:
        return question(Ledger(store))
    finally:
        store.close()
