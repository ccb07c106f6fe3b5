"""Time as integers: instants and durations in microseconds, UTC. Nothing here reads a clock."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

MICROSECOND = 1
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_DELTA = timedelta(microseconds=1)
_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d|w))+")
_DURATION_PART = re.compile(r"(\d+)(?:\.(\d+))?(us|ms|s|m|h|d|w)")
_LIMIT = 253_402_300_800 * SECOND
"""Instants end where datetime ends: 10000-01-01T00:00:00Z, exclusive."""


class Instant(int):
    """A point in time: microseconds since 1970-01-01T00:00:00Z.

    On paper it is ISO 8601: a date (`2025-01-21`, meaning midnight UTC) or a date and time with
    a zone (`2025-01-21T14:00:00-08:00`); a time without a zone is refused as ambiguous.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Instant:
        """Read ISO 8601. Raises ValueError with the way out."""
        try:
            if len(text) == len("2025-01-21"):
                day = date.fromisoformat(text)
                moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            else:
                moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a time; write 2025-01-21 or 2025-01-21T14:00:00Z") from None
        if moment.tzinfo is None:
            raise ValueError(f"{text!r} has no time zone; add Z or an offset such as -08:00")
        return cls.of(moment)

    @classmethod
    def of(cls, moment: datetime) -> Instant:
        """The instant of an aware datetime."""
        assert moment.tzinfo is not None, "an instant needs a zone"
        return cls((moment - _EPOCH) // _MICROSECOND_DELTA)

    def datetime(self) -> datetime:
        """The same moment as an aware UTC datetime."""
        return _EPOCH + timedelta(microseconds=int(self))

    def plus(self, duration: int) -> Instant:
        """The instant `duration` microseconds later."""
        return Instant(int(self) + duration)

    def iso(self) -> str:
        """ISO 8601 in UTC, as short as exactness allows."""
        if not 0 <= self < _LIMIT:
            return f"{int(self)}us"
        text = self.datetime().isoformat()
        return text.replace("+00:00", "Z")

    def __str__(self) -> str:
        return self.iso()

    def __repr__(self) -> str:
        return f"Instant({self.iso()})"


class Duration(int):
    """A length of time in microseconds. On paper: `90s`, `72h`, `1d12h`, or a bare 0."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read a duration. Raises ValueError with the way out."""
        if text == "0":
            return cls(0)
        if not _DURATION.fullmatch(text):
            raise ValueError(f"{text!r} is not a duration; write 90s, 72h or 1d12h")
        total = 0
        for whole, fraction, unit in _DURATION_PART.findall(text):
            total += int(whole) * _UNITS[unit]
            if fraction:
                total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
        return cls(total)

    def short(self) -> str:
        """The shortest exact text: `1d12h`."""
        if self == 0:
            return "0"
        sign, rest, parts = ("-" if self < 0 else ""), abs(int(self)), []
        for unit in ("w", "d", "h", "m", "s", "ms", "us"):
            count, rest = divmod(rest, _UNITS[unit])
            if count:
                parts.append(f"{count}{unit}")
        return sign + "".join(parts)

    def brief(self) -> str:
        """As people speak of estimates: to the hour where it takes days, to the minute where it takes hours."""
        unit = HOUR if self >= DAY else MINUTE if self >= HOUR else SECOND
        days, rest = divmod((self + unit // 2) // unit * unit, DAY)
        return (f"{days:,}d" if days else "") + (Duration(rest).short() if rest or not days else "")

    def __str__(self) -> str:
        return self.short()

    def __repr__(self) -> str:
        return f"Duration({self.short()})"


FOREVER = Instant(_LIMIT - 1)
"""An end that never comes."""
