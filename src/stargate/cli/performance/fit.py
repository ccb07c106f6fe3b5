"""`stargate performance fit`: constants from measured rows."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from stargate.base.errors import UserError
from stargate.broker.device import devices
from stargate.catalog import builtin_chips
from stargate.cli.output import json_option, print_json, say, table
from stargate.cli.performance.rows import read_batch, read_calibration
from stargate.performance.calibration import Calibration, Lookup, Scored, score, scored
from stargate.performance.calibration.fit import fit
from stargate.performance.calibration.fold import FOLDS, cross_validate
from stargate.performance.calibration.rebase import merged, rebased
from stargate.performance.calibration.store import calibrated

HEADINGS = ("GROUP", "ROWS", "FITTED MAPE %", "HELD OUT MAPE %", "HELD OUT P90 %", "IN RANGE")
STEPS = FOLDS + 1


@click.command("fit")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.csv...")
@click.option("--out", type=click.Path(path_type=Path), help="Write the calibration here.")
@click.option("--rows", "rows_to", type=click.Path(path_type=Path), help="Write the rows that made it here.")
@click.option(
    "--base", type=click.Path(path_type=Path), help="Start from this calibration. [the shipped one]"
)
@click.option("--afresh", is_flag=True, help="Start from nothing but these rows.")
@json_option
def command(
    files: tuple[Path, ...],
    out: Path | None,
    rows_to: Path | None,
    base: Path | None,
    afresh: bool,
    as_json: bool,
) -> None:
    """Fit the constants to measured rows, and say how well rows are predicted that a fit never saw.

    Your own measurements join what is known: constants that they touch move from where they stand, by
    as much as your rows outweigh those that made them; all others stay.
    """
    if afresh and base is not None:
        raise click.UsageError("--afresh starts from nothing; give it or --base, not both")
    known = devices(builtin_chips())
    batch = read_batch(files, known)
    if not batch.measured:
        row, reason = batch.refused[0]
        raise UserError(f"none of the rows can be read: {row}: {reason}", "complete the rows")
    start = None if afresh else read_calibration(base)
    if start is not None:
        batch = rebased(batch, start, known)
    with with_progress("Fitting", STEPS) as step:
        values = fit(batch)
        step(-1)
        held_out = cross_validate(batch, known, progress=step)
    made = calibrated(batch, values, predicted=held_out)
    if start is not None:
        made = merged(start, made)
    if out is not None:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
    lookup = Lookup(made, known)
    inside, outside = scored(batch, lookup), scored(batch, lookup, held_out)
    if rows_to is not None:
        _write_rows(rows_to, inside, outside)
    _report(made, inside, outside, batch.refused, as_json=as_json)
    if out is not None and not as_json:
        click.echo(f"Wrote {out}", err=True)


@contextmanager
def with_progress(says: str, steps: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where a person watches. Gives the function to call after each step."""
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(says, total=steps)

        def step(_: int) -> None:
            progress.advance(task)

        yield step


def _report(
    made: Calibration,
    inside: tuple[Scored, ...],
    outside: tuple[Scored, ...],
    refused: tuple[tuple[str, str], ...],
    *,
    as_json: bool,
) -> None:
    fitted, held_out = score(inside), score(outside)
    if as_json:
        print_json(
            {
                "rows": made.rows,
                "digest": made.digest,
                "cells": len(made.cells),
                "releases": len(made.releases),
                "refused": refused,
                "fitted": {"groups": fitted.groups, "overall": fitted.overall},
                "held_out": {
                    "groups": held_out.groups,
                    "overall": held_out.overall,
                    "complete": held_out.complete,
                },
            }
        )
        return
    say(
        [
            f"{made.rows:,} rows, {len(made.cells)} cells of chip and precision, {len(made.releases)} releases",
            "",
        ]
    )
    rows: list[tuple[Any, ...]] = []
    for name, part in held_out.groups.items():
        numbers = (fitted.groups[name].mape, part.mape, part.p90)
        rows.append((name, part.n, *(f"{number:.1f}" for number in numbers), f"{part.within:.0%}"))
    say(
        [
            table(HEADINGS, rows),
            "",
            "Held out: predicted by a fit that saw no row of the same model, chip and precision.",
            *(f"left out: {row}: {reason}" for row, reason in refused),
        ]
    )


def _write_rows(path: Path, inside: tuple[Scored, ...], outside: tuple[Scored, ...]) -> None:
    """The rows that made the constants: predicted over measured, by the fit and by one that did not see them."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ("id", "output", "group", "chip", "precision", "software", "family", "fitted", "held_out")
        )
        for fitted, held in zip(inside, outside, strict=True):
            row = fitted.row
            ratios = (fitted.predicted / row.value, held.predicted / row.value)
            facts = (row.id, row.output, row.group, row.chip, row.precision, row.software, row.family)
            writer.writerow((*facts, *(f"{ratio:.4f}" for ratio in ratios)))
