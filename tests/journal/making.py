"""Records and states that mean nothing, for tests of storing them."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from stargate.base.wire import pack, unpacker
from stargate.journal import Form, Record, SqliteJournal

_NUMBERS = unpacker(list[int])


def records(first: int, last: int) -> list[Record]:
    """Entries `first` to `last`, each with a body of its own."""
    return [
        Record(
            seq, 1_700_000_000_000_000 + seq, f"cmd-{seq}", "noted", pack({"type": "noted", "number": seq})
        )
        for seq in range(first, last + 1)
    ]


def journal(folder: Path, entries: int = 0, batch: int = 10) -> SqliteJournal:
    """A journal with so many entries."""
    made = SqliteJournal(folder / "journal.db", durable=False)
    for first in range(1, entries + 1, batch):
        made.append(records(first, min(first + batch - 1, entries)))
    return made


def tamper(path: Path, statement: str) -> None:
    """Do what the triggers forbid, as someone with the file in hand can."""
    connection = sqlite3.connect(path)
    for name in ("fact_is_never_changed", "fact_is_never_removed"):
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def _note(state: list[int], record: Record) -> None:
    state.append(record.seq)


def digest(data: bytes) -> str:
    """A fingerprint of packed numbers."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


NUMBERS: Form[list[int]] = Form("numbers-1", list, _NUMBERS.decode, _note, digest)
"""A state that is the list of all entries' numbers."""
