"""Folds a journal back into a state: the newest snapshot that proves itself, then every entry after it.

Generic: what the state is, and how a record changes it, is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from stargate.base.errors import JournalError
from stargate.journal.chain import GENESIS, Head, Record, fault
from stargate.journal.journal import Reader
from stargate.journal.snapshot import Snapshot

S = TypeVar("S")


class Form(msgspec.Struct, Generic[S], frozen=True):
    """How to make and change a state of type S."""

    name: str
    """Changes whenever the state's layout or meaning does; snapshots under another name are not read."""
    empty: Callable[[], S]
    restore: Callable[[bytes], S]
    """May raise anything on bytes it cannot read: replay then goes further back."""
    apply: Callable[[S, Record], None]
    digest: Callable[[bytes], str]
    """The fingerprint of a state that is packed in these bytes."""


class Replay(msgspec.Struct, Generic[S], frozen=True):
    """A state, and how it came about."""

    state: S
    head: Head
    """The last entry in it."""
    snapshot: int
    """The entry that the snapshot was of; 0 where none was used."""
    warnings: tuple[str, ...] = ()
    """Snapshots passed over, and why. The state is right all the same."""


def replay(reader: Reader, form: Form[S]) -> Replay[S]:
    """The state after the last entry. Raises JournalError naming the first entry that does not verify."""
    state, head, warnings = _start(reader, form)
    apply = form.apply
    previous: Head | Record = head
    for record in reader.read(after=head.seq):
        problem = fault(previous, record)
        if problem:
            raise JournalError(
                f"the journal does not verify: {problem}",
                "Run `stargate journal verify` and restore the file from a backup.",
            )
        apply(state, record)
        previous = record
    return Replay(state, Head(previous.seq, previous.hash), head.seq, warnings)


def _start(reader: Reader, form: Form[S]) -> tuple[S, Head, tuple[str, ...]]:
    warnings: list[str] = []
    for seq in reader.snapshots():
        try:
            snapshot = reader.snapshot(seq)
        except JournalError as error:
            warnings.append(error.message)
            continue
        problem = _mismatch(reader, form, snapshot)
        if problem:
            warnings.append(f"the snapshot at entry {seq} was not used: {problem}")
            continue
        try:
            state = form.restore(snapshot.data)
        except Exception as error:  # noqa: BLE001 — whatever it is, the entries themselves are the remedy
            warnings.append(f"the snapshot at entry {seq} was not used: it cannot be read: {error}")
            continue
        return state, Head(seq, snapshot.hash), tuple(warnings)
    return form.empty(), GENESIS, tuple(warnings)


def _mismatch(reader: Reader, form: Form[S], snapshot: Snapshot) -> str:
    if snapshot.form != form.name:
        return f"it has the form {snapshot.form!r}, this program reads {form.name!r}"
    if snapshot.digest != form.digest(snapshot.data):
        return "its state has another digest"
    at = reader.read(after=snapshot.seq - 1, limit=1) if snapshot.seq else ()
    heads = [Head(record.seq, record.hash) for record in at] or [GENESIS]
    return "" if heads == [Head(snapshot.seq, snapshot.hash)] else "it belongs to another history"
