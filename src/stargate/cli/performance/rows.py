"""Measured rows from CSV files, by their columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from stargate.base.errors import InputError, NotFoundError, Problem
from stargate.catalog import chip_named
from stargate.performance.calibration import Batch, Joint
from stargate.performance.calibration.record import Calibration, read, shipped
from stargate.performance.device import Device
from stargate.performance.inference.rows import latency_batch, throughput_batch
from stargate.performance.models.library import model_like, model_named
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


MODELS = {"throughput": "model", "latency": "model_path"}
"""Columns that alone say what a model's dimensions are."""
CHIPS = ("chip", "system")
"""Columns that name the chip, as their tables spell it: `mi300x` is the catalog's MI300X."""
LARGEST = 1e18
COUNTS = frozenset(
    {
        "layers", "hidden", "heads", "seq_len", "gbs_seqs", "mbs", "n_chips", "tp", "pp", "vp", "cp", "ep", "dp",
        "dp_attention", "isl", "osl", "concurrency", "batch_size",
    }
)  # fmt: skip
"""Columns in which 0 says nothing, as those of degrees (`tp_size`) do."""


def read_batch(paths: Sequence[Path], devices: dict[tuple[str, str], Device]) -> Batch:
    """The rows of these files as one batch. Raises InputError for a file of no known kind."""
    batches: list[Batch] = []
    for path in paths:
        rows = _rows(path)
        kind = _kind(path, rows[0].keys())
        batches.append(MAKERS[kind]([_known(row, kind) for row in rows], devices))
    return batches[0] if len(batches) == 1 else Joint(batches)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="", restkey="")
            rows = [
                {name.strip(): _cell(name.strip(), value) for name, value in row.items() if name}
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


def _known(row: dict[str, str], kind: str) -> dict[str, str]:
    """The row with a model that is known in place of one that is not, where its size is stated.

    Training rows have the model's dimensions in columns of their own.
    """
    column = MODELS.get(kind, "")
    if not column or not (name := row.get(column, "")):
        return row
    sizes = tuple(_billions(row.get(size, "")) for size in ("params_b", "active_params_b"))
    standing_in = _standing_in(name, *sizes)
    return row if standing_in is None else row | {column: standing_in}


@lru_cache(maxsize=1_024)
def _standing_in(name: str, parameters: float, active: float) -> str | None:
    try:
        model_named(name)
    except NotFoundError:
        like = model_like(name, parameters, active)
        return None if like is None else like.name
    return None


def _billions(said: str) -> float:
    try:
        return float(said) * 1e9
    except ValueError:
        return 0.0


def _cell(column: str, value: object) -> str:
    """A cell without spaces around it; blank where it can be no measurement and no degree.

    No number of such a table is below 0, without end, or beyond every size, and no count is 0.
    """
    said = value.strip() if isinstance(value, str) else ""
    if column in CHIPS:
        return _chip(said)
    try:
        number = float(said)
    except ValueError:
        return said
    none = not 0 <= number < LARGEST or 0 < number < 1 / LARGEST
    return "" if none or (number == 0 and (column in COUNTS or column.endswith("_size"))) else said


@lru_cache(maxsize=1_024)
def _chip(name: str) -> str:
    try:
        return chip_named(name).id
    except NotFoundError:
        return name


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
