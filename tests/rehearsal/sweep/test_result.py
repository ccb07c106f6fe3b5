"""Mean and quantiles by hand, and the table."""

from __future__ import annotations

import csv
import io

from stargate.rehearsal.report.headline import HEADLINES, headlines
from stargate.rehearsal.sweep.grid import Point
from stargate.rehearsal.sweep.result import Failure, Result, Spot, digest, results, spot, write
from stargate.rehearsal.sweep.run import Ran
from tests.rehearsal.report.histories import flat


def test_by_hand() -> None:
    assert spot([5.0]) == Spot(5.0, 5.0, 5.0, 5.0)
    assert spot([float(n) for n in (10, 0, 5, 4, 6, 3, 7, 2, 8, 1, 9)]) == Spot(5.0, 1.0, 5.0, 9.0)
    assert spot([0.0, 1.0]) == Spot(0.5, 0.1, 0.5, 0.9)


def test_points_have_the_mean_of_their_seeds() -> None:
    _, fifo = flat("fifo")
    _, easy = flat("easy")
    point = Point(0, {"x": 1})
    ran = [
        Ran(point, 1, headlines(fifo), state_digest="a"), Ran(point, 2, headlines(easy), state_digest="b"),
        Ran(point, 3, error="no such pool"), Ran(point, 4, error="no such pool"),
    ]  # fmt: skip
    (found,) = results(ran)
    wait = found.figures["average_wait_seconds"]
    one, other = fifo.work.wait_seconds.average, easy.work.wait_seconds.average
    assert wait.mean == wait.median == round((one + other) / 2, 6)
    assert wait.p10 == round(min(one, other) + abs(one - other) * 0.1, 6)
    assert (found.runs, found.failures) == (2, (Failure("no such pool", (3, 4)),))
    assert found.digests == {"1": "a", "2": "b"}
    assert set(found.figures) == set(HEADLINES)


def test_another_state_is_another_digest() -> None:
    found = [
        results([Ran(Point(0, {"x": value}), 1, {"a": 1.0}, state_digest=state)])
        for value, state in ((1, "a"), (1, "b"), (2, "a"), (1, "a"))
    ]
    assert [digest(each) == digest(found[0]) for each in found] == [True, False, False, True]


def test_the_table_has_a_row_for_each_point_and_figure() -> None:
    out = io.StringIO()
    some = {"utilisation": Spot(0.5, 0.4, 0.5, 0.6)}
    write([Result({"a": 1}, 3, some), Result({"a": 2}, 0, {}), Result({"a": 3}, 2, some)], out)
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [
        ["a", "figure", "runs", "mean", "p10", "median", "p90"],
        ["1", "utilisation", "3", "0.5", "0.4", "0.5", "0.6"],
        ["3", "utilisation", "2", "0.5", "0.4", "0.5", "0.6"],
    ]
