"""The root of a month: one hash over all that it came to, whatever the order in which it came."""

from __future__ import annotations

from hashlib import blake2b

from stargate.base.wire import pack
from stargate.ledger.record.month import span_of
from stargate.ledger.store.reading import Reading


def root_of(reading: Reading, month: str, entry_seq: int, usage_seq: int) -> bytes:
    """32 bytes over the month's lines, in order of their ids, and the usage counted for them, in order of its names.

    Entries after `entry_seq` and usage after `usage_seq` belong to a later month's books, and are left out.
    """
    state = blake2b(digest_size=32, person=b"stargate.month.1")
    for name, micro, posted in reading.lines_sealed(month, entry_seq):
        state.update(pack((name, micro, posted)))
    state.update(b"usage")
    for source, event, fingerprint in reading.usage_sealed(span_of(month), usage_seq):
        state.update(pack((source, event, fingerprint)))
    return state.digest()
