from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stargate.base import wire
from stargate.gateway.metering.frame import FRONT_BYTES, RECORDS, body, found, frame, next_found, seed
from tests.gateway.metering.making import admission, settlement

SEED = seed("epoch", 1)
RECORD_BYTES = [wire.pack(admission(1)), wire.pack(settlement(1))]


def test_a_frame_gives_its_records_back() -> None:
    data = frame(body(RECORD_BYTES), SEED, 7)
    length = found(data, 0, SEED, 7)
    assert length == len(data) - FRONT_BYTES
    assert RECORDS.decode(data[FRONT_BYTES:]) == [admission(1), settlement(1)]


def test_a_frame_counts_only_where_it_was_written() -> None:
    """Blocks that a disk puts into the wrong place, and files under a wrong name, are not taken for records."""
    data = frame(body(RECORD_BYTES), SEED, 4_096)
    assert found(data, 0, SEED, 4_096) >= 0
    assert found(data, 0, SEED, 8_192) == -1
    assert found(data, 0, seed("epoch", 2), 4_096) == -1
    assert found(data, 0, seed("other", 1), 4_096) == -1


@given(st.data())
def test_no_flipped_bit_is_taken_for_a_record(data: st.DataObject) -> None:
    whole = frame(body(RECORD_BYTES), SEED, 0)
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    spoilt = bytearray(whole)
    spoilt[at // 8] ^= 1 << at % 8
    assert found(bytes(spoilt), 0, SEED, 0) == -1


def test_the_next_whole_frame_is_found_among_debris() -> None:
    """What an endpoint said may look like a frame: it does not stand where it would have to."""
    forged = frame(body(RECORD_BYTES), SEED, 0)
    front = b"debris" + forged[:-1] + forged
    data = front + frame(body(RECORD_BYTES), SEED, len(front))
    assert next_found(data, SEED, 0) == len(front)
    assert next_found(data[:-1], SEED, 0) == -1
