"""The shipped reports against the file they restate, and the rates they give."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from stargate.performance.runs.failures import Report, builtin_reports, interruptions_per_chip_hour

ROWS = {
    "llama-3-405b": "F01",
    "opt-175b": "F02",
    "opt-175b-half-way": "F03",
    "bloom-176b": "F05",
    "rsc-2": "F07",
    "megascale": "F08",
    "epoch-assumption": "F10",
    "gemini-ultra": "F11",
    "byterobust": "F13",
    "b200-504": "F14",
}


def report(name: str) -> Report:
    """One of the shipped."""
    return next(found for found in builtin_reports() if found.id == name)


def test_the_shipped_reports_say_what_their_source_says(shared: Path) -> None:
    with (shared / "data" / "perf" / "failures_given.csv").open() as stream:
        rows = {row["row_id"]: row for row in csv.DictReader(stream)}
    assert {found.id for found in builtin_reports()} == set(ROWS)
    assert set(ROWS.values()) == set(rows)
    for name, row_id in ROWS.items():
        found, row = report(name), rows[row_id]
        assert found.chip == row["chip"]
        assert str(found.chips or "") == row["n_chips"]
        assert str(found.chip_hours_per_interruption or "") == row["chip_hours_per_interruption"]
        assert str(found.effective_percent or "") == row["effective_time_pct"].lstrip(">")
        assert found.as_of[:4] == row["date"][:4]
        if row["days"].isdigit():
            assert found.days == int(row["days"])


@pytest.mark.parametrize("name", ["llama-3-405b", "opt-175b", "bloom-176b"])
def test_counts_give_the_hours_between_interruptions(name: str) -> None:
    found = report(name)
    assert found.chips
    assert found.days
    assert found.interruptions
    hours = found.chips * found.days * 24 / found.interruptions
    assert hours == pytest.approx(found.chip_hours_per_interruption, rel=0.015)


def test_every_report_has_a_source() -> None:
    assert all(found.source and found.note for found in builtin_reports())


def test_a_chip_with_reports_has_their_mean_and_span() -> None:
    rate = interruptions_per_chip_hour("A100-80GB-SXM")
    assert 1 / rate.point == pytest.approx((15_565 * 43_008 * 82_051) ** (1 / 3))
    assert (1 / rate.high, 1 / rate.low) == pytest.approx((15_565, 82_051))


@pytest.mark.parametrize("chip", ["H100-SXM", "TPU-v7", ""])
def test_other_chips_get_llama_3s_rate_with_the_widest_span(chip: str) -> None:
    rate, wide = interruptions_per_chip_hour(chip), interruptions_per_chip_hour("A100-80GB-SXM")
    assert 1 / rate.point == pytest.approx(50_677)
    assert rate.high / rate.point == pytest.approx(wide.high / wide.point)
    assert rate.low / rate.point == pytest.approx(wide.low / wide.point)


def test_your_own_reports_take_their_place() -> None:
    mine = Report(
        id="mine",
        fleet="ours",
        chip="X",
        chip_hours_per_interruption=1_000,
        source="our log",
        as_of="2026",
        evidence="seen",
    )
    assert interruptions_per_chip_hour("X", (mine,)).point == pytest.approx(1e-3)
    assert interruptions_per_chip_hour("Y", (mine,)).point == pytest.approx(1e-3)


def test_a_counted_report_without_a_rate_is_refused() -> None:
    fields = {"id": "a", "fleet": "b", "chip": "c", "source": "d", "as_of": "2026", "evidence": "seen"}
    with pytest.raises(msgspec.ValidationError, match="chip_hours_per_interruption"):
        msgspec.convert(fields, Report)
