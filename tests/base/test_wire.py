"""Records on the wire: msgpack for the journal, JSON for people."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from stargate.base import wire
from stargate.base.time import Duration, Instant


class Sample(msgspec.Struct, frozen=True):
    """One of each kind that needs care."""

    at: Instant
    length: Duration
    amount: Decimal


SAMPLE = Sample(Instant.parse("2025-01-21T14:00:00Z"), Duration.parse("1d12h"), Decimal("0.10"))


def test_msgpack_there_and_back() -> None:
    """The same record gives the same bytes, and comes back with its types."""
    found = wire.unpacker(Sample).decode(wire.pack(SAMPLE))
    assert found == SAMPLE
    assert type(found.at) is Instant
    assert wire.pack(found) == wire.pack(SAMPLE)


def test_json_is_for_people() -> None:
    """Times as ISO 8601, durations with units, decimals as text with their digits."""
    assert wire.to_plain(SAMPLE) == {"at": "2025-01-21T14:00:00Z", "length": "1d12h", "amount": "0.10"}
    assert wire.from_json(wire.to_json(SAMPLE), Sample) == SAMPLE


@pytest.mark.parametrize("value", [True, 1.5, None, "soon"])
def test_what_is_no_time_is_refused(value: object) -> None:
    """With the field's path."""
    with pytest.raises(msgspec.ValidationError, match="at"):
        wire.convert({"at": value, "length": "1h", "amount": 1}, Sample)


def test_unknown_types_are_our_own_fault() -> None:
    """Nothing is written that could not be read."""
    with pytest.raises(NotImplementedError):
        wire.pack({"x": object()})
