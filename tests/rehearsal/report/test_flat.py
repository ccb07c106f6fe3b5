"""A trace's report says what its schedule says."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.rehearsal.figures import figures
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.report.flat import reported
from stargate.rehearsal.report.write import Folder, read
from stargate.rehearsal.traces import Job

JOBS = tuple(
    Job(
        id=str(n),
        submit_seconds=60 * n,
        run_seconds=600 + 37 * n,
        chips=1 + n % 5,
        requested_seconds=900 + 37 * n,
    )
    for n in range(40)
)


def test_the_report_agrees_with_the_schedule(tmp_path: Path) -> None:
    plain = rehearse(JOBS, 8, "easy")
    with Folder(tmp_path) as folder:
        flat, summary = reported(JOBS, 8, "easy", title="forty", lines=folder)
        folder.close(summary)
    assert flat.state_digest == plain.state_digest
    assert read(tmp_path) == summary
    told = figures(plain.rows, 8)
    assert summary.identity.state_digest == plain.state_digest
    assert summary.identity.title == "forty on 8 chips"
    assert summary.work.succeeded == 40
    assert summary.work.wait_seconds.average == pytest.approx(told.average_wait_seconds)
    page = (tmp_path / "report.html").read_text()
    assert "forty on 8 chips" in page
    assert len((tmp_path / "jobs.csv").read_text().splitlines()) == 41
