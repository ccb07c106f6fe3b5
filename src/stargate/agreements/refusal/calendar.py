"""When a holder's window closes: calendar arithmetic in a named zone, never multiples of 86,400 seconds.

Rules (each tested):

- Notice is effective on receipt. The day of receipt does not count; the window's last day is the n-th day,
  or the n-th working day, after it.
- The window closes at the end of its last day: D is the next local midnight. Timely means received < D.
- Minutes and hours are exact lengths of time from receipt.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from stargate.agreements.right import Calendar, Window
from stargate.base.time import FOREVER, HOUR, MINUTE, Instant

_ONE_DAY = timedelta(days=1)
_SEARCH_LIMIT = 40
"""Halvings that bring two days' worth of microseconds down to one."""
_IDLE_LIMIT = 3_660
"""A calendar without a working day in ten years is a mistake."""


def deadline(window: Window, calendar: Calendar, received: Instant) -> Instant:
    """The instant before which an answer must be received.

    Never raises for a valid window and calendar; windows that pass the end of time close at FOREVER.
    """
    if window.unit == "hours":
        return _capped(received + window.length * HOUR)
    if window.unit == "minutes":
        return _capped(received + window.length * MINUTE)
    try:
        last = _last_day(window, calendar, local_date(calendar, received))
        return midnight(calendar, last + _ONE_DAY)
    except OverflowError:
        return FOREVER


def timely(received: Instant, closes: Instant) -> bool:
    """Half-open: an answer that arrives at the deadline itself is late."""
    return received < closes


def is_business_day(calendar: Calendar, day: date) -> bool:
    """Neither a weekend day nor a holiday of the calendar."""
    return day.weekday() not in calendar.weekend and day.isoformat() not in calendar.holidays


def local_date(calendar: Calendar, at: Instant) -> date:
    """The date on the wall in the calendar's zone."""
    return at.datetime().astimezone(_zone(calendar.time_zone)).date()


def midnight(calendar: Calendar, day: date) -> Instant:
    """The instant at which `day` begins for good: all of the day before is over.

    Where clocks jump over midnight, or over the whole day, it is the instant of the jump. Where midnight
    comes twice, it is the one after which the day before does not come back. Raises OverflowError beyond
    year 9999.
    """
    zone = _zone(calendar.time_zone)
    first, second = (
        Instant.of(datetime.combine(day, time(0), zone).replace(fold=fold).astimezone(UTC)) for fold in (0, 1)
    )
    begins = [at for at in (first, second) if _ends_before(zone, at, day)]
    if begins:
        return max(begins)
    return _jump(zone, min(first, second), max(first, second), day)


def _ends_before(zone: ZoneInfo, at: Instant, day: date) -> bool:
    """Whether `at` is an edge between an earlier date and `day` (or a later one)."""
    return _date(zone, Instant(at - 1)) < day <= _date(zone, at)


def _jump(zone: ZoneInfo, before: Instant, after: Instant, day: date) -> Instant:
    """The edge strictly between two instants, where a gap holds midnight in its middle."""
    low, high = before, after
    for _ in range(_SEARCH_LIMIT):
        if high - low <= 1:
            break
        middle = Instant((low + high) // 2)
        if _date(zone, middle) < day:
            low = middle
        else:
            high = middle
    assert _ends_before(zone, high, day), f"no start of {day} was found in {zone.key}"
    return high


def _last_day(window: Window, calendar: Calendar, received: date) -> date:
    if window.unit == "calendar_days":
        return received + timedelta(days=window.length)
    day, left, idle = received, window.length, 0
    while left and idle < _IDLE_LIMIT:
        day += _ONE_DAY
        if is_business_day(calendar, day):
            left, idle = left - 1, 0
        else:
            idle += 1
    if left:
        raise OverflowError("the calendar has no working day left")
    return day


def _date(zone: ZoneInfo, at: Instant) -> date:
    return at.datetime().astimezone(zone).date()


def _capped(at: int) -> Instant:
    return Instant(min(at, FOREVER))


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
