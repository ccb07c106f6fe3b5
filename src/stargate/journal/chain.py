"""The hash chain: each entry's hash covers the entry and, through the hash before it, all history. Pure.

    hash(n) = blake2b-256(person="stargate.fact.1", hash(n-1) | header | cause | kind | body)
    header  = seq: u64 | at: i64 (microseconds) | bytes of cause: u32 | bytes of kind: u32   (big endian)

`cause` and `kind` are UTF-8; the lengths in the header make every boundary unambiguous. The hash before
the first entry is 32 zero bytes, so the same entries give the same chain in every journal.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import msgspec

HASH_BYTES = 32
GENESIS_HASH = bytes(HASH_BYTES)

_HEADER = struct.Struct(">QqII")
_SEED = blake2b(digest_size=HASH_BYTES, person=b"stargate.fact.1")
"""Copied for each link: that is a quarter faster than a new hash object with its parameters."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One journalled entry as it is stored: what happened, when, and which command caused it, in bytes."""

    seq: int
    """1, 2, 3 … without a gap."""
    at: int
    """Instant, in microseconds since 1970-01-01T00:00:00Z."""
    cause: str
    """The id of the command."""
    kind: str
    """The fact's tag, so that people and filters need not decode the body."""
    body: bytes
    """The fact in msgpack."""
    hash: bytes = b""
    """The chain's hash up to here. Empty until the record is in a journal."""


class Head(msgspec.Struct, frozen=True):
    """How far a journal goes. Two journals with the same head hold the same entries."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read `SEQ:HASH` as `verify` prints it. Raises ValueError with the way out."""
        seq, _, digest = text.partition(":")
        try:
            head = cls(int(seq), bytes.fromhex(digest))
        except ValueError:
            head = cls(-1, b"")
        if head.seq < 0 or len(head.hash) != HASH_BYTES:
            raise ValueError(f"{text!r} is not a journal head; write SEQ:HASH as `verify` prints it")
        return head


GENESIS = Head(0, GENESIS_HASH)
"""The head of an empty journal."""


def link(previous: bytes, record: Record) -> bytes:
    """The hash of `record` when it follows an entry whose hash is `previous`."""
    assert len(previous) == HASH_BYTES, "a chain hangs on a whole hash"
    cause, kind = record.cause.encode(), record.kind.encode()
    header = _HEADER.pack(record.seq, record.at, len(cause), len(kind))
    state = _SEED.copy()
    state.update(b"".join((previous, header, cause, kind, record.body)))
    return state.digest()


def fault(previous: Head | Record, record: Record) -> str:
    """What is wrong with `record` as the next entry after `previous`; empty when nothing is."""
    if record.seq != previous.seq + 1:
        return f"entry {previous.seq + 1} is missing: {record.seq} follows {previous.seq}"
    try:
        whole = record.hash == link(previous.hash, record)
    except (AttributeError, TypeError, struct.error):  # a damaged file can give any type in any column
        whole = False
    if not whole:
        return (
            f"entry {record.seq} ({record.kind}) does not match its hash: it, or one before it, was altered"
        )
    return ""
