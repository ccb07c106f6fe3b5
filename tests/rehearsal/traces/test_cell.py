"""Cells as numbers and moments."""

from __future__ import annotations

import pytest

from stargate.rehearsal.traces.cell import chips, moment, number, optional, status, whole, word


@pytest.mark.parametrize(
    ("text", "value"), [("5", 5), ("5.9", 5), (" 7 ", 7), ("1e3", 1000), ("0", 0), ("-0.0", 0)]
)
def test_whole_numbers(text: str, value: int) -> None:
    assert whole(text, "it") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is missing"),
        ("None", "it is missing"),
        ("nan", "it is missing"),
        ("-1", "it is negative or missing"),
        ("-1.5", "it is negative or missing"),
        ("abc", "it is no number"),
        ("inf", "it is no number"),
        ("9" * 30, "it is larger than anything real"),
        ("1e30", "it is larger than anything real"),
    ],
)
def test_reasons_name_the_column_and_not_the_value(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        whole(text, "it")
    with pytest.raises(ValueError, match=f"^{reason}$"):
        number(text, "it")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02 00:00:00", 86400.0),
        ("1970-01-02 00:00:00.5000000", 86400.5),
        ("1970-01-02 01:00:00+01:00", 86400.0),
        ("1970-01-02T00:00:00Z", 86400.0),
    ],
)
def test_moments(text: str, seconds: float) -> None:
    assert moment(text, "it") == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "missing"), ("soon", "no time"), ("1969-01-01", "before 1970"), ("0001-01-01", "before 1970")],
)
def test_what_is_no_moment(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        moment(text, "it")


def test_words() -> None:
    assert (word(" a "), word("None"), word("-1"), len(word("x" * 9999))) == ("a", "", "", 512)
    assert [status(text) for text in ("Pass", "CANCELLED", "NODE_FAIL", "Running")] == [
        "completed", "cancelled", "failed", "unknown",
    ]  # fmt: skip
    assert (optional("x"), optional("-3"), optional("3"), optional("9", most=5)) == (None, None, 3.0, None)
    assert chips("8") == 8
