"""Rows of what hosts were given of limits, until they no longer count. In SQLite's words, which PostgreSQL knows too.

A row is what one host was given of one limit in one step of time. It counts in full from then on, used or not: for a
minute beyond the time in which it may be spent; requests at a time, for as long as the host says that it holds them;
money, until it was returned or has arrived as spent. So a host that dies gives back by saying nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from stargate.gateway.limits.allot import SHARE, Returned, Slice, Wish
from stargate.gateway.limits.pot import STEP_US, Kind

LEASE_US = 2_000_000
"""How long a host may spend what it was given."""
MINUTE_US = 60_000_000
HOLD_US = 15_000_000
"""How long requests at a time count that a host has not said again that it holds."""
MONEY_US = 70 * MINUTE_US
"""How long money counts that was neither returned nor told as spent: the longest request, and time to tell of it."""
KEPT_US: dict[Kind, int] = {
    "requests": MINUTE_US + LEASE_US + STEP_US,
    "tokens": MINUTE_US + LEASE_US + STEP_US,
    "slots": HOLD_US,
    "money": MONEY_US,
}

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS lease (
    application TEXT NOT NULL, kind TEXT NOT NULL, node TEXT NOT NULL, given_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL, amount BIGINT NOT NULL,
    PRIMARY KEY (application, kind, node, given_us)
)""",
    "CREATE INDEX IF NOT EXISTS lease_until ON lease (until_us)",
    "CREATE INDEX IF NOT EXISTS lease_node ON lease (node, kind)",
)
_ADD = (
    "INSERT INTO lease (application, kind, node, given_us, until_us, amount) VALUES (?,?,?,?,?,?)"
    " ON CONFLICT (application, kind, node, given_us)"
    " DO UPDATE SET amount = lease.amount + excluded.amount, until_us = excluded.until_us"
)
_CUT = (
    "UPDATE lease SET amount = CASE WHEN amount > ? THEN amount - ? ELSE 0 END"
    " WHERE application = ? AND kind = ? AND node = ? AND given_us = ?"
)
_SUM = (
    "SELECT CAST(coalesce(sum(amount), 0) AS BIGINT) FROM lease"
    " WHERE application = ? AND kind = ? AND until_us > ?"
)
_COMING = (
    "SELECT until_us, amount FROM lease WHERE application = ? AND kind = ? AND until_us > ?"
    " ORDER BY until_us LIMIT 1000"
)


class Database(Protocol):
    """A connection, within a transaction in which nobody else gives of the same limit."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """A cursor."""


def give(
    database: Database, node: str, wish: Wish, limit: int, at_us: int, *, hosts: int = 1, used: int = 0
) -> Slice:
    """A slice of a limit, of which `used` is gone for good."""
    given_us = at_us - at_us % STEP_US
    (out,) = database.execute(_SUM, (wish.application, wish.kind, at_us)).fetchone()
    left = limit - used - out
    amount = min(wish.count, limit)
    if amount > left or amount <= 0:
        return Slice(0, given_us, given_us, _more_us(database, wish, amount - left, at_us))
    amount += max(0, min(wish.ahead, (left - amount) // (SHARE * max(1, hosts))))
    _add(database, node, (wish.application, wish.kind), amount, at_us)
    return Slice(amount, given_us, given_us + LEASE_US)


def put_back(database: Database, node: str, returned: Returned, at_us: int) -> None:
    """A host has not used so much of what it was given then; below zero: so much more than it was given."""
    count = returned.count
    if count < 0:
        _add(database, node, (returned.application, returned.kind), -count, at_us)
    else:
        where = (returned.application, returned.kind, node, returned.given_us)
        database.execute(_CUT, (count, count, *where))


def hold(database: Database, node: str, slots: dict[str, int], at_us: int) -> None:
    """All requests at a time that a host holds."""
    database.execute("DELETE FROM lease WHERE node = ? AND kind = 'slots'", (node,))
    for application, count in slots.items():
        if count:
            _add(database, node, (application, "slots"), count, at_us)


def hold_on(database: Database, node: str, at_us: int) -> None:
    """It holds what it held."""
    database.execute(
        "UPDATE lease SET until_us = ? WHERE node = ? AND kind = 'slots'", (at_us + HOLD_US, node)
    )


def prune(database: Database, at_us: int) -> None:
    """Forget what no longer counts."""
    database.execute("DELETE FROM lease WHERE until_us <= ?", (at_us,))


def _add(database: Database, node: str, of: tuple[str, Kind], amount: int, at_us: int) -> None:
    given_us = 0 if of[1] == "slots" else at_us - at_us % STEP_US
    database.execute(_ADD, (*of, node, given_us, (given_us or at_us) + KEPT_US[of[1]], amount))


def _more_us(database: Database, wish: Wish, lacking: int, at_us: int) -> int:
    """When so much more will be left, if nobody gives back before; 0: not known."""
    if wish.kind not in ("requests", "tokens"):
        return 0
    for until_us, amount in database.execute(_COMING, (wish.application, wish.kind, at_us)).fetchall():
        lacking -= amount
        if lacking <= 0:
            return int(until_us)
    return 0
