"""From drafts to rows: the lines they change as they stand, and the entries with their numbers.

Everything a batch needs is asked for at once, and written at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stargate.ledger.record import Draft, LineKey
from stargate.ledger.record.entry import accounts_of
from stargate.ledger.record.line import SORTED_JSON, plain
from stargate.ledger.store.chain import COVERED
from stargate.ledger.store.database import Database, Row
from stargate.ledger.store.names import Names, digest_of

STANDING = ("number", "id", "subject", "start_us", "end_us", "micro", "posted_micro", "entries")
_NUMBER, _MICRO, _POSTED, _ENTRIES = map(STANDING.index, ("number", "micro", "posted_micro", "entries"))


class Posted(NamedTuple):
    """What a batch of drafts becomes."""

    ids: list[bytes]
    """Of the line of each draft."""
    fresh: Sequence[Row]
    """Lines that are there for the first time."""
    changed: Sequence[Row]
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
    subjects = _subjects(names, {key.subject: key for key in keys.values()})
    lines, new = _lines(database, keys, subjects)
    firsts = _firsts(database, keys, lines, months)
    entries: list[Row] = []
    balances: dict[tuple[int, int, str], int] = {}
    for id, draft in zip(ids, drafts, strict=True):
        key, amount, micro, due = draft.line, draft.amount_micro, draft.micro, draft.due
        line, month, (_, account, contra) = lines[id], key.month, subjects[key.subject]
        seq += 1
        line[_MICRO] += micro
        line[_POSTED] += amount
        line[_ENTRIES] += 1
        corrects = None
        if months[month] != month:
            month = months[month]
            first = firsts.setdefault(id, seq)
            corrects = None if first == seq else first
        entries.append(
            (
                seq, line[_NUMBER], line[_ENTRIES], account, contra, amount, micro, month, at_us, usage_seq,
                draft.says, draft.text_ref, None if due is None else int(due), corrects,
            )
        )  # fmt: skip
        moved = (account, contra, month)
        balances[moved] = balances.get(moved, 0) + amount
    changed = [line for line in lines.values() if line[_NUMBER] < new]
    fresh = [line for line in lines.values() if line[_NUMBER] >= new]
    return Posted(ids, fresh, changed, entries, balances)


def _lines(
    database: Database, keys: Mapping[bytes, LineKey], subjects: Mapping[bytes, _Subject]
) -> tuple[dict[bytes, list[Any]], int]:
    """The rows of lines as they stand, and the number from which on they are new."""
    lines: dict[bytes, list[Any]] = {
        id: [0, id, subjects[key.subject].number, int(key.start), int(key.end), 0, 0, 0]
        for id, key in keys.items()
    }
    last = database.run("SELECT id FROM standing ORDER BY id DESC LIMIT 1")
    # Names begin with the hour: those of hours to come are after the last of all, and need no looking up.
    sought = [id for id in lines if id <= last[0][0]] if last else []
    query = "SELECT id, number, micro, posted_micro, entries FROM standing WHERE id IN"
    for id, number, micro, posted, entries in database.find(query, sought):
        line = lines[id]
        line[_NUMBER], line[_MICRO], line[_POSTED], line[_ENTRIES] = number, micro, posted, entries
    new = int(database.run("SELECT coalesce(max(number), 0) + 1 FROM standing")[0][0])
    for number, line in enumerate((line for line in lines.values() if not line[_NUMBER]), new):
        line[_NUMBER] = number
    return lines, new


def _firsts(
    database: Database,
    keys: Mapping[bytes, LineKey],
    lines: Mapping[bytes, list[Any]],
    months: Mapping[str, str],
) -> dict[bytes, int]:
    """The first entries of those lines that are there and whose month is booked in another."""
    elsewhere = {name for name, booked in months.items() if booked != name}
    if not elsewhere:
        return {}
    late = {
        lines[id][_NUMBER]: id for id, key in keys.items() if key.month in elsewhere and lines[id][_ENTRIES]
    }
    query = "SELECT line, seq FROM entry WHERE nth = 1 AND line IN"
    return {late[number]: int(seq) for number, seq in database.find(query, list(late))}


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
