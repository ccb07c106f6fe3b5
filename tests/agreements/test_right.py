from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from stargate.agreements.right import Calendar, Requirement, Right, Terms, Window
from stargate.base import wire
from stargate.base.time import DAY, Duration, Instant

REQUIREMENT: dict[str, Any] = {
    "chips": 16, "chip_types": ["h100"], "start_by": "2026-01-01", "duration": "1d", "chips_per_node": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"chips": 12}, "multiple of chips_per_node"),
        ({"chips": 0}, "positive"),
        ({"duration": "0"}, "longer than nothing"),
        ({"max_price_micro_usd_per_chip_hour": -1}, "zero or more"),
        ({"sla": "1.5"}, "fraction"),
    ],
)
def test_an_impossible_requirement_is_refused_with_words(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        wire.convert({**REQUIREMENT, **changes}, Requirement)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (Calendar, {"name": "x", "time_zone": "Mars/Olympus"}, "no known time zone"),
        (Calendar, {"name": "x", "time_zone": "../etc/passwd"}, "no known time zone"),
        (Calendar, {"name": "x", "weekend": [0, 1, 2, 3, 4, 5, 6]}, "leaves one for work"),
        (Calendar, {"name": "x", "holidays": ["4 July"]}, "not a date"),
        (Window, {"length": 0}, "1 to 3660"),
        (Window, {"length": 30, "unit": "moons"}, "Invalid enum value"),
        (Terms, {"chips": 0, "price_micro_usd_per_chip_hour": 1, "start": 0, "duration": 1}, "at least one"),
        (
            Terms,
            {"chips": 1, "price_micro_usd_per_chip_hour": 1, "start": 0, "duration": 1, "prepayment": "2"},
            "fractions",
        ),
        (Terms, {"chips": 1, "price_micro_usd_per_chip_hour": -1, "start": 0, "duration": 1}, "zero or more"),
    ],
)
def test_what_people_write_is_checked_with_words(kind: type, value: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        wire.convert(value, kind)


def test_a_right_survives_the_journal() -> None:
    right = Right(
        clause="a/b", holder="microsoft", grantor="openai", mode="match", rank=2, window=Window(5, "business_days"),
        calendar=Calendar("us", "America/New_York", holidays=("2025-12-25",)), tail=Duration(90 * DAY),
        tolerance=Decimal("0.02"), until=Instant.parse("2030-12-31"),
    )  # fmt: skip
    assert wire.unpacker(Right).decode(wire.pack(right)) == right
