"""`stargate rehearse --compare`: runs made now and kept from before, what is said, written and refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.rehearse.files import lay


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A trace, a scenario, a sweep."""
    return lay(tmp_path)


def test_a_trace_under_two_policies(run: Run, folder: Path) -> None:
    words = ("rehearse", folder / "jobs.swf", "--policy", "fifo", "--compare", "easy")
    ran = run(*words)
    assert ran.code == 0
    assert "Of 3 jobs in both 1 differ" in ran.out
    assert "3: start is 100 and 20, end is 150 and 70" in ran.out
    assert "They agree on 1 decision." in ran.out
    assert "the second decided, at 2000-01-01T00:00:20Z: placed 3.0" in ran.out
    assert "backfilled: it cannot delay 2" in ran.out
    said = run(*words, "--json").json
    assert (said["first"]["policy"], said["second"]["policy"]) == ("fifo", "easy")
    assert said["jobs"]["differ"] == 1
    assert not said["equal"]
    (waits,) = (each for each in said["headlines"] if each["path"] == "average_wait_seconds")
    assert (waits["first"], waits["second"]) == (pytest.approx(170 / 3), 30.0)
    assert said["parting"]["second"]["grounds"]


def test_a_schedule_of_another_tool(run: Run, folder: Path) -> None:
    expected = folder / "expected.csv.gz"
    with gzip.open(expected, "wt") as out:
        out.write("job_id,submit,start,end,procs\n1,0,0,100,6\n2,10,100,200,6\n3,20,20,70,2\n")
    trace = folder / "jobs.swf"
    same = run("rehearse", trace, "--policy", "easy", "--compare", expected)
    assert "All 3 jobs came, began and ended at the same seconds" in same.out
    other = run("rehearse", trace, "--policy", "fifo", "--compare", expected, "--json").json
    assert (other["equal"], other["jobs"]["differ"]) == (False, 1)
    assert other["jobs"]["first_difference"]["job_id"] == "3"


def test_the_same_twice_is_the_same(run: Run, folder: Path) -> None:
    said = run("rehearse", folder / "tiny.yaml", "--compare", folder / "tiny.yaml", "--json").json
    assert said["equal"]
    assert said["first"]["state_digest"] == said["second"]["state_digest"]


def test_one_value_may_differ(run: Run, folder: Path) -> None:
    said = run(
        "rehearse", folder / "tiny.yaml", "--compare", folder / "tiny.yaml", "--set", "policy.backfill=none",
        "--seed", "4", "--json",
    ).json  # fmt: skip
    assert said["jobs"]["differ"] == 1
    assert "policy.backfill" in said["second"]["overrides"]
    assert said["first"]["seed"] == said["second"]["seed"] == 4


def test_what_is_written_can_be_compared_later(run: Run, folder: Path) -> None:
    out = folder / "out"
    for _ in range(2):  # files of the first time are replaced
        ran = run("rehearse", folder / "tiny.yaml", "--compare", "fifo", "--report", out)
        assert ran.code == 0
    assert "<svg" in (out / "comparison.html").read_text()
    kept = json.loads((out / "comparison.json").read_text())
    later = run("rehearse", out / "first", "--compare", out / "second", "--json").json
    assert {name: later[name] for name in ("figures", "headlines", "parting")} == {
        name: kept[name] for name in ("figures", "headlines", "parting")
    }
    assert later["jobs"]["differ"] == kept["jobs"]["differ"] == 1
    journal = run("rehearse", folder / "tiny.yaml", "--compare", out / "first" / "journal.sqlite")
    assert "They decided the same at the same times" in journal.out
    assert "Figures of a journal alone" in journal.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--compare", "fifo"), "nothing is named"),
        (("tiny.yaml", "--compare", "nowhere"), "no such file or folder"),
        (("tiny.yaml", "--compare", "fifo", "--journal", "j"), "--journal does not go with --compare"),
        (("tiny.yaml", "--compare", "fifo", "--seeds", "2"), "--seeds does not go with --compare"),
        (("tiny.yaml", "--compare", "fifo", "--chips", "4"), "--chips is for traces"),
        (("tiny.yaml", "--compare", "fifo", "--set", "policy.backfill=none,easy"), "several values"),
        (("sched.csv", "--compare", "sched.csv", "--seed", "4"), "both runs were kept"),
        (("sched.csv", "--compare", "fifo"), "cannot run under another policy"),
        (("tiny.yaml", "--compare", "sched.csv", "--set", "seed=4"), "sched.csv was kept"),
        (("sched.csv",), "what a rehearsal left (schedule)"),
    ],
)
def test_mistakes_are_named(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(folder)
    Path("sched.csv").write_text("job_id,submit,start,end,procs\n")
    ran = run("rehearse", *words)
    assert ran.code == 2
    assert says in ran.err
