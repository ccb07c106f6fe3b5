"""A folder with all that comes out of a rehearsal. Tables of jobs are written while it goes on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

import msgspec

from stargate.base import wire
from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.rehearsal.report.job import Line, Sheets
from stargate.rehearsal.report.page import page
from stargate.rehearsal.report.summary import Summary

SUMMARY = "summary.json"
JOBS = "jobs.csv"
SCHEDULE = "schedule.csv"
PAGE = "report.html"


class Folder:
    """Where a report goes; as a `Lines` it takes the jobs. Files that are there already are replaced.

    A context manager: it closes the tables of jobs on leaving. Raises OSError where it may not write.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._files: list[TextIO] = []
        for name in (JOBS, SCHEDULE):
            self._files.append((path / name).open("w", encoding="utf-8", newline=""))
        self._sheets = Sheets(*self._files)

    def __call__(self, line: Line) -> None:
        """One more job."""
        self._sheets(line)

    def close(self, summary: Summary | None = None) -> None:
        """Close the tables; write the summary and the page where there is one."""
        for file in self._files:
            file.close()
        if summary is not None:
            (self.path / SUMMARY).write_bytes(wire.to_json(summary) + b"\n")
            (self.path / PAGE).write_text(page(summary), encoding="utf-8", newline="\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> Summary:
    """The summary in a report's folder, or a file of one. Raises NotFoundError and InputError."""
    file = path / SUMMARY if path.is_dir() else path
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"there is no summary at {file}", "name the folder of a report") from None
    try:
        return wire.from_json(data, Summary)
    except msgspec.DecodeError as error:
        remedy = "Make the report again with this release."
        raise InputError(
            (Problem(f"this is no summary of a rehearsal: {error}", remedy, file=str(file)),)
        ) from None
