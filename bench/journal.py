"""The journal's targets, measured here: `python bench/journal.py [--json FILE] [--facts N] [--jobs N]`.

- Append: facts a second by batch size, beside the same rows written by plain sqlite3 without a hash chain.
- Commit: what each level of SQLite's `synchronous` costs. The journal uses FULL.
- Replay: a million facts of ordinary jobs, from the first entry on. Target: under 10 s.
- Restart: a new process, a journal with 100,000 open jobs, the newest snapshot. Target: under 2 s.
- Snapshot: size and time by level of compression.

Ends with status 1 when a target is missed. Wall times depend on the disk; CPU times are given beside them.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from stargate.base.time import HOUR, SECOND, Duration, Instant
from stargate.broker.fact import (
    Accepted,
    Declared,
    Ended,
    Entry,
    Fact,
    Placed,
    Started,
    Submitted,
    WorkloadEnded,
)
from stargate.broker.ground import Ground
from stargate.broker.machine import Machine
from stargate.broker.policy import Policy
from stargate.catalog import DatedCount, Infrastructure, Party, Pool, Provider, Site
from stargate.journal import Record, SqliteJournal, snapshot_of, to_record
from stargate.workloads import Resources, Workload

REPLAY_TARGET_S = 10.0
RESTART_TARGET_S = 2.0
START = Instant.parse("2026-01-01")
GANG_NODES = 4
"""Every eighth job is a gang of so many nodes; the others take one."""
JOBS_AT_ONCE = 2_000
BATCH_RECORDS = 1_000

Row = dict[str, Any]


def main() -> int:
    """Measure everything and report; 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    parser.add_argument("--facts", type=int, default=1_000_000, help="facts to replay")
    parser.add_argument("--jobs", type=int, default=100_000, help="open jobs in the snapshot")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".", prefix="bench-journal-") as name:
        folder = Path(name)
        figures = {
            "append": append(folder),
            "commit": commit(folder),
            "replay": [replayed(folder, options.facts)],
            "restart": [restarted(folder, options.jobs)],
            "snapshot": compressed(folder / "restart.db"),
        }
    for title, rows in figures.items():
        print(f"\n{title}")
        show(rows)
    print()
    print(json.dumps(figures))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    missed = [
        f"{title}: {row['wall_s']:.2f} s, target {row['target_s']} s"
        for title in ("replay", "restart")
        for row in figures[title]
        if row["wall_s"] > row["target_s"]
    ]
    for line in missed:
        print(f"MISSED {line}", file=sys.stderr)
    return 1 if missed else 0


def show(rows: list[Row]) -> None:
    """A table: one line a row, columns as wide as needed."""
    cells = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


# -- appending --------------------------------------------------------------------------------------------


def append(folder: Path) -> list[Row]:
    """Facts a second by batch size: the journal, and plain sqlite3 with the same rows and no hashes."""
    rows = []
    records = list(islice((to_record(entry) for entry in history()), 1, 100_001))
    records = [Record(seq, r.at, r.cause, r.kind, r.body) for seq, r in enumerate(records, 1)]
    for batch in (1, 10, 100, 1_000):
        part = records[: batch * 500]
        ours = [timed(partial(_append_ours, folder / f"a{batch}-{n}.db", part, batch)) for n in range(5)]
        plain = [timed(partial(_append_plain, folder / f"p{batch}-{n}.db", part, batch)) for n in range(5)]
        wall, cpu = (statistics.median(column) for column in zip(*ours, strict=True))
        plain_wall, plain_cpu = (statistics.median(column) for column in zip(*plain, strict=True))
        rows.append(
            {
                "batch_facts": batch,
                "facts_per_s": len(part) / wall,
                "us_per_fact": wall / len(part) * 1e6,
                "cpu_us_per_fact": cpu / len(part) * 1e6,
                "plain_facts_per_s": len(part) / plain_wall,
                "plain_cpu_us_per_fact": plain_cpu / len(part) * 1e6,
                "wall_ratio": wall / plain_wall,
                "cpu_ratio": cpu / plain_cpu,
            }
        )
    return rows


def _append_ours(path: Path, records: list[Record], batch: int) -> None:
    with SqliteJournal(path) as journal:
        for first in range(0, len(records), batch):
            journal.append(records[first : first + batch])


def _append_plain(path: Path, records: list[Record], batch: int, synchronous: str = "FULL") -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(
        "CREATE TABLE fact (seq INTEGER PRIMARY KEY, at INTEGER, cause TEXT, kind TEXT, body BLOB) STRICT"
    )
    rows = [(r.seq, r.at, r.cause, r.kind, r.body) for r in records]
    for first in range(0, len(rows), batch):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO fact VALUES (?, ?, ?, ?, ?)", rows[first : first + batch])
        connection.execute("COMMIT")
    connection.close()


def commit(folder: Path) -> list[Row]:
    """One small transaction under each level of `synchronous`: what a promise about loss of power costs."""
    records = [Record(seq, 0, f"cmd-{seq}", "noted", bytes(200)) for seq in range(1, 1_001)]
    rows = []
    for level in ("FULL", "NORMAL", "OFF"):
        walls = [
            timed(partial(_append_plain, folder / f"c{level}-{attempt}.db", records, 1, level))[0]
            for attempt in range(5)
        ]
        rows.append({"synchronous": level, "us_per_commit": statistics.median(walls) / len(records) * 1e6})
    return rows


# -- replaying --------------------------------------------------------------------------------------------


IN_A_NEW_PROCESS = """
import json, resource, sys, time
from pathlib import Path
from stargate.journal import SqliteJournal, restart

wall, cpu = time.perf_counter(), time.process_time()
found = restart(SqliteJournal(Path(sys.argv[1])))
figures = {
    "wall_s": time.perf_counter() - wall,
    "cpu_s": time.process_time() - cpu,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "seq": found.state.state.records.seq,
    "snapshot": found.snapshot,
}
assert not found.warnings, found.warnings
print(json.dumps(figures))
"""


def restart_in_a_new_process(path: Path) -> Row:
    """What it says of itself, and `process_s`: from its start to its end."""
    command = [sys.executable, "-c", IN_A_NEW_PROCESS, str(path)]
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Row = json.loads(done.stdout)
    return figures | {"process_s": time.perf_counter() - begin}


def replayed(folder: Path, facts: int) -> Row:
    """From the first fact to the state after the last, hashes checked; the best of three runs."""
    path = folder / "replay.db"
    with SqliteJournal(path, durable=False) as journal:
        fill(journal, islice(history(), facts))
    best = min((restart_in_a_new_process(path) for _ in range(3)), key=lambda run: run["wall_s"])
    assert (best["seq"], best["snapshot"]) == (facts, 0), best
    return {
        "facts": facts,
        "wall_s": best["wall_s"],
        "cpu_s": best["cpu_s"],
        "us_per_fact": best["wall_s"] / facts * 1e6,
        "peak_mib": best["peak_mib"],
        "file_mib": path.stat().st_size / 2**20,
        "target_s": REPLAY_TARGET_S,
    }


def restarted(folder: Path, jobs: int) -> Row:
    """A new process, from its start to its end: the snapshot, and 1,000 facts after it; the best of three."""
    path = folder / "restart.db"
    machine = Machine()
    with SqliteJournal(path, durable=False) as journal:
        fill(journal, open_jobs(machine, jobs))
        pack_wall, _ = timed(lambda: snapshot_of(machine))
        state = snapshot_of(machine)
        save_wall, _ = timed(lambda: journal.save(*state))
        seq, at = machine.state.records.seq, machine.state.records.at
        tail = (Entry(seq + n, at, f"tail-{n}", submitted(jobs + n)) for n in range(1, 1_001))
        fill(journal, tail)
    best = min((restart_in_a_new_process(path) for _ in range(3)), key=lambda run: run["process_s"])
    assert (best["seq"], best["snapshot"]) == (seq + 1_000, seq), best
    return {
        "jobs": jobs,
        "wall_s": best["process_s"],
        "of_it_restart_s": best["wall_s"],
        "peak_mib": best["peak_mib"],
        "pack_s": pack_wall,
        "save_s": save_wall,
        "target_s": RESTART_TARGET_S,
    }


def compressed(path: Path) -> list[Row]:
    """The snapshot of `restarted` under each level of zlib."""
    with SqliteJournal(path) as journal:
        latest = journal.latest()
    assert latest is not None
    rows = []
    for level in (0, 1, 3, 6):
        packed: list[bytes] = []
        wall, _ = timed(partial(_compress, latest.data, level, packed))
        back, _ = timed(partial(zlib.decompress, packed[0]))
        mib = len(packed[0]) / 2**20
        rows.append({"zlib_level": level, "size_mib": mib, "compress_s": wall, "decompress_s": back})
    return rows


def _compress(data: bytes, level: int, into: list[bytes]) -> None:
    into.append(zlib.compress(data, level))


# -- histories --------------------------------------------------------------------------------------------


def infrastructure() -> Infrastructure:
    """A quarter of a million accelerators in eight pools."""
    since = Instant(0)
    return Infrastructure(
        parties=(Party(id="lab"), Party(id="cloud")),
        providers=(Provider(id="lab", party="lab"), Provider(id="cloud", party="cloud")),
        sites=(Site(id="abilene", jurisdiction="US-TX"),),
        pools=tuple(
            Pool(
                id=f"pool-{n}",
                provider="lab" if n % 2 else "cloud",
                site="abilene",
                chip="H100-SXM",
                tenure="owned",
                chips_per_node=8,
                block_nodes=32,
                nodes=(DatedCount(nodes=4_096, from_=since),),
            )
            for n in range(8)
        ),
    )


def declared() -> Declared:
    """The opening of every history."""
    return Declared(infrastructure(), (), Policy())


def nodes_of(number: int) -> int:
    """Nodes of the n-th job."""
    return 1 if number % 8 else GANG_NODES


def submitted(number: int) -> Submitted:
    """An ordinary training job."""
    work = Workload(
        name=f"train-{number}",
        kind="train",
        nodes=nodes_of(number),
        alternatives=(Resources(chip="H100-SXM", chips_per_node=8),),
        team="research",
        time_limit=Duration(HOUR),
        run="torchrun --nproc-per-node 8 train.py --resume auto",
        envs={"DATASET": "corpus-7", "SEED": str(number)},
    )
    return Submitted(f"train-{number}", work, "ada")


def placed(number: int, at: Instant, place: int) -> Placed:
    """It starts on the `place`-th gang of nodes."""
    pool, first = place % 8, place // 8 * GANG_NODES
    ground = Ground("cheapest of 8 candidates: the capacity is owned, and the block keeps the gang together")
    return Placed(
        attempt=f"train-{number}.0.1",
        workload=f"train-{number}",
        slot=0,
        number=1,
        supply=f"pool-{pool}",
        pool=f"pool-{pool}",
        provider="lab" if pool % 2 else "cloud",
        nodes=tuple(range(first, first + nodes_of(number))),
        chips_per_node=8,
        price_micro_usd_per_chip_hour=2_100_000,
        expected_end=at.plus(HOUR),
        score_micro_usd=67_200_000,
        grounds=(ground,),
    )


def life(number: int, at: Instant) -> Iterator[tuple[str, Fact]]:
    """The beginning of one job, and the end of the one that makes room for it, with their causes."""
    attempt, last = f"train-{number}.0.1", f"train-{number - JOBS_AT_ONCE}"
    if number >= JOBS_AT_ONCE:
        ended = Ended(f"{last}.0.1", "done", None, 0, 4_000, 67_200_000, "", {"loss": Decimal("2.3117")})
        ground = Ground(f"{last}.0.1 finished")
        yield f"report-{last}-done", ended
        yield f"report-{last}-done", WorkloadEnded(last, "succeeded", (ground,))
    yield f"submit-{number}", submitted(number)
    yield f"submit-{number}", placed(number, at, number % JOBS_AT_ONCE)
    yield f"report-{number}-accepted", Accepted(attempt)
    yield f"report-{number}-running", Started(attempt, 0)


def history() -> Iterator[Entry]:
    """Jobs without end: each is submitted, placed, accepted, started, ended."""
    yield Entry(1, START, "declare", declared())
    seq = 1
    for number in count():
        at = START.plus(number * SECOND)
        for cause, fact in life(number, at):
            seq += 1
            yield Entry(seq, at, cause, fact)


def open_jobs(machine: Machine, jobs: int) -> Iterator[Entry]:
    """So many jobs that have not ended: as many as fit run, the others wait. The machine follows."""
    room = 8 * 4_096 // GANG_NODES
    facts: Iterator[tuple[str, Fact]] = chain(
        [("declare", declared())],
        ((f"submit-{number}", submitted(number)) for number in range(jobs)),
        ((f"place-{number}", placed(number, START, number)) for number in range(min(jobs, room))),
    )
    for seq, (cause, fact) in enumerate(facts, 1):
        entry = Entry(seq, START, cause, fact)
        machine.apply(entry)
        yield entry


def fill(journal: SqliteJournal, entries: Iterator[Entry]) -> None:
    """Append in batches."""
    while batch := [to_record(entry) for entry in islice(entries, BATCH_RECORDS)]:
        journal.append(batch)


if __name__ == "__main__":
    sys.exit(main())
