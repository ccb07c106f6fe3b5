"""Mean and 10-90 % by hand, and the table."""

from __future__ import annotations

import csv
import io

from stargate.rehearsal.sweep.grid import Point
from stargate.rehearsal.sweep.result import FIGURES, Result, Spot, results, spot, write
from stargate.rehearsal.sweep.run import Ran
from tests.rehearsal.report.histories import flat


def test_by_hand() -> None:
    assert spot([5.0]) == Spot(5.0, 5.0, 5.0)
    assert spot([float(n) for n in (10, 0, 5, 4, 6, 3, 7, 2, 8, 1, 9)]) == Spot(5.0, 1.0, 9.0)
    assert spot([0.0, 1.0]) == Spot(0.5, 0.1, 0.9)


def test_points_have_the_mean_of_their_seeds() -> None:
    _, fifo = flat("fifo")
    _, easy = flat("easy")
    point = Point(0, {"x": 1})
    (found,) = results([Ran(point, 1, fifo), Ran(point, 2, easy), Ran(point, 3, None, "no such pool")])
    wait = found.figures["average_wait_seconds"]
    one, other = fifo.work.wait_seconds.average, easy.work.wait_seconds.average
    assert wait.mean == round((one + other) / 2, 6)
    assert wait.p10 == round(min(one, other) + abs(one - other) * 0.1, 6)
    assert (found.seeds, found.errors) == (2, ("no such pool",))
    assert set(found.figures) == set(FIGURES)


def test_the_table_has_a_row_for_each_point_and_figure() -> None:
    out = io.StringIO()
    some = {"utilisation": Spot(0.5, 0.4, 0.6)}
    write([Result({"a": 1}, 3, some), Result({"a": 2}, 0, {}), Result({"a": 3}, 2, some)], out)
    assert list(csv.reader(io.StringIO(out.getvalue()))) == [
        ["a", "figure", "seeds", "mean", "p10", "p90"],
        ["1", "utilisation", "3", "0.5", "0.4", "0.6"],
        ["3", "utilisation", "2", "0.5", "0.4", "0.6"],
    ]
