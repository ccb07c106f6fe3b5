"""Two runs side by side: rehearsed now, or kept from before."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stargate.base import wire
from stargate.base.errors import UserError
from stargate.base.table import number
from stargate.cli.output import clean, count, print_json, say, table
from stargate.cli.rehearse.one import Wish, overrides_of, rehearse
from stargate.rehearsal import compare as comparing
from stargate.rehearsal.outcome import JOURNAL, Kind, Outcome, kept, kind_of
from stargate.rehearsal.policies import NAMES
from stargate.rehearsal.report.summary import Identity

if TYPE_CHECKING:
    from stargate.rehearsal.compare import Comparison, Difference, Step
    from stargate.rehearsal.sweep.grid import Value

PAGE, DATA = "comparison.html", "comparison.json"
SIDES = ("first", "second")
Side = Wish | Path
"""To be rehearsed, or kept."""


def compare(
    what: Path,
    other: str,
    flat: Mapping[str, Value | None],
    seed: int | None,
    sets: tuple[str, ...],
    report: Path | None,
    *,
    bar: bool,
    as_json: bool,
) -> int:
    """Rehearse what has not been, and tell what differs."""
    sides = _sides(what, other, flat, seed, sets)
    with tempfile.TemporaryDirectory(prefix="stargate-compare-") as scratch:
        outcomes = [
            _outcome(side, name, Path(scratch), report, bar=bar)
            for side, name in zip(sides, SIDES, strict=True)
        ]
        found = comparing.compare(*outcomes)
    if report is not None:
        _write(report, outcomes, found)
    if as_json:
        print_json(found)
    else:
        say(_lines(found))
    if report is not None:
        click.echo(f"Wrote {report}", err=True)
    return 0


def _sides(
    what: Path, other: str, flat: Mapping[str, Value | None], seed: int | None, sets: tuple[str, ...]
) -> tuple[Side, Side]:
    kinds: list[Kind] = [kind_of(what), kind_of(what if other in NAMES else Path(other))]
    rehearsed = [kind for kind in kinds if kind in {"scenario", "trace"}]
    for name, value in (*flat.items(), ("seed", seed)):
        if value is not None and not rehearsed:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} is for what is rehearsed, and both runs were kept", "leave it out")
    first = _side(what, kinds[0], flat, seed, rehearsed)
    second = _side(Path(other), kinds[1], flat, seed, rehearsed)
    if other in NAMES:
        if not isinstance(first, Wish):
            raise UserError(
                f"{what} was kept, and cannot run under another policy", "name a scenario or trace"
            )
        second = Wish(what, kinds[0], seed, {**first.overrides, **overrides_of(kinds[0], {"policy": other})})
    if not sets:
        return first, second
    if not isinstance(second, Wish):
        raise UserError(f"--set changes what is rehearsed, and {other} was kept", "name a scenario or trace")
    return first, replace(second, overrides={**second.overrides, **_one_each(sets)})


def _side(
    path: Path, kind: Kind, flat: Mapping[str, Value | None], seed: int | None, rehearsed: Sequence[Kind]
) -> Side:
    if kind not in {"scenario", "trace"}:
        return path
    # What only traces have is for the other one, where that is a trace.
    given = {"policy": flat["policy"]} if kind == "scenario" and "trace" in rehearsed else flat
    return Wish(path, kind, seed, overrides_of(kind, given))


def _one_each(sets: tuple[str, ...]) -> dict[str, Value]:
    from stargate.rehearsal.sweep.grid import read_parameter

    found: dict[str, Value] = {}
    for text in sets:
        path, values = read_parameter(text)
        if len(values) > 1:
            raise UserError(f"{text!r} has several values", "with --compare give one; a sweep takes several")
        found[path] = values[0]
    return found


def _outcome(side: Side, name: str, scratch: Path, report: Path | None, *, bar: bool) -> Outcome:
    """Rehearsed with its journal kept: in the report's folder, or for as long as it is looked at."""
    if isinstance(side, Path):
        return kept(side, kind_of(side))
    folder = None if report is None else report / name
    journal = scratch / f"{name}.sqlite" if folder is None else folder / JOURNAL
    for left in (journal, *(journal.with_name(f"{journal.name}-{end}") for end in ("wal", "shm"))):
        left.unlink(missing_ok=True)
    journal.parent.mkdir(parents=True, exist_ok=True)
    done = rehearse(side, journal, folder, bar=bar, summed=True, label=f"rehearsing the {name}")
    assert done.summary is not None, "it was summed up"
    return Outcome(done.summary.identity, done.summary, done.rows, journal, done.since)


def _write(report: Path, outcomes: list[Outcome], found: Comparison) -> None:
    report.mkdir(parents=True, exist_ok=True)
    (report / DATA).write_bytes(wire.to_json(found) + b"\n")
    first, second = (outcome.summary for outcome in outcomes)
    if first is None or second is None:
        click.echo("a schedule has no figures to plot: no page was written", err=True)
        return
    from stargate.rehearsal.report.contrast import contrast

    (report / PAGE).write_text(contrast(first, second, found), encoding="utf-8", newline="\n")


# -- for people --------------------------------------------------------------------------------------------


def _lines(found: Comparison) -> Iterator[str]:
    for name, identity in zip(SIDES, (found.first, found.second), strict=True):
        yield f"{name:<7} {_called(identity)}"
    yield ""
    if found.headlines is not None and found.figures is not None:
        yield from _figures(found.headlines, len(found.figures))
        if found.figures and not (found.first.state_digest and found.second.state_digest):
            yield "Figures of a journal alone end with its last entry, and miss how long steps took."
        yield ""
    if found.jobs is not None:
        yield from _jobs(found.jobs)
    yield from _parting(found)


def _called(identity: Identity) -> str:
    parts = [
        identity.title,
        identity.policy and f"policy {identity.policy}",
        f"seed {identity.seed}" if identity.dated and identity.policy else "",
        *(f"{name}={value}" for name, value in identity.overrides.items()),
        identity.state_digest and f"state {identity.state_digest}",
    ]
    return ", ".join(part for part in parts if part)


def _figures(leading: tuple[Difference, ...], differing: int) -> Iterator[str]:
    if not differing:
        yield "No figure differs."
        return
    rows = [
        (each.path.replace("_", " "), _value(each.first), _value(each.second), _change(each))
        for each in leading
        if each.first or each.second
    ]
    yield table(("FIGURE", "FIRST", "SECOND", "CHANGE"), rows)
    yield f"{count(differing, 'figure differs', 'figures differ')} in all: --json lists them."


def _value(value: float | None) -> str:
    return "-" if value is None else number(value)


def _change(each: Difference) -> str:
    change, share = each.change, each.change_fraction
    if not change:
        return "-"
    return f"{'+' if change > 0 else ''}{number(change)}" + (f" ({share:+.1%})" if share is not None else "")


def _jobs(jobs: comparing.Jobs) -> Iterator[str]:
    if jobs.equal:
        yield f"All {count(jobs.both, 'job')} came, began and ended at the same seconds on as many chips."
    else:
        yield (
            f"Of {count(jobs.both, 'job')} in both {jobs.differ:,} differ; {jobs.only_first:,} are in the first only, "
            f"{jobs.only_second:,} in the second only. The first difference:"
        )
        yield f"  {jobs.first_difference}"
    yield ""


def _parting(found: Comparison) -> Iterator[str]:
    parting = found.parting
    if found.figures is None:
        return  # a schedule holds no decisions
    if not found.decisions:
        yield "Where they part is not known: a journal of each is needed, as --journal and --compare --report keep it."
        return
    if parting is None:
        yield "They decided the same at the same times."
        return
    yield f"They agree on {count(parting.decisions, 'decision')}. Then:"
    told = [
        ("the first was told before", parting.told_first), ("the second was told before", parting.told_second),
        ("the first decided", parting.first), ("the second decided", parting.second),
        ("the first, about the same", parting.first_on_second),
        ("the second, about the same", parting.second_on_first),
    ]  # fmt: skip
    for word, what in told:
        if what is not None:
            yield from _step(word, what)
        elif word.endswith(" decided"):
            yield f"  {word}: nothing more"


def _step(word: str, what: Step) -> Iterator[str]:
    yield clean(f"  {word}, at {what.at}: {what.kind} {what.subject} ({what.says})")
    for ground in what.grounds:
        yield clean(f"      {ground.says}" + (f" [{ground.clause}]" if ground.clause else ""))
