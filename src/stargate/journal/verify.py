"""Checks a whole journal: every hash in order, and every snapshot against the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from stargate.base.errors import JournalError
from stargate.journal.chain import GENESIS, Head, Record, fault

if TYPE_CHECKING:
    from stargate.journal.journal import Reader


class Verification(msgspec.Struct, frozen=True):
    """What a check found. `head` is worth noting elsewhere: it pins all history up to it."""

    head: Head
    """The last entry that verifies."""
    first_bad: int | None = None
    """The first entry that does not, by seq."""
    problem: str = ""
    snapshots: tuple[int, ...] = ()
    """Entries whose snapshots verify."""
    warnings: tuple[str, ...] = ()
    """Snapshots that do not. No fact depends on them."""

    @property
    def ok(self) -> bool:
        """Whether every entry verifies."""
        return self.first_bad is None

    def demand(self) -> Verification:
        """Itself, or a JournalError naming the first bad entry."""
        if not self.ok:
            raise JournalError(
                f"the journal does not verify from entry {self.first_bad} on: {self.problem}",
                "Restore it from a backup. The entries before that one are intact and can be exported.",
            )
        return self


def verify(reader: Reader, expected: Head | None = None) -> Verification:
    """Walk the chain from the first entry to the first bad one, or to the end.

    `expected` is a head noted earlier: entries cut off the end, and a history rewritten with fresh
    hashes, show only against one.
    """
    claimed, warnings = _claimed(reader)
    hashes = {GENESIS.seq: GENESIS.hash}
    head, problem = GENESIS, ""
    try:
        for record in reader.read():
            problem = fault(head, record) or _rewritten(record, expected)
            if problem:
                break
            head = Head(record.seq, record.hash)
            if record.seq in claimed:
                hashes[record.seq] = record.hash
    except JournalError as error:
        problem = error.message
    if not problem and expected is not None and head.seq < expected.seq:
        problem = f"entries {head.seq + 1} to {expected.seq} are missing from the end"
    good = []
    for seq in claimed:
        warning = _snapshot_fault(reader, seq, hashes.get(seq))
        if warning:
            warnings.append(warning)
        else:
            good.append(seq)
    first_bad = head.seq + 1 if problem else None
    return Verification(head, first_bad, problem, tuple(good), tuple(warnings))


def _rewritten(record: Record, expected: Head | None) -> str:
    if expected is None or record.seq != expected.seq or record.hash == expected.hash:
        return ""
    return f"entry {record.seq} has another hash than the head noted earlier: history was rewritten"


def _claimed(reader: Reader) -> tuple[tuple[int, ...], list[str]]:
    try:
        return reader.snapshots(), []
    except JournalError as error:
        return (), [error.message]


def _snapshot_fault(reader: Reader, seq: int, chain_hash: bytes | None) -> str:
    try:
        snapshot = reader.snapshot(seq)
    except JournalError as error:
        return error.message
    if snapshot.hash != chain_hash:
        return f"the snapshot at entry {seq} belongs to another history"
    return ""
