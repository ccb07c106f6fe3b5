"""Cross-validation predicts every row without its family."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from stargate.performance.calibration.fold import FOLDS, cross_validate, fold_of
from tests.performance.calibration.toy import DEVICES, Toy


def test_a_family_is_always_in_the_same_fold() -> None:
    assert [fold_of(f"family {n}") for n in range(6)] == [fold_of(f"family {n}") for n in range(6)]
    assert {fold_of(f"family {n}") for n in range(200)} == set(range(FOLDS))


def test_a_row_does_not_move_its_own_prediction() -> None:
    toy, changed = Toy(), Toy()
    family = toy.measured[0].family
    changed.measured = tuple(
        replace(row, value=row.value * 3) if row.family == family else row for row in toy.measured
    )
    before, after = cross_validate(toy, DEVICES), cross_validate(changed, DEVICES)
    mine = np.array([row.family == family for row in toy.measured])
    assert (before[mine] == after[mine]).all()
    assert (before[~mine] != after[~mine]).any()


def test_every_fold_is_told_and_predictions_are_good() -> None:
    told: list[int] = []
    toy = Toy()
    predicted = cross_validate(toy, DEVICES, progress=told.append)
    assert told == list(range(FOLDS))
    measured = np.array([row.value for row in toy.measured])
    assert np.abs(predicted / measured - 1).mean() < 0.06


def test_a_cell_that_only_held_out_rows_have_is_lent_by_its_neighbour() -> None:
    toy = Toy(cells=(("A", "bf16"), ("B", "bf16"), ("C", "fp8")))
    toy.measured = tuple(replace(row, family=row.chip) for row in toy.measured)
    predicted = cross_validate(toy, DEVICES)
    assert np.isfinite(predicted).all()
    of_c = [row.value / point for row, point in zip(toy.measured, predicted, strict=True) if row.chip == "C"]
    # B lends 0.6 where C has 0.45: what is measured lies a quarter below, and no nearer.
    assert 0.6 < np.median(of_c) < 0.9


def test_releases_can_be_held_out_as_well() -> None:
    toy = Toy()
    known, unknown = cross_validate(toy, DEVICES), cross_validate(toy, DEVICES, releases=False)
    ran = np.array([row.software == "mill 1.0" for row in toy.measured])
    assert np.median(unknown[ran] / known[ran]) > 1.03
