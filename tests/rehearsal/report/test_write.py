"""The folder of a report: what stands in its files, and that it is the same again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from stargate.base.errors import InputError, NotFoundError
from stargate.rehearsal import schedule
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.report.collector import Collector
from stargate.rehearsal.report.job import COLUMNS, plain, seconds
from stargate.rehearsal.report.summary import Identity, Summary
from stargate.rehearsal.report.write import JOBS, PAGE, SCHEDULE, SUMMARY, Folder, read
from tests.rehearsal.report.histories import jobs


def written(path: Path, order: str = "easy") -> tuple[Summary, list[schedule.Row]]:
    """A report of a flat rehearsal."""
    with Folder(path) as folder:
        collector = Collector(lines=folder)
        done = rehearse(jobs(), 8, order, sink=collector)
        summary = collector.finish(Identity(title="flat", dated=False))
        folder.close(summary)
    return summary, list(done.rows)


def test_the_schedule_is_that_of_the_rehearsal(tmp_path: Path) -> None:
    _, rows = written(tmp_path / "a")
    with (tmp_path / "a" / SCHEDULE).open(encoding="utf-8") as lines:
        assert schedule.differences(rows, schedule.read(lines)) == []


def test_every_job_has_its_line(tmp_path: Path) -> None:
    summary, rows = written(tmp_path / "a", "srtf")
    with (tmp_path / "a" / JOBS).open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == COLUMNS
    assert {line["job_id"] for line in lines} == {row.job_id for row in rows}
    waits = [float(line["wait_seconds"]) for line in lines]
    assert round(sum(waits) / len(waits), 6) == summary.work.wait_seconds.average
    assert sum(int(line["preemptions"]) for line in lines) == summary.work.stops["preempted"] > 0
    assert {line["outcome"] for line in lines} == {"succeeded"}


def test_the_summary_reads_back(tmp_path: Path) -> None:
    summary, _ = written(tmp_path / "a")
    assert read(tmp_path / "a") == read(tmp_path / "a" / SUMMARY) == summary


def test_the_same_again_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name)
    for file in (SUMMARY, JOBS, SCHEDULE, PAGE):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_what_is_no_summary_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no summary"):
        read(tmp_path)
    (tmp_path / SUMMARY).write_text("{}")
    with pytest.raises(InputError, match="no summary of a rehearsal"):
        read(tmp_path)


def test_cells_are_exact_and_no_formulas() -> None:
    assert [seconds(us) for us in (None, 0, 1, 1_500_000, 10**7)] == ["", "0", "0.000001", "1.5", "10"]
    assert plain("=1+1") == "'=1+1"
    assert plain("team-a") == "team-a"
