from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.agreements.refusal.calendar import deadline, is_business_day, local_date, midnight, timely
from stargate.agreements.right import Calendar, Window
from stargate.base.time import DAY, FOREVER, HOUR, Instant

SEATTLE = Calendar("seattle", "America/Los_Angeles", holidays=("2025-07-04", "2025-11-27"))
UTC_DAYS = Calendar("utc")


def at(text: str) -> Instant:
    return Instant.parse(text)


def wall(zone: str, *parts: int, fold: int = 0) -> Instant:
    year, month, day, hour, minute = parts
    return Instant.of(datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone), fold=fold))


def test_the_day_of_receipt_does_not_count_and_the_last_day_counts_whole() -> None:
    received = wall("America/Los_Angeles", 2025, 2, 11, 16, 30)
    closes = deadline(Window(30), SEATTLE, received)
    assert closes == at("2025-03-14T00:00:00-07:00")  # the clocks went forward on the ninth
    assert timely(Instant(closes - 1), closes)
    assert not timely(closes, closes)


def test_the_date_is_that_of_the_calendars_zone() -> None:
    received = at("2025-02-11T05:00:00Z")  # still the tenth in Seattle
    assert deadline(Window(1), SEATTLE, received) == at("2025-02-12T00:00:00-08:00")
    assert deadline(Window(1), UTC_DAYS, received) == at("2025-02-13T00:00:00Z")


def test_days_are_not_multiples_of_86_400_seconds() -> None:
    before = wall("America/Los_Angeles", 2025, 3, 8, 0, 0)
    assert deadline(Window(1), SEATTLE, before) - before == 2 * DAY - HOUR  # the ninth has 23 hours
    autumn = wall("America/Los_Angeles", 2025, 11, 1, 0, 0)
    assert deadline(Window(1), SEATTLE, autumn) - autumn == 2 * DAY + HOUR


@pytest.mark.parametrize(("unit", "length"), [("hours", 48), ("minutes", 2880)])
def test_hours_and_minutes_are_exact_lengths(unit: str, length: int) -> None:
    received = wall("America/Los_Angeles", 2025, 3, 8, 12, 0)
    assert deadline(Window(length, unit), SEATTLE, received) == received.plus(48 * HOUR)  # type: ignore[arg-type]


def test_leap_days_count() -> None:
    assert deadline(Window(1), UTC_DAYS, at("2024-02-28T12:00:00Z")) == at("2024-03-01")
    assert deadline(Window(2), UTC_DAYS, at("2023-02-27T12:00:00Z")) == at("2023-03-02")


def test_business_days_skip_weekends_and_holidays() -> None:
    wednesday = wall("America/Los_Angeles", 2025, 7, 2, 9, 0)
    # Thursday is the first, Friday the fourth a holiday, then the weekend: Monday is the second.
    assert deadline(Window(2, "business_days"), SEATTLE, wednesday) == at("2025-07-08T00:00:00-07:00")
    saturday = wall("America/Los_Angeles", 2025, 7, 5, 9, 0)
    assert deadline(Window(1, "business_days"), SEATTLE, saturday) == at("2025-07-08T00:00:00-07:00")


def test_another_weekend_is_another_week() -> None:
    abu_dhabi = Calendar("old gulf", "Asia/Dubai", weekend=(4, 5))
    assert not is_business_day(abu_dhabi, date(2025, 7, 4))
    assert is_business_day(abu_dhabi, date(2025, 7, 6))


def test_a_gap_over_midnight_ends_the_day_at_the_jump() -> None:
    """São Paulo's clocks jumped from 00:00 to 01:00 on 2018-11-04."""
    paulo = Calendar("paulo", "America/Sao_Paulo")
    assert midnight(paulo, date(2018, 11, 4)) == at("2018-11-04T01:00:00-02:00")
    assert local_date(paulo, Instant(midnight(paulo, date(2018, 11, 4)) - 1)) == date(2018, 11, 3)


def test_a_fold_that_repeats_the_last_hour_belongs_to_the_last_day() -> None:
    """São Paulo's clocks fell back from 00:00 to 23:00 on 2018-02-18."""
    paulo = Calendar("paulo", "America/Sao_Paulo")
    assert midnight(paulo, date(2018, 2, 18)) == at("2018-02-18T00:00:00-03:00")


def test_a_fold_that_repeats_the_first_hour_starts_the_day_once() -> None:
    """Havana's clocks fell back from 01:00 to 00:00 on 2020-11-01."""
    havana = Calendar("havana", "America/Havana")
    assert midnight(havana, date(2020, 11, 1)) == at("2020-11-01T00:00:00-04:00")


def test_a_fold_across_midnight_ends_the_day_the_second_time() -> None:
    """St John's fell back from 00:01 to 23:01 on 2009-11-01: the last day came back for 59 minutes."""
    john = Calendar("john", "America/St_Johns")
    assert midnight(john, date(2009, 11, 1)) == wall("America/St_Johns", 2009, 11, 1, 0, 0, fold=1)


def test_a_day_that_never_was_ends_where_it_would_have_begun() -> None:
    """Samoa skipped 2011-12-30."""
    apia = Calendar("apia", "Pacific/Apia")
    assert midnight(apia, date(2011, 12, 30)) == midnight(apia, date(2011, 12, 31))
    assert deadline(Window(1), apia, wall("Pacific/Apia", 2011, 12, 28, 12, 0)) == midnight(
        apia, date(2011, 12, 31)
    )


def test_midnight_inside_a_gap_is_found() -> None:
    """Monrovia went from -00:44:30 to 0 at midnight of 1972-01-07, local clocks jumping to 00:44:30."""
    monrovia = Calendar("monrovia", "Africa/Monrovia")
    begins = midnight(monrovia, date(1972, 1, 7))
    assert local_date(monrovia, begins) == date(1972, 1, 7)
    assert local_date(monrovia, Instant(begins - 1)) == date(1972, 1, 6)


def test_toronto_jumped_over_midnight_in_the_middle_of_a_gap() -> None:
    """Toronto's clocks jumped from 23:30 on 1919-03-30 to 00:30 on the 31st."""
    toronto = Calendar("toronto", "America/Toronto")
    begins = midnight(toronto, date(1919, 3, 31))
    assert begins.datetime().astimezone(ZoneInfo("America/Toronto")).strftime("%H:%M") == "00:30"
    assert local_date(toronto, Instant(begins - 1)) == date(1919, 3, 30)


def test_a_window_that_passes_the_end_of_time_never_closes() -> None:
    late = at("9999-12-30T00:00:00Z")
    assert deadline(Window(400), UTC_DAYS, late) == FOREVER
    assert deadline(Window(400, "hours"), UTC_DAYS, late) == FOREVER
    every_day = tuple((date(2025, 1, 1) + timedelta(days=number)).isoformat() for number in range(366 * 12))
    idle = Calendar("idle", holidays=every_day)
    assert deadline(Window(1, "business_days"), idle, at("2025-01-01")) == FOREVER


ZONES = st.sampled_from(
    ["UTC", "America/Los_Angeles", "America/Sao_Paulo", "America/St_Johns", "America/Havana", "Asia/Kathmandu",
     "Pacific/Apia", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Beirut", "Europe/London", "Asia/Tehran"]
)  # fmt: skip
MOMENTS = st.integers(0, int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())).map(
    lambda seconds: Instant(seconds * 1_000_000)
)


@given(ZONES, MOMENTS, st.integers(1, 60))
def test_the_deadline_is_the_edge_of_a_local_day(zone: str, received: Instant, length: int) -> None:
    calendar = Calendar("any", zone)
    closes = deadline(Window(length), calendar, received)
    last = local_date(calendar, received) + timedelta(days=length)
    assert closes > received
    assert local_date(calendar, Instant(closes - 1)) <= last
    assert local_date(calendar, closes) > last
    # Nothing of the last day comes back later.
    assert all(local_date(calendar, closes.plus(hours * HOUR // 2)) > last for hours in range(1, 8))


@given(
    ZONES, MOMENTS, MOMENTS, st.integers(1, 30), st.sampled_from(["calendar_days", "business_days", "hours"])
)
def test_whoever_receives_later_never_answers_earlier(
    zone: str, one: Instant, other: Instant, length: int, unit: str
) -> None:
    calendar = Calendar("any", zone)
    window = Window(length, unit)  # type: ignore[arg-type]
    early, late = sorted((one, other))
    assert deadline(window, calendar, early) <= deadline(window, calendar, late)


@given(ZONES, MOMENTS, st.integers(1, 30))
def test_a_longer_window_closes_later(zone: str, received: Instant, length: int) -> None:
    calendar = Calendar("any", zone)
    for unit in ("calendar_days", "business_days", "hours"):
        short, long = (deadline(Window(n, unit), calendar, received) for n in (length, length + 1))
        # Where a day is skipped altogether, two windows may close together.
        assert short <= long
    assert deadline(Window(length), calendar, received) <= deadline(
        Window(length, "business_days"), calendar, received
    )
