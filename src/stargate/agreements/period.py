"""Spans of time as money counts them: half-open, with months of the calendar (UTC)."""

from __future__ import annotations

import calendar
from collections.abc import Iterator

import msgspec

from stargate.agreements.clause import Interval
from stargate.base.time import DAY, FOREVER, HOUR, WEEK, Duration, Instant

_FIXED = {"Hourly": HOUR, "Daily": DAY, "Weekly": WEEK}
_MONTHS = {"Monthly": 1, "Quarterly": 3, "Semi-Annual": 6, "Annual": 12}
INTERVALS_LIMIT = 100_000
"""More intervals than this in one span are a mistake."""


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """start <= t < end."""

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"the period ends ({self.end}) before it starts ({self.start})")

    def holds(self, at: Instant) -> bool:
        """Whether an instant lies within."""
        return self.start <= at < self.end

    def meets(self, start: Instant, end: Instant) -> Period | None:
        """The part that two spans have in common."""
        first, last = max(self.start, start), min(self.end, end)
        return Period(first, last) if first < last else None

    @property
    def length(self) -> Duration:
        """How long it is."""
        return Duration(self.end - self.start)


def add_months(at: Instant, months: int) -> Instant:
    """The same day and time of another month, or that month's last day: 31 January + 1 is 28 February."""
    moment = at.datetime()
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return Instant.of(moment.replace(year=year, month=month + 1, day=day))


def months_between(start: Instant, at: Instant) -> int:
    """Whole months from `start` to `at`."""
    first, last = start.datetime(), at.datetime()
    months = (last.year - first.year) * 12 + last.month - first.month
    return months if add_months(start, months) <= at else months - 1


def intervals(
    start: Instant, end: Instant, interval: Interval, since: Instant | None = None
) -> Iterator[Period]:
    """The fulfilment intervals of a span, counted from its start; the last one may be cut short.

    With `since` only those that end later than that: what lies before is skipped without being counted out.
    """
    if interval not in _FIXED and interval not in _MONTHS:
        yield Period(start, end)
        return
    skipped = 0 if since is None or since <= start else _before(start, interval, since)
    for index in range(skipped, skipped + INTERVALS_LIMIT):
        first, last = _edge(start, interval, index), _edge(start, interval, index + 1)
        if first >= end:
            return
        yield Period(first, min(last, end))


def _before(start: Instant, interval: Interval, since: Instant) -> int:
    """How many intervals have ended by `since`."""
    if interval in _FIXED:
        return (since - start) // _FIXED[interval]
    return max(0, months_between(start, since) // _MONTHS[interval])


def _edge(start: Instant, interval: Interval, index: int) -> Instant:
    if interval in _FIXED:
        return start.plus(_FIXED[interval] * index)
    return add_months(start, _MONTHS[interval] * index)


def calendar_interval(at: Instant, interval: Interval) -> Period:
    """The interval of the calendar in which an instant lies; Full Period and Custom have none, and are all time."""
    if interval not in _FIXED and interval not in _MONTHS:
        return Period(Instant(0), FOREVER)
    year = Instant.parse(f"{at.datetime().year:04d}-01-01")
    return next(part for part in intervals(year, add_months(year, 12), interval) if part.holds(at))


def calendar_parts(period: Period, interval: Interval) -> list[Period]:
    """A period, cut where an interval of the calendar ends."""
    found: list[Period] = []
    start = period.start
    while start < period.end and len(found) < INTERVALS_LIMIT:
        end = min(period.end, calendar_interval(start, interval).end)
        found.append(Period(start, end))
        start = end
    return found
