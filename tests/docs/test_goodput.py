"""The page on goodput: its table of published runs is what the model computes from the table's own columns."""

from __future__ import annotations

import pytest

from stargate.performance.number import SCALAR
from stargate.performance.runs.failures import builtin_reports
from stargate.performance.runs.goodput import Conditions, goodput
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "reference" / "goodput.md").read_text(encoding="utf-8")
HEAD = "| run | chips | chip-hours per interruption |"


def rows() -> list[list[str]]:
    """The cells of the table."""
    table = PAGE.partition(HEAD)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}, {row[3]} s")
def test_the_last_column_follows_from_the_others(row: list[str]) -> None:
    _, chips, hours, stall, interval, restart, _, computed = row
    case = Conditions(
        chips=int(chips),
        interruptions_per_chip_hour=1 / int(hours),
        stall_seconds=float(stall),
        interval_seconds=0.0 if interval == "best" else float(interval),
        restart_seconds=float(restart),
    )
    assert goodput(SCALAR, case).fraction == pytest.approx(float(computed), abs=0.0005)


def test_rates_and_reported_figures_are_those_of_the_reports() -> None:
    assert len(rows()) == 7
    known = {
        report.fleet.split(" ")[0].rstrip(","): report
        for report in builtin_reports()
        if report.effective_percent
    }
    for name, _, hours, *_, reported, _ in rows():
        report = known[name.split(" ")[0]]
        assert float(reported.lstrip("> ")) * 100 == pytest.approx(report.effective_percent)
        assert int(hours) == (report.chip_hours_per_interruption or 50_677)
