"""Snapshots: the state after one entry, so that a restart need not fold all of history. Pure.

A snapshot is an optimisation and is trusted only as far as it proves itself: its checksum covers all its
fields, and it names the chain's hash at its entry, so one from another history is recognised.
"""

from __future__ import annotations

import zlib
from hashlib import blake2b

import msgspec

from stargate.base.errors import JournalError
from stargate.base.wire import pack

COMPRESSION_LEVEL = 1
"""Measured by `bench/journal.py` on 100,000 jobs: higher levels gain little more and cost a multiple."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state after entry `seq`."""

    seq: int
    hash: bytes
    """The chain's hash at `seq`."""
    form: str
    """Which form of state this is. A program reads its own form only, or else replays from further back."""
    digest: str
    """The digest of the state, as the one who saved it computes it."""
    data: bytes


class Sealed(msgspec.Struct, frozen=True):
    """A snapshot as it is stored."""

    seq: int
    hash: bytes
    form: str
    digest: str
    size_bytes: int
    """Of the data, uncompressed."""
    checksum: bytes
    data: bytes
    """zlib."""


def seal(snapshot: Snapshot) -> Sealed:
    """Compress and checksum."""
    data = zlib.compress(snapshot.data, COMPRESSION_LEVEL)
    size = len(snapshot.data)
    checksum = _checksum(snapshot.seq, snapshot.hash, snapshot.form, snapshot.digest, size, data)
    return Sealed(snapshot.seq, snapshot.hash, snapshot.form, snapshot.digest, size, checksum, data)


def unseal(sealed: Sealed) -> Snapshot:
    """Check and decompress. Raises JournalError where the stored bytes are not what was saved."""
    checksum = _checksum(sealed.seq, sealed.hash, sealed.form, sealed.digest, sealed.size_bytes, sealed.data)
    if checksum != sealed.checksum:
        raise JournalError(
            f"the snapshot at entry {sealed.seq} does not match its checksum",
            "Nothing is lost: replay uses an older snapshot, or all entries.",
        )
    data = zlib.decompress(sealed.data, bufsize=max(sealed.size_bytes, 1))
    return Snapshot(sealed.seq, sealed.hash, sealed.form, sealed.digest, data)


def _checksum(*fields: int | str | bytes) -> bytes:
    return blake2b(pack(fields), digest_size=32, person=b"stargate.snap.1").digest()
