"""Billing periods: calendar months in UTC, which open, close, and stay closed."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from stargate.agreements import Period
from stargate.agreements.period import add_months
from stargate.base.time import Instant

MonthStatus = Literal["open", "closing", "closed"]
PATTERN = "(19[7-9]|2[0-9][0-9])[0-9]-(0[1-9]|1[0-2])"
"""Of their names."""
_NAME = re.compile(PATTERN)


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A billing period and where it stands. Months that are not on record are open."""

    name: str
    """`2026-03`."""
    status: MonthStatus = "open"
    closed_at: Instant | None = None
    entry_seq: int = 0
    """The last entry of the record when it closed: its statements are a function of the record up to there."""
    usage_seq: int = 0
    terms_seq: int = 0
    root: bytes = b""
    """Hash over all its lines and the usage counted for them, in an order of their own: not that of arrival."""


def month_of(at: Instant) -> str:
    """The month in which an instant lies."""
    return at.datetime().strftime("%Y-%m")


def span_of(name: str) -> Period:
    """First instant to first instant of the next. Raises ValueError with the way out."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a month; write 2026-03")
    start = Instant.parse(f"{name}-01")
    return Period(start, add_months(start, 1))


def after(name: str) -> str:
    """The next month."""
    return month_of(span_of(name).end)
