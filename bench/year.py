"""Rehearses the year of the example infrastructure, the same without each of its three troubles, and writes the page.

`python -m bench.year [--processes N]`, or `make rehearsal-year`. Written are `docs/rehearsal-year.md` (its tables), the
figures behind it (`rehearsal-year.json`) and its plots (`_static/year-*.svg`). Every run is counted a second time by
`bench.conservation`; the command fails where the two accounts differ.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from bench.conservation import Conservation
from bench.year_plots import draw
from docs._ext.year import CUT_DAYS, FIGURES, PAGE, WHAT_IF, digest_of, written
from stargate.base import wire
from stargate.base.time import DAY, Duration
from stargate.broker import Entry
from stargate.journal import SqliteJournal
from stargate.rehearsal.changes import Drop, Slip
from stargate.rehearsal.recorder import Recorder
from stargate.rehearsal.report.staged import reported
from stargate.rehearsal.report.summary import Summary
from stargate.rehearsal.scenario import Plan, Scenario, load
from stargate.rehearsal.stage import stage

ROOT = Path(__file__).resolve().parents[1]
YEAR = ROOT / "examples" / "rehearsal" / "year.yaml"
STORM = "winter storm"
VARIANTS: dict[str, Callable[[Scenario], Scenario]] = {
    "year": lambda scenario: scenario,
    "without_slip": lambda scenario: _without(scenario, Slip),
    "without_drop": lambda scenario: _without(scenario, Drop),
    "without_outage": lambda scenario: msgspec.structs.replace(
        scenario, faults=tuple(one for one in scenario.faults if one.name != STORM)
    ),
}
TODAY_DAYS = 14
"""Of the year, after which a journal is taken to go on from."""


class Run(msgspec.Struct, frozen=True):
    """What a run came to."""

    summary: Summary
    wrong: list[str]
    attempts: int
    cpu_seconds: float
    peak_mib: float


def main() -> None:
    """Run, check, draw, write."""
    reader = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    reader.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as made, _processes(given.processes) as pool:
        waiting: dict[str, Future[Run]] = {name: pool.submit(run, name) for name in VARIANTS}
        waiting["cut"] = pool.submit(run, "year", CUT_DAYS)
        journal = pool.submit(cut, Path(made)).result()
        for name in WHAT_IF:
            waiting[name] = pool.submit(go_on, name, journal)
        runs = {}
        for name, one in waiting.items():
            runs[name] = one.result()
            print(f"{name}: {runs[name].cpu_seconds:.0f} s CPU, {runs[name].peak_mib:.0f} MiB", flush=True)
    wrong = [f"{name}: {said}" for name, found in runs.items() for said in found.wrong]
    if wrong:
        sys.exit("\n".join(wrong))
    figures = _figures(runs)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    draw({name: found.summary for name, found in runs.items()}, PAGE.parent / "_static")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def _processes(number: int) -> ProcessPoolExecutor:
    """Each run in a process of its own, so that its memory is its own."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(max(1, number), mp_context=spawn, max_tasks_per_child=1)


def _without(scenario: Scenario, kind: type[Slip | Drop]) -> Scenario:
    kept = tuple(change for change in scenario.changes if not isinstance(change, kind))
    return msgspec.structs.replace(scenario, changes=kept)


def variant(name: str, days: int | None = None) -> Plan:
    """The year, changed; its digest says how."""
    plan = load(YEAR)
    scenario = VARIANTS[name](plan.scenario)
    if days is not None:
        scenario = msgspec.structs.replace(scenario, horizon=Duration(days * DAY))
    digest = plan.digest if scenario == plan.scenario else f"{plan.digest}/{name}/{days}"
    return msgspec.structs.replace(plan, scenario=scenario, digest=digest)


def run(name: str, days: int | None = None) -> Run:
    """One variant, rehearsed and counted twice."""
    return _counted(variant(name, days))


def _counted(plan: Plan) -> Run:
    began = time.process_time()
    second = Conservation()
    # What goes on from a journal has facts before its first: there is no second account of it.
    sink = None if plan.scenario.from_journal else second
    _, summary = reported(plan, None, sink)
    spent = time.process_time() - began
    wrong = [] if sink is None else second.compare(summary)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Run(summary, wrong, second.attempts, round(spent, 1), round(peak, 0))


def cut(folder: Path) -> Path:
    """A journal as a broker has it some days into the year, when nobody knows of any trouble."""
    plan = variant("year", TODAY_DAYS)
    scenario = VARIANTS["without_outage"](_without(_without(plan.scenario, Slip), Drop))
    path = folder / "stargate-data" / "journal.sqlite"
    path.parent.mkdir()
    journal = SqliteJournal(path)

    def record(entries: tuple[Entry, ...]) -> None:
        recorder(entries)

    try:
        with Recorder(journal) as recorder:
            stage(msgspec.structs.replace(plan, scenario=scenario), None, record).run()
    finally:
        journal.close()
    return path.parent


def go_on(name: str, journal: Path) -> Run:
    """From the journal on, as it was meant or as it is feared."""
    path = journal.parent / f"{name}.yaml"
    path.write_text(WHAT_IF[name], encoding="utf-8")
    return _counted(load(path))


def _figures(runs: dict[str, Run]) -> dict[str, Any]:
    return {
        "runs": {name: _brief(found.summary) for name, found in runs.items() if name != "cut"},
        "cut_digest": digest_of(runs["cut"].summary),
        "cpu_seconds": runs["year"].cpu_seconds,
        "peak_mib": runs["year"].peak_mib,
        "attempts": runs["year"].attempts,
    }


def _brief(summary: Summary) -> dict[str, Any]:
    """What the page shows of a summary: no levels over time, no quantiles, happenings of supply only."""
    plain: dict[str, Any] = json.loads(wire.to_json(summary))
    del plain["course"]
    plain["happenings"] = [each for each in plain["happenings"] if not each["kind"].startswith("lease")]
    plain["deals"] = [
        {name: each[name] for name in ("at", "pool", "chips", "clause")} for each in plain["deals"]
    ]
    for part in (*(plain["work"][name] for name in ("wait_seconds", "completion_seconds", "bounded_slowdown")),
                 *(size["wait_seconds"] for size in plain["sizes"])):  # fmt: skip
        del part["quantiles"]
    return plain


if __name__ == "__main__":
    main()
