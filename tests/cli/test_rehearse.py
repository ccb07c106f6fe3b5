"""`stargate rehearse`: scenarios and traces, what is printed, what is written, what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

TRACE = """; MaxProcs: 8
1 0 -1 100 8 -1 -1 8 100 -1 1 1 1 -1 1 -1 -1 -1
2 10 -1 50 8 -1 -1 8 50 -1 1 1 1 -1 1 -1 -1 -1
3 20 -1 10 4 -1 -1 4 10 -1 1 1 1 -1 1 -1 -1 -1
"""
SCENARIO = """
scenario:
  name: tiny
  start: 2026-01-05
  seed: 3
  demand:
  - {name: t, trace: jobs.swf}
---
parties: [{id: lab}]
providers: [{id: own, party: lab}]
sites: [{id: here, jurisdiction: US}]
pools:
- id: home
  provider: own
  site: here
  chip: H100-SXM
  chips_per_node: 8
  tenure: owned
  nodes: [{from: 2025-01-01, nodes: 1}]
---
policy: {lab: lab}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trace, and a scenario that reads it."""
    (tmp_path / "jobs.swf").write_text(TRACE)
    (tmp_path / "tiny.yaml").write_text(SCENARIO)
    return tmp_path


def test_a_trace_on_a_flat_pool(run: Run, folder: Path) -> None:
    out = folder / "out.csv"
    ran = run("rehearse", str(folder / "jobs.swf"), "--policy", "fifo", "--schedule", str(out), "--json")
    assert ran.code == 0
    said = json.loads(ran.out)
    assert (said["jobs"], said["chips"]) == (3, 8)
    assert said["figures"]["average_wait_seconds"] == pytest.approx((0 + 90 + 130) / 3, abs=1e-6)
    assert len(said["state_digest"]) == len(said["input_digest"]) == 32
    rows = list(csv.reader(out.read_text().splitlines()))
    assert rows[0] == ["job_id", "submit", "start", "end", "procs"]
    assert [row[2] for row in rows[1:]] == ["0", "100", "150"]


def test_rows_that_are_left_out_are_counted(run: Run, folder: Path) -> None:
    trace = folder / "jobs.swf"
    trace.write_text(TRACE + "4 30 -1 -1 4 -1 -1 4 10 -1 1 1 1 -1 1 -1 -1 -1\n")
    ran = run("rehearse", str(trace), "--json")
    assert json.loads(ran.out)["rows_left_out"] == {"the run time is missing or out of range": 1}
    assert "the run time is missing" in run("rehearse", str(trace)).out


def test_a_trace_on_nodes(run: Run, folder: Path) -> None:
    """A plain pool of 12 starts the third beside the first; two nodes of 6 do not."""
    for nodes, first in (("1", 20), ("6", 150)):
        out = folder / f"{nodes}.csv"
        words = ("--chips", "12", "--nodes-of", nodes, "--policy", "easy", "--schedule", str(out))
        assert run("rehearse", str(folder / "jobs.swf"), *words).code == 0
        assert [int(row["start"]) for row in csv.DictReader(out.read_text().splitlines())][2] == first


def test_a_scenario(run: Run, folder: Path) -> None:
    out = folder / "out.csv"
    ran = run("rehearse", str(folder / "tiny.yaml"), "--schedule", str(out))
    assert ran.code == 0
    assert "tiny" in ran.out
    assert "state digest" in ran.out
    assert [row["job_id"] for row in csv.DictReader(out.read_text().splitlines())] == ["t.1", "t.2", "t.3"]
    digests = {
        json.loads(run("rehearse", str(folder / "tiny.yaml"), "--json", *more).out)["input_digest"]
        for more in ((), ("--seed", "3"), ("--seed", "4"), ("--policy", "sjf"))
    }
    assert len(digests) == 3


def test_its_journal_is_one_that_verifies(run: Run, folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    journal = str(data / "journal.sqlite")
    first = run("rehearse", str(folder / "tiny.yaml"), "--journal", journal, "--json")
    facts = json.loads(first.out)["facts"]
    checked = run("journal", "verify", "--data", str(data), "--json")
    assert json.loads(checked.out)["entries"] == facts
    again = run("rehearse", str(folder / "tiny.yaml"), "--journal", journal)
    assert again.code == 2
    assert "is there already" in again.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere.yaml",), "no such file"),
        (("nowhere.swf",), "no such file"),
        (("tiny.yaml", "--chips", "8"), "--chips is for traces"),
        (("tiny.yaml", "--nodes-of", "8"), "--nodes-of is for traces"),
        (("jobs.swf", "--chips", "12", "--nodes-of", "8"), "no whole number of nodes of 8"),
        (("tiny.yaml", "--policy", "best"), "best"),
        (("jobs.swf", "--policy", "best"), "best"),
        (("jobs.swf", "--chips", "0"), "--chips"),
    ],
)
def test_mistakes_are_named(run: Run, folder: Path, words: tuple[str, ...], says: str) -> None:
    ran = run("rehearse", str(folder / words[0]), *words[1:])
    assert ran.code == 2
    assert says in ran.err


def test_a_trace_without_chips_asks_for_them(run: Run, folder: Path) -> None:
    (folder / "bare.swf").write_text(TRACE.partition("\n")[2])
    ran = run("rehearse", str(folder / "bare.swf"))
    assert ran.code == 2
    assert "give --chips" in ran.err.lower()
