"""The form of what is in a segment: frames, each with the records of one write. Pure; no files here.

    frame   = mark (4 bytes) · length (4) · CRC-32 (4) · body, numbers little-endian
    body    = a msgpack array of records; of a segment's first frame: its `Header`

The CRC starts from the epoch, the segment and the offset, so that a frame found anywhere else is not taken for one.
A frame is written only after everything before it is durable. One that cannot be read is therefore *torn*, a write
that a crash cut short and nobody was told of, if nothing readable follows it; otherwise it is *damaged*.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from struct import Struct

import msgspec

from stargate.base import wire
from stargate.gateway.record import Attempt

MARK = b"\xc1SGf"
"""0xc1 is the one byte that msgpack never writes."""
VERSION = 1
FRAME_LIMIT_BYTES = 256 << 10
"""Of the records in one frame together, and so of one record."""
FRAME_LIMIT_RECORDS = 2_000
"""A batch that is shipped ends with a frame, so this bounds how much larger than asked it is."""
_FRONT = Struct("<4sII")
_ARRAY = Struct(">BI")
_ARRAY_32 = 0xDD
FRONT_BYTES = _FRONT.size
OVERHEAD_BYTES = FRONT_BYTES + _ARRAY.size
_BODY_LIMIT_BYTES = _ARRAY.size + FRAME_LIMIT_BYTES


class Header(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The first frame of a segment."""

    version: int
    epoch: str
    segment: int
    """1, 2, 3 …"""
    admitted: int
    """How many admissions the segments before it hold: the number of the last one."""
    settled: int
    """How many settlements they hold."""


class Place(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """Between two frames of an epoch."""

    segment: int
    offset: int


def seed(epoch: str, segment: int) -> int:
    """What the CRCs of a segment start from."""
    return zlib.crc32(f"{epoch}/{segment}".encode())


def frame(body: bytes, seed: int, offset: int) -> bytes:
    """A body as it stands at an offset."""
    return _FRONT.pack(MARK, len(body), zlib.crc32(body, seed ^ offset)) + body


def body(records: Sequence[bytes]) -> bytes:
    """Packed records as one."""
    return _ARRAY.pack(_ARRAY_32, len(records)) + b"".join(records)


def found(data: bytes | memoryview, at: int, seed: int, offset: int) -> int:
    """How long the body is of the frame at `data[at:]`, which stands at an offset of its file; -1: it is not whole."""
    if len(data) - at < FRONT_BYTES:
        return -1
    mark, length, crc = _FRONT.unpack_from(data, at)
    begin = at + FRONT_BYTES
    if mark != MARK or length > _BODY_LIMIT_BYTES or len(data) - begin < length:
        return -1
    return length if zlib.crc32(data[begin : begin + length], seed ^ offset) == crc else -1


def next_found(data: bytes, seed: int, offset: int) -> int:
    """Where in `data`, which starts at an offset of its file, the first whole frame begins; -1: there is none."""
    at = data.find(MARK)
    while at >= 0 and found(data, at, seed, offset + at) < 0:
        at = data.find(MARK, at + 1)
    return at


HEADER = wire.unpacker(tuple[Header])
RECORDS = wire.unpacker(list[Attempt])
