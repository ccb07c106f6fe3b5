"""Between the broker's entries and the journal's records."""

from __future__ import annotations

import msgspec

from stargate import __version__
from stargate.base.errors import JournalError
from stargate.base.time import Instant
from stargate.base.wire import pack, unpacker
from stargate.broker.fact import Entry, Fact
from stargate.journal.chain import Record

_FACT = unpacker(Fact)


def to_record(entry: Entry) -> Record:
    """The entry in bytes, ready to append."""
    kind = entry.fact.__struct_config__.tag
    assert isinstance(kind, str), "every fact is tagged"
    return Record(entry.seq, int(entry.at), entry.cause, kind, pack(entry.fact))


def to_entry(record: Record) -> Entry:
    """The entry that was recorded. Raises JournalError where this program does not know the fact."""
    try:
        fact = _FACT.decode(record.body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise JournalError(
            f"entry {record.seq} ({record.kind}) cannot be read: {error}",
            f"It was written by another version than {__version__}; use one that knows it. "
            "`stargate journal export` shows it all the same.",
        ) from error
    return Entry(record.seq, Instant(record.at), record.cause, fact)
