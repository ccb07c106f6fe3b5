"""Runs that were made had the memory: of measured runs, few may be refused, and those by little."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from stargate.broker.device import devices
from stargate.catalog.chip import builtin_chips
from stargate.performance.models.shape import shape_of
from stargate.performance.number import SCALAR
from stargate.performance.training.described import architecture_of
from stargate.performance.training.memory import memory
from stargate.performance.training.rows import training_batch

GIB_PER_GB = 2**30 / 1e9
"""What is sold as a GB of a chip's memory is 2^30 bytes: a chip of 80 GB reports 81,920 MiB or little less."""


def test_few_runs_that_were_made_are_refused(shared: Path) -> None:
    known = devices(builtin_chips())
    with (shared / "data" / "perf" / "training_given.csv").open(newline="") as file:
        rows = {row["row_id"]: row for row in csv.DictReader(file)}
    batch = training_batch(list(rows.values()), known)
    filled = []
    for measured, layout in zip(batch.measured, batch.layouts(), strict=True):
        row = rows[measured.id]
        # Recipes and papers that leave open what they recompute say nothing of their memory.
        if row["recompute"] in {"none", "full"} or row["recompute"].startswith("selective"):
            device = known[measured.chip, measured.precision]
            needed = memory(SCALAR, shape_of(architecture_of(row)), device, layout).total_bytes
            filled.append(needed / (device.memory_bytes * GIB_PER_GB))
    assert len(filled) > 150
    assert float(np.mean(np.array(filled) > 1.0)) < 0.15
    assert max(filled) < 1.35
