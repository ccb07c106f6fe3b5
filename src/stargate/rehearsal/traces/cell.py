"""Cells of a trace's rows as numbers and moments.

What a cell cannot be raises ValueError with a reason that names the column and never the value, so that
reasons can be counted; readers turn it into a skipped row.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from stargate.rehearsal.traces.job import FARTHEST_SECONDS, MOST_CHIPS, Status
from stargate.rehearsal.traces.request import MOST_TOKENS

MISSING = frozenset({"", "-1", "-1.0", "NA", "NULL", "NaN", "None", "\\N", "nan", "null"})
"""What traces write where they know nothing."""

LONGEST_TEXT = 512

STATUSES: dict[str, Status] = {
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "completed": "completed",
    "failed": "failed",
    "killed": "cancelled",
    "node_fail": "failed",
    "pass": "completed",
    "succeeded": "completed",
    "terminated": "completed",
    "timeout": "failed",
}
"""Words for how a job ended. PAI calls success `Terminated`; Helios counts `TIMEOUT` and `NODE_FAIL` as failed."""


def status(text: str) -> Status:
    """How a job ended, in our words; whatever is still running or unheard of is unknown."""
    return STATUSES.get(text.strip().lower(), "unknown")


def number(text: str, what: str, most: float = FARTHEST_SECONDS) -> float:
    """A finite number from 0 to `most`."""
    try:
        value = float(text)
    except ValueError:
        missing = text.strip() in MISSING
        raise ValueError(f"{what} is missing" if missing else f"{what} is no number") from None
    if not math.isfinite(value):
        raise ValueError(f"{what} is missing" if math.isnan(value) else f"{what} is no number")
    if value < 0:
        raise ValueError(f"{what} is negative or missing")
    if value > most:
        raise ValueError(f"{what} is larger than anything real")
    return value


def whole(text: str, what: str, most: int = FARTHEST_SECONDS) -> int:
    """A whole number from 0 to `most`; what stands behind a point is cut off."""
    try:
        value = int(text)
    except ValueError:
        return int(number(text, what, most))
    if 0 <= value <= most:
        return value
    raise ValueError(
        f"{what} is negative or missing" if value < 0 else f"{what} is larger than anything real"
    )


def chips(text: str, what: str = "the number of accelerators") -> int:
    """A count of accelerators or processors."""
    return whole(text, what, MOST_CHIPS)


def tokens(text: str, what: str) -> int:
    """A count of tokens."""
    return whole(text, what, MOST_TOKENS)


def optional(text: str, most: float = FARTHEST_SECONDS) -> float | None:
    """A number that may be missing; garbage counts as missing."""
    try:
        return number(text, "it", most)
    except ValueError:
        return None


def fraction(value: float) -> float:
    """How much of each accelerator is asked for: at most all, at least a thousandth."""
    return min(max(value, 0.001), 1.0)


def word(text: str) -> str:
    """A name: trimmed, and empty where the trace writes that it knows none."""
    text = text.strip()
    return "" if text in MISSING else text[:LONGEST_TEXT]


def moment(text: str, what: str) -> float:
    """Seconds since 1970 of `2023-11-16 18:17:03.9799600` or `2024-05-10 00:00:00+00:00`.

    A time without a zone is taken as UTC: only differences matter. Digits past the microsecond are cut off.
    """
    try:
        found = datetime.fromisoformat(text.strip())
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        seconds = found.timestamp()
    except (ValueError, OverflowError):
        missing = text.strip() in MISSING
        raise ValueError(f"{what} is missing" if missing else f"{what} is no time") from None
    if not 0 <= seconds <= FARTHEST_SECONDS:
        raise ValueError(f"{what} is before 1970 or too far off")
    return seconds
