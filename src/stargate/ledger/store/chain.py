"""The chain of blocks: each covers what was written since and, through the block before, all history. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from stargate.base.wire import pack
from stargate.ledger.store.database import Row

HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)

COVERED = {
    "usage_event": (
        "seq", "source", "event", "fingerprint", "stream", "micro", "start_us", "end_us", "corrects", "recorded_us",
    ),
    "terms": ("seq", "kind", "digest", "recorded_us"),
    "entry": (
        "seq", "line", "nth", "account", "contra", "amount", "micro", "month", "recorded_us", "usage_seq", "says",
        "text_ref", "due_us", "corrects",
    ),
    "month": ("name", "status", "block", "closed_us", "entry_seq", "usage_seq", "terms_seq", "root"),
    "imported_file": ("seq", "block", "digest", "name", "dataset", "version", "head", "records", "recorded_us"),
}  # fmt: skip
"""What a block covers of each table, in this order: of each table its new rows, in order of their numbers."""


class Position(NamedTuple):
    """How far the record goes."""

    block: int = 0
    usage_seq: int = 0
    terms_seq: int = 0
    entry_seq: int = 0
    hash: bytes = GENESIS


def said(row: Row, name: str | bytes = "") -> bytes:
    """What a block covers of a row; of usage with its source's name, of an entry with its line's id."""
    return pack((name, *row))


def sealed(before: Position, now: Position, rows: Iterable[bytes]) -> tuple[int, int, int, int, bytes]:
    """The block's row: its number, how far the record goes with it, and its hash.

    The hash is blake2b-256 over the hash before, the numbers, and what is said of each row, with its length.
    """
    state = blake2b(before.hash, digest_size=HASH_BYTES, person=b"stargate.ledger1")
    block = before.block + 1
    state.update(b"%d|%d|%d|%d" % (block, *now[1:4]))
    for part in rows:
        state.update(len(part).to_bytes(8, "big") + part)
    return (block, *now[1:4], state.digest())
