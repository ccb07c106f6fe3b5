"""Gavel's traces in their three generations."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.rehearsal.traces import open_trace
from tests.rehearsal.traces.samples import GAVEL_6, GAVEL_7, GAVEL_10


def test_steps_become_seconds_on_a_v100(tmp_path: Path) -> None:
    path = tmp_path / "0e4a51.trace"
    path.write_text(GAVEL_7)
    trace = open_trace(path)
    first, last = trace.jobs()
    assert (first.id, first.submit_seconds, first.run_seconds, first.chips) == ("0", 0, 1000, 1)
    assert (last.id, last.submit_seconds, last.run_seconds, last.chips) == ("2", 9, 1000, 8)
    assert (first.model, first.chip) == ("LM (batch size 10)", "V100")
    (skip,) = trace.skipped.reasons()
    assert "no throughput" in skip.reason, "A3C cannot run on four"
    assert skip.first_line == 2


def test_six_columns_state_no_data(tmp_path: Path) -> None:
    path = tmp_path / "msr_0.trace"
    path.write_text(GAVEL_6)
    (job,) = open_trace(path).jobs()
    assert (job.submit_seconds, job.run_seconds, job.model) == (7, 1000, "CycleGAN")


def test_ten_columns_have_an_slo(tmp_path: Path) -> None:
    path = tmp_path / "small_0.trace"
    path.write_text(GAVEL_10)
    first, second = open_trace(path).jobs()
    assert (first.deadline_seconds, second.deadline_seconds) == (1200, None)
    assert second.submit_seconds == 12


@pytest.mark.parametrize("columns", [5, 8, 11])
def test_other_widths_are_counted(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "odd.trace"
    path.write_text(GAVEL_7 + "\t".join(["1"] * columns) + "\n")
    trace = open_trace(path)
    assert len(list(trace.jobs())) == 2
    assert trace.skipped.rows == 2
