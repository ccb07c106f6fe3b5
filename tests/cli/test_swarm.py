"""`stargate swarm`: what is printed, what is kept, and that the same seed gives the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stargate.broker import due
from tests.cli.conftest import Run


def test_figures_are_printed_and_the_same_again(run: Run) -> None:
    ran = run("swarm", "--events", "500", "--seed", "6", "--json")
    assert ran.code == 0
    said = json.loads(ran.out)
    assert said["events"] >= 500
    assert said["seeds"] >= 1
    assert said["violations"] == 0
    assert len(said["digest"]) == 32
    assert json.loads(run("swarm", "--events", "500", "--seed", "6", "--json").out) == said
    assert said["digest"] in run("swarm", "--events", "500", "--seed", "6").out


def test_a_failure_names_its_seed_and_is_kept(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = due.clear_nodes
    monkeypatch.setattr(due, "clear_nodes", lambda *said: real(*said) * 2)
    # Seed 35 sees a pool shrink under running work.
    ran = run("swarm", "--events", "200", "--seed", "35", "--keep", str(tmp_path))
    assert ran.code == 1
    assert "seed 35, commit " in ran.err
    (path,) = tmp_path.glob("*.json")
    kept = json.loads(path.read_text())
    assert kept["seed"] == 35
    assert kept["found"]
    assert len(kept["commit"]) in {0, 7, 40}
