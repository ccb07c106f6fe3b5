"""A calibration keeps what was measured, no more than six constants a cell, and honest residuals."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from stargate.base.errors import InputError
from stargate.performance.calibration import Lookup, Parameter
from stargate.performance.calibration.fit import fit
from stargate.performance.calibration.fold import cross_validate
from stargate.performance.calibration.record import read
from stargate.performance.calibration.store import calibrated, digest_of, quantile
from tests.performance.calibration.toy import DEVICES, Toy


def test_what_was_fitted_comes_back_from_the_file() -> None:
    toy = Toy()
    values = fit(toy)
    made = read(msgspec.json.encode(calibrated(toy, values)), "a file")
    again = Lookup(made, DEVICES).values(toy.parameters)
    assert again == pytest.approx(values, rel=1e-4)
    assert made.rows == len(toy.measured)


def test_cells_without_rows_are_left_out() -> None:
    toy = Toy()
    keep = np.array([row.chip != "C" for row in toy.measured])
    made = calibrated(toy, fit(toy), keep=keep)
    assert {cell.chip for cell in made.cells} == {"A", "B"}


def test_a_seventh_constant_is_one_too_many() -> None:
    toy = Toy()
    more = tuple(Parameter(("cell", "A", "bf16", f"c{n}"), 1.0, 0.5, 2.0) for n in range(6))
    toy.parameters = (*toy.parameters, *more)
    with pytest.raises(AssertionError, match="7 constants"):
        calibrated(toy, np.ones(len(toy.parameters)))


def test_about_eight_of_ten_rows_lie_within_the_range() -> None:
    toy = Toy(count=400, noise=0.1)
    held_out = cross_validate(toy, DEVICES)
    lookup = Lookup(calibrated(toy, fit(toy), predicted=held_out), DEVICES)
    fresh = Toy(seed=2, count=400, noise=0.1)
    points = fresh.predict(lookup.values(fresh.parameters))
    inside = 0
    for row, point in zip(fresh.measured, points, strict=True):
        span = lookup.range(row.group, row.chip, row.precision, float(point))
        inside += span.low <= row.value <= span.high
    assert 0.72 <= inside / 400 <= 0.9


def test_the_digest_is_of_the_rows() -> None:
    rows = Toy().measured
    assert digest_of(rows) == digest_of(Toy().measured)
    assert digest_of(rows) != digest_of(rows[1:])


def test_few_residuals_reach_to_their_ends() -> None:
    ordered = np.array([0.8, 1.0, 1.3])
    assert (quantile(ordered, 0.1), quantile(ordered, 0.9)) == (0.8, 1.3)
    many = np.linspace(0.0, 1.0, 999)
    assert quantile(many, 0.1) == pytest.approx(0.1, abs=2e-3)


@pytest.mark.parametrize("text", ["", "[]", '{"rows": -1}', "not json", b"\xff\xfe"])
def test_a_file_that_is_no_calibration_is_refused_by_name(text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"mine\.json"):
        read(text, "mine.json")


def test_the_mean_of_measured_releases_is_kept() -> None:
    toy = Toy()
    mean = Parameter(("release", "mill"), 1.0, 0.5, 2.0, 0.1)
    nobody = Parameter(("release", "loom"), 1.0, 0.5, 2.0, 0.1)
    drawn = tuple(replace(p, pulled_to=mean.key) if p.key[0] == "release" else p for p in toy.parameters)
    toy.parameters = (*drawn, mean, nobody)
    made = calibrated(toy, fit(toy))
    rows = {release.software: release.rows for release in made.releases}
    assert rows["mill"] == rows["mill 1.0"] + rows["mill 1.2"] > 0
    assert "loom" not in rows
    assert Lookup(made, DEVICES).value(("release", "mill"), 9.0) == pytest.approx(1.05, abs=0.06)
