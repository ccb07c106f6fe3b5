"""One rehearsal many times: over seeds and values, here or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import astuple

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.base.table import number
from stargate.cli.output import clean, print_json, table
from stargate.cli.rehearse.one import overrides_of
from stargate.cli.rehearse.progress import progress
from stargate.rehearsal.outcome import kind_of
from stargate.rehearsal.sweep import run
from stargate.rehearsal.sweep.document import Sweep, load
from stargate.rehearsal.sweep.grid import Grid, Value, grid, read_parameter
from stargate.rehearsal.sweep.memory import Folder
from stargate.rehearsal.sweep.processes import Processes
from stargate.rehearsal.sweep.ray import Ray
from stargate.rehearsal.sweep.result import Result, digest, results, write
from stargate.rehearsal.sweep.subject import OfScenario, OfTrace

if TYPE_CHECKING:
    from stargate.rehearsal.sweep.run import Cluster, Rehearsal

DATA, TABLE = "sweep.json", "sweep.csv"
SEEDS_SHOWN = 10
"""Of runs that failed alike."""


def sweep(
    what: Path | None,
    plan: Path | None,
    flat: Mapping[str, Value | None],
    seed: int | None,
    seeds: int | None,
    sets: tuple[str, ...],
    report: Path | None,
    *,
    workers: int | None,
    ray: str | None,
    bar: bool,
    as_json: bool,
) -> int:
    """Run all of it, tell what it comes to; 1 where a run failed."""
    path, spec = _subject(what, plan)
    rehearsal, runs = _planned(path, spec, flat, seed, seeds, sets)
    if ray is not None and workers is not None:
        raise UserError("--workers is for processes here", "leave it out: a Ray cluster knows its size")
    cluster: Cluster = Processes(workers or len(os.sched_getaffinity(0))) if ray is None else Ray(ray)
    found = _swept(rehearsal, runs, cluster, report, bar=bar)
    told = {
        "subject": path.name,
        "seeds": list(runs.seeds),
        "runs": len(runs.runs),
        "failed": sum(len(failure.seeds) for each in found for failure in each.failures),
        "digest": digest(found),
        "points": wire.to_plain(found),
    }
    if report is not None:
        (report / DATA).write_bytes(wire.to_json(told) + b"\n")
        with (report / TABLE).open("w", encoding="utf-8", newline="") as out:
            write(found, out)
    if as_json:
        print_json(told)
    else:
        _say(found, told)
    if report is not None:
        click.echo(f"Wrote {report}", err=True)
    return 1 if told["failed"] else 0


def _subject(what: Path | None, plan: Path | None) -> tuple[Path, Sweep]:
    """What is swept, and how a file says it is."""
    if plan is None:
        if what is None:
            raise UserError(
                "nothing is named that could be swept", "name a scenario or a trace, or give --sweep"
            )
        return what, Sweep(scenario=str(what))
    if what is not None:
        raise UserError(f"{plan} says what is swept", f"leave {what} out, or give --seeds and --set instead")
    spec = load(plan)
    return plan.parent / (spec.scenario or spec.trace), spec


def _planned(
    path: Path,
    spec: Sweep,
    flat: Mapping[str, Value | None],
    seed: int | None,
    seeds: int | None,
    sets: tuple[str, ...],
) -> tuple[Rehearsal, Grid]:
    kind = kind_of(path)
    fixed = {name: (value,) for name, value in overrides_of(kind, flat).items()}
    parameters: dict[str, Sequence[Value]] = {**spec.set_, **fixed, **dict(map(read_parameter, sets))}
    wanted = spec.seeds if seeds is None else seeds
    if kind == "trace":
        if wanted != 1:
            raise UserError("a trace is the same with every seed", "leave the seeds out")
        return OfTrace(str(path.resolve())), grid([0], parameters)
    if kind != "scenario":
        raise UserError(f"{path} is what a rehearsal left ({kind})", "name a scenario or a trace")
    if isinstance(wanted, tuple):
        return OfScenario(str(path.resolve())), grid(wanted, parameters)
    first = next((each for each in (seed, spec.seed) if each is not None), None)
    if first is None:
        from stargate.rehearsal.scenario import load as load_scenario

        first = load_scenario(path).scenario.seed
    return OfScenario(str(path.resolve())), grid(range(first, first + wanted), parameters)


def _swept(
    rehearsal: Rehearsal, runs: Grid, cluster: Cluster, report: Path | None, *, bar: bool
) -> tuple[Result, ...]:
    over, known = 0, None
    try:
        with ExitStack() as stack:
            memory = None if report is None else stack.enter_context(Folder(report))
            shown = stack.enter_context(progress("sweeping", len(runs.runs), shown=bar))

            def told(done: int, _of: int) -> None:
                nonlocal over, known
                if known is None:
                    known = done
                over = done
                shown(done)

            ran = run.sweep(rehearsal, runs, cluster, told, memory)
    except (KeyboardInterrupt, SystemExit):
        kept = "the same command goes on from there" if report else "--report keeps them"
        click.echo(f"runs that were over: {over:,} of {len(runs.runs):,}; {kept}", err=True)
        raise
    if known:
        click.echo(f"runs kept from before: {known:,} of {len(runs.runs):,}", err=True)
    return results(ran)


def _say(found: Sequence[Result], told: Mapping[str, Any]) -> None:
    """A row for each figure and point; figures that are the same wherever one looks in a line of their own."""
    whole = [result for result in found if result.figures]
    names = list(dict.fromkeys(name for result in whole for name in result.overrides))
    rows: list[tuple[Any, ...]] = []
    same: list[str] = []
    for figure in whole[0].figures if whole else ():
        spots = [result.figures[figure] for result in whole]
        called = figure.replace("_", " ")
        if len({value for each in spots for value in (each.p10, each.p90)}) == 1:
            same.append(f"{called} {number(spots[0].mean)}")
            continue
        rows += [
            (called, *(result.overrides[name] for name in names), result.runs, *map(number, astuple(each)))
            for result, each in zip(whole, spots, strict=True)
        ]
    if rows:
        click.echo(table(("FIGURE", *names, "RUNS", "MEAN", "P10", "MEDIAN", "P90"), rows))
    if same:
        click.echo(f"the same in {'every run' if told['runs'] > 1 else 'it'}: {', '.join(same)}")
    for result in found:
        point = ", ".join(f"{name}={value}" for name, value in result.overrides.items()) or "as it stands"
        for failure in result.failures:
            seeds = ", ".join(map(str, failure.seeds[:SEEDS_SHOWN]))
            more = ", …" if len(failure.seeds) > SEEDS_SHOWN else ""
            click.echo(clean(f"failed: {point}, seed {seeds}{more}: {failure.error}"), err=True)
    click.echo(f"sweep digest {told['digest']}")
