"""Measured rows from CSV files, by their columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from stargate.base.errors import InputError, Problem
from stargate.performance.calibration import Batch, Joint
from stargate.performance.calibration.record import Calibration, read, shipped
from stargate.performance.device import Device
from stargate.performance.inference.rows import latency_batch, throughput_batch
from stargate.performance.training.rows import training_batch

ROWS_LIMIT = 1_000_000
SUFFICES = {
    "training": frozenset({"row_id", "target_metric", "target_value", "gbs_seqs", "layers"}),
    "throughput": frozenset({"row_id", "target_metric", "target_value", "isl", "osl", "chip"}),
    "latency": frozenset({"id", "silicon_ttft_ms", "silicon_tpot_ms", "isl", "osl", "system"}),
}
"""The columns by which a kind of file is known."""
MAKERS: dict[str, Callable[[list[dict[str, str]], dict[tuple[str, str], Device]], Batch]] = {
    "training": training_batch,
    "throughput": throughput_batch,
    "latency": latency_batch,
}


def read_batch(paths: Sequence[Path], devices: dict[tuple[str, str], Device]) -> Batch:
    """The rows of these files as one batch. Raises InputError for a file of no known kind."""
    batches: list[Batch] = []
    for path in paths:
        rows = _rows(path)
        kind = _kind(path, rows[0].keys())
        batches.append(MAKERS[kind](rows, devices))
    return batches[0] if len(batches) == 1 else Joint(batches)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, restval="", restkey="")
            rows = [
                {str(name): value if isinstance(value, str) else "" for name, value in row.items()}
                for row, _ in zip(reader, range(ROWS_LIMIT + 1), strict=False)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            (Problem(f"cannot be read: {error}", "Give a CSV file in UTF-8", str(path)),)
        ) from None
    if not rows:
        raise InputError((Problem("holds no rows", "Give a CSV file with a heading and rows", str(path)),))
    if len(rows) > ROWS_LIMIT:
        raise InputError((Problem(f"holds more than {ROWS_LIMIT:,} rows", "Split it", str(path)),))
    return rows


def _kind(path: Path, columns: Iterable[str]) -> str:
    named = frozenset(columns)
    for kind, needed in SUFFICES.items():
        if needed <= named:
            return kind
    lines = "; ".join(f"{kind}: {', '.join(sorted(needed))}" for kind, needed in SUFFICES.items())
    raise InputError(
        (Problem("has the columns of no known kind of measurement", f"Columns needed: {lines}", str(path)),)
    )


def read_calibration(path: Path | None) -> Calibration:
    """The calibration of this file, or the shipped one."""
    if path is None:
        return shipped()
    try:
        return read(path.read_bytes(), str(path))
    except OSError as error:
        raise InputError((Problem(f"cannot be read: {error}", "Name a calibration", str(path)),)) from None
