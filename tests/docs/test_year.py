"""The page on the year shows what was rehearsed, and what was rehearsed is the scenario and the broker that ship."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.year import VARIANTS, variant
from docs._ext import year
from docs._ext.year import DOCS, PAGE, WHAT_IF, WITHOUT, written
from stargate.rehearsal.changes import Drop, Slip
from stargate.rehearsal.stage import input_digest
from tests.conftest import REPOSITORY

FIGURES = year.read()
TEXT = PAGE.read_text(encoding="utf-8")
SCRIPT = """
from bench.year import run
from docs._ext.year import CUT_DAYS, digest_of
found = run("year", CUT_DAYS)
print(*found.wrong, digest_of(found.summary), found.attempts)
"""


def test_the_parts_are_those_of_the_figures() -> None:
    assert written(TEXT, FIGURES) == TEXT, "run `make rehearsal-year`"
    assert [name for name in year.TABLES if f"<!-- year: {name} -->" not in TEXT] == []


def test_the_figures_are_of_the_scenario_that_ships() -> None:
    plan = variant("year")
    digest = FIGURES["runs"]["year"]["identity"]["input_digest"]
    assert input_digest(plan.digest, plan.scenario.seed) == digest, "run `make rehearsal-year`"


def test_its_first_days_come_out_the_same_and_add_up_whatever_the_hash_seed() -> None:
    """Nodes, costs, commitments and energy are counted a second time in each; a wrong one is printed."""
    outputs = []
    for hashing in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(
            command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    digest, attempts = outputs[0].split()
    assert int(attempts) > 1_000
    assert digest == FIGURES["cut_digest"], "the broker decides otherwise; run `make rehearsal-year`"


def test_each_variant_lacks_one_trouble() -> None:
    whole = variant("year").scenario
    assert set(VARIANTS) == {"year", *WITHOUT}
    for name, kind in (("without_slip", Slip), ("without_drop", Drop)):
        changes = variant(name).scenario.changes
        assert len(changes) == len(whole.changes) - 1
        assert not any(isinstance(change, kind) for change in changes)
    assert len(variant("without_outage").scenario.faults) == len(whole.faults) - 1
    assert len({variant(name).digest for name in VARIANTS}) == len(VARIANTS)


@pytest.mark.parametrize("name", ["year", *WITHOUT, *WHAT_IF])
def test_chip_hours_and_payments_of_every_run_add_up(name: str) -> None:
    found = FIGURES["runs"][name]
    time = found["chip_time"]
    parts = sum(
        time[f"{part}_chip_hours"] for part in ("useful", "discarded", "saving", "redone", "overhead")
    )
    assert parts == pytest.approx(time["used_chip_hours"])
    for scope in ("providers", "sites", "pools"):
        assert sum(place["used_chip_hours"] for place in found[scope]) == pytest.approx(
            time["used_chip_hours"]
        )
        assert sum(place["paid_micro_usd"] for place in found[scope]) == found["paid_micro_usd"]
        assert sum(place["energy_mwh"] for place in found[scope]) == pytest.approx(found["energy_mwh"])


def test_the_plots_are_there() -> None:
    plots = re.findall(r"\((_static/year-\w+\.svg)\)", TEXT)
    assert len(plots) == len(set(plots)) == len(list((DOCS / "_static").glob("year-*.svg")))
    for plot in plots:
        assert (DOCS / plot).read_text(encoding="utf-8").startswith("<?xml")


def test_the_command_that_writes_the_page_is_a_target() -> None:
    assert "python -m bench.year" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert Path(REPOSITORY / "examples" / "rehearsal" / "year.yaml").is_file()
