"""The page on validation shows what was scored, and what was scored is what ships."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from importlib.resources import files

import numpy as np
import pytest

from docs._ext import validation
from docs._ext.validation import DOCS, PAGE, TARGETS, missed, of_group, written
from tests.conftest import REPOSITORY

DATA = files("stargate.performance").joinpath("data")
SCORES = validation.read()
TEXT = PAGE.read_text(encoding="utf-8")
CLOSE = 0.3
"""Points of percent: ratios beside the calibration are kept to four digits, and folds are fitted by kind here."""


def ratios(column: str) -> dict[str, np.ndarray]:
    """Predicted over measured by group, of the rows that made the shipped calibration."""
    found: dict[str, list[float]] = defaultdict(list)
    text = DATA.joinpath("calibration_rows.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        found[row["group"]].append(float(row[column]))
    return {group: np.array(part) for group, part in found.items()}


def test_the_tables_are_those_of_the_scores() -> None:
    assert written(TEXT, SCORES) == TEXT, "run `make validation`"


def test_every_table_stands_on_the_page() -> None:
    assert [name for name in validation.TABLES if f"<!-- scores: {name} -->" not in TEXT] == []


def test_the_scores_are_of_the_calibration_that_ships() -> None:
    shipped = DATA.joinpath("calibration.json").read_bytes()
    assert hashlib.sha256(shipped).hexdigest() == SCORES["calibration_sha256"], "run `make validation`"


@pytest.mark.parametrize(("column", "name"), [("fitted", "fitted"), ("held_out", "held_out")])
@pytest.mark.parametrize("group", TARGETS)
def test_the_figures_follow_from_the_rows_that_ship(group: str, column: str, name: str) -> None:
    errors = 100.0 * np.abs(ratios(column)[group] - 1.0)
    shown = of_group(SCORES, name, group)
    assert shown is not None
    assert shown["n"] == len(errors)
    assert shown["mape"] == pytest.approx(errors.mean(), abs=CLOSE)


def test_every_target_that_is_missed_is_explained_and_no_other() -> None:
    part = TEXT.partition("\n## Where targets are missed\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^- \*\*`(\w+)`\*\*: \d", part, re.MULTILINE)) == set(missed(SCORES))
    assert set(validation.WHY) == set(validation.SAYS) == set(TARGETS)


def test_a_target_is_missed_by_its_mean_or_by_its_tail() -> None:
    good = {"n": 1, "mape": 6.9, "p90": 14.0, "median": 1.0, "within": 0.8}

    def scores(**changed: float) -> validation.Scores:
        return {"kinds": {"training": {"held_out": {"groups": {"dense_3d": good | changed}}}}}

    assert missed(scores()) == ()
    assert missed(scores(mape=7.1)) == ("dense_3d",)
    assert missed(scores(p90=15.1)) == ("dense_3d",)


def test_the_plots_are_there() -> None:
    plots = re.findall(r"\((_static/validation-\w+\.svg)\)", TEXT)
    assert len(plots) == 2
    for plot in plots:
        assert (DOCS / plot).read_text(encoding="utf-8").lstrip().startswith("<?xml")


def test_the_command_that_writes_the_page_is_a_target() -> None:
    assert "python -m bench.validation" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
