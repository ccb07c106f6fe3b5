"""From drafts to rows: the lines they change as they stand, and the entries with their numbers.

Everything a batch needs is asked for at once, and written at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stargate.ledger.record import Draft, LineKey
from stargate.ledger.record.entry import accounts_of
from stargate.ledger.record.line import SORTED_JSON, plain
from stargate.ledger.store.database import Database, Row
from stargate.ledger.store.names import Names

_LINE = (
    "number", "id", "kind", "payer", "payee", "month", "start_us", "end_us", "clause", "unit", "metric",
    "price_usd", "quoted_usd", "portion", "attributes", "micro", "posted_micro", "entries",
)  # fmt: skip


class LineStanding:
    """A line while it is being posted to."""

    __slots__ = ("account", "contra", "entries", "first", "key", "micro", "number", "posted")

    def __init__(self, key: LineKey, accounts: tuple[int, int]) -> None:
        self.key = key
        self.account, self.contra = accounts
        self.number = self.micro = self.posted = self.entries = 0
        self.first: int | None = None
        """Its first entry, once that is known."""

    def row(self) -> Row:
        """As the table has it."""
        key = self.key
        return (
            self.number, key.id, key.kind, key.payer, key.payee, key.month, int(key.start), int(key.end), key.clause,
            key.unit, key.metric, plain(key.price_usd), plain(key.quoted_usd), key.portion,
            SORTED_JSON.encode(key.attributes).decode(), self.micro, self.posted, self.entries,
        )  # fmt: skip


class Standing:
    """The lines that drafts change; those that are not there yet get the next numbers."""

    def __init__(self, database: Database, names: Names, drafts: Sequence[Draft]) -> None:
        self._database = database
        keys = {draft.line.id: draft.line for draft in drafts}
        pairs = {(key.payer, key.payee, key.kind, key.unit): accounts_of(key) for key in keys.values()}
        paths = {path: (path,) for pair in pairs.values() for path in pair}
        number = names.numbers("account", paths)
        accounts = {of: (number[one], number[other]) for of, (one, other) in pairs.items()}
        self.lines = {
            id: LineStanding(key, accounts[key.payer, key.payee, key.kind, key.unit])
            for id, key in keys.items()
        }
        query = "SELECT id, number, micro, posted_micro, entries FROM line WHERE id IN"
        for id, number_, micro, posted, entries in database.find(query, list(keys)):
            line = self.lines[bytes(id)]
            line.number, line.micro, line.posted, line.entries = number_, micro, posted, entries
        self._fresh = [line for line in self.lines.values() if not line.number]
        self._changed = [line for line in self.lines.values() if line.number]
        if self._fresh:
            last = int(database.run("SELECT coalesce(max(number), 0) FROM line")[0][0])
            for line_number, line in enumerate(self._fresh, last + 1):
                line.number = line_number

    def find_first(self, months: Mapping[str, str]) -> None:
        """Ask for the first entries of those lines whose month is booked in another."""
        late = {line.number: line for line in self._changed if months[line.key.month] != line.key.month}
        query = "SELECT line, seq FROM entry WHERE nth = 1 AND line IN"
        for number, seq in self._database.find(query, list(late)):
            late[number].first = seq

    def write(self) -> None:
        """Put the lines where they stand now."""
        self._database.insert("line", _LINE, [line.row() for line in self._fresh])
        changed = [line.row() for line in self._changed]
        self._database.insert(
            "line", _LINE, changed, unique="number", update=("micro", "posted_micro", "entries")
        )


class Posted:
    """The entries that drafts become."""

    def __init__(
        self, standing: Standing, months: Mapping[str, str], entry_seq: int, at_us: int, usage_seq: int
    ) -> None:
        standing.find_first(months)
        self._lines = standing.lines
        self._months = months
        self._seq = entry_seq
        self._at_us = at_us
        self._usage_seq = usage_seq
        self.entries: list[Row] = []
        """Rows of the table."""
        self.balances: dict[tuple[int, int, str], int] = {}
        """By account, contra account and month: by how much the first grows and the second shrinks."""

    def add(self, draft: Draft) -> None:
        """One more entry."""
        key = draft.line
        line = self._lines[key.id]
        month = self._months[key.month]
        seq = self._seq = self._seq + 1
        nth = line.entries = line.entries + 1
        line.micro += draft.micro
        line.posted += draft.amount_micro
        corrects = line.first if nth > 1 and month != key.month else None
        if nth == 1:
            line.first = seq
        due = None if draft.due is None else int(draft.due)
        self.entries.append(
            (
                seq, line.number, nth, line.account, line.contra, draft.amount_micro, draft.micro, month, self._at_us,
                self._usage_seq, draft.says, draft.text_ref, due, corrects,
            )
        )  # fmt: skip
        moved = (line.account, line.contra, month)
        self.balances[moved] = self.balances.get(moved, 0) + draft.amount_micro
