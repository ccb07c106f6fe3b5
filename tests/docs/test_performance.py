"""The pages on the performance model leave out no term and no constant, and every formula can be drawn."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from docs._ext.drawn_math import drawing
from docs._ext.reference import constants, fill
from stargate.cli.performance.rows import SUFFICES
from stargate.performance.calibration import shipped
from stargate.performance.inference.iteration import Iteration
from stargate.performance.training.mfu import Convention
from stargate.performance.training.step import ORDER
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"
MODEL = (DOCS / "reference" / "performance.md").read_text(encoding="utf-8")
CALIBRATION = fill((DOCS / "reference" / "calibration.md").read_text(encoding="utf-8"))
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\w$])\$([^$\s](?:[^$\n]*[^$\s])?)\$(?!\w)", re.DOTALL)


def formulas() -> list[str]:
    """Every formula of every page, without code."""
    found = []
    for page in sorted(DOCS.glob("reference/*.md")):
        text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [first or second for first, second in FORMULA.findall(text)]
    return found


def test_every_formula_can_be_drawn() -> None:
    assert len(formulas()) > 50
    for formula in formulas():
        drawn = drawing(formula)
        assert drawn.startswith('<svg class="sg-formula"'), formula
        assert "<style" not in drawn, "a style sheet inside a drawing holds for the whole page"


def test_a_formula_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        drawing(r"\nothing{x}")


TRAINING, _, SERVING = MODEL.partition("\n## Serving: one iteration\n")
TERMS = [*((TRAINING, name) for name in ORDER), *((SERVING, name) for name in Iteration.__struct_fields__)]


@pytest.mark.parametrize(
    ("part", "name"), TERMS, ids=[f"{number}-{name}" for number, (_, name) in enumerate(TERMS)]
)
def test_every_term_is_explained(part: str, name: str) -> None:
    assert re.search(rf"^###.*`{name}`|^\| `{name}` \|", part, re.MULTILINE), f"no section or row of {name}"


@pytest.mark.parametrize("name", constants.names())
def test_every_constant_has_its_place_in_a_formula(name: str) -> None:
    drawn = rf"\mathtt{{{name}}}".replace("_", r"\_")
    assert f"`{name}`" in MODEL or drawn in MODEL, f"{name} is on no line of the page"


def test_every_convention_has_a_row() -> None:
    for name in get_args(Convention):
        assert f"| `{name}` |" in MODEL


def test_every_constant_is_in_a_table_with_what_ships() -> None:
    known = shipped()
    for name, value in known.shared.items():
        row = rf"^\| `{re.escape(name.removeprefix('serving_'))}` \|.*\| {re.escape(constants.number(value))} \|$"
        assert re.search(row, CALIBRATION, re.MULTILINE), name
    for cell in known.cells:
        assert f"| {cell.chip} | {cell.precision} | {cell.rows:,} |" in CALIBRATION
    for release in known.releases:
        assert f"| {release.software} | {release.rows:,} |" in CALIBRATION


def test_the_columns_that_a_file_must_have_are_listed() -> None:
    for kind, columns in SUFFICES.items():
        (row,) = re.findall(rf"^\| {kind} \|([^|]*)\|", CALIBRATION, re.MULTILINE)
        assert [name for name in columns if f"`{name}`" not in row] == []
