"""The chain of blocks: each covers what one transaction wrote and, through the block before, all history. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

HASH_BYTES = 32
GENESIS = bytes(HASH_BYTES)


class Position(NamedTuple):
    """How far the record goes."""

    block: int = 0
    usage_seq: int = 0
    terms_seq: int = 0
    entry_seq: int = 0
    hash: bytes = GENESIS


def sealed(before: Position, now: Position, said: Sequence[bytes]) -> tuple[int, int, int, int, bytes]:
    """The block's row: its number, how far the record goes with it, and its hash."""
    block = Position(before.block + 1, *now[1:4], hash=digest(before, now, said))
    return (block.block, block.usage_seq, block.terms_seq, block.entry_seq, block.hash)


def digest(before: Position, now: Position, said: Sequence[bytes]) -> bytes:
    """blake2b-256 over the hash before, the numbers, and each thing that was said with its length."""
    state = blake2b(before.hash, digest_size=HASH_BYTES, person=b"stargate.ledger1")
    state.update(b"%d|%d|%d|%d" % (before.block + 1, *now[1:4]))
    state.update(b"".join(b"|%d:%b" % (len(part), part) for part in said))
    return state.digest()
