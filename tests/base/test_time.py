"""Instants and durations: exact on paper and back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stargate.base.time import DAY, HOUR, Duration, Instant

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # hypothesis adds the zone


@given(st.datetimes(min_value=EPOCH, max_value=EPOCH.replace(year=9999)))
def test_an_instant_survives_its_text(moment: datetime) -> None:
    """Microseconds and all."""
    instant = Instant.of(moment.replace(tzinfo=UTC))
    assert Instant.parse(instant.iso()) == instant
    assert instant.datetime() == moment.replace(tzinfo=UTC)


@given(st.integers(0, 10**15))
def test_a_duration_survives_its_text(length: int) -> None:
    """The shortest text is exact."""
    assert Duration.parse(Duration(length).short()) == length


def test_a_date_is_midnight_utc_and_an_offset_counts() -> None:
    """Two ways to say the same moment."""
    assert Instant.parse("2025-01-21") == Instant.parse("2025-01-20T16:00:00-08:00")
    assert Instant.parse("2025-01-21").plus(DAY).iso() == "2025-01-22T00:00:00Z"


@pytest.mark.parametrize("text", ["2025-01-21T14:00:00", "yesterday", "2025-13-01", "", "2025-1-1"])
def test_an_unclear_time_is_refused(text: str) -> None:
    """A time without a zone is ambiguous."""
    with pytest.raises(ValueError, match=r"write|zone"):
        Instant.parse(text)


@pytest.mark.parametrize(
    ("text", "length"), [("1d12h", 36 * HOUR), ("1.5h", HOUR * 3 // 2), ("0", 0), ("90s", HOUR // 40)]
)
def test_durations_as_people_write_them(text: str, length: int) -> None:
    """Units add up."""
    assert Duration.parse(text) == length


@pytest.mark.parametrize("text", ["", "5", "1 h", "-1h", "h", "1y"])
def test_an_unclear_duration_is_refused(text: str) -> None:
    """A bare number has no unit."""
    with pytest.raises(ValueError, match="72h"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("exact", "brief"),
    [
        ("14d15h29m", "14d15h"),
        ("9w", "63d"),
        ("90m20s", "1h30m"),
        ("61.6s", "1m2s"),
        ("0", "0"),
        ("23h59m50s", "1d"),
    ],
)
def test_a_duration_as_people_speak_of_estimates(exact: str, brief: str) -> None:
    assert Duration.parse(exact).brief() == brief
