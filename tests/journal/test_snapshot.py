from __future__ import annotations

import msgspec
import pytest

from stargate.base.errors import JournalError
from stargate.journal.snapshot import Snapshot, seal, unseal

SNAPSHOT = Snapshot(7, b"\x07" * 32, "state-1", "d1gest", b"a state that repeats itself " * 100)


def test_it_reads_back() -> None:
    sealed = seal(SNAPSHOT)
    assert unseal(sealed) == SNAPSHOT
    assert len(sealed.data) < len(SNAPSHOT.data) / 5


def test_an_empty_state_reads_back() -> None:
    empty = msgspec.structs.replace(SNAPSHOT, data=b"")
    assert unseal(seal(empty)) == empty


@pytest.mark.parametrize(
    "changed",
    [
        {"seq": 8},
        {"hash": b"\x08" * 32},
        {"form": "state-2"},
        {"digest": "other"},
        {"size_bytes": 1},
        {"data": b"not zlib"},
        {"checksum": b"\x00" * 32},
    ],
)
def test_any_altered_field_is_noticed(changed: dict[str, object]) -> None:
    with pytest.raises(JournalError, match=r"snapshot at entry [78] does not match its checksum"):
        unseal(msgspec.structs.replace(seal(SNAPSHOT), **changed))
