"""One rehearsal: run, reported, and told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stargate.base.errors import UserError
from stargate.cli.output import clean, count, print_json, table
from stargate.cli.rehearse.progress import progress
from stargate.rehearsal.outcome import Kind, kind_of, timetable
from stargate.rehearsal.policies import named

if TYPE_CHECKING:
    from stargate.base.time import Instant
    from stargate.broker import Entry
    from stargate.rehearsal.flat import Flat
    from stargate.rehearsal.recorder import Recorder
    from stargate.rehearsal.report.job import Line
    from stargate.rehearsal.report.summary import Summary
    from stargate.rehearsal.report.write import Folder
    from stargate.rehearsal.scenario import Plan
    from stargate.rehearsal.schedule import Row
    from stargate.rehearsal.stage import Stage
    from stargate.rehearsal.sweep.grid import Overrides, Value
    from stargate.rehearsal.traces import Skipped

LOOKS = 1_000
"""Batches of entries between two looks at the progress."""
REFUSALS_SHOWN = 20
Record = Callable[[tuple["Entry", ...]], object]


@dataclass(frozen=True)
class Wish:
    """What is to be rehearsed, and with what."""

    path: Path
    kind: Kind
    seed: int | None
    overrides: Overrides
    """Of a scenario by path; of a trace `policy`, `chips` and `nodes_of`."""


@dataclass(frozen=True)
class Done:
    """What came of it."""

    described: dict[str, Any]
    rows: tuple[Row, ...] = ()
    """Of a scenario only with a summary."""
    summary: Summary | None = None
    """None: nobody asked for one."""
    since: int = 0
    """Entries of its journal that were there before."""


def one(
    what: Path,
    flat: Mapping[str, Value | None],
    seed: int | None,
    schedule: Path | None,
    journal: Path | None,
    report: Path | None,
    *,
    bar: bool,
    as_json: bool,
) -> int:
    """Rehearse, write what is wanted, tell."""
    kind = kind_of(what)
    if kind not in {"scenario", "trace"}:
        raise UserError(
            f"{what} is what a rehearsal left ({kind})", "name a scenario or a trace, or add --compare"
        )
    wish = Wish(what, kind, seed, overrides_of(kind, flat))
    done = rehearse(wish, journal, report, bar=bar, summed=schedule is not None)
    if schedule is not None:
        from stargate.rehearsal.schedule import write_file

        write_file(done.rows, schedule)
    if as_json:
        print_json(done.described)
        return 0
    _say(done.described)
    for wrote in (schedule, report):
        if wrote is not None:
            click.echo(f"Wrote {wrote}", err=True)
    return 0


def overrides_of(kind: Kind, flat: Mapping[str, Value | None]) -> dict[str, Value]:
    """Options as overrides. Raises NotFoundError for an unknown policy, UserError for what only traces have."""
    given = {name: value for name, value in flat.items() if value is not None}
    if "policy" in given:
        named(str(given["policy"]))
    if kind == "trace":
        return given
    for name in ("chips", "nodes_of"):
        if name in given:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} is for traces", "a scenario says itself which pools there are")
    return {"policy_named": given["policy"]} if "policy" in given else {}


def rehearse(
    wish: Wish,
    journal: Path | None,
    report: Path | None,
    *,
    bar: bool,
    summed: bool = False,
    label: str = "rehearsing",
) -> Done:
    """Run it; sum it up where that is wanted, or a report is. Raises what reading and rehearsing raise."""
    plan = _planned(wish) if wish.kind == "scenario" else None
    with _recorder(journal, plan) as recorder:
        record: Record = recorder or (lambda _entries: None)

        def run(folder: Folder | None, *, summed: bool) -> Done:
            if plan is None:
                return _trace(wish, record, folder, bar=bar, summed=summed, label=label)
            return _scenario(plan, wish, record, folder, bar=bar, summed=summed, label=label)

        if report is None:
            done = run(None, summed=summed)
        else:
            from stargate.rehearsal.report.write import Folder

            with Folder(report) as folder:
                done = run(folder, summed=True)
                folder.close(done.summary)
    return done if recorder is None else replace(done, since=recorder.since)


@contextmanager
def _recorder(path: Path | None, plan: Plan | None) -> Iterator[Recorder | None]:
    """A sink that fills a new journal, with all that came before where the plan goes on from one; or none."""
    if path is None:
        yield None
        return
    from stargate.journal import SqliteJournal
    from stargate.rehearsal.recorder import Recorder
    from stargate.rehearsal.scenario import journal_file

    if path.exists():
        raise UserError(f"{path} is there already", "name a new file for the journal")
    before = None
    if plan is not None and plan.scenario.from_journal:
        before = journal_file(plan.folder / plan.scenario.from_journal)
    journal = SqliteJournal(path)
    try:
        with Recorder(journal, before=before) as recorder:
            yield recorder
    finally:
        journal.close()


def _planned(wish: Wish) -> Plan:
    from stargate.rehearsal.scenario import load
    from stargate.rehearsal.sweep.override import overridden

    return overridden(load(wish.path), wish.overrides)


def _scenario(
    plan: Plan, wish: Wish, record: Record, folder: Folder | None, *, bar: bool, summed: bool, label: str
) -> Done:
    from stargate.rehearsal.stage import stage

    with _watched(record, label, plan.scenario.horizon, bar=bar) as tell:
        if not summed:
            staged = stage(plan, wish.seed, tell)
            staged.run()
            return Done(_of_stage(staged))
        from stargate.rehearsal.report.staged import reported

        lines: list[Line] = []

        def keep(line: Line) -> None:
            lines.append(line)
            if folder is not None:
                folder(line)

        said = {path: str(value) for path, value in wish.overrides.items() if path != "policy_named"}
        staged, summary = reported(plan, wish.seed, tell, keep, said)
        return Done(_of_stage(staged), timetable(lines), summary)


def _trace(wish: Wish, record: Record, folder: Folder | None, *, bar: bool, summed: bool, label: str) -> Done:
    from stargate.base.time import SECOND
    from stargate.rehearsal import flat
    from stargate.rehearsal.given import read
    from stargate.rehearsal.sweep.subject import flat_parts

    policy, wanted, nodes_of = flat_parts(wish.overrides)
    given = read(wish.path)
    jobs, chips = given.jobs, given.chips(wanted)
    length = max((job.submit_seconds for job in jobs), default=0) * SECOND
    with _watched(record, label, length, bar=bar) as tell:
        if not summed:
            done = flat.rehearse(jobs, chips, policy, sink=tell, nodes_of=nodes_of)
            return Done(_of_flat(done, given.skipped), done.rows)
        from stargate.rehearsal.report.flat import reported

        done, summary = reported(
            jobs, chips, policy, title=wish.path.name, sink=tell, lines=folder, nodes_of=nodes_of
        )
        return Done(_of_flat(done, given.skipped), done.rows, summary)


@contextmanager
def _watched(record: Record, label: str, length: int | None, *, bar: bool) -> Iterator[Record]:
    """The sink, and a bar that moves with the simulated time."""
    if not bar:
        yield record
        return
    with progress(label, length, shown=True) as shown:
        begin: Instant | None = None
        seen = 0

        def tell(entries: tuple[Entry, ...]) -> None:
            nonlocal begin, seen
            record(entries)
            at = entries[-1].at
            begin = at if begin is None else begin
            seen += 1
            if seen % LOOKS == 0:
                shown(at - begin if length is None else min(at - begin, length))

        yield tell


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
        click.echo(clean(f"refused: {refusal}"), err=True)
    if described.get("too_large"):
        click.echo(f"{count(described['too_large'], 'job')} larger than the pool: left out", err=True)
    click.echo(f"input digest {described['input_digest']}")
    click.echo(f"state digest {described['state_digest']}")
