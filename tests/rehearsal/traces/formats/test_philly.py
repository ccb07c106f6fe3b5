"""Philly's JSON and its table."""

from __future__ import annotations

import json
from pathlib import Path

from stargate.rehearsal.traces import Job, open_trace
from tests.rehearsal.traces.samples import PHILLY, PHILLY_TABLE


def test_the_log_is_read_as_its_notebook_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "cluster_job_log"
    path.write_text(PHILLY)
    trace = open_trace(path)
    early, late = trace.jobs()
    assert trace.format == "philly"
    assert early == Job(
        "application_1", 0, 30, 3, 30, user="aaa", team="6214e9", status="cancelled", nodes=2, wait_seconds=10
    ), "two servers with two and one accelerators"
    assert late.submit_seconds == 3600 + 11 * 60 + 39, "sorted, and counted from the first submission"
    assert late.run_seconds == 2 * 86400 + 5 * 3600 + 41 * 60 + 3, "first start to last end, gaps included"
    assert (late.chips, late.nodes, late.chips_per_node, late.wait_seconds) == (8, 1, 8, 30)
    assert late.status == "completed"
    assert {skip.reason: skip.count for skip in trace.skipped.reasons()} == {
        "the job never ran: it has no attempts": 1,
        "the last attempt's end is missing": 1,
    }


def test_reading_goes_on_behind_what_is_no_json(tmp_path: Path) -> None:
    good = json.loads(PHILLY)[0]
    path = tmp_path / "cluster_job_log"
    path.write_text(f'[{json.dumps(good)}, {{"jobid": broken]]}}, {json.dumps(good)}, 7, {json.dumps(good)}')
    trace = open_trace(path, form="philly")
    assert len(list(trace.jobs())) == 3
    assert trace.skipped.rows >= 2


def test_the_array_may_be_long_and_on_one_line(tmp_path: Path) -> None:
    one = json.loads(PHILLY)[1]
    path = tmp_path / "cluster_job_log"
    path.write_text(json.dumps([dict(one, jobid=f"a{number}", user="ü" * 50) for number in range(2000)]))
    jobs = list(open_trace(path).jobs())
    assert [job.id for job in jobs] == [f"a{number}" for number in range(2000)]
    assert {job.user for job in jobs} == {"ü" * 50}


def test_the_table_names_jobs_by_row(tmp_path: Path) -> None:
    path = tmp_path / "philly.csv"
    path.write_text(PHILLY_TABLE)
    trace = open_trace(path)
    first, second = trace.jobs()
    assert trace.format == "philly-csv"
    assert first == Job("1", 0, 2240194, 8, 2240194, team="7f04ca")
    assert second.submit_seconds == 2 * 86400 + 17 * 3600 + 28 * 60 + 16
    assert trace.start_seconds == 1504521041
