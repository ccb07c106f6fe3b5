"""Scenarios on paper: what is read, what is refused, and what the digest counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from stargate.base.errors import InputError
from stargate.rehearsal.scenario import load
from tests.rehearsal.world.stages import WORLD, demand, job, play, write

HEAD = "start: 2026-01-05\nhorizon: 10d\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("horizon: 1d", "no start"),
        ("start: 2026-01-05\nhorizn: 1d", "horizn"),
        ("start: yesterday", "not a time"),
        (HEAD + "demand: [{name: a}]", "ive one of trace, generate, jobs"),
        (HEAD + demand(job("a", chips=-1)), "chips"),
        (HEAD + demand(job("a")).replace("[{", "[{name: t, jobs: [" + job("x") + "]}, {", 1), "one name"),
        (HEAD + "demand: [{name: a, trace: nowhere.csv}]", "nowhere.csv"),
        (HEAD + "workloads: [{workload: nowhere.yaml}]", "nowhere.yaml"),
        (HEAD + "infrastructure: [nowhere]", "nowhere"),
        (HEAD + "engines: [{start: {mean: 1m, fixed: 1m}}]", "ive one of them"),
        (HEAD + "faults: [{fault: outrage}]", "outrage"),
        (HEAD + "changes: [{do: slip, months: 0}]", "months"),
        (HEAD + "policy_named: best", "best"),
        (HEAD + "parties: [{party: a}, {party: a}]", "described twice"),
        (
            "start: 2026-01-05\nfaults: [{fault: outages, scope: site, every: {mean: 1d}, lasts: {mean: 1h}}]",
            "horizon",
        ),
        ("from_journal: nowhere.sqlite", "nowhere.sqlite"),
    ],
)
def test_every_mistake_is_named_with_its_remedy(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, text))
    assert says in str(caught.value)
    assert all(problem.remedy and problem.file for problem in caught.value.problems)


def test_names_are_looked_up_when_it_is_staged(tmp_path: Path) -> None:
    text = HEAD + "faults: [{fault: outage, scope: site, id: texsa, at: 2026-01-06, lasts: 1h}]"
    with pytest.raises(InputError) as caught:
        play(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.path == "scenario.faults[0].id"
    assert problem.line == 4
    assert "'texas'" in problem.remedy


def test_there_is_one_scenario_and_nothing_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, HEAD)
    whole = path.read_text()
    for wrong in (
        "pools: []",
        whole + "\n---\n" + whole,
        whole.replace("scenario:", "pools: []\nscenario:", 1),
    ):
        path.write_text(wrong)
        with pytest.raises(InputError):
            load(path)


def test_something_must_be_declared(tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("scenario: {start: 2026-01-05}\n")
    with pytest.raises(InputError, match="nothing is declared"):
        load(path)


def test_the_digest_counts_everything_that_is_read(tmp_path: Path) -> None:
    trace = tmp_path / "jobs.swf"
    trace.write_text("; MaxProcs: 8\n1 0 -1 60 8 -1 -1 8 60 -1 1 1 1 -1 1 -1 -1 -1\n")
    text = HEAD + "demand: [{name: t, trace: jobs.swf}]"
    digests = [load(write(tmp_path, text)).digest, load(write(tmp_path, text)).digest]
    digests.append(load(write(tmp_path, text + "\nnote: other")).digest)
    digests.append(load(write(tmp_path, text, world=WORLD.replace("nodes: 4", "nodes: 5"))).digest)
    trace.write_text(trace.read_text().replace(" 60 ", " 61 "))
    digests.append(load(write(tmp_path, text)).digest)
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "jobs.swf").write_bytes(trace.read_bytes())
    assert load(write(moved, text)).digest == digests[-1]


def test_files_stand_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "all.yaml").write_text(WORLD)
    path = tmp_path / "s.yaml"
    path.write_text("scenario:\n  start: 2026-01-05\n  infrastructure: [world]\n  agreements: [world]\n")
    plan = load(path)
    assert plan.declared is not None
    infrastructure = plan.declared.infrastructure
    assert infrastructure is not None
    assert [pool.id for pool in infrastructure.pools] == ["home", "cloud"]
