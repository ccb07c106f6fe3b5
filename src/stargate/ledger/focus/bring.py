"""A file of another provider, onto the record: once, and as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import NamedTuple

from stargate.base.time import Instant
from stargate.ledger.focus.foreign import Foreign
from stargate.ledger.record.imported import Imported
from stargate.ledger.store import Store

DIGEST_BYTES = 32


class Brought(NamedTuple):
    """What became of a file."""

    file: Imported
    new: bool


def bring(
    store: Store, name: str, lines: Callable[[], AbstractContextManager[Iterable[bytes]]], at: Instant
) -> Brought:
    """Import a file whose lines, unpacked, may be read twice: first to know it, then to keep it.

    Raises InputError for what is no FOCUS file, LimitError, and LedgerError where it changes meanwhile.
    """
    state = blake2b(digest_size=DIGEST_BYTES)
    with lines() as first:
        for line in first:
            state.update(line)
    digest = state.digest()
    with lines() as again, store.writing(at) as writing:
        known = next((one for one in writing.imported() if one.digest == digest), None)
        if known is not None:
            return Brought(known, new=False)
        foreign = Foreign(again, name)
        file = Imported(
            number=0,
            digest=digest,
            name=name,
            dataset=foreign.dataset,
            version=foreign.version,
            head=foreign.head,
            rows=0,
            recorded_at=at,
        )
        return Brought(writing.bring(file, foreign.records(), foreign.sums), new=True)
