"""`stargate rehearse`: a scenario, or a trace on one flat pool, under a simulated clock."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stargate.base.errors import UserError
from stargate.cli.output import count, json_option, print_json, table

if TYPE_CHECKING:
    from stargate.base.time import Instant
    from stargate.broker import Entry
    from stargate.rehearsal.flat import Flat
    from stargate.rehearsal.stage import Stage
    from stargate.rehearsal.traces import Skipped

SCENARIOS = frozenset({".yaml", ".yml"})
LOOKS = 1_000
"""Batches of entries between two looks at the progress."""
REFUSALS_SHOWN = 20


@click.command("rehearse")
@click.argument("what", metavar="SCENARIO|TRACE", type=click.Path(path_type=Path))
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
@click.option(
    "--schedule", type=click.Path(path_type=Path), help="Write when every job began and ended: CSV."
)
@click.option(
    "--seed", type=click.IntRange(min=0), help="Of everything that is drawn. [the scenario's; else 0]"
)
@click.option(
    "--journal",
    type=click.Path(path_type=Path),
    help="Write every fact to this file, as a server does. It must not exist yet.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write summary, table of jobs and a page with plots to this folder.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_option
def command(
    what: Path,
    *,
    chips: int | None,
    nodes_of: int | None,
    policy: str | None,
    schedule: Path | None,
    journal: Path | None,
    seed: int | None,
    report: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Rehearse a scenario (.yaml), or a trace of jobs on one flat pool.

    The broker decides as it does live; clock, engines and parties are simulated. The same input and seed give the
    same digests.
    """
    bar = not quiet and not as_json and sys.stderr.isatty()
    if what.suffix in SCENARIOS:
        if chips is not None or nodes_of is not None:
            option = "--nodes-of" if chips is None else "--chips"
            raise UserError(f"{option} is for traces", "a scenario says itself which pools there are")
        with _recorder(journal) as record:
            staged = _scenario(what, policy, seed, record, report, bar=bar)
        described, rows = _of_stage(staged), staged.rows
    else:
        with _recorder(journal) as record:
            flat, skipped = _trace(what, chips, nodes_of or 1, policy or "own", record, report, bar=bar)
        described, rows = _of_flat(flat, skipped), flat.rows
    if schedule is not None:
        from stargate.rehearsal.schedule import write_file

        write_file(rows, schedule)
    if as_json:
        print_json(described)
        return
    _say(described)
    for wrote in (schedule, report):
        if wrote is not None:
            click.echo(f"Wrote {wrote}", err=True)


Record = Callable[[tuple["Entry", ...]], object] | None


@contextmanager
def _recorder(path: Path | None) -> Iterator[Record]:
    """A sink that fills a new journal; none where nobody asked for one."""
    if path is None:
        yield None
        return
    from stargate.journal import SqliteJournal
    from stargate.rehearsal.recorder import Recorder

    if path.exists():
        raise UserError(f"{path} is there already", "name a new file for the journal")
    journal = SqliteJournal(path)
    try:
        with Recorder(journal) as recorder:
            yield recorder
    finally:
        journal.close()


def _scenario(
    path: Path, policy: str | None, seed: int | None, record: Record, report: Path | None, *, bar: bool
) -> Stage:
    import msgspec

    from stargate.rehearsal.policies import named
    from stargate.rehearsal.scenario import load
    from stargate.rehearsal.stage import stage

    plan = load(path)
    if policy is not None:
        named(policy)
        digest = f"{plan.digest}/{policy}"
        scenario = msgspec.structs.replace(plan.scenario, policy_named=policy)
        plan = msgspec.structs.replace(plan, scenario=scenario, digest=digest)
    horizon = plan.scenario.horizon
    with _progress(record, bar=bar, length=horizon or 0) as tell:
        if report is None:
            staged = stage(plan, seed, tell)
            staged.run()
            return staged
        from stargate.rehearsal.report.staged import reported
        from stargate.rehearsal.report.write import Folder

        with Folder(report) as folder:
            staged, summary = reported(plan, seed, tell, folder)
            folder.close(summary)
    return staged


def _trace(
    path: Path,
    chips: int | None,
    nodes_of: int,
    policy: str,
    record: Record,
    report: Path | None,
    *,
    bar: bool,
) -> tuple[Flat, Skipped]:
    from stargate.base.time import SECOND
    from stargate.rehearsal.flat import rehearse
    from stargate.rehearsal.traces import open_trace

    trace = open_trace(path, sort=True, verbatim=True)
    if chips is None:
        said = trace.header.get("MaxProcs", "")
        if not said.isdecimal() or not int(said):
            raise UserError(f"{path.name} does not say how many chips there were", "give --chips")
        chips = int(said)
    jobs = list(trace.jobs())
    length = max((job.submit_seconds for job in jobs), default=0) * SECOND
    with _progress(record, bar=bar, length=length) as tell:
        if report is None:
            return rehearse(jobs, chips, policy, sink=tell, nodes_of=nodes_of), trace.skipped
        from stargate.rehearsal.report.flat import reported

        title = path.name
        flat = reported(jobs, chips, policy, report, title=title, sink=tell, nodes_of=nodes_of)
        return flat, trace.skipped


@contextmanager
def _progress(record: Record, *, bar: bool, length: int) -> Iterator[Record]:
    """The sink, and a bar on stderr that moves with the simulated time where somebody looks."""
    if not bar or not length:
        yield record
        return
    with click.progressbar(length=length, label="rehearsing", file=sys.stderr) as shown:
        begin: Instant | None = None
        seen = 0

        def tell(entries: tuple[Entry, ...]) -> None:
            nonlocal begin, seen
            if record is not None:
                record(entries)
            at = entries[-1].at
            begin = at if begin is None else begin
            seen += 1
            if seen % LOOKS == 0:
                shown.update(max(0, min(at - begin, length) - shown.pos))

        yield tell
        shown.update(max(0, length - shown.pos))


def _of_flat(flat: Flat, skipped: Skipped) -> dict[str, Any]:
    import msgspec

    from stargate.rehearsal.figures import figures

    return {
        "rows_left_out": {skip.reason: skip.count for skip in skipped.reasons()},
        "jobs": len(flat.jobs),
        "too_large": len(flat.too_large),
        "chips": flat.chips,
        "nodes_of": flat.nodes_of,
        "facts": flat.facts,
        "figures": msgspec.structs.asdict(figures(flat.rows, flat.chips)),
        "input_digest": flat.input_digest,
        "state_digest": flat.state_digest,
    }


def _of_stage(staged: Stage) -> dict[str, Any]:
    import msgspec

    from stargate.base.time import HOUR
    from stargate.rehearsal.figures import figures

    engines, play, state = staged.world.engines, staged.play, staged.play.machine.state
    totals = engines.totals
    ends = dict.fromkeys(("active", "cancelling", "succeeded", "failed", "cancelled"), 0)
    for holder in state.records.workloads.values():
        ends[holder.status] += 1
    chip_hours = {
        name: round(getattr(totals, name) / HOUR, 3) for name in ("kept", "lost", "stalled", "waited", "idle")
    }
    return {
        "name": staged.plan.scenario.name,
        "seed": staged.seed,
        "start": str(staged.start),
        "end": str(play.clock.now),
        "facts": staged.world.entries,
        "workloads": ends,
        "attempts": dict(sorted(totals.hows.items())),
        "chip_hours": chip_hours,
        "goodput_fraction": round(totals.goodput_fraction, 6),
        # Of which chips? There are pools that come, go and are not all of one kind.
        "figures": {
            name: value
            for name, value in msgspec.structs.asdict(figures(staged.rows, 1)).items()
            if name != "utilisation"
        },
        "leases": len(state.records.sourcing.leases),
        "refused": len(play.refused),
        "refusals": [
            f"{at} {type(said).__name__}: {error}" for at, said, error in play.refused[:REFUSALS_SHOWN]
        ],
        "input_digest": staged.input_digest,
        "state_digest": staged.state_digest,
    }


def _say(described: dict[str, Any]) -> None:
    """Figures for people."""
    figures = described.pop("figures")
    refusals = described.pop("refusals", [])
    lines: list[tuple[str, Any]] = []
    for name, value in (*described.items(), *figures.items()):
        if isinstance(value, dict):
            lines += [(f"{name} {part}".replace("_", " "), number) for part, number in value.items()]
        elif not name.endswith("digest"):
            lines.append((name.replace("_", " "), value))
    click.echo(table(("figure", "value"), lines))
    for refusal in refusals:
        click.echo(f"refused: {refusal}", err=True)
    if described.get("too_large"):
        click.echo(f"{count(described['too_large'], 'job')} larger than the pool: left out", err=True)
    click.echo(f"input digest {described['input_digest']}")
    click.echo(f"state digest {described['state_digest']}")
