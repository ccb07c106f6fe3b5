"""Shorthand to plain values, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from stargate.base.time import DAY, HOUR, Instant
from stargate.workloads import quantity


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (quantity.amount, "8+", (Decimal(8), False)),
        (quantity.amount, 8, (Decimal(8), True)),
        (quantity.amount, "4.5", (Decimal("4.5"), True)),
        (quantity.gibibytes, "64GB", (Decimal(64), True)),
        (quantity.gibibytes, "64 GiB+", (Decimal(64), False)),
        (quantity.gibibytes, "1TB+", (Decimal(1024), False)),
        (quantity.gibibytes, "512MB", (Decimal("0.5"), True)),
        (quantity.accelerator, "H100:8", ("H100", 8)),
        (quantity.accelerator, "H100", ("H100", 1)),
        (quantity.accelerator, "H100:0.5", ("H100", 1)),
        (quantity.accelerator, "tpu-v5e-8:1", ("tpu-v5e-8", 1)),
        (quantity.place, "azure/*/gb200-1", ("azure", None, "gb200-1")),
        (quantity.place, "*", (None, None, None)),
        (quantity.place, "k8s/arn:eks/cluster/x", ("k8s", "arn:eks", "cluster/x")),
        (quantity.ports, [8080, "8000-8010"], ("8080", "8000-8010")),
        (quantity.ports, "9000-9000", ("9000",)),
        (quantity.jurisdiction, "US-TX", "US-TX"),
        (quantity.duration, "1d12h", DAY + 12 * HOUR),
        (quantity.seconds, Decimal("1.5"), 1_500_000),
        (quantity.instant, "2027-03-01", Instant.parse("2027-03-01")),
        (quantity.number, Decimal("64.000"), Decimal(64)),
    ],
)
def test_reads(read: Callable[[Any], object], value: object, expected: object) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("read", "value", "says"),
    [
        (quantity.amount, "8GB", "not an amount"),
        (quantity.number, True, "not a number"),
        (quantity.number, Decimal("NaN"), "out of range"),
        (quantity.number, Decimal("1e999999"), "out of range"),
        (quantity.number, -1, "out of range"),
        (quantity.number, Decimal("0.0000001"), "decimals"),
        (quantity.gibibytes, "64 parsecs", "memory"),
        (quantity.accelerator, "H100:1.5", "does not fit"),
        (quantity.accelerator, "H100:0", "does not fit"),
        (quantity.accelerator, ":8", "names no accelerator"),
        (quantity.accelerator, 8, "names no accelerator"),
        (quantity.place, "azure/us-*", "matches a part"),
        (quantity.place, "", "no place"),
        (quantity.ports, [0], "no port"),
        (quantity.ports, "9000-8000", "no port"),
        (quantity.ports, True, "no port"),
        (quantity.jurisdiction, "Texas", "no jurisdiction"),
        (quantity.duration, 3600, "with its unit"),
        (quantity.duration, "0s", "out of range"),
        (quantity.duration, "99999w", "out of range"),
        (quantity.duration, "9" * 5000 + "s", "not a duration"),
        (quantity.instant, "1969-12-31", "before 1970"),
        (quantity.instant, "2027-01-01T00:00:00", "time zone"),
    ],
)
def test_refuses_with_a_way_out(read: Callable[[Any], object], value: object, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        read(value)
    assert "; " in str(caught.value), "after the fault stands the way out"


def test_a_price_cap_is_never_overstated() -> None:
    assert quantity.per_chip(Decimal(100), 3) == Decimal("33.333333")
    assert quantity.per_chip(Decimal(100), 0) == 100


def test_values_in_messages_stay_short_and_on_one_line() -> None:
    assert len(quantity.shown("x\n" * 1000)) < 80
    assert "\n" not in quantity.shown("a\nb")
    assert quantity.shown({"a": 1}) == "a mapping"
