"""Plain simulators beside ours, on the same traces: whose starts are equal, and how many jobs a CPU-second each takes.

`python -m bench.simulators [--data FOLDER] [--accasim PYTHON] [--json]`; `make bench-peer` installs AccaSim.

- On single chips: the reference script `oracle.py`, and AccaSim 1.1.3 by an interpreter that has it. CPU time of one
  core without reading the trace; of AccaSim without the process that writes its rows.
- On nodes of 8: the schedules of Helios' own simulator, which are part of the data. Its wait counts what a job waits
  after it was stopped as well, and stopping costs 7, 30 or 60 seconds by the size of the job, there and here.

Ends with status 1 where a start differs without preemption, or where we wait longer with it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stargate.broker.fact import Entry, Stopping
from stargate.rehearsal.flat import Flat, rehearse
from stargate.rehearsal.traces import Job
from stargate.rehearsal.traces.trace import open_trace

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY.parent / "shared" / "data"
ACCASIM = REPOSITORY / ".bench" / "accasim" / "bin" / "python"
PEER_SCRIPT = REPOSITORY / "bench" / "peers" / "accasim.py"
CHIPS = {"d2c": 384, "w1": 512}
FLAT = (("w1", "fifo"), ("d2c", "fifo"), ("d2c", "sjf"))
NODES = (("d2c", "fifo"), ("d2c", "sjf"), ("d2c", "srtf"), ("w1", "fifo"), ("w1", "sjf"))
ROUNDS = 3


def trace_of(data: Path, rig: str) -> Path:
    """Philly's pool as SWF."""
    return data / "traces" / "philly" / f"philly_pool_{rig}.swf.gz"


def jobs_of(data: Path, rig: str) -> list[Job]:
    """Its jobs, each row as plain simulators take it."""
    return list(open_trace(trace_of(data, rig), sort=True, verbatim=True).jobs())


def oracle_starts(data: Path, jobs: list[Job], chips: int, policy: str) -> tuple[float, dict[str, int]]:
    """CPU seconds and starts of the reference script, on the very same jobs."""
    spec = importlib.util.spec_from_file_location("oracle", data / "reference" / "oracle.py")
    assert spec is not None, "the path names a module"
    assert spec.loader is not None, "the path names a module"
    oracle: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    rows = [
        (int(job.id), job.submit_seconds, job.run_seconds, job.chips, job.requested_seconds) for job in jobs
    ]
    begun = time.process_time()
    _, starts = oracle.sim(rows, chips, policy)
    return time.process_time() - begun, {str(job): start for job, start in starts.items()}


def accasim_starts(python: Path, trace: Path, chips: int, policy: str) -> dict[str, Any]:
    """What AccaSim says of the same file."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "trace.swf"
        plain.write_bytes(gzip.decompress(trace.read_bytes()))
        done = subprocess.run(
            [str(python), str(PEER_SCRIPT), str(plain), str(chips), policy, folder],
            capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": ""},
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"AccaSim failed: {done.stderr[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def timed(jobs: list[Job], chips: int, policy: str) -> tuple[float, Flat]:
    """The least CPU seconds of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        flat = rehearse(jobs, chips, policy)
        best = min(best, time.process_time() - begun)
    return best, flat


def on_chips(data: Path, python: Path | None, rig: str, policy: str) -> dict[str, Any]:
    """One trace on single chips."""
    jobs, chips = jobs_of(data, rig), CHIPS[rig]
    ours_s, flat = timed(jobs, chips, policy)
    ours = {row.job_id: row.start for row in flat.rows}
    oracle_s, oracle = oracle_starts(data, jobs, chips, policy)
    row = {
        "rig": rig,
        "policy": policy,
        "jobs": len(ours),
        "ours_jobs_per_s": round(len(ours) / ours_s),
        "oracle_jobs_per_s": round(len(ours) / oracle_s),
        "oracle_other_starts": others(ours, oracle),
    }
    if python is not None:
        theirs = accasim_starts(python, trace_of(data, rig), chips, policy)
        row |= {
            "accasim_jobs_per_s": round(len(ours) / theirs["cpu_s"]),
            "accasim_ratio": round(theirs["cpu_s"] / ours_s, 1),
            "accasim_other_starts": others(ours, theirs["starts"]),
        }
    return row


def others(ours: dict[str, int], theirs: dict[str, int]) -> int:
    """Jobs that do not start at one second in both, or that only one of them has."""
    return sum(ours.get(job) != theirs.get(job) for job in ours.keys() | theirs.keys())


def stop_cost(job: Job) -> int:
    """Seconds that Helios charges for each time a job is stopped."""
    return 7 if job.chips == 1 else 30 if job.chips <= 8 else 60


def on_nodes(data: Path, rig: str, policy: str) -> dict[str, Any]:
    """One trace on nodes of 8, beside Helios' schedule."""
    heard: list[Entry] = []
    jobs = jobs_of(data, rig)
    flat = rehearse(jobs, CHIPS[rig], policy, nodes_of=8, stop_cost=stop_cost, sink=heard.extend)
    stops = Counter(entry.fact.attempt.split(".")[0] for entry in heard if isinstance(entry.fact, Stopping))
    paid = sum(stop_cost(job) * stops[job.id] for job in jobs)
    path = data / "reference" / "helios" / f"{rig}_{policy}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        theirs = {row["job_id"]: row for row in csv.DictReader(lines)}
    count = len(flat.rows)
    return {
        "rig": rig,
        "policy": policy,
        "jobs": count,
        "ours_wait_s": round((sum(row.end - row.submit - row.run for row in flat.rows) - paid) / count, 3),
        "helios_wait_s": round(sum(int(row["queue"]) for row in theirs.values()) / count, 3),
        "ours_completion_s": round(sum(row.end - row.submit for row in flat.rows) / count, 3),
        "helios_completion_s": round(sum(int(row["jct"]) for row in theirs.values()) / count, 3),
        "ours_stops": stops.total(),
        "helios_stops": sum(int(row["ckpt_times"]) for row in theirs.values()),
        "other_starts": others(
            {row.job_id: row.start for row in flat.rows},
            {job: int(row["start_time"]) for job, row in theirs.items()},
        ),
    }


def say(title: str, rows: list[dict[str, Any]]) -> None:
    """A table."""
    print(f"\n{title}")
    names = list(rows[0])
    widths = [max(len(name), *(len(str(row.get(name, ""))) for row in rows)) for name in names]
    for cells in (names, *([str(row.get(name, "")) for name in names] for row in rows)):
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with traces and reference")
    parser.add_argument("--accasim", type=Path, default=ACCASIM, help="an interpreter that has AccaSim")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if not given.data.is_dir():
        print(f"no data in {given.data}: name the folder with --data")
        return 0
    python = given.accasim if given.accasim.exists() else None
    flat = [on_chips(given.data, python, *rig) for rig in FLAT]
    nodes = [on_nodes(given.data, *rig) for rig in NODES]
    if given.json:
        print(json.dumps({"flat": flat, "nodes": nodes}))
    else:
        say("single chips, jobs a CPU-second", flat)
        if python is None:
            print("  AccaSim is not installed: `make bench-peer` does that")
        say("nodes of 8, beside Helios' simulator", nodes)
    unequal = any(row["oracle_other_starts"] or row.get("accasim_other_starts") for row in flat)
    worse = any(
        row["ours_wait_s"] > row["helios_wait_s"] or row["ours_completion_s"] > row["helios_completion_s"]
        for row in nodes
    )
    return int(unequal or worse)


if __name__ == "__main__":
    sys.exit(main())
