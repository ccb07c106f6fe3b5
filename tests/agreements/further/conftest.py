"""Books of further cases, one file a case."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stargate import agreements
from stargate.agreements import Book, ChargeLine, Period, Usage
from stargate.base.time import Instant

HERE = Path(__file__).parent


@pytest.fixture
def further() -> Callable[[str], Book]:
    """A book of a case file by its name."""

    def make(name: str) -> Book:
        return Book.compile(agreements.load(HERE / f"{name}.yaml"))

    return make


@pytest.fixture
def period() -> Callable[[str, str], Period]:
    """A span between two dates."""

    def make(start: str, end: str) -> Period:
        return Period(Instant.parse(start), Instant.parse(end))

    return make


@pytest.fixture
def used() -> Callable[..., Usage]:
    """So much of a metric on a date; what else is said becomes attributes."""

    def make(metric: str, quantity: Any, at: str, party: str = "", **attributes: Any) -> Usage:
        return Usage(metric, Decimal(quantity), Instant.parse(at), party, attributes=attributes)

    return make


@pytest.fixture
def owed() -> Callable[..., int]:
    """What lines of a kind (or all gross ones) add up to, in micro-USD."""

    def add(lines: tuple[ChargeLine, ...], kind: str = "") -> int:
        return sum(
            line.amount_micro_usd for line in lines if line.basis == "gross" and kind in ("", line.kind)
        )

    return add
