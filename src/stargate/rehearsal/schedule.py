"""What became of every job: when it came, began and ended. On paper a CSV that other tools can compare."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
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


class Difference(msgspec.Struct, frozen=True):
    """A job that two schedules do not have alike. A side is None where that one does not have it."""

    job_id: str
    first: Row | None
    second: Row | None

    @property
    def at(self) -> int:
        """The earliest second at which it shows."""
        one, other = self.first, self.second
        if one is None or other is None:
            return min(row.submit for row in (one, other) if row is not None)
        pairs = [(getattr(one, name), getattr(other, name)) for name in ("submit", "start", "end")]
        return min((min(pair) for pair in pairs if pair[0] != pair[1]), default=one.submit)

    def __str__(self) -> str:
        if self.first is None or self.second is None:
            return f"{self.job_id} is in the {'first' if self.second is None else 'second'} schedule only"
        said = [
            f"{name} is {getattr(self.first, name)} and {getattr(self.second, name)}"
            for name in COLUMNS[1:]
            if getattr(self.first, name) != getattr(self.second, name)
        ]
        return f"{self.job_id}: {', '.join(said)}"


def differences(first: Iterable[Row], second: Iterable[Row]) -> list[Difference]:
    """Every job that only one of them has, or whose submission, start, end or chips differ; the earliest first.

    Several jobs of one id are paired in the order of their submission and start.
    """
    one, other = _numbered(first), _numbered(second)
    found = [
        Difference(key[0], row, match)
        for key, row in one.items()
        if (match := other.get(key)) is None or _said(row) != _said(match)
    ]
    found += [Difference(key[0], None, row) for key, row in other.items() if key not in one]
    return sorted(found, key=lambda each: (each.at, each.job_id))


def _numbered(rows: Iterable[Row]) -> dict[tuple[str, int], Row]:
    """By id, and by place among the jobs of that id."""
    seen: Counter[str] = Counter()
    found = {}
    for row in sorted(rows, key=_said):
        found[row.job_id, seen[row.job_id]] = row
        seen[row.job_id] += 1
    return found


def _said(row: Row) -> tuple[int, ...]:
    return row.submit, row.start, row.end, row.procs
