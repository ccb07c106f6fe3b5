"""The reader of the Standard Workload Format."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.traces import Job, open_trace
from tests.rehearsal.traces.samples import SWF


def written(folder: Path, text: str, name: str = "log.swf") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_fields_become_a_job(tmp_path: Path) -> None:
    first, second, third = open_trace(written(tmp_path, SWF)).jobs()
    assert first == Job("1", 0, 100, 4, 600, user="3", team="2", status="completed", wait_seconds=5)
    assert (second.chips, second.requested_seconds, second.run_seconds) == (8, 50, 50), (
        "fields 5 and 4 stand in"
    )
    assert (second.status, second.wait_seconds) == ("failed", None)
    assert second.memory_gib == 8 * 2048 / 1024**2, "kilobytes for each processor"
    assert (third.status, third.user, third.team, third.wait_seconds) == ("cancelled", "", "", 0)


def test_header_comments_are_kept(tmp_path: Path) -> None:
    trace = open_trace(written(tmp_path, SWF))
    assert trace.header["MaxProcs"] == "64"
    assert trace.header["Note"] == "one"
    assert set(trace.header) == {"Version", "Computer", "MaxProcs", "UnixStartTime", "Note"}, "no addresses"
    assert trace.start_seconds == 843480031


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("4 20 0 30 1 -1 -1 1 60 -1 2 1 1 -1 1 -1 -1 -1", "a part of a job"),
        ("4 20 0 -1 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1", "the run time"),
        ("4 -1 0 30 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1", "the submit time"),
        ("4 20 0 30 0 -1 -1 -1 60 -1 1 1 1 -1 1 -1 -1 -1", "the number of processors"),
        ("4 20 0 30 4 -1 -1 0 60 -1 1 1 1 -1 1 -1 -1 -1", "the number of processors"),
        ("4 20 0 3x 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1", "a field is no number"),
        ("4 20 0 1e999 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1", "a field is no number"),
        ("4 20 0", "the row has fewer than 18 fields"),
    ],
)
def test_rows_that_do_not_fit_are_counted(tmp_path: Path, row: str, reason: str) -> None:
    trace = open_trace(written(tmp_path, SWF + row + "\n"))
    assert len(list(trace.jobs())) == 3
    (skip,) = trace.skipped.reasons()
    assert skip.reason.startswith(reason)
    assert (skip.count, skip.first_line) == (1, 12)


def test_read_verbatim_every_row_is_a_job(tmp_path: Path) -> None:
    """As plain simulators have it: no status counts, -1 is a moment, nine fields are enough."""
    rows = [
        "0004 20 0 30 1 -1 -1 1 60 -1 2 1 1 -1 1 -1 -1 -1",
        "4 20 0 30 1 -1 -1 1 60 -1 3 1 1 -1 1 -1 -1 -1",
        "5 -1 0 30 7 -1 -1 -1 -1 -1 4 1 1 -1 1 -1 -1 -1",
        "6 5 -1 0 7 -1 -1 2 0",
        "7 5 -1 -1 7 -1 -1 2 0",
        "8 5 -1 0 7 -1 -1 0 0",
        "9 5 -1 0 7 -1",
    ]
    trace = open_trace(written(tmp_path, "\n".join(rows)), form="swf", verbatim=True)
    found = [
        (job.id, job.submit_seconds, job.run_seconds, job.chips, job.requested_seconds)
        for job in trace.jobs()
    ]
    assert found == [("5", -1, 30, 7, 30), ("6", 5, 0, 2, 0), ("4", 20, 30, 1, 60), ("4", 20, 30, 1, 60)]
    assert {skip.first_line for skip in trace.skipped.reasons()} == {5, 6, 7}


def test_a_file_of_comments_alone_is_a_trace_without_jobs(tmp_path: Path) -> None:
    trace = open_trace(written(tmp_path, "; Version: 2.2\n; MaxProcs: 4\n"))
    assert list(trace.jobs()) == []


def test_jobs_are_not_requests(tmp_path: Path) -> None:
    trace = open_trace(written(tmp_path, SWF))
    with pytest.raises(InputError, match="hold jobs of a cluster"):
        trace.requests()
