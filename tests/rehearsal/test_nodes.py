"""Chips in nodes: small jobs stay on one node, large ones get whole nodes, beside Helios' simulator of the same."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stargate.base.errors import InputError
from stargate.broker.fact import Entry, Stopping
from stargate.rehearsal.figures import figures
from stargate.rehearsal.flat import Flat, rehearse
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.trace import open_trace

POOLS = {"d2c": 384, "w1": 512}


def packed(jobs: list[Job], nodes: int, size: int, policy: str) -> dict[str, int]:
    """By hand: the head of the queue goes where it fits best, and nobody passes it."""
    free = [size] * nodes
    coming = sorted(jobs, key=lambda job: (job.submit_seconds, int(job.id)))
    queue: list[Job] = []
    running: list[tuple[int, Job, list[tuple[int, int]]]] = []
    began: dict[str, int] = {}
    while coming or running:
        now = min([end for end, _, _ in running] + [job.submit_seconds for job in coming])
        for _, _, places in [run for run in running if run[0] <= now]:
            for node, chips in places:
                free[node] += chips
        running = [run for run in running if run[0] > now]
        queue += [job for job in coming if job.submit_seconds <= now]
        coming = [job for job in coming if job.submit_seconds > now]
        if policy == "sjf":
            queue.sort(key=lambda job: (job.requested_seconds, job.submit_seconds, int(job.id)))
        while queue and (places := best(free, size, queue[0].chips)):
            job = queue.pop(0)
            for node, chips in places:
                free[node] -= chips
            began[job.id] = now
            running.append((now + job.run_seconds, job, places))
    return began


def best(free: list[int], size: int, chips: int) -> list[tuple[int, int]]:
    """The nodes for a job, and how much of each; empty if there are none now."""
    if chips <= size:
        fitting = [(left, node) for node, left in enumerate(free) if left >= chips]
        return [(min(fitting)[1], chips)] if fitting else []
    whole = [node for node, left in enumerate(free) if left == size]
    wanted = -(-chips // size)
    return [(node, size) for node in whole[:wanted]] if len(whole) >= wanted else []


JOBS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 5, 9, 30]), st.integers(1, 16)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(rows=JOBS, policy=st.sampled_from(["fifo", "sjf"]))
def test_every_job_starts_when_its_nodes_are_free(rows: list[tuple[int, int, int]], policy: str) -> None:
    jobs = [Job(str(number), at, run, chips, run) for number, (at, run, chips) in enumerate(rows, start=1)]
    ours = rehearse(jobs, 16, policy, nodes_of=4).rows
    assert {row.job_id: row.start for row in ours} == packed(jobs, 4, 4, policy)


def test_nodes_keep_apart_what_would_fit_a_plain_pool() -> None:
    jobs = [Job("1", 0, 10, 3, 10), Job("2", 0, 20, 3, 20), Job("3", 0, 5, 2, 5)]
    assert [row.start for row in rehearse(jobs, 8, "fifo").rows] == [0, 0, 0]
    assert [row.start for row in rehearse(jobs, 8, "fifo", nodes_of=4).rows] == [0, 0, 10]


def test_chips_that_are_no_whole_nodes_are_refused() -> None:
    with pytest.raises(InputError, match="no whole number of nodes of 8"):
        rehearse([], 12, "fifo", nodes_of=8)


def test_what_is_stopped_pays_for_it() -> None:
    jobs = [Job("1", 0, 100, 8, 100), Job("2", 40, 10, 8, 10)]
    free, dear = (rehearse(jobs, 8, "srtf", stop_cost=cost).rows for cost in (None, lambda _: 30))
    assert [(row.start, row.end) for row in free] == [(0, 110), (40, 50)]
    assert [(row.start, row.end) for row in dear] == [(0, 140), (40, 50)]


def helios(shared: Path, pool: str, policy: str) -> dict[str, dict[str, str]]:
    """Helios' own schedule: nodes of 8, consolidated."""
    with gzip.open(shared / f"data/reference/helios/{pool}_{policy}.csv.gz", "rt", encoding="utf-8") as lines:
        return {row["job_id"]: row for row in csv.DictReader(lines)}


def on_nodes(shared: Path, pool: str, policy: str, heard: list[Entry] | None = None) -> Flat:
    jobs = open_trace(shared / f"data/traces/philly/philly_pool_{pool}.swf.gz").jobs()
    sink = None if heard is None else heard.extend
    return rehearse(jobs, POOLS[pool], policy, nodes_of=8, stop_cost=checkpoint_seconds, sink=sink)


def checkpoint_seconds(job: Job) -> int:
    """What Helios charges for each time that a job is stopped."""
    return 7 if job.chips == 1 else 30 if job.chips <= 8 else 60


@pytest.mark.parametrize("policy", ["fifo", "sjf"])
@pytest.mark.parametrize("pool", POOLS)
def test_every_job_starts_when_helios_starts_it(shared: Path, pool: str, policy: str) -> None:
    theirs = helios(shared, pool, policy)
    ours = on_nodes(shared, pool, policy).rows
    assert len(ours) == len(theirs) > 3000
    assert [row.job_id for row in ours if row.start != int(theirs[row.job_id]["start_time"])] == []
    assert [row.job_id for row in ours if row.end != int(theirs[row.job_id]["end_time"])] == []


def test_with_preemption_jobs_wait_less_and_are_done_sooner_than_with_helios(shared: Path) -> None:
    """Helios' wait counts what a job waits after it was stopped as well."""
    heard: list[Entry] = []
    theirs = helios(shared, "d2c", "srtf")
    flat = on_nodes(shared, "d2c", "srtf", heard)
    jobs = {job.id: job for job in flat.jobs}
    stops = [entry.fact.attempt.split(".")[0] for entry in heard if isinstance(entry.fact, Stopping)]
    paid = sum(checkpoint_seconds(jobs[job]) for job in stops)
    waited = sum(row.end - row.submit - row.run for row in flat.rows) - paid
    assert len(flat.rows) == len(theirs)
    assert 0 < len(stops) < sum(int(row["ckpt_times"]) for row in theirs.values())
    assert waited < sum(int(row["queue"]) for row in theirs.values())
    # Helios sees an end one second late, in every job: that second is not held against it.
    completion = sum(int(row["jct"]) - 1 for row in theirs.values()) / len(theirs)
    assert figures(flat.rows, flat.chips).average_completion_seconds < completion
