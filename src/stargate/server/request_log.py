"""What became of requests at gateways: a row for each attempt, in a file of its own, as long as there is room.

It answers why a request went where it went. It is also where an attempt is first put on record, with what was known of
its key and its endpoint at that moment: told again later, it is counted by what was known then.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from stargate.base import wire
from stargate.base.errors import InternalError
from stargate.base.time import DAY, MINUTE, Instant
from stargate.gateway.lending.book import HOSTS, answer
from stargate.gateway.lending.shelf import SCHEMA as SHELF
from stargate.gateway.lending.shelf import prune, put_back
from stargate.gateway.limits import Returned
from stargate.gateway.limits.lease import Leased, Leasing, Limits
from stargate.gateway.record import Admitted, Scope, Settled, Why
from stargate.ledger.record.month import month_of

T = TypeVar("T")

PRUNED_AT_ONCE = 20_000
"""Rows that one call removes at most, so that none takes long."""
TELL_US = 10 * MINUTE
"""After a start, what had been leased counts for so long at least."""
WHYS_LIMIT = 100_000
ATTEMPTS_SHOWN = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS attempt (
    seq INTEGER PRIMARY KEY, source TEXT NOT NULL, epoch TEXT NOT NULL, number INTEGER NOT NULL,
    request TEXT NOT NULL, arrived INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (source, epoch, number)
) STRICT;
CREATE INDEX IF NOT EXISTS attempt_request ON attempt (request);
CREATE TABLE IF NOT EXISTS spent (
    application TEXT NOT NULL, source TEXT NOT NULL, node TEXT NOT NULL, month TEXT NOT NULL,
    micro_usd INTEGER NOT NULL,
    PRIMARY KEY (application, source, node, month)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS why (
    digest TEXT PRIMARY KEY, used INTEGER NOT NULL, body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Where(msgspec.Struct, frozen=True, omit_defaults=True):
    """The place of an endpoint, as far as it was known."""

    provider: str = ""
    party: str = ""
    """The provider as a party of agreements."""
    service: str = ""
    site: str = ""
    jurisdiction: str = ""
    pool: str = ""
    chip: str = ""
    tenure: str = ""
    agreement: str = ""


class Filed(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt, with what was known of those that it names when it was first told."""

    source: str
    """Under which the ledger has it: `gateway:` and the gateway's key."""
    node: str
    epoch: str
    admitted: Admitted
    settled: Settled
    key_name: str = ""
    """Empty: no key of that id was known."""
    scope: Scope = Scope()
    where: Where = Where()
    lab: str = ""
    micro_usd: int = 0
    """What the key's budget is charged, at the price of the model at that moment."""

    @property
    def name(self) -> tuple[str, str, int]:
        """For ever."""
        return self.source, self.epoch, self.admitted.seq


_FILED = wire.unpacker(Filed)
_WHY = wire.unpacker(Why)


class RequestLog:
    """One file; one server at a time writes it."""

    def __init__(self, path: Path, rows: int, days: int) -> None:
        self._path = path
        self._rows = rows
        self._kept_us = days * DAY
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="requests")
        self._database: sqlite3.Connection | None = None
        self._lent = False

    async def file(
        self, given: Sequence[Filed], whys: Iterable[Why], at: Instant
    ) -> list[tuple[Filed, bool]]:
        """Put attempts on record, each once. Gives them as they are on record, durably, and which of them are new.

        Raises InternalError where that cannot be done; then nothing of it was.
        """
        return await self._aside(lambda: self._file(given, tuple(whys), at))

    async def find(self, request: str) -> tuple[list[Filed], dict[str, Why]]:
        """The attempts for a request in their order, and the decisions that they name, by digest."""
        return await self._aside(lambda: self._find(request))

    async def lend(self, leasing: Leasing, limits: Limits, at: Instant) -> Leased:
        """Answer a host that wants money of keys' budgets, where what it spends is put on record.

        Raises InternalError where that cannot be done; then nothing of it was.
        """
        return await self._aside(lambda: self._lend(leasing, limits, at))

    async def close(self) -> None:
        """Finish what is being written, and close the file."""
        await self._aside(self._close)
        self._thread.shutdown(wait=False)

    # -- on its thread -------------------------------------------------------------------------------------------

    async def _aside(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.Error as error:
            raise InternalError(
                f"{self._path} cannot be used: {error}",
                "check free space and the permissions of its folder; what gateways hold they send again",
            ) from error

    def _file(self, given: Sequence[Filed], whys: Sequence[Why], at: Instant) -> list[tuple[Filed, bool]]:
        database = self._open()
        with database:
            database.execute("BEGIN IMMEDIATE")
            (last,) = database.execute("SELECT coalesce(max(seq), 0) FROM attempt").fetchone()
            rows = [(*each.name, each.admitted.request, at, wire.pack(each)) for each in given]
            before = database.total_changes
            database.executemany(
                "INSERT OR IGNORE INTO attempt (source, epoch, number, request, arrived, body) VALUES (?,?,?,?,?,?)",
                rows,
            )
            known = database.total_changes - before < len(rows)
            database.executemany(
                "INSERT INTO why VALUES (?,?,?) ON CONFLICT (digest) DO UPDATE SET used = excluded.used",
                [(why.digest, at, wire.pack(why)) for why in whys],
            )
            named = {each.admitted.why for each in given}
            database.executemany(
                "UPDATE why SET used = ? WHERE digest = ?", [(at, digest) for digest in named]
            )
            kept = self._kept(database, given, last) if known else [(each, True) for each in given]
            self._charge(database, [each for each, is_new in kept if is_new and each.micro_usd])
            self._prune(database, at, len(rows))
            return kept

    def _charge(self, database: sqlite3.Connection, charged: Sequence[Filed]) -> None:
        """Add up what keys have spent. It outlives the rows."""
        sums: Counter[tuple[str, str, str, str]] = Counter()
        for each in charged:
            month = month_of(Instant(each.admitted.at_us))
            sums[each.admitted.application, each.source, each.node, month] += each.micro_usd
        database.executemany(
            "INSERT INTO spent VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET micro_usd = micro_usd + excluded.micro_usd",
            [(*of, micro_usd) for of, micro_usd in sums.items()],
        )
        for each in charged:
            if each.admitted.lease_us:
                spent = Returned(each.admitted.application, "money", each.micro_usd, each.admitted.lease_us)
                put_back(database, holder(each.source, each.node), spent, Instant(0))

    def _lend(self, leasing: Leasing, limits: Limits, at: Instant) -> Leased:
        database = self._open()
        with database:
            database.execute("BEGIN IMMEDIATE")
            if not self._lent:
                # Hosts could tell nothing of what they had spent while nobody was here to be told.
                database.execute(
                    "UPDATE lease SET until_us = ? WHERE until_us < ?", (at + TELL_US, at + TELL_US)
                )
                self._lent = True
            prune(database, at)
            month = month_of(at)
            return answer(
                database, leasing, limits, at, lambda wish: _month(database, wish.application, month)
            )

    def _kept(
        self, database: sqlite3.Connection, given: Sequence[Filed], last: int
    ) -> list[tuple[Filed, bool]]:
        """As they were first told; what came after row `last` is new."""
        query = "SELECT seq, body FROM attempt WHERE source = ? AND epoch = ? AND number = ?"
        rows = (database.execute(query, each.name).fetchone() for each in given)
        return [(_FILED.decode(body), seq > last) for seq, body in rows]

    def _prune(self, database: sqlite3.Connection, at: Instant, added: int) -> None:
        """Remove what is too old, or too much; never what has come now."""
        first, last = database.execute("SELECT min(seq), max(seq) FROM attempt").fetchone()
        if first is None:
            return
        young = database.execute(
            "SELECT seq FROM attempt WHERE arrived >= ? ORDER BY seq LIMIT 1", (at - self._kept_us,)
        ).fetchone()
        until = max(last - max(self._rows, added) + 1, last + 1 if young is None else young[0])
        database.execute("DELETE FROM attempt WHERE seq < ?", (min(until, first + PRUNED_AT_ONCE),))
        database.execute("DELETE FROM why WHERE used < ?", (at - self._kept_us,))
        (count,) = database.execute("SELECT count(*) FROM why").fetchone()
        if count > WHYS_LIMIT:
            database.execute(
                "DELETE FROM why WHERE digest IN (SELECT digest FROM why WHERE used < ? ORDER BY used LIMIT ?)",
                (at, count - WHYS_LIMIT),
            )

    def _find(self, request: str) -> tuple[list[Filed], dict[str, Why]]:
        database = self._open()
        rows = database.execute(
            "SELECT body FROM attempt WHERE request = ? LIMIT ?", (request, ATTEMPTS_SHOWN)
        ).fetchall()
        found: list[Filed] = sorted(
            (_FILED.decode(body) for (body,) in rows),
            key=lambda each: (each.admitted.nth, each.admitted.at_us),
        )
        whys: dict[str, Why] = {}
        for digest in {each.admitted.why for each in found}:
            row = database.execute("SELECT body FROM why WHERE digest = ?", (digest,)).fetchone()
            if row is not None:
                whys[digest] = _WHY.decode(row[0])
        return found, whys

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=10)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(";".join((SCHEMA, *SHELF, HOSTS)))
            self._database = database
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            with closing(self._database):
                self._database = None


def holder(source: str, node: str) -> str:
    """A host, as leases name it."""
    return f"{source} {node}"


def _month(database: sqlite3.Connection, application: str, month: str) -> int:
    query = "SELECT coalesce(sum(micro_usd), 0) FROM spent WHERE application = ? AND month = ?"
    (spent,) = database.execute(query, (application, month)).fetchone()
    return int(spent)
