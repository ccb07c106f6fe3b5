"""The flat pool gives the textbook's schedule: exactly, for every job."""

from __future__ import annotations

import csv
import gzip
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import NotFoundError
from stargate.broker import Policy
from stargate.broker.fact import Entry, Stopping
from stargate.broker.machine import Machine
from stargate.rehearsal import schedule
from stargate.rehearsal.flat import rehearse
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.trace import open_trace
from tests.rehearsal import odd
from tests.rehearsal.naive import starts

PLAIN = ("fifo", "sjf", "easy")
EXPECTED = {
    "d2c": ("traces/philly/philly_pool_d2c.swf.gz", 384),
    "w1": ("traces/philly/philly_pool_w1.swf.gz", 512),
    "kth_2wc": ("traces/pwa-kth-sp2/kth_2wc.swf.gz", 100),
}


def began(jobs: list[Job], chips: int, policy: str) -> dict[str, int]:
    """The start of every job as the broker has it."""
    return {row.job_id: row.start for row in rehearse(jobs, chips, policy).rows}


def drawn(seed: int, chips: int) -> list[Job]:
    """Jobs with everything that is awkward: ties, no run time, wrong estimates, more chips than there are."""
    draw = random.Random(seed)
    jobs = []
    for number in range(draw.randint(1, 60)):
        run = draw.choice([0, 0, 1, 2, 3, 5, 10, 10, 20, draw.randint(0, 60)])
        asked = draw.choice([run, run, 0, run + 5, max(1, run // 2), 10, 1, 20])
        size = draw.choice([1, 1, 1, 2, 3, max(1, chips // 2), chips, chips + 1, draw.randint(1, chips)])
        jobs.append(Job(str(number + 1), draw.randint(0, draw.choice([1, 20, 300])), run, size, asked or run))
    return jobs


JOBS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sampled_from([0, 1, 2, 5, 9, 30]),
        st.integers(1, 9),
        st.sampled_from([-3, 0, 0, 4]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(rows=JOBS, policy=st.sampled_from(PLAIN))
def test_every_job_starts_when_the_book_says(rows: list[tuple[int, int, int, int]], policy: str) -> None:
    """Estimates that are too short and too long, jobs of no length, ties, and jobs that do not fit at all."""
    jobs = [
        Job(str(number), at, run, chips, max(0, run + wrong))
        for number, (at, run, chips, wrong) in enumerate(rows, start=1)
    ]
    assert began(jobs, 8, policy) == starts(jobs, 8, policy)


@pytest.mark.parametrize("policy", PLAIN)
def test_longer_awkward_traces_agree_too(policy: str) -> None:
    for seed in range(60):
        chips = (1, 3, 8, 16, 50)[seed % 5]
        jobs = drawn(seed, chips)
        assert began(jobs, chips, policy) == starts(jobs, chips, policy), f"seed {seed}"


@pytest.mark.parametrize("policy", PLAIN)
@pytest.mark.parametrize("name", EXPECTED)
def test_the_real_traces_start_when_the_reference_says(shared: Path, name: str, policy: str) -> None:
    """Submission, start, end and chips of each job."""
    path, chips = EXPECTED[name]
    flat = rehearse(open_trace(shared / "data" / path).jobs(), chips, policy)
    expected = shared / "data/reference/expected" / f"out_{name}_{policy}.csv.gz"
    with gzip.open(expected, "rt", encoding="utf-8") as lines:
        theirs = schedule.read(lines, expected.name)
    assert len(theirs) > 1000
    assert schedule.differences(flat.rows, theirs) == []


def test_the_first_in_line_never_starts_after_its_reservation(shared: Path, tmp_path: Path) -> None:
    """An independent check of EASY's promise, where run times are exact."""
    path, chips = EXPECTED["d2c"]
    trace, out = tmp_path / "trace.swf", tmp_path / "schedule.csv"
    trace.write_bytes(gzip.decompress((shared / "data" / path).read_bytes()))
    schedule.write_file(rehearse(open_trace(trace).jobs(), chips, "easy").rows, out)
    done = subprocess.run(
        [sys.executable, str(shared / "data/reference/check_easy.py"), str(trace), str(chips), str(out)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "violations 0" in done.stdout


@pytest.mark.parametrize("policy", PLAIN)
def test_odd_files_agree_with_the_book(tmp_path: Path, policy: str) -> None:
    """What nobody knows, numbers in other forms, parts of jobs, rows out of order and too short."""
    for seed in range(40):
        chips = (1, 3, 8, 16, 50)[seed % 5]
        trace = tmp_path / f"{seed}.swf"
        trace.write_text(odd.written(random.Random(seed), chips), newline="")
        rows = rehearse(open_trace(trace, sort=True, verbatim=True).jobs(), chips, policy).rows
        jobs = odd.jobs(trace.read_text(), chips)
        found = {row.job_id: (row.submit, row.start, row.end, row.procs) for row in rows}
        began = starts(jobs, chips, policy)
        assert found == {
            job.id: (job.submit_seconds, at, at + job.run_seconds, job.chips)
            for job in jobs
            for at in [began[job.id]]
        }, f"seed {seed}"


def test_traces_nobody_has_seen_agree_with_the_reference(shared: Path, tmp_path: Path) -> None:
    """Odd SWF files, read by both from disk; and rows in the same order."""
    for seed in range(1000, 1012):
        chips = (4, 16, 64)[seed % 3]
        policy = PLAIN[seed // 3 % 3]
        trace, out = tmp_path / f"{seed}.swf", tmp_path / f"{seed}.csv"
        trace.write_text(odd.written(random.Random(seed), chips), newline="")
        subprocess.run(
            [sys.executable, str(shared / "data/reference/oracle.py"), str(trace), str(chips), policy, str(out)],
            capture_output=True, check=True,
        )  # fmt: skip
        with out.open() as lines:
            theirs = schedule.read(lines, out.name)
        ours = rehearse(open_trace(trace, sort=True, verbatim=True).jobs(), chips, policy).rows
        assert schedule.differences(ours, theirs) == [], f"seed {seed}"
        assert [row.job_id for row in ours] == [row.job_id for row in theirs], f"seed {seed}"


def test_what_does_not_fit_is_left_out_and_named() -> None:
    flat = rehearse([Job("a", 0, 5, 4, 5), Job("b", 0, 5, 9, 5)], 8, "fifo")
    assert [row.job_id for row in flat.rows] == ["a"]
    assert flat.too_large == ("b",)


def test_the_shortest_remaining_time_goes_first_and_takes_the_place_of_longer_work() -> None:
    """A long job is stopped for a short one, keeps what it has done, and goes on."""
    heard: list[Entry] = []
    jobs = [Job("long", 0, 100, 8, 100), Job("short", 40, 10, 8, 10), Job("middle", 45, 59, 8, 59)]
    flat = rehearse(jobs, 8, "srtf", sink=heard.extend)
    rows = {row.job_id: (row.start, row.end) for row in flat.rows}
    assert rows == {"long": (0, 169), "short": (40, 50), "middle": (50, 109)}
    assert [entry.fact.attempt for entry in heard if isinstance(entry.fact, Stopping)] == ["long.0.1"]


def test_work_with_less_left_is_not_stopped() -> None:
    """What counts is what is left now, not what was asked for."""
    flat = rehearse([Job("long", 0, 100, 8, 100), Job("late", 95, 10, 8, 10)], 8, "srtf")
    assert {row.job_id: row.start for row in flat.rows} == {"long": 0, "late": 100}


def test_our_own_policy_may_be_given() -> None:
    """Under `own` the given policy decides; here it starts nothing behind a blocked head."""
    jobs = [Job("a", 0, 50, 6, 50), Job("b", 1, 50, 8, 50), Job("c", 2, 5, 2, 5)]
    assert began(jobs, 8, "easy")["c"] == 2
    own = rehearse(jobs, 8, "own", own=Policy(lab="lab", backfill="none"))
    assert {row.job_id: row.start for row in own.rows}["c"] == 100


def test_a_name_that_is_no_policy_is_refused() -> None:
    with pytest.raises(NotFoundError, match="fifo"):
        rehearse([], 8, "lottery")


def test_rows_of_one_name_are_jobs_of_their_own() -> None:
    """Parts of a job stand in an SWF under its number."""
    rows = rehearse([Job("2", 0, 5, 8, 5), Job("2", 1, 7, 8, 7), Job("job-1", 2, 1, 8, 1)], 8, "fifo").rows
    assert [(row.job_id, row.start, row.end) for row in rows] == [
        ("2", 0, 5),
        ("2", 5, 12),
        ("job-1", 12, 13),
    ]


def test_jobs_of_one_moment_come_by_their_numbers() -> None:
    ids = ["10", "9", "-2", "-11"]
    rows = rehearse([Job(name, 0, 5, 8, 5) for name in ids], 8, "fifo").rows
    assert [row.job_id for row in rows] == ["-11", "-2", "9", "10"]


def test_what_came_before_second_zero_runs_before_it() -> None:
    rows = rehearse([Job("1", -7, 5, 8, 5), Job("2", -1, 5, 8, 5)], 8, "fifo").rows
    assert [(row.submit, row.start, row.end) for row in rows] == [(-7, -7, -2), (-1, -1, 4)]


def test_jobs_with_odd_names_run_under_others_and_keep_theirs_in_the_schedule() -> None:
    flat = rehearse([Job("a/b", 0, 5, 1, 5), Job("", 0, 5, 1, 5)], 8, "fifo")
    assert {row.job_id for row in flat.rows} == {"a/b", ""}


def test_equal_inputs_give_equal_digests_and_other_inputs_others() -> None:
    jobs = drawn(7, 16)
    first, again, other = (rehearse(jobs, 16, policy) for policy in ("easy", "easy", "fifo"))
    assert first.input_digest == again.input_digest != other.input_digest
    assert first.state_digest == again.state_digest != other.state_digest


def test_replaying_the_facts_gives_the_same_state() -> None:
    """Nothing of a rehearsal is lost that a journal would hold."""
    heard: list[Entry] = []
    flat = rehearse(drawn(11, 16), 16, "easy", sink=heard.extend)
    machine = Machine()
    for entry in heard:
        machine.apply(entry)
    assert len(heard) == flat.facts
    assert machine.state.digest() == flat.state_digest


def test_the_schedule_is_written_in_the_columns_that_were_promised(tmp_path: Path) -> None:
    path = tmp_path / "schedule.csv"
    rows = rehearse([Job("a", 3, 5, 2, 9)], 8, "fifo").rows
    schedule.write_file(rows, path)
    with path.open() as lines:
        assert list(csv.reader(lines)) == [
            ["job_id", "submit", "start", "end", "procs"],
            ["a", "3", "3", "8", "2"],
        ]
