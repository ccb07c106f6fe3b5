"""What a schedule comes to."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stargate.rehearsal.figures import bounded_slowdown, figures
from stargate.rehearsal.schedule import Row, read

ROWS = [Row("a", 0, 0, 100, 4, 100), Row("b", 10, 100, 102, 8, 2), Row("c", 20, 50, 150, 4, 100)]


def test_the_figures_of_three_jobs() -> None:
    found = figures(ROWS, 8)
    assert found.jobs == 3
    assert found.average_wait_seconds == 40.0
    assert found.median_wait_seconds == 30.0
    assert found.most_wait_seconds == 90
    assert found.average_completion_seconds == pytest.approx((100 + 92 + 130) / 3, abs=1e-6)
    assert found.average_bounded_slowdown == pytest.approx((1 + 9.2 + 1.3) / 3, abs=1e-6)
    assert found.makespan_seconds == 150
    assert found.utilisation == pytest.approx((400 + 16 + 400) / (8 * 150), abs=1e-6)


def test_short_jobs_count_as_ten_seconds_and_none_is_faster_than_itself() -> None:
    assert bounded_slowdown(Row("b", 0, 90, 92, 1, 2)) == 9.2
    assert bounded_slowdown(Row("b", 0, 0, 2, 1, 2)) == 1.0


def test_nothing_comes_to_nothing() -> None:
    assert figures([], 8).jobs == 0
    assert figures([Row("a", 0, 0, 0, 1, 0)], 8).utilisation == 0.0


def test_the_reference_has_the_figures_that_were_noted(shared: Path) -> None:
    """Philly's w1 in order of arrival: average wait 6,847.701 s, JCT 14,416.992 s, slowdown 11.431."""
    with gzip.open(shared / "data/reference/expected/out_w1_fifo.csv.gz", "rt") as lines:
        found = figures(read(lines), 512)
    assert round(found.average_wait_seconds, 3) == 6847.701
    assert round(found.average_completion_seconds, 3) == 14416.992
    assert round(found.average_bounded_slowdown, 3) == 11.431
