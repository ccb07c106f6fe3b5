"""What became of every job: when it came, began and ended. On paper a CSV that other tools can compare."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

import msgspec

from stargate.base.errors import InputError, Problem

COLUMNS = ("job_id", "submit", "start", "end", "procs")


class Row(msgspec.Struct, frozen=True, gc=False):
    """One job that ran to its end. Seconds from the trace's start."""

    job_id: str
    submit: int
    start: int
    """When it first began."""
    end: int
    procs: int
    """Chips."""
    run: int = 0
    """Seconds that it ran in all: `end - start` unless it was stopped in between."""


def write(rows: Iterable[Row], out: TextIO) -> None:
    """The rows as CSV."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows((row.job_id, row.submit, row.start, row.end, row.procs) for row in rows)


def write_file(rows: Iterable[Row], path: Path) -> None:
    """The rows as a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as out:
        write(rows, out)


def read(lines: Iterable[str], name: str = "") -> list[Row]:
    """The rows that `write` or another tool wrote; columns are found by their names. Raises InputError."""
    found: list[Row] = []
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        message = f"a schedule has no column {', '.join(missing)}"
        raise InputError(
            (Problem(message, f"Its first line should read {','.join(COLUMNS)}.", file=name, line=1),)
        )
    for cells in reader:
        try:
            submit, start, end, procs = (int(float(cells[column])) for column in COLUMNS[1:])
        except (TypeError, ValueError):
            problem = Problem(
                "a cell of the schedule is no number", "Correct the row.", file=name, line=reader.line_num
            )
            raise InputError((problem,)) from None
        found.append(Row(cells["job_id"], submit, start, end, procs, end - start))
    return found


def differences(ours: Sequence[Row], theirs: Sequence[Row]) -> list[str]:
    """Every job whose submission, start, end or chips differ, or that only one of them has; empty if they are equal."""
    other = {row.job_id: row for row in theirs}
    found = []
    for row in ours:
        match = other.pop(row.job_id, None)
        if match is None:
            found.append(f"{row.job_id} is in the first schedule only")
            continue
        found += [
            f"{row.job_id}: {column} is {getattr(row, column)} and {getattr(match, column)}"
            for column in COLUMNS[1:]
            if getattr(row, column) != getattr(match, column)
        ]
    found += [f"{job_id} is in the second schedule only" for job_id in other]
    return found
