"""The record as it is written, for archives: rows of its tables in order, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator

from stargate.ledger.record import Month
from stargate.ledger.store.chain import COVERED
from stargate.ledger.store.database import Database, Row
from stargate.ledger.store.names import COLUMNS

COPIED: dict[str, tuple[str, ...]] = {
    "usage_event": COVERED["usage_event"],
    "entry": (
        "seq", "line", "line_id", "subject", "start_us", "end_us", "nth", "amount", "micro", "month", "recorded_us",
        "usage_seq", "says", "text_ref", "due_us", "corrects",
    ),
    "terms": ("seq", "kind", "digest", "recorded_us", "body"),
    "block": ("seq", "usage_seq", "terms_seq", "entry_seq", "hash"),
    "source": ("id", *COLUMNS["source"]),
    "stream": ("id", *COLUMNS["stream"]),
    "subject": ("id", *COLUMNS["subject"]),
}  # fmt: skip
"""The tables, each with its columns; the first counts up. An entry knows the subject and the span of its line."""

_ENTRY = "entry AS e JOIN standing AS l ON l.number = e.line"


class Copying:
    """Questions of somebody who copies the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def extent(self, month: Month, before: dict[str, int]) -> dict[str, int]:
        """How far each table goes with the close of a month. Names count as far as something of it bears them."""
        block = self._database.run(
            "SELECT block FROM month WHERE name = ? AND status = 'closed'", (month.name,)
        )[0][0]
        whole = {
            "usage_event": month.usage_seq,
            "entry": month.entry_seq,
            "terms": month.terms_seq,
            "block": int(block),
        }
        for table, query in (
            ("source", "SELECT max(source) FROM usage_event WHERE seq > ? AND seq <= ?"),
            ("stream", "SELECT max(stream) FROM usage_event WHERE seq > ? AND seq <= ?"),
            ("subject", f"SELECT max(l.subject) FROM {_ENTRY} WHERE e.seq > ? AND e.seq <= ?"),
        ):
            by = "entry" if table == "subject" else "usage_event"
            found = self._database.run(query, (before.get(by, 0), whole[by]))[0][0]
            whole[table] = max(before.get(table, 0), int(found or 0))
        return whole

    def rows(self, table: str, after: int, upto: int) -> Iterator[Row]:
        """The rows of a table after one number and up to another, in order."""
        columns = COPIED[table]
        if table == "entry":
            rest = ", ".join(f"e.{column}" for column in columns[6:])
            query = f"SELECT e.seq, e.line, l.id, l.subject, l.start_us, l.end_us, {rest} FROM {_ENTRY}"
            where = "e.seq"
        else:
            query, where = f"SELECT {', '.join(columns)} FROM {table}", columns[0]
        return self._database.stream(
            f"{query} WHERE {where} > ? AND {where} <= ? ORDER BY {where}", (after, upto)
        )
