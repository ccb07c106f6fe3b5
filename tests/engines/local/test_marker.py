"""An attempt starts once, and ends once, whoever tries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from stargate.engines.local.layout import Layout
from stargate.engines.local.marker import (
    bar,
    claim,
    conclude,
    delist,
    enlist,
    list_attempts,
    lost_outcome,
    read_job,
    read_outcome,
    unfinished,
)
from stargate.engines.local.wire import Job, Outcome

JOB = Job("w.0.1", "w", 0, 1, "azure", "azure-1", (0, 1), 8, run="true", envs={"A": "ä"})
DONE = Outcome("done")
STOPPED = Outcome("stopped", detail="too late")


def test_only_the_first_claim_counts(tmp_path: Path) -> None:
    home = Layout(tmp_path).home("w.0.1")
    assert claim(home, JOB)
    assert not claim(home, msgspec.structs.replace(JOB, run="false"))
    assert not bar(home, STOPPED)
    assert read_job(home) == JOB
    assert read_outcome(home) is None
    assert [path.name for path in home.path.parent.iterdir()] == ["w.0.1"]


def test_what_is_barred_never_starts(tmp_path: Path) -> None:
    home = Layout(tmp_path).home("w.0.1")
    assert bar(home, STOPPED)
    assert not claim(home, JOB)
    assert read_outcome(home) == STOPPED
    assert read_job(home) is None


def test_of_many_who_claim_at_once_one_wins(tmp_path: Path) -> None:
    for n in range(20):
        home = Layout(tmp_path).home(f"w.0.{n}")
        with ThreadPoolExecutor(8) as pool:
            wins = list(pool.map(lambda _: claim(home, JOB), range(8)))  # noqa: B023 - done within the turn
        assert sum(wins) == 1


def test_the_first_outcome_stands(tmp_path: Path) -> None:
    home = Layout(tmp_path).home("w.0.1")
    claim(home, JOB)
    assert conclude(home, DONE) == DONE
    assert conclude(home, STOPPED) == DONE


def test_the_index_is_a_list_of_what_to_report_on(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make("azure")
    for name in ("a.0.1", "b.0.1", "never.0.1"):
        enlist(layout, "azure", name)
    claim(layout.home("a.0.1"), JOB)
    claim(layout.home("b.0.1"), JOB)
    conclude(layout.home("b.0.1"), DONE)
    assert sorted(list_attempts(layout, "azure")) == ["a.0.1", "b.0.1", "never.0.1"]
    assert unfinished(layout, "azure") == ["a.0.1"]
    delist(layout, "azure", "never.0.1")
    delist(layout, "azure", "never.0.1")
    assert len(list_attempts(layout, "azure")) == 2
    assert list_attempts(layout, "nobody") == []


def test_what_was_lost_had_reached_what_its_progress_says(tmp_path: Path) -> None:
    home = Layout(tmp_path).home("w.0.1")
    claim(home, JOB)
    home.progress.write_text('{"step": 140}')
    outcome = lost_outcome(home, "gone")
    assert (outcome.phase, outcome.failure, outcome.step) == ("failed", "infrastructure", 140)
