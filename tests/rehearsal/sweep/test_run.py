"""Sweeps: many processes give what one gives, in the same order, and a run that fails stops no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.rehearsal.sweep.grid import Point, grid
from stargate.rehearsal.sweep.ray import Ray
from stargate.rehearsal.sweep.result import results
from stargate.rehearsal.sweep.run import OfScenario, Processes, Ran, Rehearsal, once, sweep
from tests.rehearsal.report.test_staged import SCENARIO

PARAMETERS = {"faults.0.lasts": ["1h", "12h"], "policy.backfill": ["easy", "none"]}


class Backwards:
    """One process, last run first."""

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Iterator[tuple[int, Ran]]:
        for place in reversed(range(len(runs))):
            yield place, once(rehearsal, *runs[place])


@pytest.fixture
def rehearsal(tmp_path: Path) -> OfScenario:
    """A small scenario with failures that differ by seed."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return OfScenario(str(path))


def test_processes_give_what_one_process_gives(rehearsal: OfScenario) -> None:
    told: list[tuple[int, int]] = []
    runs = grid([1, 2], PARAMETERS)
    here = sweep(rehearsal, runs, Backwards())
    there = sweep(rehearsal, runs, Processes(2), lambda done, of: told.append((done, of)))
    assert wire.to_json(here) == wire.to_json(there)
    assert told == [(done, 8) for done in range(1, 9)]
    assert [(ran.point.number, ran.seed) for ran in there] == [(p.number, seed) for p, seed in runs.runs]
    digests = {ran.summary.identity.state_digest for ran in there if ran.summary is not None}
    assert len(digests) > 4, "points and seeds differ"


def test_a_longer_outage_costs_more_chip_hours(rehearsal: OfScenario) -> None:
    short, long = results(sweep(rehearsal, grid([1], {"faults.0.lasts": ["1h", "4h"]}), Backwards()))
    assert short.overrides == {"faults.0.lasts": "1h"}
    assert (short.seeds, short.errors) == (1, ())
    assert short.figures["succeeded"].mean == long.figures["succeeded"].mean == 3
    assert short.digests != long.digests


def test_a_run_that_fails_says_so_and_stops_no_other(rehearsal: OfScenario) -> None:
    ran = sweep(rehearsal, grid([1, 2], {"engines.0.stretch": [1, -1]}), Backwards())
    good, bad = results(ran)
    assert good.seeds == 2
    assert (bad.seeds, bad.figures) == (0, {})
    assert len(bad.errors) == 1
    assert "engines.0.stretch=-1" in bad.errors[0]


def test_the_summary_names_its_point(rehearsal: OfScenario) -> None:
    (ran,) = sweep(rehearsal, grid([5], {"policy.backfill": ["none"]}), Backwards())
    assert ran.summary is not None
    assert ran.summary.identity.seed == 5
    assert ran.summary.identity.overrides == {"policy.backfill": "none"}


def test_without_ray_the_way_out_is_named(rehearsal: OfScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="not installed here"):
        sweep(rehearsal, grid([1], {}), Ray("auto"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_real_ray_cluster_gives_what_this_machine_gives(rehearsal: OfScenario) -> None:
    runs = grid([1, 2], {"faults.0.lasts": ["1h", "12h"]})
    assert wire.to_json(sweep(rehearsal, runs, Ray("local"))) == wire.to_json(
        sweep(rehearsal, runs, Backwards())
    )
