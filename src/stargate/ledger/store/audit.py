"""Questions of somebody who trusts no row: the rows themselves, as they lie there, with what they name."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from stargate.base.time import Instant
from stargate.ledger.record import LineKey, UsageEvent
from stargate.ledger.store.chain import COVERED, Position
from stargate.ledger.store.database import Row
from stargate.ledger.store.reading import Reading, key_of

_ATTRIBUTES = msgspec.json.Decoder(dict[str, str])
_NUMBER = {"month": "block", "imported_file": "block"}
"""By which column the rows of a table belong to blocks, where it is not their own number."""
_NAME = {
    "usage_event": "(SELECT name FROM source WHERE source.id = usage_event.source)",
    "entry": "(SELECT id FROM line WHERE line.number = entry.line)",
}


class LineSeen(NamedTuple):
    """A line as it lies there, and what its entries come to."""

    number: int
    id: bytes
    key: LineKey | str
    """Instead of it, why there is none."""
    stands: tuple[int, int, int]
    """Millionths counted and posted, and entries, as the line says."""
    sums: tuple[int, int, int]
    """The same of its entries."""
    numbered: bool
    """Whether its entries are its first, second, third ..."""
    accounts: tuple[str | None, str | None]
    """That its entries move; None: not one pair."""
    subject: bytes
    """The digest under which what it is for is written."""


class Audit(Reading):
    """Every row of every table, in bounded parts."""

    def blocks(self) -> Iterator[Position]:
        """The chain."""
        query = "SELECT seq, usage_seq, terms_seq, entry_seq, hash FROM block ORDER BY seq"
        for row in self._database.run(query):
            yield Position(int(row[0]), int(row[1]), int(row[2]), int(row[3]), bytes(row[4]))

    def covered(self, table: str, after: int, upto: int) -> Iterator[tuple[Row, str | bytes]]:
        """The rows of a table that a block covers, each with the name it goes by in the chain."""
        columns, by = ", ".join(COVERED[table]), _NUMBER.get(table, "seq")
        name = _NAME.get(table, "''")
        query = f"SELECT {name}, {columns} FROM {table} WHERE {by} > ? AND {by} <= ? ORDER BY {by}"
        for called, *row in self._database.stream(query, (after, upto)):
            yield row, called or ""

    def uncovered(self, table: str, last: int) -> Iterator[int | str]:
        """The rows, by their first column, that no block covers where those up to `last` are."""
        by = _NUMBER.get(table, "seq")
        query = f"SELECT {COVERED[table][0]} FROM {table} WHERE {by} < 1 OR {by} > ? ORDER BY 1"
        for (row,) in self._database.stream(query, (last,)):
            yield row

    def usage_seen(self) -> Iterator[tuple[int, bytes, bytes, UsageEvent | str]]:
        """Number, fingerprint, its stream's digest, and content of each event; or why there is no content."""
        query = (
            "SELECT u.seq, u.fingerprint, source.name, u.event, stream.metric, u.micro, u.start_us, u.end_us,"
            " stream.party, stream.provider, stream.quoted_usd, stream.attributes, u.corrects, stream.digest"
            " FROM usage_event AS u"
            " LEFT JOIN stream ON stream.id = u.stream LEFT JOIN source ON source.id = u.source ORDER BY u.seq"
        )
        for row in self._database.stream(query):
            yield int(row[0]), bytes(row[1]), bytes(row[13] or b""), _event(row)

    def terms_seen(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Number, digest and text of all terms."""
        for seq, digest, body in self._database.run("SELECT seq, digest, body FROM terms ORDER BY seq"):
            yield int(seq), bytes(digest), bytes(body)

    def lines_seen(self) -> Iterator[LineSeen]:
        """All lines with what their entries come to."""
        query = (
            "SELECT l.number, l.id, l.kind, l.payer, l.payee, l.month, l.start_us, l.end_us, l.clause, l.unit,"
            " l.metric, l.price_usd, l.quoted_usd, l.portion, l.attributes, l.micro, l.posted_micro, l.entries,"
            " e.micro, e.amount, e.entries, e.first, e.last, one.path, other.path,"
            " (SELECT digest FROM subject WHERE subject.id = l.subject) FROM line AS l LEFT JOIN"
            " (SELECT line, sum(micro) AS micro, sum(amount) AS amount, count(*) AS entries, min(nth) AS first,"
            " max(nth) AS last, CASE WHEN min(account) = max(account) THEN min(account) END AS account,"
            " CASE WHEN min(contra) = max(contra) THEN min(contra) END AS contra FROM entry GROUP BY line) AS e"
            " ON e.line = l.number LEFT JOIN account AS one ON one.id = e.account"
            " LEFT JOIN account AS other ON other.id = e.contra ORDER BY l.number"
        )
        for row in self._database.stream(query):
            sums = (int(row[18] or 0), int(row[19] or 0), int(row[20] or 0))
            yield LineSeen(
                number=int(row[0]),
                id=bytes(row[1]),
                key=_key(row[2:15]),
                stands=(int(row[15]), int(row[16]), int(row[17])),
                sums=sums,
                numbered=(row[21], row[22]) == (1, sums[2]),
                accounts=(row[23], row[24]),
                subject=bytes(row[25]),
            )

    def strays(self) -> Iterator[int]:
        """Entries of lines that are not there."""
        there = "SELECT 1 FROM line WHERE line.number = entry.line"
        query = f"SELECT seq FROM entry WHERE NOT EXISTS ({there}) ORDER BY seq"
        for (seq,) in self._database.stream(query):
            yield int(seq)

    def balances_seen(self) -> Iterator[tuple[int, str, int | None, int | None]]:
        """Account and month, what the balance says, and what the postings come to; None: there is none."""
        query = (
            "SELECT account, month, sum(said), sum(posted), max(source) - min(source), max(source) FROM"
            " (SELECT account, month, amount AS said, 0 AS posted, 0 AS source FROM balance UNION ALL"
            " SELECT p.account, e.month, 0, p.amount, 1 FROM posting AS p JOIN entry AS e ON e.seq = p.entry) AS moves"
            " GROUP BY account, month ORDER BY account, month"
        )
        for account, month, said, posted, both, source in self._database.stream(query):
            there, moved = bool(both) or not source, bool(both) or bool(source)
            yield int(account), str(month), int(said) if there else None, int(posted) if moved else None

    def imported_seen(self, file: int) -> Iterator[tuple[int, bytes, bytes]]:
        """Number, digest and body of a file's records."""
        query = "SELECT number, digest, body FROM imported_record WHERE file = ? ORDER BY number"
        for number, digest, body in self._database.stream(query, (file,)):
            yield int(number), bytes(digest), bytes(body)

    def orphans(self, table: str) -> Iterator[int]:
        """Files that are not there, and have rows in a table all the same."""
        query = (
            f"SELECT DISTINCT file FROM {table} WHERE file NOT IN (SELECT seq FROM imported_file) ORDER BY 1"
        )
        for (file,) in self._database.stream(query):
            yield int(file)

    def marks(self) -> Iterator[tuple[str, int, str]]:
        """How far readers of other records have come."""
        for name, seq, body in self._database.run("SELECT name, seq, body FROM progress ORDER BY name"):
            yield str(name), int(seq), str(body)


def _event(row: Row) -> UsageEvent | str:
    if row[2] is None or row[4] is None:
        return "its source or its stream is not there"
    try:
        return UsageEvent(
            source=row[2],
            key=row[3],
            metric=row[4],
            quantity=Decimal(row[5]).scaleb(-6),
            start=Instant(row[6]),
            end=None if row[7] is None else Instant(row[7]),
            party=row[8],
            provider=row[9],
            quoted_usd=None if row[10] is None else Decimal(row[10]),
            attributes=_ATTRIBUTES.decode(row[11]),
            corrects=row[12],
        )
    except (ValueError, ArithmeticError, msgspec.MsgspecError) as error:
        return f"it makes no sense: {error}"


def _key(row: Row) -> LineKey | str:
    try:
        return key_of(row)
    except (ValueError, ArithmeticError, msgspec.MsgspecError) as error:
        return f"it makes no sense: {error}"
