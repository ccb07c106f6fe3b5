"""Schedules on paper."""

from __future__ import annotations

import io

import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.schedule import Row, differences, read, write

ROWS = [Row("1", 0, 5, 9, 2, 4), Row("job 2, of two", 3, 3, 3, 1, 0)]


def test_what_is_written_is_read_again() -> None:
    out = io.StringIO()
    write(ROWS, out)
    assert read(out.getvalue().splitlines()) == ROWS


def test_columns_are_found_by_name() -> None:
    assert read(["end,procs,job_id,start,submit,more", "9,2,1,5,0,x"]) == ROWS[:1]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="no column end, procs"):
        read(["job_id,submit,start", "1,2,3"], "theirs.csv")


def test_a_cell_that_is_no_number_is_found_by_its_line() -> None:
    with pytest.raises(InputError, match="no number") as caught:
        read(["job_id,submit,start,end,procs", "1,0,soon,9,2"], "theirs.csv")
    assert caught.value.problems[0].line == 2


def test_every_difference_is_told() -> None:
    theirs = [Row("1", 0, 6, 9, 2), Row("3", 0, 0, 0, 1)]
    assert differences(ROWS, theirs) == [
        "1: start is 5 and 6",
        "job 2, of two is in the first schedule only",
        "3 is in the second schedule only",
    ]
    assert differences(ROWS, ROWS) == []
