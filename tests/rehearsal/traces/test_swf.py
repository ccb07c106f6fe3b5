"""Writing SWF, and reading back what was written."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from stargate.rehearsal.traces import Job, open_trace, to_swf
from tests.rehearsal.traces.samples import FILES, SWF


def test_the_layout(tmp_path: Path) -> None:
    file = io.StringIO()
    jobs = [
        Job("1", 0, 100, 4, 600, user="ada", team="t", status="completed", wait_seconds=5),
        Job("2", 3, 1, 1, 1),
    ]
    assert to_swf(jobs, file, {"MaxProcs": "64", "Note": "two\nlines"}) == 2
    assert file.getvalue().splitlines() == [
        "; Version: 2.2",
        "; MaxProcs: 64",
        "; Note: two lines",
        "; Note: processors are accelerators; names of users and teams are numbered by first appearance",
        "1 0 5 100 4 -1 -1 4 600 -1 1 1 1 -1 -1 -1 -1 -1",
        "2 3 -1 1 1 -1 -1 1 1 -1 -1 -1 -1 -1 -1 -1 -1 -1",
    ]


def again(jobs: list[Job], folder: Path) -> list[Job]:
    path = folder / "again.swf"
    with path.open("w") as file:
        to_swf(jobs, file)
    return list(open_trace(path).jobs())


def test_an_swf_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log.swf"
    path.write_text(SWF)
    jobs = list(open_trace(path).jobs())
    assert again(jobs, tmp_path) == jobs


@pytest.mark.parametrize("form", ["philly", "philly-csv", "helios", "acme", "openb", "gavel", "pai"])
def test_any_trace_can_become_one(tmp_path: Path, form: str) -> None:
    name, text = FILES[form]
    path = tmp_path / name
    path.write_text(text)
    jobs = list(open_trace(path).jobs())
    copies = again(jobs, tmp_path)

    def kept(job: Job) -> tuple[object, ...]:
        return (
            job.submit_seconds,
            job.run_seconds,
            job.chips,
            job.requested_seconds,
            job.status,
            job.wait_seconds,
        )

    assert [kept(job) for job in copies] == [kept(job) for job in jobs]
    assert len({job.id for job in copies}) == len(jobs)
    users = {job.user for job in jobs}
    assert len({job.user for job in copies}) == len(users)


def test_ids_that_are_no_numbers_are_numbered() -> None:
    file = io.StringIO()
    to_swf([Job("7", 0, 1, 1, 1), Job("x", 0, 1, 1, 1), Job("9", 0, 1, 1, 1)], file)
    ids = [line.split()[0] for line in file.getvalue().splitlines() if not line.startswith(";")]
    assert ids == ["7", "8", "9"]
