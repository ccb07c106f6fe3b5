"""Rows as a batch: every one is predicted, in its own unit, and answers to the constants."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from stargate.broker.device import devices
from stargate.catalog.chip import builtin_chips
from stargate.performance.device import Device
from stargate.performance.number import SCALAR
from stargate.performance.training.constants import CELL, Constants
from stargate.performance.training.rows import TrainingBatch, training_batch
from stargate.performance.training.step import step
from tests.performance.training.training_desk import H100, H100_FP8, LARGE

DEVICES: dict[tuple[str, str], Device] = {("H100-SXM", "bf16"): H100, ("H100-SXM", "fp8"): H100_FP8}
ROW = {
    "row_id": "1",
    "group": "own",
    "config_complete": "1",
    "model": "llama3-70b",
    "arch": "dense",
    "seq_len": "8192",
    "gbs_seqs": "128",
    "mbs": "1",
    "precision": "bf16",
    "chip": "H100-SXM",
    "n_chips": "64",
    "tp": "4",
    "pp": "8",
    "vp": "5",
    "sharding": "zero1",
    "recompute": "none",
    "source_date": "2025-05",
    "software": "Own 1.0",
    "target_metric": "tokens_s_chip",
    "target_value": "900",
}


def starts(batch: TrainingBatch) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([parameter.start for parameter in batch.parameters])


def predicted(**fields: str) -> float:
    batch = training_batch([ROW | fields], DEVICES)
    assert not batch.refused
    return float(batch.predict(starts(batch))[0])


def test_a_prediction_is_the_step_of_the_row() -> None:
    batch = training_batch([ROW], DEVICES)
    (layout,) = batch.layouts()
    names = {parameter.key[-1]: parameter.start for parameter in batch.parameters}
    constants = Constants(**{name: names[name] for name in Constants.__struct_fields__ if name in names})
    (measured,) = batch.measured
    assert (measured.group, measured.family) == ("dense_3d", "llama3-70b/H100-SXM/bf16")
    found = step(SCALAR, LARGE, H100, layout, constants)
    assert predicted() == pytest.approx(found.tokens_per_second_per_chip)


def test_units_of_targets_convert() -> None:
    rate = predicted()
    tera = predicted(target_metric="model_tflops_chip", flops_convention="causal")
    assert tera / rate == pytest.approx(4.5e11 / 1e12, rel=0.02)
    share = predicted(target_metric="mfu_pct", flops_convention="causal")
    assert share == pytest.approx(100 * tera / 989, rel=1e-6)
    hours = predicted(target_metric="chip_hours", tokens_b="15")
    batch = training_batch([ROW], DEVICES)
    production = next(p.start for p in batch.parameters if p.key == ("shared", "production"))
    assert hours == pytest.approx(production * 15e9 / rate / 3600)


def test_a_row_that_cannot_be_read_is_refused_with_its_reason() -> None:
    wrong = [
        ROW | {"row_id": "chip", "chip": "Z9"},
        ROW | {"row_id": "target", "target_value": ""},
        ROW | {"row_id": "model", "model": "unheard-of"},
        ROW,
    ]
    batch = training_batch(wrong, DEVICES)
    assert [name for name, _ in batch.refused] == ["chip", "target", "model"]
    assert "Z9" in batch.refused[0][1]
    assert len(batch.predict(starts(batch))) == 1


def test_an_empty_batch_predicts_nothing() -> None:
    batch = training_batch([], DEVICES)
    assert batch.predict(starts(batch)).size == 0


def test_a_cell_has_three_constants_and_releases_are_drawn_to_their_software() -> None:
    batch = training_batch([ROW, ROW | {"precision": "fp8", "software": "Own 1.1"}], DEVICES)
    cells = [parameter.key for parameter in batch.parameters if parameter.key[0] == "cell"]
    assert len(cells) == 2 * len(CELL) == 6
    drawn = {parameter.key: parameter.pulled_to for parameter in batch.parameters}
    assert drawn["release", "Own 1.1"] == ("release", "Own")
    assert drawn["release", "Own"] is None


def test_constants_of_other_cells_do_not_matter() -> None:
    batch = training_batch([ROW, ROW | {"precision": "fp8"}], DEVICES)
    values = starts(batch)
    before = batch.predict(values)
    place = [parameter.key for parameter in batch.parameters].index(("cell", "H100-SXM", "fp8", "matmul"))
    values[place] *= 1.1
    after = batch.predict(values)
    assert after[0] == before[0]
    assert after[1] > before[1]


def test_every_given_row_is_predicted(shared: Path) -> None:
    with (shared / "data" / "perf" / "training_given.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    batch = training_batch(rows, devices(builtin_chips()))
    assert batch.refused == ()
    assert len(batch.measured) == len(rows)
    points = batch.predict(starts(batch))
    ratio = points / np.array([row.value for row in batch.measured])
    assert np.isfinite(points).all()
    assert np.median(np.abs(np.log(ratio))) < 0.3
    assert {row.group for row in batch.measured} == {"dense_3d", "fsdp", "moe", "tpu", "whole_runs"}
