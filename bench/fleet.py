"""A fleet rehearsed: a million chips in a thousand pools, a hundred thousand jobs, thirty agreements; and the curve.

`python -m bench.fleet [--chips N]... [--load L] [--policy P] [--seed S] [--json]`. Without `--chips` the curve: from
ten thousand to four million chips, one job for ten chips, and beside it the least-squares fit a + b ln(chips). Each
size has a process of its own, so that its memory is its own. CPU time of one core, from the first arrival to the last
end, drawing the demand included. An event is a fact that the broker put on record.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, get_args

from bench import fleet_world
from stargate.rehearsal.figures import figures
from stargate.rehearsal.policies import PolicyName
from stargate.rehearsal.stage import Stage, stage

if TYPE_CHECKING:
    from stargate.broker import Entry, State
    from stargate.broker.records import AttemptState

TARGET_CHIPS, TARGET_SECONDS, TARGET_MIB = 1_000_000, 60, 1_024
CHIPS_PER_JOB = 10
LEAST_JOBS = 10_000
"""Smaller fleets are rehearsed several times, with other seeds, until there were so many jobs."""
CURVE = (10_000, 30_000, 100_000, 300_000, 1_000_000, 4_000_000)
LOAD = 1.25
"""Of what the fleet can do while jobs arrive, so that queues form."""


class Watch:
    """Sees the entries, as a journal would, and how long the queue was then."""

    def __init__(self) -> None:
        self.state: State | None = None
        self.longest_queue = 0

    def __call__(self, entries: tuple[Entry, ...]) -> None:
        """Called with what each command brought."""
        if self.state is not None and len(self.state.queue) > self.longest_queue:
            self.longest_queue = len(self.state.queue)


def rehearsed(chips: int, jobs: int, load: float, policy: PolicyName, seed: int) -> dict[str, Any]:
    """One rehearsal: CPU seconds, events, waits, and what is wrong."""
    begun = time.process_time()
    watch = Watch()
    staged = stage(fleet_world.plan(chips, jobs, load, policy, seed), sink=watch)
    watch.state = staged.play.machine.state
    ready = time.process_time()
    staged.run()
    seconds = time.process_time() - ready
    state = staged.play.machine.state
    found = figures(staged.rows, chips)
    return {
        "stage_s": ready - begun,
        "cpu_s": seconds,
        "pools": len(state.nodes),
        "jobs": len(state.records.workloads),
        "attempts": len(state.records.attempts),
        "events": staged.play.facts,
        "longest_queue": watch.longest_queue,
        "average_wait_s": round(found.average_wait_seconds, 1),
        "most_wait_s": found.most_wait_seconds,
        "most_chips_used": _most_used(state),
        "digest": staged.state_digest,
        "wrong": wrong(staged),
    }


def wrong(staged: Stage) -> list[str]:
    """What should not be: jobs without an end, refused commands, chips lost, given twice or left in use."""
    state = staged.play.machine.state
    found = [
        f"{holder.id} is {holder.status}" for holder in state.records.workloads.values() if not holder.ended
    ]
    found += [f"{command}: {error}" for _, command, error in staged.play.refused]
    by_pool: dict[str, list[AttemptState]] = {}
    for attempt in state.records.attempts.values():
        by_pool.setdefault(attempt.pool, []).append(attempt)
    for pool, nodes in state.nodes.items():
        whole = nodes.nodes * nodes.chips_per_node
        if nodes.free_chips != whole:
            found.append(f"{nodes.free_chips} of {whole} chips of {pool} are free in the end")
        most = _most(by_pool.get(pool, []))
        if most > whole:
            found.append(f"{most} chips of {pool} were in use at once; it has {whole}")
    return found


def _most_used(state: State) -> int:
    return _most(list(state.records.attempts.values()))


def _most(attempts: list[AttemptState]) -> int:
    """Most chips in use at once, counted anew from when each attempt was placed and ended."""
    changes = [(attempt.placed_at, attempt.chips) for attempt in attempts]
    changes += [(attempt.ended_at or attempt.placed_at, -attempt.chips) for attempt in attempts]
    used = most = 0
    for _, chips in sorted(changes):  # at one moment what ends comes first
        used += chips
        most = max(most, used)
    return most


def several(chips: int, given: argparse.Namespace) -> dict[str, Any]:
    """A row of the curve: as many rehearsals of one size as give enough jobs, added up."""
    jobs = max(1, chips // CHIPS_PER_JOB)
    rounds = -(-LEAST_JOBS // jobs)
    rows = [rehearsed(chips, jobs, given.load, given.policy, given.seed + number) for number in range(rounds)]
    total: dict[str, Any] = {
        key: sum(row[key] for row in rows) for key in ("stage_s", "cpu_s", "jobs", "attempts", "events")
    }
    total |= {
        key: max(row[key] for row in rows)
        for key in ("pools", "longest_queue", "most_wait_s", "most_chips_used")
    }
    return {
        "chips": chips,
        "rounds": rounds,
        **total,
        "average_wait_s": round(statistics.fmean(row["average_wait_s"] for row in rows), 1),
        "us_per_event": total["cpu_s"] / total["events"] * 1e6,
        "rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "digests": [row["digest"] for row in rows],
        "wrong": [fault for row in rows for fault in row["wrong"]][:10],
    }


def apart(chips: int, given: argparse.Namespace) -> dict[str, Any]:
    """The same, in a process of its own."""
    options = ["--load", str(given.load), "--policy", given.policy, "--seed", str(given.seed)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.fleet", "--chips", str(chips), *options, "--row"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{chips} chips failed:\n{done.stderr[-2000:]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def fit(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Least squares of microseconds per event = a + b ln(chips)."""
    places = [math.log(row["chips"]) for row in rows]
    found = statistics.linear_regression(places, [row["us_per_event"] for row in rows])
    return found.intercept, found.slope


def shown(row: dict[str, Any]) -> str:
    """One line."""
    return (
        f"{row['chips']:>9,} {row['pools']:>6,} {row['jobs']:>8,} {row['events']:>10,} {row['cpu_s']:>8.1f}"
        f" {row['events'] / row['cpu_s']:>9,.0f} {row['us_per_event']:>9.1f} {row['rss_mib']:>8.0f}"
        f" {row['longest_queue']:>7,} {row['average_wait_s']:>8.0f} {row['most_chips_used'] / row['chips']:>6.0%}"
    )


HEADING = (
    f"{'chips':>9} {'pools':>6} {'jobs':>8} {'events':>10} {'CPU s':>8} {'events/s':>9} {'us/event':>9}"
    f" {'RSS MiB':>8} {'queue':>7} {'wait s':>8} {'used':>6}"
)


def main() -> int:
    """Measure and print; 1 where a target is missed or something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chips", type=int, action="append", help="a size of its own; several may be given")
    parser.add_argument("--load", type=float, default=LOAD)
    parser.add_argument("--policy", default="own", choices=get_args(PolicyName))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.row:
        print(json.dumps(several(given.chips[0], given)))
        return 0
    if not given.json:
        print(f"{fleet_world.AGREEMENTS} agreements, policy {given.policy}, load {given.load}; one core")
        print(HEADING)
    rows = []
    for chips in given.chips or CURVE:
        rows.append(apart(chips, given))
        if not given.json:
            print(shown(rows[-1]), flush=True)
    result: dict[str, Any] = {"load": given.load, "policy": given.policy, "rows": rows}
    if len(rows) > 2:
        a, b = fit(rows)
        result["fit"] = {"a": a, "b": b}
        for row in rows:
            row["fit_us_per_event"] = a + b * math.log(row["chips"])
    missed = [
        row
        for row in rows
        if row["wrong"]
        or (row["chips"] == TARGET_CHIPS and (row["cpu_s"] > TARGET_SECONDS or row["rss_mib"] > TARGET_MIB))
    ]
    print(json.dumps(result)) if given.json else conclude(result)
    return 1 if missed else 0


def conclude(result: dict[str, Any]) -> None:
    """The fit, the target, and what is wrong."""
    if "fit" in result:
        print(f"fit: {result['fit']['a']:.1f} + {result['fit']['b']:.1f} ln(chips) microseconds per event")
        for row in result["rows"]:
            print(
                f"{row['chips']:>9,} {row['us_per_event']:9.1f} measured {row['fit_us_per_event']:9.1f} fitted"
            )
    for row in result["rows"]:
        if row["chips"] == TARGET_CHIPS:
            print(
                f"a million chips: {row['cpu_s']:.1f} s (target < {TARGET_SECONDS}),"
                f" {row['rss_mib']:.0f} MiB (target < {TARGET_MIB})"
            )
        for fault in row["wrong"]:
            print(f"wrong with {row['chips']:,} chips: {fault}")


if __name__ == "__main__":
    sys.exit(main())
