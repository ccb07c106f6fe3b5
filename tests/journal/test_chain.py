from __future__ import annotations

from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.journal.chain import GENESIS, GENESIS_HASH, Head, Record, fault, link

RECORD = Record(1, 1_700_000_000_000_000, "cmd-1", "noted", b"\x81\xa1a\x01")


def test_the_hash_is_the_documented_one() -> None:
    """Written out by hand: this is the format, and must not change unnoticed."""
    header = (
        (1).to_bytes(8, "big")
        + (1_700_000_000_000_000).to_bytes(8, "big", signed=True)
        + (5).to_bytes(4, "big")
        + (5).to_bytes(4, "big")
    )
    covered = bytes(32) + header + b"cmd-1" + b"noted" + b"\x81\xa1a\x01"
    expected = blake2b(covered, digest_size=32, person=b"stargate.fact.1").digest()
    assert link(GENESIS_HASH, RECORD) == expected
    assert expected.hex() == "9e28ea6948e75a32eb9b05846397bb4e86dce491299a5b3db35f1574aa6cd090"


@pytest.mark.parametrize(
    "changed",
    [
        {"seq": 2},
        {"at": 1_700_000_000_000_001},
        {"cause": "cmd-2"},
        {"kind": "notes"},
        {"body": b"\x81\xa1a\x02"},
        {"cause": "cmd-1n", "kind": "oted"},
        {"kind": "note", "body": b"d\x81\xa1a\x01"},
    ],
)
def test_every_field_and_every_boundary_is_covered(changed: dict[str, object]) -> None:
    assert link(GENESIS_HASH, msgspec.structs.replace(RECORD, **changed)) != link(GENESIS_HASH, RECORD)


def test_the_hash_before_is_covered() -> None:
    assert link(b"\x01" * 32, RECORD) != link(GENESIS_HASH, RECORD)


def test_a_whole_record_has_no_fault() -> None:
    assert fault(GENESIS, msgspec.structs.replace(RECORD, hash=link(GENESIS_HASH, RECORD))) == ""


def test_a_gap_is_named() -> None:
    assert (
        fault(Head(3, GENESIS_HASH), msgspec.structs.replace(RECORD, seq=5))
        == "entry 4 is missing: 5 follows 3"
    )


def test_an_altered_record_is_named() -> None:
    altered = msgspec.structs.replace(RECORD, hash=link(GENESIS_HASH, RECORD), body=b"\x81\xa1a\x02")
    assert fault(GENESIS, altered).startswith("entry 1 (noted) does not match its hash")


@pytest.mark.parametrize(
    "changed", [{"cause": None}, {"at": "x"}, {"body": "text"}, {"kind": 7}, {"at": 2**64}]
)
def test_columns_of_wrong_types_are_a_fault_and_no_crash(changed: dict[str, object]) -> None:
    whole = msgspec.structs.replace(RECORD, hash=link(GENESIS_HASH, RECORD))
    assert "does not match" in fault(GENESIS, msgspec.structs.replace(whole, **changed))


@given(st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32))
def test_a_head_reads_back(seq: int, digest: bytes) -> None:
    head = Head(seq, digest)
    assert Head.parse(str(head)) == head


@pytest.mark.parametrize("text", ["", "5", "5:", "x:00", "-1:" + "00" * 32, "5:" + "00" * 31, "5:zz"])
def test_a_malformed_head_names_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="write SEQ:HASH"):
        Head.parse(text)
