"""`stargate rehearse`: one rehearsal, two side by side, or one many times."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stargate.base.errors import UserError
from stargate.cli.output import json_option

if TYPE_CHECKING:
    from stargate.rehearsal.sweep.grid import Value

PATH = click.Path(path_type=Path)


@click.command("rehearse")
@click.argument("what", metavar="[SCENARIO|TRACE]", type=PATH, required=False)
@click.option("--chips", type=click.IntRange(min=1), help="Of a trace: chips of the flat pool.")
@click.option(
    "--nodes-of",
    type=click.IntRange(min=1),
    help="Of a trace: chips of a node. Small jobs stay on one, large ones get whole nodes. [1]",
)
@click.option(
    "--policy",
    help="fifo, sjf, easy, srtf or own. Of a trace, own is the broker's default; of a scenario, its policy.",
)
@click.option("--schedule", type=PATH, help="Write when every job began and ended: CSV.")
@click.option(
    "--seed", type=click.IntRange(min=0), help="Of everything that is drawn. [the scenario's; else 0]"
)
@click.option(
    "--journal", type=PATH, help="Write every fact to this file, as a server does. It must not exist yet."
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write all that comes of it to this folder: figures, jobs, and a page with plots. Of a sweep: every run as it "
    "ends; the same command goes on from there.",
)
@click.option(
    "--compare",
    "other",
    metavar="OTHER",
    help="Another scenario or trace, a policy by name, or what was kept: a report's folder, a journal, a schedule.",
)
@click.option("--sweep", "plan", metavar="SWEEP.yaml", type=PATH, help="Sweep as this file says.")
@click.option("--seeds", type=click.IntRange(min=1), help="Sweep: so many seeds, from --seed on.")
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="PATH=VALUE,...",
    help="Sweep: these values at a path of the scenario, as policy.backfill=easy,none. With --compare one value, for "
    "OTHER.",
)
@click.option(
    "--workers", type=click.IntRange(1, 1_024), help="Sweep: processes at once. [one for each core]"
)
@click.option("--ray", metavar="ADDRESS", help="Sweep on the Ray cluster at this address: host:port, auto.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def command(
    what: Path | None,
    *,
    chips: int | None,
    nodes_of: int | None,
    policy: str | None,
    schedule: Path | None,
    journal: Path | None,
    seed: int | None,
    report: Path | None,
    other: str | None,
    plan: Path | None,
    seeds: int | None,
    sets: tuple[str, ...],
    workers: int | None,
    ray: str | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Rehearse a scenario (.yaml), or a trace of jobs on one flat pool.

    The broker decides as it does live; clock, engines and parties are simulated. The same input and seed give the
    same digests. With --compare: what differs between two runs, and the first decision on which they part. With
    --sweep, --seeds or --set: every combination of values with every seed.
    """
    bar = not quiet and sys.stderr.isatty()
    sweeps = {"--sweep": plan, "--seeds": seeds, "--ray": ray, "--workers": workers}
    flat: dict[str, Value | None] = {"policy": policy, "chips": chips, "nodes_of": nodes_of}
    if other is not None:
        _apart("--compare", sweeps | {"--journal": journal, "--schedule": schedule})
        from stargate.cli.rehearse.compare import compare

        return compare(_named(what), other, flat, seed, sets, report, bar=bar, as_json=as_json)
    if sets or any(value is not None for value in sweeps.values()):
        _apart("a sweep", {"--journal": journal, "--schedule": schedule})
        from stargate.cli.rehearse.sweep import sweep

        return sweep(
            what, plan, flat, seed, seeds, sets, report, workers=workers, ray=ray, bar=bar, as_json=as_json
        )
    from stargate.cli.rehearse.one import one

    return one(_named(what), flat, seed, schedule, journal, report, bar=bar, as_json=as_json)


def _named(what: Path | None) -> Path:
    if what is None:
        raise UserError("nothing is named that could be rehearsed", "name a scenario or a trace")
    return what


def _apart(mode: str, others: dict[str, Any]) -> None:
    for option, value in others.items():
        if value is not None:
            remedy = "leave it out; --report keeps everything about each run"
            raise UserError(f"{option} does not go with {mode}", remedy)
