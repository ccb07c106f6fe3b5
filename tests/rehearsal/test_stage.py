"""A staged scenario: the same digests everywhere, and going on from a journal of a run that was cut."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from stargate.base.errors import InputError
from stargate.base.time import DAY, HOUR, SECOND, Instant
from stargate.broker import Entry
from stargate.broker.fact import Ended, Placed, Submitted, WorkloadEnded
from stargate.broker.invariants import violations
from stargate.broker.policy import Policy
from stargate.journal import SqliteJournal, SqliteReader, restart, verify
from stargate.rehearsal.recorder import Recorder
from stargate.rehearsal.scenario import load
from stargate.rehearsal.schedule import differences, read
from stargate.rehearsal.stage import stage
from tests.rehearsal.world.stages import demand, job, play, write

SCRIPT = """
import sys
from pathlib import Path
from stargate.rehearsal.scenario import load
from stargate.rehearsal.stage import stage
staged = stage(load(Path(sys.argv[1])))
staged.run()
print(staged.input_digest, staged.state_digest, len(staged.rows))
"""


def in_a_process(path: Path, hashing: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hashing, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_same_input_gives_the_same_digests_in_every_process(repository: Path) -> None:
    path = repository / "examples" / "rehearsal" / "small.yaml"
    first, second = in_a_process(path, "0"), in_a_process(path, "4711")
    assert first == second
    assert int(first.split()[2]) > 500


def test_the_small_example_keeps_every_invariant(repository: Path) -> None:
    staged = stage(load(repository / "examples" / "rehearsal" / "small.yaml"))
    staged.run()
    assert violations(staged.play.machine.state) == []
    assert staged.play.refused == []
    hows = staged.world.engines.totals.hows
    assert {"done", "failed", "cancelled", "broken", "refused", "lost"} <= set(hows)
    other = stage(load(repository / "examples" / "rehearsal" / "small.yaml"), seed=8)
    assert other.input_digest != staged.input_digest


def test_the_year_can_be_staged(repository: Path) -> None:
    staged = stage(load(repository / "examples" / "rehearsal" / "year.yaml"))
    catalog = staged.play.machine.state.records.infrastructure.pools_by_id
    abilene, expansion = catalog["oci-abilene-gb200"], catalog["oci-abilene-expansion-gb200"]
    slipped = Instant.parse("2026-08-17")
    assert abilene.nodes_at(slipped.plus(-1 * DAY)) < abilene.nodes_at(slipped) == 28_116
    assert expansion.nodes_at(staged.until) == 0
    assert all(pool.engine.kind != "none" for pool in catalog.values())


HEAD = "start: 2026-01-05\nhorizon: %s\n"
JOBS = demand(
    job("long", run_seconds=10 * 3600),
    job("wide", run_seconds=7200, chips=32),
    job("last", submit_seconds=18_000),
)


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """The folder with the journal of a run that was cut after four hours."""
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    with Recorder(journal) as recorder:
        staged = stage(load(write(tmp_path, HEAD % "4h" + JOBS)), sink=recorder)
        staged.run()
    journal.close()
    return tmp_path


def test_a_journal_goes_on_where_it_ended(cut: Path) -> None:
    before = (cut / "journal.sqlite").read_bytes()
    path = cut / "go-on.yaml"
    path.write_text(
        "scenario:\n  from_journal: journal.sqlite\n  horizon: 2d\n"
        f"  {demand(job('more'), name='n')}\n  changes: [{{do: slip, pools: [home], months: 1}}]\n"
    )
    entries: list[Entry] = []
    staged = stage(load(path), sink=entries.extend)
    assert [task.workload for task in staged.world.engines.tasks.values()] == ["t.long"]
    staged.run()
    ends = {entry.fact.workload: entry.at for entry in entries if isinstance(entry.fact, WorkloadEnded)}
    # What ran goes on to the end that was expected of it; what is new comes after the journal's last entry.
    assert ends["t.long"] == staged.play.machine.state.records.workloads["t.long"].at + 10 * HOUR
    assert ends["n.more"] == staged.start + HOUR
    assert (cut / "journal.sqlite").read_bytes() == before
    with SqliteReader(cut / "journal.sqlite") as reader:
        assert verify(reader).ok
    assert staged.start > staged.play.machine.state.records.workloads["t.long"].at
    assert [entry.fact.id for entry in entries if isinstance(entry.fact, Submitted)] == ["n.more"]


def test_what_is_not_declared_anew_is_as_the_journal_has_it(cut: Path) -> None:
    with SqliteReader(cut / "journal.sqlite") as reader:
        known = restart(reader).state.state.records
    path = cut / "go-on.yaml"
    path.write_text("scenario: {from_journal: journal.sqlite}\n---\npolicy: {lab: lab, backfill: none}\n")
    records = stage(load(path)).play.machine.state.records
    assert records.policy == Policy(lab="lab", backfill="none") != known.policy
    assert [pool.id for pool in records.infrastructure.pools] == [
        pool.id for pool in known.infrastructure.pools
    ]
    assert records.agreements == known.agreements


def test_what_ran_can_be_lost_on_the_way(cut: Path) -> None:
    path = cut / "lost.yaml"
    path.write_text(
        "scenario:\n  from_journal: .\n  start: 2026-01-05T05:00:00Z\n  horizon: 2d\n"
        "  faults: [{fault: outage, scope: pool, id: home, at: '2026-01-05T06:10:00Z', lasts: 30d}]\n"
    )
    entries: list[Entry] = []
    staged = stage(load(path), sink=entries.extend)
    staged.run()
    (lost,) = [
        entry.fact for entry in entries if isinstance(entry.fact, Ended) and entry.fact.outcome == "lost"
    ]
    assert lost.attempt.startswith("t.long")
    (again,) = [entry.fact for entry in entries if isinstance(entry.fact, Placed)]
    assert again.pool == "cloud"
    first, second = staged.world.engines.spent
    # Ten hours in all: six were saved by the half hour, ten minutes are done anew.
    assert first.kept_us == 6 * HOUR
    assert second.kept_us == 4 * HOUR
    assert first.lost_us == 600 * SECOND


def test_an_empty_journal_declares_nothing(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "journal.sqlite").close()
    path = tmp_path / "s.yaml"
    path.write_text(f"scenario:\n  from_journal: journal.sqlite\n  {demand(job('a'))}\n")
    with pytest.raises(InputError, match="no pool has chips"):
        stage(load(path)).run()


def test_a_plain_policy_by_name(tmp_path: Path) -> None:
    # Four nodes here, two there: the second job waits for the first, and the third fits at once.
    jobs = demand(
        job("a", chips=32, run_seconds=100), job("b", chips=32, run_seconds=200), job("c", run_seconds=50)
    )
    starts = {}
    for name in ("fifo", "sjf", "easy"):
        played = play(tmp_path, f"start: 2026-01-05\npolicy_named: {name}\n" + jobs)
        starts[name] = [row.start for row in played.stage.rows]
    # The shortest goes first, and to what is paid for already: there it is in the way of who comes next.
    assert starts == {"fifo": [0, 100, 100], "sjf": [50, 150, 0], "easy": [0, 100, 0]}


def test_the_world_gives_the_reference_schedule(shared: Path, tmp_path: Path) -> None:
    """One pool of single chips under engines without delays: every second as independent simulators have it."""
    trace = shared / "data" / "traces" / "philly" / "philly_pool_d2c.swf.gz"
    expected = shared / "data" / "reference" / "expected" / "out_d2c_fifo.csv.gz"
    world = """
parties: [{id: lab}]
providers: [{id: own, party: lab}]
sites: [{id: here, jurisdiction: US}]
pools:
- id: home
  provider: own
  site: here
  chip: H100-SXM
  chips_per_node: 1
  tenure: owned
  nodes: [{from: 2010-01-01, nodes: 384}]
"""
    text = f"start: 2017-09-01\npolicy_named: fifo\ndemand: [{{name: t, trace: {trace}, form: {{as_in_trace: false}}}}]"
    ours = [
        msgspec.structs.replace(row, job_id=row.job_id[2:])
        for row in play(tmp_path, text, world=world).stage.rows
    ]
    with gzip.open(expected, "rt") as lines:
        assert differences(ours, read(lines)) == []
