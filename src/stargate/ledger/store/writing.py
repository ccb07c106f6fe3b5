"""What may be written within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain, islice
from operator import attrgetter
from typing import NamedTuple

import msgspec

from stargate.agreements import Agreement, WorldFact
from stargate.base.errors import LedgerError, LimitError
from stargate.base.time import Instant
from stargate.base.wire import pack
from stargate.ledger.record import Budget, Draft, Month, UsageEvent
from stargate.ledger.record.imported import Imported, Sum
from stargate.ledger.record.line import SORTED_JSON, plain
from stargate.ledger.record.usage import fingerprint
from stargate.ledger.store.chain import COVERED, Position, said, sealed
from stargate.ledger.store.database import Database, Row
from stargate.ledger.store.names import Known, Names, digest_of
from stargate.ledger.store.posting import posting
from stargate.ledger.store.reading import Reading

BATCH_LIMIT = 100_000
"""Events, or drafts, in one call."""
SEALED_AT_ONCE = 20_000
"""Entries that a block covers, give or take a batch: a transaction that posts more is several blocks."""
RECORDS_AT_ONCE = 1_000
"""Records of a file in memory."""
_PLACE = attrgetter("place")


class Refused(NamedTuple):
    """An event that contradicts what is on record under its name."""

    source: str
    key: str
    says: str
    place: int
    """Which of the batch, from 0."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of events."""

    new: int
    known: int
    """On record already, with the same content."""
    refused: tuple[Refused, ...] = ()


class Writing(Reading):
    """One transaction; it reads what it has written."""

    def __init__(self, database: Database, position: Position, at: Instant, known: Known) -> None:
        super().__init__(database)
        self._at = int(at)
        self._start = position
        self._now = position
        self._said: dict[str, list[bytes]] = {table: [] for table in COVERED}
        self._open: dict[str, str] = {}
        self.names = Names(database, known)

    @property
    def now(self) -> Position:
        """How far the record goes with what was written here."""
        return self._now

    def position(self) -> Position:
        """See `Reading.position`: with what was written here, of which the last has no hash yet."""
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
        places, refused = _alike(given := events)
        events = [given[place] for place in places]
        rows = self._usage_rows(events)
        new = self._database.insert("usage_event", COVERED["usage_event"], rows, unique="source, event")
        if new < len(rows):
            there = self._fingerprints(rows)
            refused += [
                Refused(event.source, event.key, "it is on record with other content", place)
                for place, event, row in zip(places, events, rows, strict=True)
                if there[row[1], row[2]][1] != row[3]
            ]
            kept = [there[row[1], row[2]][0] == row[0] for row in rows]
            events = [event for event, fresh in zip(events, kept, strict=True) if fresh]
            rows = [row for row, fresh in zip(rows, kept, strict=True) if fresh]
        assert len(rows) == new, "what was inserted is what is new"
        if rows:
            self._said["usage_event"] += [
                said(row, event.source) for event, row in zip(events, rows, strict=True)
            ]
            self._now = self._now._replace(usage_seq=rows[-1][0])
        return Taken(
            new=new, known=len(given) - new - len(refused), refused=tuple(sorted(refused, key=_PLACE))
        )

    def _usage_rows(self, events: Sequence[UsageEvent]) -> list[Row]:
        sources = self.names.numbers(
            "source", dict.fromkeys(event.source for event in events), lambda name: (name,)
        )
        kinds = [event.stream for event in events]
        like = dict(zip(kinds, events, strict=True))
        streams = self.names.numbers("stream", like, lambda kind: (digest_of(kind), *_stream(like[kind])))
        rows: list[Row] = []
        at, seq = self._at, self._now.usage_seq
        for event, kind in zip(events, kinds, strict=True):
            seq += 1
            micro = event.micro
            end = None if event.end is None else int(event.end)
            rows.append(
                (
                    seq, sources[event.source], event.key, fingerprint(event, kind, micro), streams[kind], micro,
                    int(event.start), end, event.corrects, at,
                )
            )  # fmt: skip
        return rows

    def _fingerprints(self, rows: Sequence[Row]) -> dict[tuple[int, str], tuple[int, bytes]]:
        """What is on record under the names of these rows: number and content."""
        query = "SELECT event, seq, fingerprint FROM usage_event WHERE source = ? AND event IN"
        found: dict[tuple[int, str], tuple[int, bytes]] = {}
        for source in sorted({row[1] for row in rows}):
            named = [row[2] for row in rows if row[1] == source]
            for event, seq, content in self._database.find(query, named, (source,)):
                found[source, event] = (seq, bytes(content))
        return found

    # -- terms -------------------------------------------------------------------------------------------------

    def declare(self, agreements: Sequence[Agreement]) -> None:
        """From here on these agreements hold. Declared again unchanged, nothing is written."""
        body = pack(tuple(sorted(agreements, key=lambda item: item.id)))
        last = self._database.run(
            "SELECT digest FROM terms WHERE kind = 'agreements' ORDER BY seq DESC LIMIT 1"
        )
        if not last or bytes(last[0][0]) != digest_of(body):
            self._write_terms("agreements", body)

    def learn(self, facts: Sequence[WorldFact]) -> None:
        """Put facts of the world on record, each once."""
        bodies = {digest_of(body): body for body in map(pack, facts)}
        query = "SELECT digest FROM terms WHERE kind = 'fact' AND digest IN"
        there = {bytes(digest) for (digest,) in self._database.find(query, list(bodies))}
        for digest, body in bodies.items():
            if digest not in there:
                self._write_terms("fact", body)

    def allow(self, budget: Budget) -> None:
        """From here on this is the budget of its team. Said again unchanged, nothing is written."""
        last = {(one.team, one.month): one for one in self.budgets()}
        if last.get((budget.team, budget.month)) != budget:
            self._write_terms("budget", pack(budget))

    def _write_terms(self, kind: str, body: bytes) -> None:
        row = (self._now.terms_seq + 1, kind, digest_of(body), self._at)
        self._database.insert("terms", (*COVERED["terms"], "body"), [(*row, body)])
        self._said["terms"].append(said(row))
        self._now = self._now._replace(terms_seq=row[0])

    # -- entries -----------------------------------------------------------------------------------------------

    def post(self, drafts: Sequence[Draft], *, usage_seq: int) -> int:
        """Post the changes of lines; gives how many entries that made. A draft that changes nothing makes none.

        What falls into a month that is closed is booked in the first one open after it, as a correction.
        """
        _bounded(len(drafts), "entries")
        drafts = [draft for draft in drafts if draft.amount_micro or draft.micro]
        if not drafts:
            return 0
        months = {name: self.open_month(name) for name in {draft.line.month for draft in drafts}}
        posted = posting(
            self._database, self.names, drafts, months, (self._now.entry_seq, self._at, usage_seq)
        )
        posted.write(self._database)
        self._add_balances(posted.balances)
        self._said["entry"] += map(said, posted.entries, posted.ids)
        self._now = self._now._replace(entry_seq=self._now.entry_seq + len(drafts))
        if len(self._said["entry"]) >= SEALED_AT_ONCE:
            self.seal()
        return len(drafts)

    def _add_balances(self, changes: Mapping[tuple[int, int, str], int]) -> None:
        """Add to what accounts stand at. Each change is of an account, its contra account and a month."""
        sums: dict[tuple[int, str], int] = {}
        for (account, contra, month), amount in changes.items():
            for side, change in ((account, amount), (contra, -amount)):
                sums[side, month] = sums.get((side, month), 0) + change
        query = "SELECT account, month, amount FROM balance WHERE account IN"
        there = self._database.find(query, sorted({account for account, _ in sums}))
        stood = {(account, month): int(amount) for account, month, amount in there}
        rows = [(*of, stood.get(of, 0) + change) for of, change in sums.items()]
        columns = ("account", "month", "amount")
        self._database.insert("balance", columns, rows, unique="account, month", update=("amount",))

    # -- months, progress --------------------------------------------------------------------------------------

    def set_month(self, month: Month) -> None:
        """A month is closing, or closed."""
        assert month.status != "open", "a month never opens again"
        self._open.clear()
        row = (
            month.name,
            month.status,
            self._start.block + 1,
            None if month.closed_at is None else int(month.closed_at),
            month.entry_seq,
            month.usage_seq,
            month.terms_seq,
            month.root,
        )
        self._database.insert("month", COVERED["month"], [row])
        self._said["month"].append(said(row))

    def set_progress(self, name: str, seq: int, body: str = "") -> None:
        """How far a reader of another record has come, as the feed from a journal."""
        columns = ("name", "seq", "body")
        self._database.insert("progress", columns, [(name, seq, body)], unique="name", update=columns[1:])

    # -- bills of others ---------------------------------------------------------------------------------------

    def bring(self, file: Imported, records: Iterable[bytes], sums: Callable[[], Iterable[Sum]]) -> Imported:
        """Put a file on record whose digest is new, record by record; what they come to is asked for at the end.

        Raises LedgerError where the records are not those of the digest.
        """
        number = int(self._database.run("SELECT coalesce(max(seq), 0) + 1 FROM imported_file")[0][0])
        state, count = blake2b(file.head, digest_size=len(file.digest)), 0
        for part in batched(records, RECORDS_AT_ONCE):
            rows = [(number, place, digest_of(body), body) for place, body in enumerate(part, count + 1)]
            self._database.insert("imported_record", ("file", "number", "digest", "body"), rows)
            state.update(b"".join(part))
            count += len(rows)
        if state.digest() != file.digest:
            raise LedgerError(
                f"{file.name} changed while it was read", "Import it again when it is complete."
            )
        row = (
            number, self._start.block + 1, file.digest, file.name, file.dataset, file.version, file.head, count,
            self._at,
        )  # fmt: skip
        self._database.insert("imported_file", COVERED["imported_file"], [row])
        columns = ("file", "provider", "month", "currency", "records", "billed", "effective")
        added = [(number, *one[:4], format(one.billed, "f"), format(one.effective, "f")) for one in sums()]
        self._database.insert("imported_sum", columns, added)
        self._said["imported_file"].append(said(row))
        return msgspec.structs.replace(file, number=number, rows=count, recorded_at=Instant(self._at))

    def seal(self) -> None:
        """Close what was written since the last block by a block of the chain; nothing written, no block."""
        if any(self._said.values()):
            block = sealed(self._start, self._now, chain.from_iterable(self._said.values()))
            columns = ("seq", "usage_seq", "terms_seq", "entry_seq", "hash")
            self._database.insert("block", columns, [block])
            self._start = self._now = Position(*block)
            for rows in self._said.values():
                rows.clear()


def batched(items: Iterable[bytes], size: int) -> Iterator[list[bytes]]:
    """Portions of a stream."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _alike(events: Sequence[UsageEvent]) -> tuple[list[int], list[Refused]]:
    """The places of events, each name once; those that say another thing under a name of the batch are refused."""
    kept: dict[tuple[str, str], int] = {}
    refused = []
    for place, event in enumerate(events):
        first = events[kept.setdefault((event.source, event.key), place)]
        if first is not event and first.fingerprint() != event.fingerprint():
            says = "it comes twice in one batch, with other content"
            refused.append(Refused(event.source, event.key, says, place))
    return list(kept.values()), refused


def _bounded(count: int, what: str) -> None:
    if count > BATCH_LIMIT:
        raise LimitError(f"{count:,} {what} in one call; the limit is {BATCH_LIMIT:,}", "Send them in parts.")


def _stream(event: UsageEvent) -> Row:
    attributes = SORTED_JSON.encode(event.attributes).decode()
    return (event.metric, event.party, event.provider, plain(event.quoted_usd), attributes)
