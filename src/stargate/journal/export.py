"""A journal as text: JSON lines that people and `jq` can read, and that import to the same hashes.

The first line names the format, then one line per entry, then the head. Facts appear as they were packed:
times inside them are microseconds, decimals are text. Where JSON cannot carry a body exactly, the
line holds the bytes beside it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec

from stargate.base.errors import InputError, JournalError, Problem
from stargate.base.time import Instant
from stargate.journal.chain import GENESIS, Head, Record, fault
from stargate.journal.journal import FORMAT, Journal, Reader

IMPORT_BATCH_RECORDS = 1_000
LINE_LIMIT_BYTES = 256 * 2**20


class Opening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line."""

    stargate_journal: int
    """The format of the export."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry."""

    seq: int
    at: str | int
    """ISO 8601; microseconds where ISO cannot say it."""
    cause: str
    kind: str
    fact: Any
    hash: str
    body: str = ""
    """Base64 of the msgpack, only where `fact` alone would not give the same bytes again."""


class Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line: whatever is missing before it shows."""

    head: str


def export_lines(reader: Reader) -> Iterator[bytes]:
    """The journal as JSON lines, each with its newline. Raises JournalError at the first bad entry."""
    yield msgspec.json.encode(Opening(FORMAT)) + b"\n"
    head = GENESIS
    for record in reader.read():
        problem = fault(head, record)
        if problem:
            raise JournalError(
                f"the journal does not verify: {problem}", "Everything before it was exported."
            )
        yield msgspec.json.encode(to_line(record)) + b"\n"
        head = Head(record.seq, record.hash)
    yield msgspec.json.encode(Closing(str(head))) + b"\n"


def import_lines(lines: Iterable[bytes], journal: Journal, name: str = "<export>") -> Head:
    """Append an export to an empty journal, checking every hash on the way, and give the head.

    Raises InputError naming the first bad line; entries before it are in the journal, and running the
    import again on a new file is the way out.
    """
    if journal.head().seq:
        raise JournalError("an export can be imported into an empty journal only", "Name a new file.")
    numbered = enumerate(chain(lines, [b""]), 1)
    _opening(next(numbered)[1], name)
    head = GENESIS
    batch: list[Record] = []
    for number, line in numbered:
        entry = _decode(line, number, name)
        if isinstance(entry, Closing):
            if entry.head != str(head):
                raise _bad(name, number, f"the export ends at {head}, but was of {entry.head}")
            return journal.append(batch)
        record = _from_line(entry, number, name)
        problem = fault(head, record)
        if problem:
            raise _bad(name, number, problem)
        head = Head(record.seq, record.hash)
        batch.append(record)
        if len(batch) == IMPORT_BATCH_RECORDS:
            journal.append(batch)
            batch = []
    raise AssertionError("the empty last line is refused by _decode")


def to_line(record: Record) -> Line:
    """One entry for people and for import."""
    fact = msgspec.msgpack.decode(record.body)
    at: str | int = Instant(record.at).iso()
    if Instant(record.at).iso().endswith("us"):
        at = record.at
    exact = _survives_json(fact, record.body)
    body = "" if exact else b64encode(record.body).decode()
    return Line(record.seq, at, record.cause, record.kind, fact, record.hash.hex(), body)


def _survives_json(fact: object, body: bytes) -> bool:
    try:
        return msgspec.msgpack.encode(msgspec.json.decode(msgspec.json.encode(fact))) == body
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError):
        return False


def _from_line(line: Line, number: int, name: str) -> Record:
    try:
        at = line.at if isinstance(line.at, int) else int(Instant.parse(line.at))
        body = b64decode(line.body, validate=True) if line.body else msgspec.msgpack.encode(line.fact)
        return Record(line.seq, at, line.cause, line.kind, body, bytes.fromhex(line.hash))
    except ValueError as error:
        raise _bad(name, number, str(error)) from error


def _opening(line: bytes, name: str) -> None:
    try:
        opening = msgspec.json.decode(line, type=Opening)
    except msgspec.MsgspecError as error:
        raise _bad(name, 1, f"this is not an exported journal: {error}") from error
    if opening.stargate_journal > FORMAT:
        raise _bad(name, 1, f"the export has format {opening.stargate_journal}, newer than {FORMAT}")


def _decode(line: bytes, number: int, name: str) -> Line | Closing:
    if not line.strip():
        raise _bad(name, number, "the export is cut off: its closing line is missing")
    if len(line) > LINE_LIMIT_BYTES:
        raise _bad(name, number, f"the line has {len(line)} bytes; the limit is {LINE_LIMIT_BYTES}")
    try:
        if line.startswith(b'{"head"'):
            return msgspec.json.decode(line, type=Closing)
        return msgspec.json.decode(line, type=Line)
    except msgspec.MsgspecError as error:
        raise _bad(name, number, str(error)) from error


def _bad(name: str, number: int, message: str) -> InputError:
    return InputError(
        (Problem(message, "Export the journal again with `stargate journal export`.", name, number),)
    )
