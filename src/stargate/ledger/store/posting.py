"""From drafts to rows: the lines they change as they stand, and the entries with their numbers.

Everything a batch needs is asked for at once, and written at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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


class _Line:
    """A line while it is being posted to."""

    __slots__ = ("entries", "first", "key", "micro", "number", "of", "posted")

    def __init__(
        self, key: LineKey, of: _Subject, number: int, micro: int, posted: int, entries: int
    ) -> None:
        self.key, self.of = key, of
        self.number, self.micro, self.posted, self.entries = number, micro, posted, entries
        self.first: int | None = None
        """Its first entry, where that is needed."""

    def row(self) -> Row:
        """As the table has it."""
        key = self.key
        return (
            self.number, key.id, self.of.number, int(key.start), int(key.end), self.micro, self.posted, self.entries,
        )  # fmt: skip


class _Subject(NamedTuple):
    """Numbers of a subject and of the accounts that it moves."""

    number: int
    account: int
    contra: int


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
    lines, known = _lines(database, names, {draft.line.id: draft.line for draft in drafts})
    _find_first(database, lines.values(), months)
    entries: list[Row] = []
    balances: dict[tuple[int, int, str], int] = {}
    for draft in drafts:
        key, amount = draft.line, draft.amount_micro
        line, month = lines[key.id], months[key.month]
        seq += 1
        nth = line.entries = line.entries + 1
        line.micro += draft.micro
        line.posted += amount
        corrects = line.first if nth > 1 and month != key.month else None
        if nth == 1:
            line.first = seq
        _, account, contra = line.of
        entries.append(
            (
                seq, line.number, nth, account, contra, amount, draft.micro, month, at_us, usage_seq, draft.says,
                draft.text_ref, None if draft.due is None else int(draft.due), corrects,
            )
        )  # fmt: skip
        moved = (account, contra, month)
        balances[moved] = balances.get(moved, 0) + amount
    rows = [line.row() for line in lines.values()]
    return Posted(rows[known:], rows[:known], entries, balances)


def _lines(database: Database, names: Names, keys: Mapping[bytes, LineKey]) -> tuple[dict[bytes, _Line], int]:
    """The lines as they stand, first those that are there, and how many of these; the others get the next numbers."""
    subjects = _subjects(names, {key.subject: key for key in keys.values()})
    query = "SELECT id, number, micro, posted_micro, entries FROM standing WHERE id IN"
    lines: dict[bytes, _Line] = {}
    for id, *stands in database.find(query, list(keys)):
        key = keys[id]
        lines[id] = _Line(key, subjects[key.subject], *stands)
    known = len(lines)
    if known < len(keys):
        number = int(database.run("SELECT coalesce(max(number), 0) FROM standing")[0][0])
        for id, key in keys.items():
            if id not in lines:
                number += 1
                lines[id] = _Line(key, subjects[key.subject], number, 0, 0, 0)
    return lines, known


def _subjects(names: Names, keys: Mapping[bytes, LineKey]) -> dict[bytes, _Subject]:
    numbers = names.numbers("subject", keys, lambda said: (digest_of(said), *_subject(keys[said])))
    pairs = {said: accounts_of(key) for said, key in keys.items()}
    accounts = names.numbers(
        "account", {path for pair in pairs.values() for path in pair}, lambda path: (path,)
    )
    return {
        said: _Subject(numbers[said], accounts[one], accounts[other]) for said, (one, other) in pairs.items()
    }


def _subject(key: LineKey) -> Row:
    return (
        key.kind, key.payer, key.payee, key.month, key.clause, key.unit, key.metric, plain(key.price_usd),
        plain(key.quoted_usd), key.portion, SORTED_JSON.encode(key.attributes).decode(),
    )  # fmt: skip


def _find_first(database: Database, lines: Iterable[_Line], months: Mapping[str, str]) -> None:
    """Ask for the first entries of those lines whose month is booked in another."""
    late = {line.number: line for line in lines if months[line.key.month] != line.key.month and line.entries}
    query = "SELECT line, seq FROM entry WHERE nth = 1 AND line IN"
    for number, seq in database.find(query, list(late)):
        late[number].first = seq
