"""From drafts to rows: the lines they change as they stand, and the entries with their numbers.

Everything a batch needs is asked for at once, and written at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stargate.ledger.record import Draft, LineKey
from stargate.ledger.record.entry import accounts_of
from stargate.ledger.record.line import SORTED_JSON, plain
from stargate.ledger.store.chain import COVERED
from stargate.ledger.store.database import Database, Row
from stargate.ledger.store.names import Names, digest_of

STANDING = ("number", "id", "subject", "start_us", "end_us", "micro", "posted_micro", "entries")


class Posted(NamedTuple):
    """What a batch of drafts becomes."""

    ids: list[bytes]
    """Of the line of each draft."""
    fresh: list[Row]
    """Lines that are there for the first time."""
    changed: list[Row]
    entries: list[Row]
    """One for each draft."""
    balances: dict[tuple[int, int, str], int]
    """By account, contra account and month: by how much the first grows and the second shrinks."""

    def write(self, database: Database) -> None:
        """Put lines and entries where they belong."""
        database.insert("standing", STANDING, self.fresh)
        counted = ("micro", "posted_micro", "entries")
        database.insert("standing", STANDING, self.changed, unique="number", update=counted)
        database.insert("entry", COVERED["entry"], self.entries)


class _Subject(NamedTuple):
    """Numbers of a subject and of the accounts that it moves."""

    number: int
    account: int
    contra: int


class _Lines:
    """The lines that drafts change, as they stand: a list for each column, for a batch has many."""

    def __init__(self, database: Database, names: Names, keys: Mapping[bytes, LineKey]) -> None:
        self.keys = keys
        self.place = {id: place for place, id in enumerate(keys)}
        subjects = _subjects(names, {key.subject: key for key in keys.values()})
        self.subject = [subjects[key.subject] for key in keys.values()]
        self.number, self.micro, self.posted, self.entries = ([0] * len(keys) for _ in range(4))
        query = "SELECT id, number, micro, posted_micro, entries FROM standing WHERE id IN"
        for id, number, micro, posted, entries in database.find(query, list(keys)):
            place = self.place[id]
            self.number[place], self.micro[place] = number, micro
            self.posted[place], self.entries[place] = posted, entries
        self.fresh = [place for place, number in enumerate(self.number) if not number]
        if self.fresh:
            last = int(database.run("SELECT coalesce(max(number), 0) FROM standing")[0][0])
            for number, place in enumerate(self.fresh, last + 1):
                self.number[place] = number
        self._database = database

    def firsts(self, months: Mapping[str, str]) -> dict[int, int]:
        """The first entries of those lines, by place, that are there and whose month is booked in another."""
        fresh = set(self.fresh)
        late = {
            self.number[place]: place
            for place, key in enumerate(self.keys.values())
            if months[key.month] != key.month and place not in fresh
        }
        query = "SELECT line, seq FROM entry WHERE nth = 1 AND line IN"
        return {late[number]: int(seq) for number, seq in self._database.find(query, list(late))}

    def rows(self) -> tuple[list[Row], list[Row]]:
        """As the table has them: those that are there for the first time, and those that change."""
        rows: list[Row] = [
            (number, id, subject[0], int(key.start), int(key.end), micro, posted, entries)
            for (id, key), number, subject, micro, posted, entries in zip(
                self.keys.items(),
                self.number,
                self.subject,
                self.micro,
                self.posted,
                self.entries,
                strict=True,
            )
        ]
        fresh = set(self.fresh)
        changed = [row for place, row in enumerate(rows) if place not in fresh]
        return [rows[place] for place in self.fresh], changed


def posting(
    database: Database,
    names: Names,
    drafts: Sequence[Draft],
    months: Mapping[str, str],
    place: tuple[int, int, int],
) -> Posted:
    """The rows for drafts, given the months in which lines are booked.

    `place`: the number of the last entry, when it is recorded, and how much usage was counted.
    """
    seq, at_us, usage_seq = place
    ids = [draft.line.id for draft in drafts]
    keys = {id: draft.line for id, draft in zip(ids, drafts, strict=True)}
    lines = _Lines(database, names, keys)
    firsts = lines.firsts(months)
    number, subject, counts, micros, sums = (
        lines.number,
        lines.subject,
        lines.entries,
        lines.micro,
        lines.posted,
    )
    entries: list[Row] = []
    balances: dict[tuple[int, int, str], int] = {}
    for id, draft in zip(ids, drafts, strict=True):
        line, month, amount, micro = lines.place[id], draft.line.month, draft.amount_micro, draft.micro
        seq += 1
        nth = counts[line] = counts[line] + 1
        micros[line] += micro
        sums[line] += amount
        corrects = None
        if months[month] != month:
            month = months[month]
            first = firsts.setdefault(line, seq)
            corrects = None if first == seq else first
        _, account, contra = subject[line]
        entries.append(
            (
                seq, number[line], nth, account, contra, amount, micro, month, at_us, usage_seq, draft.says,
                draft.text_ref, None if draft.due is None else int(draft.due), corrects,
            )
        )  # fmt: skip
        moved = (account, contra, month)
        balances[moved] = balances.get(moved, 0) + amount
    fresh, changed = lines.rows()
    return Posted(ids, fresh, changed, entries, balances)


def _subjects(names: Names, keys: Mapping[bytes, LineKey]) -> dict[bytes, _Subject]:
    numbers = names.numbers("subject", keys, lambda said: (digest_of(said), *_subject(keys[said])))
    pairs = {said: accounts_of(key) for said, key in keys.items()}
    accounts = names.numbers(
        "account", dict.fromkeys(path for pair in pairs.values() for path in pair), lambda path: (path,)
    )
    return {
        said: _Subject(numbers[said], accounts[one], accounts[other]) for said, (one, other) in pairs.items()
    }


def _subject(key: LineKey) -> Row:
    return (
        key.kind, key.payer, key.payee, key.month, key.clause, key.unit, key.metric, plain(key.price_usd),
        plain(key.quoted_usd), key.portion, SORTED_JSON.encode(key.attributes).decode(),
    )  # fmt: skip
