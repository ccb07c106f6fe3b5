"""What the ledger's record says: queries, each one bounded or streamed."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

import msgspec

from stargate.agreements import Agreement, Period, WorldFact
from stargate.base.time import Instant
from stargate.base.wire import unpacker
from stargate.ledger.record import Budget, Entry, Line, LineKey, Month, UseCharged
from stargate.ledger.record.booked import Booked, Moved, Words
from stargate.ledger.record.entry import entry_id
from stargate.ledger.record.imported import Imported, Sum
from stargate.ledger.record.line import first_id
from stargate.ledger.record.month import after, month_of
from stargate.ledger.store.database import Row
from stargate.ledger.store.movement import SUBJECT, movement
from stargate.ledger.store.usage import ReadingUse, decimal_of

_AGREEMENTS = unpacker(tuple[Agreement, ...])
_FACT = unpacker(WorldFact)
_BUDGET = unpacker(Budget)
_ATTRIBUTES = msgspec.json.Decoder(dict[str, str])
_KEY = (
    "kind", "payer", "payee", "month", "start_us", "end_us", "clause", "unit", "metric", "price_usd", "quoted_usd",
    "portion", "attributes",
)  # fmt: skip
_KEY_COLUMNS = ", ".join(_KEY)
_KEY_OF_ENTRY = ", ".join(column if column.endswith("_us") else f"line.{column}" for column in _KEY)
_KEY_OF_LINE = ", ".join(f"line.{column}" for column in _KEY)

MOVED_AT_ONCE = 10_000
"""Sums of entries in memory."""


class Terms(NamedTuple):
    """What was promised and what was known, as far as it was on record."""

    seq: int
    agreements: tuple[Agreement, ...]
    facts: tuple[WorldFact, ...]


_AT_A_PRICE = "(kind IN ('usage', 'payment', 'opening') AND price_usd IS NOT NULL)"
"""Lines that follow from what was counted and a price alone; the others from what clauses say of a whole month."""


class Reading(ReadingUse):
    """Questions to a ledger's database."""

    MOVED = (
        "(SELECT e.seq, e.month, e.amount, e.micro, l.subject, l.start_us, l.end_us"
        " FROM entry AS e JOIN standing AS l ON l.number = e.line)"
    )
    """Entries, each with the subject and the span of its line."""
    CHARGED = "standing"
    """Lines, or parts of them, that add up to what was charged."""
    POSTED = "entry AS e JOIN line ON line.number = e.line"
    LINE_ID = "line.id"
    """Entries and what their lines are for, with the lines' names."""

    def progress(self, name: str) -> tuple[int, str]:
        """How far a reader of another record has come, and what it noted; (0, "") at first."""
        rows = self._database.run("SELECT seq, body FROM progress WHERE name = ?", (name,))
        return (int(rows[0][0]), str(rows[0][1])) if rows else (0, "")

    # -- terms -------------------------------------------------------------------------------------------------

    def terms(self, upto: int | None = None) -> Terms:
        """The agreements as last declared, and the facts, by `upto` (default: now)."""
        seq = self.position().terms_seq if upto is None else upto
        last = self._database.run(
            "SELECT body FROM terms WHERE kind = 'agreements' AND seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
        )
        facts = self._database.run(
            "SELECT body FROM terms WHERE kind = 'fact' AND seq <= ? ORDER BY seq", (seq,)
        )
        agreements = _AGREEMENTS.decode(last[0][0]) if last else ()
        return Terms(seq, agreements, tuple(_FACT.decode(row[0]) for row in facts))

    def terms_with(self, entry: int) -> Terms:
        """The terms that were on record with an entry."""
        query = "SELECT terms_seq FROM block WHERE entry_seq >= ? ORDER BY seq LIMIT 1"
        rows = self._database.run(query, (entry,))
        return self.terms(int(rows[0][0]) if rows else None)

    def budgets(self) -> tuple[Budget, ...]:
        """All that were ever said, in the order of the record: of each team and month the last one counts."""
        rows = self._database.run("SELECT body FROM terms WHERE kind = 'budget' ORDER BY seq")
        return tuple(_BUDGET.decode(body) for (body,) in rows)

    # -- lines, entries, balances ------------------------------------------------------------------------------

    def lines(self, month: str, *, of_clauses: bool = False) -> Iterator[Line]:
        """The lines that a month owes, as they stand; with `of_clauses`, without those at a price of a unit."""
        only = f" AND NOT {_AT_A_PRICE}" if of_clauses else ""
        return self._lines(f"month = ?{only}", (month,))

    def lines_at_a_price(self, within: Period) -> Iterator[Line]:
        """The lines at a price of a unit that begin within a span of whole hours, as they stand."""
        return self._lines(
            f"id >= ? AND id < ? AND {_AT_A_PRICE}", [*map(first_id, (within.start, within.end))]
        )

    def _lines(self, where: str, values: Row) -> Iterator[Line]:
        query = f"SELECT {_KEY_COLUMNS}, micro, posted_micro, entries FROM line WHERE {where} ORDER BY number"
        for row in self._database.stream(query, values):
            yield Line(key=key_of(row), micro=int(row[13]), posted_micro=int(row[14]), entries=int(row[15]))

    def standing(self, keys: Mapping[bytes, LineKey]) -> dict[bytes, Line]:
        """Those of some lines, by id, that are there, as they stand."""
        query = "SELECT id, micro, posted_micro, entries FROM standing WHERE id IN"
        return {
            bytes(id): Line(key=keys[bytes(id)], micro=micro, posted_micro=posted, entries=entries)
            for id, micro, posted, entries in self._database.find(query, list(keys))
        }

    def use_charged(self, month: str, *, grain: int) -> Iterator[UseCharged]:
        """What a month's lines for use at a price come to, summed over each `grain`; 1: over each start."""
        query = (
            "SELECT s.payer, s.payee, s.clause, s.metric, s.attributes, min(g.start_us), max(g.end_us), sum(g.micro),"
            f" sum(g.posted) FROM (SELECT c.subject, c.start_us / {grain} AS span, min(c.start_us) AS start_us,"
            f" max(c.end_us) AS end_us, sum(c.micro) AS micro, sum(c.posted_micro) AS posted FROM {self.CHARGED} AS c"
            f" WHERE c.subject IN (SELECT id FROM subject WHERE month = ? AND kind = 'usage' AND {_AT_A_PRICE})"
            " GROUP BY 1, 2) AS g JOIN subject AS s ON s.id = g.subject"
            " GROUP BY g.span, s.payer, s.payee, s.clause, s.metric, s.attributes"
        )
        read: dict[str, dict[str, str]] = {}
        for row in self._database.stream(query, (month,)):
            attributes = read.get(row[4])
            if attributes is None:
                attributes = read[row[4]] = json.loads(row[4])
            yield UseCharged(
                payer=row[0],
                payee=row[1],
                clause=row[2],
                metric=row[3],
                attributes=attributes,
                start=Instant(row[5]),
                end=Instant(row[6]),
                micro=int(row[7]),
                posted_micro=int(row[8]),
            )

    def lines_sealed(self, month: str, entry_seq: int) -> Iterator[tuple[bytes, int, int]]:
        """Id, count and amount of a month's lines as they stood with an entry, by id."""
        query = (
            "SELECT line.id, sum(e.micro), sum(e.amount) FROM line JOIN entry AS e ON e.line = line.number"
            " WHERE line.month = ? AND e.seq <= ? GROUP BY line.id ORDER BY line.id"
        )
        for name, micro, amount in self._database.stream(query, (month, entry_seq)):
            if micro or amount:
                yield bytes(name), int(micro), int(amount)

    def months_with_lines(self, before: str = "9999-99") -> list[str]:
        """Months that owe something, in order."""
        query = "SELECT DISTINCT month FROM line WHERE month < ? ORDER BY month"
        return [str(month) for (month,) in self._database.run(query, (before,))]

    def first_month(self) -> str:
        """The month that books brought here end with, or the first with usage or lines; empty: there is none."""
        if ends := [event.end for event in self.openings() if event.end is not None]:
            return month_of(max(ends))
        first = self._database.run("SELECT min(start_us) FROM usage_event")[0][0]
        months = ([] if first is None else [month_of(Instant(first))]) + self.months_with_lines()
        return min(months, default="")

    def entries(
        self,
        after_seq: int = 0,
        upto_seq: int | None = None,
        month: str = "",
        parties: tuple[str, str] | None = None,
    ) -> Iterator[Entry]:
        """Entries in order; with a month, those booked in it; with two parties, those between them."""
        limit = self.position().entry_seq if upto_seq is None else upto_seq
        also = ""
        values: list[int | str] = [after_seq, limit]
        if month:
            also, values = " AND e.month = ?", [*values, month]
        if parties is not None:
            also += " AND ((line.payer = ? AND line.payee = ?) OR (line.payer = ? AND line.payee = ?))"
            values = [*values, *parties, *reversed(parties)]
        query = (
            f"SELECT {_KEY_OF_ENTRY}, e.seq, {self.LINE_ID}, e.nth, e.amount, e.micro, e.month, e.recorded_us,"
            f" e.usage_seq, e.says, e.text_ref, e.due_us, e.corrects FROM {self.POSTED}"
            f" WHERE e.seq > ? AND e.seq <= ?{also} ORDER BY e.seq"
        )
        for row in self._database.stream(query, values):
            yield Entry(
                line=key_of(row),
                seq=row[13],
                id=entry_id(bytes(row[14]), row[15]),
                amount_micro=row[16],
                micro=row[17],
                month=row[18],
                recorded_at=Instant(row[19]),
                usage_seq=row[20],
                says=row[21],
                text_ref=row[22],
                due=None if row[23] is None else Instant(row[23]),
                corrects=row[24],
            )

    def moved(
        self,
        month: str,
        parties: tuple[str, str],
        upto_seq: int,
        *,
        days: bool = False,
        attributes: bool = False,
    ) -> Iterator[Moved]:
        """What was booked in a month between two parties, by an entry: entries that are alike, summed.

        Use at a price is summed over the month, or over each day and for the same attributes where that is asked
        for; what clauses say, over each span.
        """
        query = movement(self.MOVED, days=days, attributes=attributes)
        rows = self._database.stream(query, (month, upto_seq, *parties, *reversed(parties)))
        while part := list(islice(rows, MOVED_AT_ONCE)):
            subjects = self._subjects({row[7] for row in part}) if attributes else {}
            keys: dict[int, LineKey] = {}
            for start, end, amount, micro, entries, first, last, *said in part:
                key = keys.get(said[0])
                if key is None:
                    seen = subjects[said[0]] if attributes else (*said, "{}")
                    key = key_of((*seen[:4], start, end, *seen[4:]))
                    if attributes:
                        keys[said[0]] = key
                yield Moved(
                    key, Instant(start), Instant(end), int(amount), int(micro), int(entries), first, last
                )

    def _subjects(self, numbers: Collection[int]) -> dict[int, Row]:
        query = f"SELECT id, {', '.join(SUBJECT)}, attributes FROM subject WHERE id IN"
        return {row[0]: row[1:] for row in self._database.find(query, sorted(numbers))}

    def words(self, entries: Sequence[int]) -> dict[int, Words]:
        """What some entries say, by their numbers."""
        rows = self._database.find("SELECT seq, says, text_ref, due_us FROM entry WHERE seq IN", entries)
        return {seq: Words(says, ref, None if due is None else Instant(due)) for seq, says, ref, due in rows}

    def booked(self, month: str) -> Iterator[Booked]:
        """What was booked in a month, line by line, in the order of the lines' names."""
        query = (
            f"SELECT {_KEY_OF_LINE}, g.amount, g.micro, g.entries, g.first, g.last, f.recorded_us, l.recorded_us,"
            " l.says, l.text_ref, l.due_us, CASE WHEN line.month = ? THEN line.month ELSE"
            " (SELECT min(e.month) FROM entry AS e WHERE e.line = line.number) END"
            " FROM (SELECT line, sum(amount) AS amount, sum(micro) AS micro, count(*) AS entries, min(seq) AS first,"
            " max(seq) AS last FROM entry WHERE month = ? GROUP BY line) AS g"
            " JOIN line ON line.number = g.line JOIN entry AS f ON f.seq = g.first JOIN entry AS l ON l.seq = g.last"
            " ORDER BY line.id"
        )
        for row in self._database.stream(query, (month, month)):
            yield Booked(
                key=key_of(row),
                month=month,
                amount_micro=int(row[13]),
                micro=int(row[14]),
                entries=int(row[15]),
                first_entry=row[16],
                last_entry=row[17],
                first_at=Instant(row[18]),
                last_at=Instant(row[19]),
                says=row[20],
                text_ref=row[21],
                due=None if row[22] is None else Instant(row[22]),
                first_month=row[23],
            )

    def upfront(self, month: str) -> Iterator[tuple[Booked, int]]:
        """What was paid up front for reservations, as booked by a month, each with what of it was booked before."""
        query = (
            f"SELECT {_KEY_OF_LINE}, g.amount, line.micro, g.entries, g.first, g.last, f.recorded_us, l.recorded_us,"
            " l.says, l.text_ref, f.month, g.before"
            " FROM (SELECT e.line, sum(e.amount) AS amount, count(*) AS entries, min(e.seq) AS first,"
            " max(e.seq) AS last, sum(CASE WHEN e.month < ? THEN e.amount ELSE 0 END) AS before"
            " FROM line AS held JOIN entry AS e ON e.line = held.number"
            " WHERE held.month <= ? AND held.kind = 'reservation' AND held.portion = 'upfront' AND e.month <= ?"
            " GROUP BY e.line) AS g"
            " JOIN line ON line.number = g.line JOIN entry AS f ON f.seq = g.first JOIN entry AS l ON l.seq = g.last"
            " ORDER BY line.id"
        )
        for row in self._database.stream(query, (month, month, month)):
            item = Booked(
                key=key_of(row),
                month=month,
                amount_micro=int(row[13]),
                micro=int(row[14]),
                entries=row[15],
                first_entry=row[16],
                last_entry=row[17],
                first_at=Instant(row[18]),
                last_at=Instant(row[19]),
                says=row[20],
                text_ref=row[21],
                due=None,
                first_month=row[22],
            )
            yield item, int(row[23])

    def balances(self, upto: str = "9999-12") -> dict[str, int]:
        """What each account stands at, at the end of a month."""
        query = (
            "SELECT account.path, sum(balance.amount) FROM balance JOIN account ON account.id = balance.account"
            " WHERE balance.month <= ? GROUP BY account.path ORDER BY account.path"
        )
        return {path: int(amount) for path, amount in self._database.run(query, (upto,))}

    # -- bills of others ---------------------------------------------------------------------------------------

    def imported(self) -> tuple[Imported, ...]:
        """The files of other providers, in the order in which they came."""
        query = "SELECT seq, digest, name, dataset, version, head, records, recorded_us FROM imported_file ORDER BY seq"
        return tuple(
            Imported(
                number=row[0],
                digest=bytes(row[1]),
                name=row[2],
                dataset=row[3],
                version=row[4],
                head=bytes(row[5]),
                rows=row[6],
                recorded_at=Instant(row[7]),
            )
            for row in self._database.run(query)
        )

    def imported_records(self, file: int) -> Iterator[bytes]:
        """The records of a file as they are written, after its head."""
        query = "SELECT body FROM imported_record WHERE file = ? ORDER BY number"
        for (body,) in self._database.stream(query, (file,)):
            yield bytes(body)

    def imported_sums(self) -> Iterator[tuple[int, Sum]]:
        """What the files bill, each with the number of its file."""
        query = (
            "SELECT file, provider, month, currency, records, billed, effective FROM imported_sum"
            " ORDER BY file, provider, month, currency"
        )
        for row in self._database.stream(query):
            yield row[0], Sum(row[1], row[2], row[3], row[4], Decimal(row[5]), Decimal(row[6]))

    # -- months ------------------------------------------------------------------------------------------------

    def months(self) -> tuple[Month, ...]:
        """Those that are closing or closed, in order."""
        query = (
            "SELECT name, status, closed_us, entry_seq, usage_seq, terms_seq, root FROM month"
            " ORDER BY name, status DESC"
        )
        return tuple({row[0]: _month(row) for row in self._database.run(query)}.values())

    def month(self, name: str) -> Month:
        """Where a month stands."""
        query = (
            "SELECT name, status, closed_us, entry_seq, usage_seq, terms_seq, root FROM month WHERE name = ?"
            " ORDER BY status"
        )
        rows = self._database.run(query, (name,))
        return _month(rows[0]) if rows else Month(name=name)

    def open_month(self, name: str) -> str:
        """The month itself, or the first one after all that are closed: where something is booked."""
        last = self._database.run("SELECT max(name) FROM month WHERE status = 'closed'")[0][0]
        return name if last is None or name > last else after(str(last))


def key_of(row: Row) -> LineKey:
    """What a line is for, from the columns of `_KEY`. Raises ValueError, ArithmeticError, MsgspecError for nonsense."""
    return LineKey(
        kind=row[0],
        payer=row[1],
        payee=row[2],
        month=row[3],
        start=Instant(row[4]),
        end=Instant(row[5]),
        clause=row[6],
        unit=row[7],
        metric=row[8],
        price_usd=decimal_of(row[9]),
        quoted_usd=decimal_of(row[10]),
        portion=row[11],
        attributes=_ATTRIBUTES.decode(row[12]),
    )


def _month(row: Row) -> Month:
    return Month(
        name=row[0],
        status=row[1],
        closed_at=None if row[2] is None else Instant(row[2]),
        entry_seq=row[3],
        usage_seq=row[4],
        terms_seq=row[5],
        root=bytes(row[6]),
    )
