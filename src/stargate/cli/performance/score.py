"""`stargate performance score`: predictions against measurements."""

from __future__ import annotations

import csv
from pathlib import Path

import click

from stargate.broker.device import devices
from stargate.catalog import builtin_chips
from stargate.cli.output import json_option, print_json, say, table
from stargate.cli.performance.rows import read_batch, read_calibration
from stargate.performance.calibration import Accuracy, Lookup, Score, Scored, score, scored

HEADINGS = ("GROUP", "ROWS", "MAPE %", "MEDIAN %", "P90 %", "BIAS %", "ANSWERED", "IN RANGE")
ROW_COLUMNS = ("id", "group", "source", "complete", "chip", "precision", "software", "output")


@click.command("score")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE.csv...")
@click.option("--calibration", type=click.Path(path_type=Path), help="Constants to use. [the shipped ones]")
@click.option("--without-release", is_flag=True, help="As if the software release were not known.")
@click.option("--cross-validate", is_flag=True, help="Fit anew without each row's family, then predict it.")
@click.option("--rows", "rows_to", type=click.Path(path_type=Path), help="Write each row's prediction here.")
@click.option(
    "--plot", "plot_to", type=click.Path(path_type=Path), help="Draw predicted over measured (SVG)."
)
@json_option
def command(
    files: tuple[Path, ...],
    calibration: Path | None,
    without_release: bool,
    cross_validate: bool,
    rows_to: Path | None,
    plot_to: Path | None,
    as_json: bool,
) -> None:
    """Score predictions against measured rows: training, inference or latency CSV files.

    Every row is scored, whether or not its source states the whole configuration; the rows that do are
    shown by themselves as well. Errors are percent of the measured value.
    """
    found = score_files(files, calibration, without_release=without_release, cross_validated=cross_validate)
    answer, each = found
    if rows_to is not None:
        write_rows(rows_to, each)
    if plot_to is not None:
        from stargate.cli.performance.plot import scatter

        plot_to.write_text(scatter(each), encoding="utf-8")
    if as_json:
        print_json(answer)
        return
    say(_lines(answer))


def score_files(
    files: tuple[Path, ...], calibration: Path | None, *, without_release: bool, cross_validated: bool
) -> tuple[Score, tuple[Scored, ...]]:
    """The accuracies, and each row with its prediction."""
    known = devices(builtin_chips())
    batch = read_batch(files, known)
    lookup = Lookup(read_calibration(calibration), known, releases=not without_release)
    predicted = None
    if cross_validated:
        from stargate.cli.performance.fit import with_progress
        from stargate.performance.calibration.fold import FOLDS, cross_validate

        with with_progress("Fitting without each fold", FOLDS) as step:
            predicted = cross_validate(batch, known, releases=not without_release, progress=step)
    each = scored(batch, lookup, predicted)
    return score(each, batch.refused), each


def write_rows(path: Path, rows: tuple[Scored, ...]) -> None:
    """One line per row: what was measured, what was predicted, and the range."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow((*ROW_COLUMNS, "measured", "predicted", "low", "high", "error_percent"))
        for each in rows:
            facts = [getattr(each.row, name) for name in ROW_COLUMNS]
            numbers = (each.row.value, each.predicted, each.low, each.high)
            writer.writerow((*facts, *(f"{number:.6g}" for number in numbers), f"{each.error_percent:.2f}"))


def _lines(answer: Score) -> list[str]:
    rows = [_row(name, part) for name, part in answer.groups.items()]
    rows.append(_row("all", answer.overall))
    lines = [table(HEADINGS, rows), "", "Rows whose source states the whole configuration:"]
    lines.append(table(HEADINGS, [_row(name, part) for name, part in answer.complete.items()]))
    lines += ["", "By source:"]
    lines.append(table(HEADINGS, [_row(name, part) for name, part in answer.sources.items()]))
    lines += [f"not answered: {row}: {reason}" for row, reason in answer.refused]
    return lines


def _row(name: str, part: Accuracy) -> tuple[str, ...]:
    errors = (f"{value:.1f}" for value in (part.mape, part.median, part.p90))
    return (name, str(part.n), *errors, f"{part.bias:+.1f}", f"{part.coverage:.0%}", f"{part.within:.0%}")
