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


def test_every_difference_is_told_the_earliest_first() -> None:
    theirs = [Row("1", 0, 6, 10, 2), Row("3", 1, 2, 3, 1)]
    found = differences(ROWS, theirs)
    assert [str(each) for each in found] == [
        "3 is in the second schedule only",
        "job 2, of two is in the first schedule only",
        "1: start is 5 and 6, end is 9 and 10",
    ]
    assert [each.at for each in found] == [1, 3, 5]
    assert (found[2].first, found[2].second) == (ROWS[0], theirs[0])
    assert differences(ROWS, reversed(ROWS)) == [], "order does not matter, nor how long a job ran in all"
