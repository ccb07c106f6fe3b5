"""Fitting finds the constants of a law that is known, and outliers do not move it."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from stargate.performance.calibration import Parameter
from stargate.performance.calibration.fit import STEP, Values, _Slopes, fit
from tests.performance.calibration.toy import EFFICIENCY, POWER, Toy


def test_the_constants_of_a_known_law_are_found() -> None:
    toy = Toy()
    found = dict(zip((p.key for p in toy.parameters), fit(toy), strict=True))
    assert found["shared", "power"] == pytest.approx(POWER, rel=0.02)
    for (chip, precision), efficiency in EFFICIENCY.items():
        assert found["cell", chip, precision, "efficiency"] == pytest.approx(efficiency, rel=0.05)


def test_the_same_rows_give_the_same_constants() -> None:
    assert (fit(Toy()) == fit(Toy())).all()


def test_a_few_wild_rows_hardly_move_the_constants() -> None:
    toy, wild = Toy(), Toy()
    wild.measured = tuple(
        replace(row, value=row.value * 5) if index % 20 == 0 else row
        for index, row in enumerate(toy.measured)
    )
    assert np.abs(np.log(fit(wild) / fit(toy))).max() < 0.1


def test_rows_that_are_left_out_have_no_say() -> None:
    toy = Toy()
    keep = np.array([row.chip != "C" for row in toy.measured])
    broken = Toy()
    broken.measured = tuple(
        row if kept else replace(row, value=row.value * 9)
        for row, kept in zip(toy.measured, keep, strict=True)
    )
    assert fit(toy, keep=keep) == pytest.approx(fit(broken, keep=keep))


def test_a_constant_without_rows_goes_where_it_is_drawn() -> None:
    toy = Toy()
    keep = np.array([row.chip != "C" for row in toy.measured])
    found = dict(zip((p.key for p in toy.parameters), fit(toy, keep=keep), strict=True))
    assert found["cell", "C", "fp8", "efficiency"] == pytest.approx(found["shared", "efficiency"], rel=0.01)


def test_constants_stay_within_their_bounds() -> None:
    toy = Toy()
    toy.parameters = (toy.parameters[0], Parameter(("shared", "power"), 0.4, 0.3, 0.5), *toy.parameters[2:])
    assert 0.3 <= fit(toy)[1] <= 0.5


def test_derivatives_in_groups_are_those_one_by_one() -> None:
    toy = Toy()
    logs = np.log([parameter.start for parameter in toy.parameters])
    measured = np.log([row.value for row in toy.measured])

    def residuals(at: Values) -> Values:
        apart: Values = np.concatenate([np.log(toy.predict(np.exp(at))) - measured, at])
        return apart

    slopes = _Slopes(toy, np.ones(len(toy.measured), dtype=bool), residuals)
    found = slopes.at(logs)
    rows = len(toy.measured)
    for index in range(len(logs)):
        there = logs.copy()
        there[index] += STEP
        alone = (residuals(there) - residuals(logs)) / STEP
        assert found[:rows, index] == pytest.approx(alone[:rows], abs=1e-6)
    # Two shared constants, one efficiency for each of four cells, two releases: four moves, not eight.
    assert len(slopes._groups) == 4
