"""Numbers for names: what the record repeats (sources, streams, accounts) is written once and named by number."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from stargate.ledger.store.database import Database, Row

KEPT_IN_MEMORY = 200_000
"""Names of each table that are remembered from one transaction to the next."""

COLUMNS = {
    "source": ("name",),
    "account": ("path",),
    "stream": ("digest", "metric", "party", "provider", "quoted_usd", "attributes"),
}
"""The columns of each table beside its number; the first one is unique."""

Known = dict[str, dict[Hashable, int]]
"""By table: the numbers of names that are committed. Such a number never changes."""


class Names:
    """The numbers of names within one transaction; new names get the next ones."""

    def __init__(self, database: Database, known: Known) -> None:
        self._database = database
        self._known = known
        self._learnt: Known = {table: {} for table in COLUMNS}

    def numbers(self, table: str, wanted: Mapping[Any, Row]) -> dict[Any, int]:
        """The number of each name that is wanted; each comes with the row it is, or becomes, but for the number."""
        known, learnt = self._known.setdefault(table, {}), self._learnt[table]
        unknown = {row[0]: name for name, row in wanted.items() if name not in known and name not in learnt}
        if unknown:
            by = COLUMNS[table][0]
            query = f"SELECT {by}, id FROM {table} WHERE {by} IN"
            for found, number in self._database.find(query, list(unknown)):
                learnt[unknown.pop(found)] = number
        if unknown:
            first = int(self._database.run(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")[0][0])
            names = dict(enumerate(unknown.values(), first))
            rows = [(number, *wanted[name]) for number, name in names.items()]
            self._database.insert(table, ("id", *COLUMNS[table]), rows)
            learnt.update((name, number) for number, name in names.items())
        return {name: learnt[name] if name in learnt else known[name] for name in wanted}

    def committed(self) -> None:
        """What was learnt here holds from here on."""
        for table, learnt in self._learnt.items():
            known = self._known.setdefault(table, {})
            if len(known) + len(learnt) > KEPT_IN_MEMORY:
                known.clear()
            known.update(learnt)
