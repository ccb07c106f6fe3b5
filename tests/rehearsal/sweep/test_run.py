"""Sweeps: many processes give what one gives, in the same order, and a run that fails stops no other."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.rehearsal.figures import figures
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.sweep.grid import Grid, Overrides, Point, grid
from stargate.rehearsal.sweep.memory import RUNS, Folder
from stargate.rehearsal.sweep.processes import Processes
from stargate.rehearsal.sweep.ray import Ray
from stargate.rehearsal.sweep.result import results
from stargate.rehearsal.sweep.run import Coming, Rehearsal, once, sweep
from stargate.rehearsal.sweep.subject import OfScenario, OfTrace
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.swf import to_swf
from tests.rehearsal.report.test_staged import SCENARIO

PARAMETERS = {"faults.0.lasts": ["1h", "12h"], "policy.backfill": ["easy", "none"]}


class Backwards:
    """One process, last run first."""

    def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Coming:
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
    assert told == [(done, 8) for done in range(9)]
    assert [(ran.point.number, ran.seed) for ran in there] == [(p.number, seed) for p, seed in runs.runs]
    digests = {ran.state_digest for ran in there}
    assert len(digests) > 4, "points and seeds differ"


def test_a_longer_outage_costs_more_chip_hours(rehearsal: OfScenario) -> None:
    short, long = results(sweep(rehearsal, grid([1], {"faults.0.lasts": ["1h", "4h"]}), Backwards()))
    assert short.overrides == {"faults.0.lasts": "1h"}
    assert (short.runs, short.failures) == (1, ())
    assert short.figures["succeeded"].mean == long.figures["succeeded"].mean == 3
    assert short.digests != long.digests


def test_a_run_that_fails_says_so_and_stops_no_other(rehearsal: OfScenario) -> None:
    """A site of that name cannot be told before it is staged."""
    good, bad = results(sweep(rehearsal, grid([1, 2], {"faults.0.id": ["ohio", "utah"]}), Backwards()))
    assert (good.runs, good.failures) == (2, ())
    assert (bad.runs, bad.figures) == (0, {})
    (failure,) = bad.failures
    assert "there is no site 'utah'" in failure.error
    assert failure.seeds == (1, 2)


def test_what_fits_nowhere_is_said_before_anything_runs(rehearsal: OfScenario) -> None:
    class Nobody:
        def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Coming:
            raise AssertionError("nothing runs")

    for path, values in (
        ("engines.0.stretch", [1, -1]),
        ("policy.backfill", ["none", "esay"]),
        ("fault.0", [1]),
    ):
        with pytest.raises(UserError, match=path.partition(".")[0]):
            sweep(rehearsal, grid([1], {"horizon": ["1d", "2d"], path: values}), Nobody())


class Fails(msgspec.Struct, frozen=True):
    """Breaks as a bug would with one seed, and takes its process along with another."""

    path: str

    def digests(self, grid: Grid) -> list[str]:
        return OfScenario(self.path).digests(grid)

    def __call__(self, seed: int, overrides: Overrides) -> Summary:
        if seed == 2:
            raise ZeroDivisionError("a bug")
        if seed == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return OfScenario(self.path)(seed, overrides)


def test_a_bug_and_a_killed_process_lose_one_run_each(rehearsal: OfScenario) -> None:
    ran = sweep(Fails(rehearsal.path), grid([1, 2, 3, 4], {}), Processes(1))
    assert [bool(each.figures) for each in ran] == [True, False, False, True]
    assert "ZeroDivisionError: a bug" in ran[1].error
    assert "killed by signal 9" in ran[2].error


def test_an_interrupted_sweep_goes_on_where_it_was(rehearsal: OfScenario, tmp_path: Path) -> None:
    runs = grid([1, 2], PARAMETERS)
    whole = sweep(rehearsal, runs, Backwards())

    def interrupted(done: int, of: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with Folder(tmp_path / "kept") as memory, pytest.raises(KeyboardInterrupt):
        sweep(rehearsal, runs, Backwards(), interrupted, memory)
    torn = tmp_path / "kept" / RUNS
    torn.write_bytes(torn.read_bytes()[:-20])
    told: list[int] = []
    with Folder(tmp_path / "kept") as memory:
        assert len(memory) == 2
        again = sweep(rehearsal, runs, Backwards(), lambda done, _: told.append(done), memory)
    assert wire.to_json(again) == wire.to_json(whole)
    assert told == list(range(2, 9)), "two were kept, six ran"


def test_other_input_or_another_program_is_run_anew(
    rehearsal: OfScenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Folder(tmp_path / "kept") as memory:
        sweep(rehearsal, grid([1], {}), Backwards(), memory=memory)
    path = Path(rehearsal.path)
    path.write_text(path.read_text().replace("lasts: 3h", "lasts: 4h"))
    found: list[tuple[int, int]] = []
    with Folder(tmp_path / "kept") as memory:
        sweep(rehearsal, grid([1], {}), Backwards(), lambda *told: found.append(told), memory)
    assert found == [(0, 1), (1, 1)]
    monkeypatch.setattr("stargate.rehearsal.sweep.memory.program_digest", lambda: "another")
    with Folder(tmp_path / "kept") as memory:
        assert len(memory) == 0


def test_files_that_differ_on_a_node_are_noticed(rehearsal: OfScenario) -> None:
    class Elsewhere:
        def run(self, rehearsal: Rehearsal, runs: Sequence[tuple[Point, int]]) -> Coming:
            for place, run in enumerate(runs):
                yield place, msgspec.structs.replace(once(rehearsal, *run), input_digest="other")

    (ran,) = sweep(rehearsal, grid([1], {}), Elsewhere())
    assert "not the files here" in ran.error
    assert ran.figures == {}


def test_a_trace_is_swept_over_policies_and_chips(tmp_path: Path) -> None:
    path = tmp_path / "jobs.swf"
    jobs = [Job(str(n), 10 * n, 90 + n, 1 + n % 7, 100) for n in range(1, 30)]
    with path.open("w") as out:
        to_swf(jobs, out, {"MaxProcs": "8"})
    one, two, three = sweep(OfTrace(str(path)), grid([0], {"policy": ["fifo", "easy", "sjf"]}), Backwards())
    wanted = figures(rehearse(jobs, 8, "easy").rows, 8)
    assert two.figures["average_wait_seconds"] == wanted.average_wait_seconds
    assert len({each.state_digest for each in (one, two, three)}) == 3
    for wrong in ({"police": ["fifo"]}, {"policy": ["lottery"]}, {"chips": ["many"]}):
        with pytest.raises(UserError):
            sweep(OfTrace(str(path)), grid([0], wrong), Backwards())


def test_without_ray_the_way_out_is_named(rehearsal: OfScenario, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match="not installed here"):
        sweep(rehearsal, grid([1], {}), Ray("auto"))
