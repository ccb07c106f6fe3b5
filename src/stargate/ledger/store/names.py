"""Numbers for names: what the record repeats (sources, streams, accounts) is written once and named by number."""

from __future__ import annotations

from collections.abc import Callable, Collection
from hashlib import blake2b
from typing import TypeVar

from stargate.ledger.store.database import Database, Row

KEPT_IN_MEMORY = 200_000
"""Names of each table that are remembered from one transaction to the next."""

COLUMNS = {
    "source": ("name",),
    "account": ("path",),
    "subject": (
        "digest", "kind", "payer", "payee", "month", "clause", "unit", "metric", "price_usd", "quoted_usd", "portion",
        "attributes",
    ),
    "stream": ("digest", "metric", "party", "provider", "quoted_usd", "attributes"),
}  # fmt: skip
"""The columns of each table beside its number; the first one is unique."""

Name = str | bytes
N = TypeVar("N", bound=Name)
Known = dict[str, dict[Name, int]]
"""By table: the numbers of names that are committed. Such a number never changes."""


class Names:
    """The numbers of names within one transaction; new names get the next ones."""

    def __init__(self, database: Database, known: Known) -> None:
        self._database = database
        self._known = known
        self._learnt: Known = {table: {} for table in COLUMNS}

    def numbers(self, table: str, names: Collection[N], row_of: Callable[[N], Row]) -> dict[N, int]:
        """The number of each name; `row_of` gives its row as it is, or becomes, without the number.

        Names that are new get theirs in the order given, so that the same calls make the same chain.
        """
        known, learnt = self._known.setdefault(table, {}), self._learnt[table]
        rows = {name: row_of(name) for name in names if name not in known and name not in learnt}
        if rows:
            by = COLUMNS[table][0]
            unknown = {row[0]: name for name, row in rows.items()}
            for found, number in self._database.find(
                f"SELECT {by}, id FROM {table} WHERE {by} IN", list(unknown)
            ):
                learnt[unknown.pop(found)] = int(number)
            first = int(self._database.run(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")[0][0])
            fresh = dict(enumerate(unknown.values(), first))
            added = [(number, *rows[name]) for number, name in fresh.items()]
            self._database.insert(table, ("id", *COLUMNS[table]), added)
            learnt.update((name, number) for number, name in fresh.items())
        return {name: learnt[name] if name in learnt else known[name] for name in names}

    def committed(self) -> None:
        """What was learnt here holds from here on."""
        for table, learnt in self._learnt.items():
            known = self._known.setdefault(table, {})
            if len(known) + len(learnt) > KEPT_IN_MEMORY:
                known.clear()
            known.update(learnt)


def digest_of(said: bytes) -> bytes:
    """16 bytes that stand for what is said."""
    return blake2b(said, digest_size=16).digest()
