"""Accuracies are those of the definition."""

from __future__ import annotations

import numpy as np
import pytest

from stargate.performance.calibration import Calibration, Lookup, score, scored
from stargate.performance.calibration.score import accuracy
from tests.performance.calibration.toy import DEVICES, Toy

NOTHING = Calibration(0, "", {}, (), (), ())


def test_errors_are_percent_of_what_was_measured() -> None:
    toy = Toy(count=4)
    measured = np.array([row.value for row in toy.measured])
    rows = scored(toy, Lookup(NOTHING, DEVICES), measured * [1.1, 0.9, 1.0, 1.4])
    found = accuracy(rows)
    assert (found.n, found.mape, found.median, found.bias) == (4, 15.0, 10.0, 10.0)
    assert found.p90 == pytest.approx(31.0)
    assert found.coverage == 1.0
    # Without residuals the range is half to twice: all four lie within.
    assert found.within == 1.0


def test_rows_without_an_answer_lower_the_coverage() -> None:
    toy = Toy(count=6)
    rows = scored(toy, Lookup(NOTHING, DEVICES))
    answer = score(rows, (("x", "no such chip"), ("y", "no such model")))
    assert answer.overall.coverage == 0.75
    assert answer.refused[0] == ("x", "no such chip")


def test_a_prediction_that_is_no_number_is_no_answer() -> None:
    toy = Toy(count=4)
    predicted = np.array([row.value for row in toy.measured]) * [1.1, np.nan, -1.0, np.inf]
    answer = score(scored(toy, Lookup(NOTHING, DEVICES), predicted))
    assert (answer.overall.n, answer.overall.mape, answer.overall.coverage) == (1, 10.0, 0.25)
    assert [row for row, _ in answer.refused] == [toy.measured[index].id for index in (1, 2, 3)]
    assert sum(part.coverage < 1 for part in answer.groups.values()) == len(answer.groups)


def test_groups_sources_and_complete_rows_are_shown_apart() -> None:
    toy = Toy(count=60)
    answer = score(scored(toy, Lookup(NOTHING, DEVICES)))
    assert {name: part.n for name, part in answer.groups.items()} == {"tpot": 30, "ttft": 30}
    assert sum(part.n for part in answer.complete.values()) == 20
    assert answer.sources["table"].n == 60


def test_no_rows_are_no_error() -> None:
    assert accuracy(()).n == 0
