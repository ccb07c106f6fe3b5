"""What was compressed unasked is unpacked in pieces of bounded size."""

from __future__ import annotations

import gzip
import zlib

import pytest

from stargate.gateway.upstream import CutError
from stargate.gateway.upstream.unpack import PIECE_LIMIT_BYTES, Unpack


def unpacked(unpack: Unpack, packed: bytes) -> list[bytes]:
    pieces = [unpack.feed(packed)]
    while piece := unpack.more():
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_small_piece_that_holds_much_is_unpacked_little_by_little(encoding: str, pack: type[bytes]) -> None:
    plain = bytes(5 * PIECE_LIMIT_BYTES + 1)
    unpack = Unpack(encoding)
    pieces = unpacked(unpack, pack(plain))
    unpack.end()
    assert b"".join(pieces) == plain
    assert max(map(len, pieces)) <= PIECE_LIMIT_BYTES


def test_pieces_may_break_anywhere() -> None:
    packed = gzip.compress(b"one two three" * 100)
    unpack = Unpack("gzip")
    assert b"".join(unpack.feed(packed[n : n + 1]) for n in range(len(packed))) == b"one two three" * 100
    unpack.end()


def test_what_is_no_gzip_or_half_of_it_is_cut() -> None:
    with pytest.raises(CutError, match="not compressed as it says"):
        Unpack("gzip").feed(b"{}")
    half = Unpack("gzip")
    half.feed(gzip.compress(b"one two three")[:-9])
    with pytest.raises(CutError, match="breaks off"):
        half.end()
    with pytest.raises(CutError, match="'br', unasked"):
        Unpack("br")
