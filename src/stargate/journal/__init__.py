"""Remembers: the append-only, hash-chained record of facts, its snapshots, and the way back to a state.

Here live the storage (SQLite), the chain, replay, verification and export. What facts mean, and how
a state follows from them, lives in the broker; who calls it and when, in the server.
"""

from stargate.journal.chain import GENESIS, Head, Record
from stargate.journal.entry import to_entry, to_record
from stargate.journal.export import export_lines, import_lines
from stargate.journal.journal import Journal, Reader
from stargate.journal.reader import SqliteReader
from stargate.journal.replay import Form, Replay, replay
from stargate.journal.restart import restart, snapshot_of
from stargate.journal.snapshot import Snapshot
from stargate.journal.sqlite import SqliteJournal
from stargate.journal.verify import Verification, verify

__all__ = [
    "GENESIS",
    "Form",
    "Head",
    "Journal",
    "Reader",
    "Record",
    "Replay",
    "Snapshot",
    "SqliteJournal",
    "SqliteReader",
    "Verification",
    "export_lines",
    "import_lines",
    "replay",
    "restart",
    "snapshot_of",
    "to_entry",
    "to_record",
    "verify",
]
