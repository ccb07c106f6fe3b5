"""The bank of several hosts: whoever asks is answered from one table, in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from stargate.gateway.lending.shelf import (
    MINUTE_US,
    SCHEMA,
    Database,
    give,
    hold,
    hold_on,
    prune,
    put_back,
)
from stargate.gateway.limits import NoBankError, Wish
from stargate.gateway.limits.lease import Leased, Leasing, Limits

HOSTS = """CREATE TABLE IF NOT EXISTS host (
    node TEXT PRIMARY KEY, session TEXT NOT NULL, number BIGINT NOT NULL, until_us BIGINT NOT NULL
)"""
PRUNE_US = 10_000_000


class Book(ABC):
    """What hosts hold of requests and tokens a minute and of requests at a time. See `Lender`."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leases")
        self._pruned_us = 0

    async def lend(self, leasing: Leasing, limits: Limits) -> Leased:
        """See `Lender`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._lend, leasing, limits)

    async def close(self) -> None:
        """See `Lender`."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    # -- on its thread -------------------------------------------------------------------------------------

    @abstractmethod
    def _transaction(self, names: Sequence[str]) -> AbstractContextManager[tuple[Database, int]]:
        """A transaction in which nobody else gives of limits of these names, and what time it is.

        Raises NoBankError.
        """

    @abstractmethod
    def _close(self) -> None:
        """Let go of the database."""

    def _lend(self, leasing: Leasing, limits: Limits) -> Leased:
        names = {f"{each.kind} {each.application}" for each in leasing.wishes}
        names |= {f"slots {application}" for application in leasing.slots or ()}
        with self._transaction(sorted(names)) as (database, at_us):
            leased = answer(database, leasing, limits, at_us)
            if at_us >= self._pruned_us + PRUNE_US:
                self._pruned_us = at_us
                prune(database, at_us)
        return leased


def answer(
    database: Database,
    leasing: Leasing,
    limits: Limits,
    at_us: int,
    used: Callable[[Wish], int] = lambda _: 0,
) -> Leased:
    """Answer a host, within a transaction. `used`: what of a limit is gone for good."""
    node = leasing.node
    hosts, fresh = _heard(database, leasing, at_us)
    for each in leasing.returned if fresh else ():
        put_back(database, node, each, at_us)
    if leasing.slots is None:
        hold_on(database, node, at_us)
    else:
        hold(database, node, leasing.slots, at_us)
    slices = [
        give(database, node, wish, limits(wish), at_us, hosts=hosts, used=used(wish))
        for wish in leasing.wishes
    ]
    return Leased(tuple(slices), hosts)


def _heard(database: Database, leasing: Leasing, at_us: int) -> tuple[int, bool]:
    """How many hosts there are with this one, and whether it says something new."""
    row = database.execute("SELECT session, number FROM host WHERE node = ?", (leasing.node,)).fetchone()
    database.execute(
        "INSERT INTO host (node, session, number, until_us) VALUES (?,?,?,?) ON CONFLICT (node) DO UPDATE SET"
        " session = excluded.session, number = excluded.number, until_us = excluded.until_us",
        (leasing.node, leasing.session, leasing.number, at_us + MINUTE_US),
    )
    (hosts,) = database.execute("SELECT count(*) FROM host WHERE until_us > ?", (at_us,)).fetchone()
    fresh = row is None or row[0] != leasing.session or leasing.number > row[1]
    return int(hosts), fresh


class SqliteBook(Book):
    """In a file of one process. What it says survives that process, not a loss of power, which lasts a minute."""

    def __init__(self, path: Path | str, clock_us: Callable[[], int]) -> None:
        super().__init__()
        self._path = path
        self._clock_us = clock_us
        self._database: sqlite3.Connection | None = None

    @contextmanager
    def _transaction(self, names: Sequence[str]) -> Iterator[tuple[Database, int]]:
        try:
            database = self._open()
            with database:
                database.execute("BEGIN IMMEDIATE")
                yield database, self._clock_us()
        except sqlite3.Error as error:
            raise NoBankError(
                f"{self._path} cannot be used: {error}", "Check free space and the permissions of its folder"
            ) from error

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = OFF")
            for statement in (*SCHEMA, HOSTS):
                database.execute(statement)
            self._database = database
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None
