"""A flat pool under plain policies: jobs a second beside the reference oracle, and whose starts are equal.

`python -m bench.rehearsal [--trace FILE --chips N] [--oracle ORACLE.py] [--rounds N] [--json]`.

Without a trace the jobs are made from a seed: as many as Philly's pool of two months (47,192), 93 of 100 on one chip,
at a load of 1.15. CPU time of one core, the best of the rounds; reading the trace and digests are not counted. The
oracle is the script that the given path names, on the very same jobs, in this process. Ends with status 1 when a
target is missed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stargate.journal import SqliteJournal
from stargate.rehearsal.figures import figures
from stargate.rehearsal.flat import Flat, rehearse
from stargate.rehearsal.recorder import Recorder
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.trace import open_trace

POLICIES = ("fifo", "sjf", "easy")
FIFO_TARGET = 20_000
"""Jobs a CPU-second, the journal off."""
JOURNAL_TARGET = 5_000
EASY_TARGET_S = 10.0
"""CPU seconds for 47,192 jobs in overload."""


def made_up(seed: int, count: int = 47_192, chips: int = 512, load: float = 1.15) -> list[Job]:
    """Jobs like Philly's in size and run time, for where no trace is given."""
    draw = random.Random(seed)
    sizes = [1] * 93 + [2, 2, 4, 4, 8, 8, 32]
    shapes = [
        (draw.choice(sizes), max(1, int(draw.lognormvariate(6.5, 2.2)) % 600_000)) for _ in range(count)
    ]
    work = sum(size * run for size, run in shapes)
    gap = work / (chips * load) / count
    at, jobs = 0.0, []
    for number, (size, run) in enumerate(shapes, start=1):
        jobs.append(Job(str(number), int(at), run, size, run))
        at += draw.expovariate(1 / gap)
    return jobs


def timed(jobs: list[Job], chips: int, policy: str, rounds: int, journal: bool = False) -> tuple[float, Flat]:
    """The best CPU time of so many rounds, and the outcome."""
    best = float("inf")
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            if journal:
                kept = SqliteJournal(Path(folder) / "journal.sqlite")
                with Recorder(kept) as sink:
                    flat = rehearse(jobs, chips, policy, sink=sink)
                kept.close()
            else:
                flat = rehearse(jobs, chips, policy)
            best = min(best, time.process_time() - begun)
    return best, flat


def oracle_starts(script: Path, jobs: list[Job], chips: int, policy: str) -> tuple[float, dict[str, int]]:
    """CPU seconds and starts of the reference."""
    spec = importlib.util.spec_from_file_location("oracle", script)
    assert spec is not None and spec.loader is not None, f"{script} is no module"  # noqa: PT018
    oracle: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    rows = [
        (int(job.id), job.submit_seconds, job.run_seconds, job.chips, job.requested_seconds) for job in jobs
    ]
    begun = time.process_time()
    _, starts = oracle.sim(rows, chips, policy)
    return time.process_time() - begun, {str(job): start for job, start in starts.items()}


def measured(given: argparse.Namespace, jobs: list[Job], policy: str) -> dict[str, Any]:
    """One policy: ours with and without a journal, and the others."""
    seconds, flat = timed(jobs, given.chips, policy, given.rounds)
    with_journal, _ = timed(jobs, given.chips, policy, 1, journal=True)
    row: dict[str, Any] = {
        "policy": policy,
        "jobs": len(flat.rows),
        "cpu_s": round(seconds, 3),
        "jobs_per_s": round(len(flat.rows) / seconds),
        "journal_jobs_per_s": round(len(flat.rows) / with_journal),
        "average_completion_s": round(figures(flat.rows, given.chips).average_completion_seconds, 3),
        "state": flat.state_digest,
    }
    if given.oracle:
        oracle_s, starts = oracle_starts(given.oracle, jobs, given.chips, policy)
        ours = {row.job_id: row.start for row in flat.rows}
        row |= {
            "oracle_cpu_s": round(oracle_s, 3),
            "oracle_ratio": round(oracle_s / seconds, 2),
            "other_starts": sum(ours.get(job) != start for job, start in starts.items()),
        }
    return row


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trace", type=Path)
    parser.add_argument("--chips", type=int, default=512)
    parser.add_argument("--oracle", type=Path, help="the reference script, as reference/oracle.py")
    parser.add_argument("--policy", action="append", choices=POLICIES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    jobs = list(open_trace(given.trace).jobs()) if given.trace else made_up(1)
    rows = [measured(given, jobs, policy) for policy in given.policy or POLICIES]
    if given.json:
        print(json.dumps(rows))
    else:
        print(f"{len(jobs)} jobs on {given.chips} chips; CPU time, one core, best of {given.rounds}")
        for row in rows:
            print("  " + "  ".join(f"{key} {value}" for key, value in row.items()))
    missed = [
        row
        for row in rows
        if (row["policy"] == "fifo" and row["jobs_per_s"] < FIFO_TARGET)
        or row["journal_jobs_per_s"] < JOURNAL_TARGET
        or (row["policy"] == "easy" and row["cpu_s"] > EASY_TARGET_S)
    ]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
