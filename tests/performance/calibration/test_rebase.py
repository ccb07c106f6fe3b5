"""A user's rows move what they touch and leave the rest."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from stargate.performance.calibration.fit import fit
from stargate.performance.calibration.rebase import merged, rebased
from stargate.performance.calibration.record import Residual
from stargate.performance.calibration.store import calibrated
from tests.performance.calibration.toy import DEVICES, Toy

BASE = calibrated(Toy(), fit(Toy()))


def constants(found: object) -> dict[tuple[str, str], float]:
    return {(cell.chip, cell.precision): cell.constants["efficiency"] for cell in found.cells}  # type: ignore[attr-defined]


def slower(count: int) -> Toy:
    toy = Toy(seed=5, count=count, cells=(("C", "fp8"),))
    toy.measured = tuple(replace(row, value=row.value * 0.6) for row in toy.measured)
    return toy


def test_many_rows_move_their_own_cell_alone() -> None:
    mine = rebased(slower(200), BASE, DEVICES)
    found, before = constants(merged(BASE, calibrated(mine, fit(mine)))), constants(BASE)
    assert found["C", "fp8"] == pytest.approx(0.6 * before["C", "fp8"], rel=0.1)
    for cell in before.keys() - {("C", "fp8")}:
        assert found[cell] == before[cell]


def test_few_rows_move_it_little() -> None:
    few, many = rebased(slower(4), BASE, DEVICES), rebased(slower(200), BASE, DEVICES)
    before = constants(BASE)["C", "fp8"]
    some, most = constants(calibrated(few, fit(few))), constants(calibrated(many, fit(many)))
    assert most["C", "fp8"] < some["C", "fp8"] < before


def test_a_new_chip_joins_with_its_own_cell() -> None:
    toy = Toy(seed=5, count=50, cells=(("C", "fp8"),))
    toy.measured = tuple(replace(row, chip="D") for row in toy.measured)
    toy.parameters = tuple(
        replace(p, key=("cell", "D", "fp8", "efficiency")) if p.key[0] == "cell" else p
        for p in toy.parameters
    )
    mine = rebased(toy, BASE, DEVICES)
    both = merged(BASE, calibrated(mine, fit(mine)))
    assert constants(both).keys() == constants(BASE).keys() | {("D", "fp8")}
    assert both.rows == BASE.rows + 50


def test_ranges_of_other_chips_stay() -> None:
    base = replace(
        BASE, residuals=(Residual("tpot", "", "", 900, 0.8, 1.3), Residual("tpot", "", "fp8", 300, 0.9, 1.1))
    )
    toy = slower(20)
    new = calibrated(toy, fit(toy), predicted=toy.predict(fit(toy)) * 3.0)
    found = {
        (each.chip, each.precision): each.rows for each in merged(base, new).residuals if each.group == "tpot"
    }
    assert found["", ""] == 900
    assert found["", "fp8"] == 300
    assert found["C", "fp8"] == 10
    assert {each.rows for each in merged(new, base).residuals if not each.chip and each.group == "tpot"} == {
        900,
        300,
    }
