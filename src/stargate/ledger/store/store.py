"""The record of the ledger: usage and terms come in, entries are posted, months close; nothing is ever lost.

All writing goes through `Store.writing`: one transaction, closed by a block of the chain, so that either all of
it is on record or none. Reading goes through `store/reading.py`.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from stargate.agreements import Agreement, WorldFact
from stargate.base.errors import LimitError
from stargate.base.time import Instant
from stargate.base.wire import pack
from stargate.ledger.record import Draft, Entry, LineKey, Month, UsageEvent, postings
from stargate.ledger.record.entry import entry_id
from stargate.ledger.store.chain import Position, sealed
from stargate.ledger.store.database import Database, Row
from stargate.ledger.store.reading import Reading, Terms

BATCH_LIMIT = 100_000
"""Events, or drafts, in one call."""
STREAMS_KEPT = 200_000
"""Names of streams, lines and accounts that are kept in memory."""


class Refused(NamedTuple):
    """An event that contradicts what is on record under its name."""

    source: str
    key: str
    says: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of events."""

    new: int
    known: int
    """On record already, with the same content."""
    refused: tuple[Refused, ...] = ()


_USAGE = (
    "seq", "source", "event", "fingerprint", "stream", "micro", "start_us", "end_us", "corrects", "recorded_us",
)  # fmt: skip
_LINE = (
    "number", "id", "kind", "payer", "payee", "month", "start_us", "end_us", "clause", "unit", "metric",
    "price_usd", "quoted_usd", "portion", "attributes", "micro", "posted_micro", "entries",
)  # fmt: skip
_ENTRY = (
    "seq", "id", "line", "amount", "micro", "month", "recorded_us", "usage_seq", "says", "text_ref", "due_us",
    "corrects",
)  # fmt: skip
_STREAM = ("id", "digest", "metric", "party", "provider", "quoted_usd", "attributes")


class Store(Reading):
    """A ledger's record in a database. Safe to call from several threads; one writes at a time."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._turn = threading.RLock()

    @contextlib.contextmanager
    def writing(self, at: Instant) -> Iterator[Writing]:
        """One transaction, at `at`. What it wrote is sealed by a block when it ends; on an error all is undone."""
        with self._turn, self._database.writing():
            writing = Writing(self._database, self.position(), at)
            yield writing
            writing.seal()

    def close(self) -> None:
        """Let go of the database. Closing twice is harmless."""
        with self._turn:
            self._database.close()


class Writing(Reading):
    """What may be written within one transaction; it reads what it has written."""

    def __init__(self, database: Database, position: Position, at: Instant) -> None:
        super().__init__(database)
        self._at = at
        self._start = position
        self._now = position
        self._said: list[bytes] = []
        """What the block covers, in order."""
        self._numbers: dict[tuple[str, Any], int] = {}
        self._open: dict[str, str] = {}

    @property
    def now(self) -> Position:
        """How far the record goes with what was written here."""
        return self._now

    def position(self) -> Position:
        """See `Reading.position`: with what was written here, which has no hash yet."""
        return self._now

    def open_month(self, name: str) -> str:
        """See `Reading.open_month`; asked once in a transaction."""
        found = self._open.get(name)
        if found is None:
            found = self._open[name] = super().open_month(name)
        return found

    # -- usage -------------------------------------------------------------------------------------------------

    def take(self, events: Sequence[UsageEvent]) -> Taken:
        """Put usage on record: each event once, whoever sends it how often.

        An event that is there with other content is refused, and the others are taken. Raises LimitError.
        """
        _bounded(len(events), "events")
        events, refused = _alike(given := events)
        seq = self._now.usage_seq
        rows = [self._usage_row(number, event) for number, event in enumerate(events, seq + 1)]
        new = self._database.insert("usage_event", _USAGE, rows, unique="source, event") if rows else 0
        if new < len(rows):
            there = self._fingerprints(rows)
            refused += [
                Refused(event.source, event.key, "it is on record with other content")
                for event, row in zip(events, rows, strict=True)
                if there[row[1], row[2]][1] != row[3]
            ]
            rows = [row for row in rows if there[row[1], row[2]][0] == row[0]]
        assert len(rows) == new, "what was inserted is what is new"
        if rows:
            self._said.extend(b"%d|%d|%b|%b" % (row[0], row[1], row[2].encode(), row[3]) for row in rows)
            self._now = self._now._replace(usage_seq=rows[-1][0])
        return Taken(new=new, known=len(given) - new - len(refused), refused=tuple(refused))

    def _usage_row(self, seq: int, event: UsageEvent) -> Row:
        return (
            seq,
            self._number("source", event.source),
            event.key,
            event.fingerprint(),
            self._stream(event),
            event.micro,
            event.start,
            event.end,
            event.corrects,
            self._at,
        )

    def _fingerprints(self, rows: Sequence[Row]) -> dict[tuple[int, str], tuple[int, bytes]]:
        """What is on record under the names of these rows: number and content."""
        found: dict[tuple[int, str], tuple[int, bytes]] = {}
        for source in sorted({row[1] for row in rows}):
            named = [row[2] for row in rows if row[1] == source]
            for first in range(0, len(named), 500):
                part = named[first : first + 500]
                query = (
                    "SELECT event, seq, fingerprint FROM usage_event WHERE source = ? AND event IN"
                    f" ({', '.join('?' * len(part))})"
                )
                for event, seq, fingerprint in self._database.run(query, (source, *part)):
                    found[source, event] = (seq, bytes(fingerprint))
        return found

    def _stream(self, event: UsageEvent) -> int:
        quoted = None if event.quoted_usd is None else format(event.quoted_usd.normalize(), "f")
        key = (event.metric, event.party, event.provider, quoted, tuple(sorted(event.attributes.items())))
        known = self._numbers.get(("stream", key))
        if known is None:
            digest = _digest(key)
            body = json.dumps(dict(key[4]), sort_keys=True, ensure_ascii=False)
            known = self._found_or_made("stream", digest, _STREAM, (*key[:4], body))
            self._numbers["stream", key] = known
        return known

    def _found_or_made(self, table: str, digest: bytes, columns: Sequence[str], values: Row) -> int:
        rows = self._database.run(f"SELECT id FROM {table} WHERE digest = ?", (digest,))
        if rows:
            return int(rows[0][0])
        number = self._next(table)
        self._database.insert(table, columns, [(number, digest, *values)])
        return number

    def _number(self, table: str, name: str) -> int:
        """The number of a name in `source` or `account`."""
        known = self._numbers.get((table, name))
        if known is None:
            column = "name" if table == "source" else "path"
            rows = self._database.run(f"SELECT id FROM {table} WHERE {column} = ?", (name,))
            known = int(rows[0][0]) if rows else self._next(table)
            if not rows:
                self._database.insert(table, ("id", column), [(known, name)])
            if len(self._numbers) < STREAMS_KEPT:
                self._numbers[table, name] = known
        return known

    def _next(self, table: str, column: str = "id") -> int:
        return int(self._database.run(f"SELECT coalesce(max({column}), 0) + 1 FROM {table}")[0][0])

    # -- terms -------------------------------------------------------------------------------------------------

    def declare(self, agreements: Sequence[Agreement]) -> None:
        """From here on these agreements hold. Declared again unchanged, nothing is written."""
        body = pack(tuple(sorted(agreements, key=lambda item: item.id)))
        last = self._database.run(
            "SELECT digest FROM terms WHERE kind = 'agreements' ORDER BY seq DESC LIMIT 1"
        )
        if not last or bytes(last[0][0]) != _digest(body):
            self._write_terms("agreements", body)

    def learn(self, facts: Sequence[WorldFact]) -> None:
        """Put facts of the world on record, each once."""
        for fact in facts:
            body = pack(fact)
            if not self._database.run(
                "SELECT 1 FROM terms WHERE kind = 'fact' AND digest = ?", (_digest(body),)
            ):
                self._write_terms("fact", body)

    def _write_terms(self, kind: str, body: bytes) -> None:
        seq = self._now.terms_seq + 1
        columns = ("seq", "kind", "digest", "recorded_us", "body")
        self._database.insert("terms", columns, [(seq, kind, _digest(body), self._at, body)])
        self._said.append(b"%d|%b|%b" % (seq, kind.encode(), _digest(body)))
        self._now = self._now._replace(terms_seq=seq)

    # -- entries -----------------------------------------------------------------------------------------------

    def post(self, drafts: Sequence[Draft], *, usage_seq: int) -> int:
        """Post the changes of lines; gives how many entries that made. A draft that changes nothing makes none.

        What falls into a month that is closed is booked in the first one open after it, as a correction.
        """
        _bounded(len(drafts), "entries")
        lines = self._lines_of({draft.line.id: draft.line for draft in drafts})
        entries: list[Row] = []
        sides: list[Row] = []
        balances: dict[tuple[int, str], int] = {}
        for draft in drafts:
            if not draft.amount_micro and not draft.micro:
                continue
            line = lines[draft.line.id]
            seq, month = self._now.entry_seq + 1, self.open_month(draft.line.month)
            late = line.entries and month != draft.line.month
            corrects = self._first_entry(line.number) if late else None
            line.entries += 1
            line.micro += draft.micro
            line.posted += draft.amount_micro
            name = entry_id(draft.line.id, line.entries)
            row = (
                seq, name, line.number, draft.amount_micro, draft.micro, month, self._at, usage_seq, draft.says,
                draft.text_ref, draft.due, corrects,
            )  # fmt: skip
            entries.append(row)
            for side, posting in enumerate(postings(draft.line, draft.amount_micro)):
                account = self._number("account", posting.account)
                sides.append((seq, side, account, posting.amount_micro))
                balances[account, month] = balances.get((account, month), 0) + posting.amount_micro
            self._said.append(pack((seq, name, draft.amount_micro, draft.micro, month, self._at, draft.says)))
            self._now = self._now._replace(entry_seq=seq)
        self._write_lines([line for line in lines.values() if line.entries])
        if entries:
            self._database.insert("entry", _ENTRY, entries)
            self._database.insert("posting", ("entry", "side", "account", "amount"), sides)
            self._add_balances(balances)
        return len(entries)

    def _lines_of(self, keys: dict[bytes, LineKey]) -> dict[bytes, _Standing]:
        """How these lines stand; those that are not there yet get the next numbers."""
        found: dict[bytes, _Standing] = {}
        names = list(keys)
        for first in range(0, len(names), 500):
            part = names[first : first + 500]
            query = (
                "SELECT id, number, micro, posted_micro, entries FROM line WHERE id IN"
                f" ({', '.join('?' * len(part))})"
            )
            for name, number, micro, posted, entries in self._database.run(query, part):
                key = keys[bytes(name)]
                found[bytes(name)] = _Standing(key, number, micro, posted, entries, known=True)
        number = self._next("line", "number")
        for name, key in keys.items():
            if name not in found:
                found[name] = _Standing(key, number, 0, 0, 0, known=False)
                number += 1
        return found

    def _write_lines(self, lines: Sequence[_Standing]) -> None:
        fresh = [line.row() for line in lines if not line.known]
        if fresh:
            self._database.insert("line", _LINE, fresh)
        for line in lines:
            if line.known:
                self._database.run(
                    "UPDATE line SET micro = ?, posted_micro = ?, entries = ? WHERE number = ?",
                    (line.micro, line.posted, line.entries, line.number),
                )

    def _add_balances(self, balances: dict[tuple[int, str], int]) -> None:
        for (account, month), amount in balances.items():
            self._database.run(
                "INSERT INTO balance (account, month, amount) VALUES (?, ?, ?)"
                " ON CONFLICT (account, month) DO UPDATE SET amount = balance.amount + excluded.amount",
                (account, month, amount),
            )

    def _first_entry(self, line: int) -> int | None:
        first = self._database.run("SELECT min(seq) FROM entry WHERE line = ?", (line,))[0][0]
        return None if first is None else int(first)

    # -- months, progress --------------------------------------------------------------------------------------

    def set_month(self, month: Month) -> None:
        """A month is closing, or closed."""
        assert month.status != "open", "a month never opens again"
        self._open.clear()
        self._database.run(
            "INSERT INTO month (name, status, closed_us, entry_seq, usage_seq, terms_seq, root)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET status = excluded.status,"
            " closed_us = excluded.closed_us, entry_seq = excluded.entry_seq, usage_seq = excluded.usage_seq,"
            " terms_seq = excluded.terms_seq, root = excluded.root",
            (
                month.name, month.status, month.closed_at, month.entry_seq, month.usage_seq, month.terms_seq,
                month.root,
            ),
        )  # fmt: skip
        self._said.append(pack(month))

    def set_progress(self, name: str, seq: int, body: str = "") -> None:
        """How far a reader of another record has come, as the feed from a journal."""
        self._database.run(
            "INSERT INTO progress (name, seq, body) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, body = excluded.body",
            (name, seq, body),
        )

    def seal(self) -> None:
        """Close what was written by a block of the chain; nothing written, no block."""
        if self._said:
            block = sealed(self._start, self._now, self._said)
            columns = ("seq", "usage_seq", "terms_seq", "entry_seq", "hash")
            self._database.insert("block", columns, [block])


class _Standing:
    """A line while it is being posted to."""

    __slots__ = ("entries", "key", "known", "micro", "number", "posted")

    def __init__(
        self, key: LineKey, number: int, micro: int, posted: int, entries: int, *, known: bool
    ) -> None:
        self.key, self.number = key, number
        self.micro, self.posted, self.entries, self.known = micro, posted, entries, known

    def row(self) -> Row:
        """As the table has it."""
        key = self.key
        return (
            self.number, key.id, key.kind, key.payer, key.payee, key.month, key.start, key.end, key.clause, key.unit,
            key.metric, _text(key.price_usd), _text(key.quoted_usd), key.portion,
            json.dumps(key.attributes, sort_keys=True, ensure_ascii=False), self.micro, self.posted, self.entries,
        )  # fmt: skip


def _alike(events: Sequence[UsageEvent]) -> tuple[list[UsageEvent], list[Refused]]:
    """Each name once; those that say another thing under a name of the same batch are refused."""
    kept: dict[tuple[str, str], UsageEvent] = {}
    refused = []
    for event in events:
        first = kept.setdefault((event.source, event.key), event)
        if first is not event and first.fingerprint() != event.fingerprint():
            refused.append(
                Refused(event.source, event.key, "it comes twice in one batch, with other content")
            )
    return list(kept.values()), refused


def _bounded(count: int, what: str) -> None:
    if count > BATCH_LIMIT:
        raise LimitError(f"{count:,} {what} in one call; the limit is {BATCH_LIMIT:,}", "Send them in parts.")


def _digest(value: object) -> bytes:
    return blake2b(value if isinstance(value, bytes) else pack(value), digest_size=16).digest()


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount.normalize(), "f")


__all__ = ["Entry", "Refused", "Store", "Taken", "Terms", "Writing"]
