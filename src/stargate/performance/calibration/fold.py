"""Cross-validation by family: each row is predicted by constants that never saw its family."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from stargate.performance.calibration.fit import fit
from stargate.performance.calibration.lookup import Lookup
from stargate.performance.calibration.measured import Batch
from stargate.performance.calibration.store import calibrated
from stargate.performance.device import Device

FOLDS = 5


def fold_of(family: str, folds: int = FOLDS) -> int:
    """Which fold a family belongs to: by its digest, so that it never depends on the other rows."""
    return int.from_bytes(hashlib.sha256(family.encode()).digest()[:8]) % folds


def cross_validate(
    batch: Batch,
    devices: Mapping[tuple[str, str], Device],
    folds: int = FOLDS,
    *,
    releases: bool = True,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """Out-of-fold predictions, one per measured row.

    Held-out rows are predicted as rows of a new file would be: a cell or a release that only they have is
    looked up at its nearest neighbour; without `releases`, as if no release were known. `progress` is told
    each fold that is done.
    """
    member = np.array([fold_of(row.family, folds) for row in batch.measured])
    found = np.empty(len(batch.measured))
    for fold in range(folds):
        held = member == fold
        if held.any():
            known = calibrated(batch, fit(batch, keep=~held), keep=~held)
            found[held] = batch.predict(Lookup(known, devices, releases=releases).values(batch.parameters))[
                held
            ]
        if progress is not None:
            progress(fold)
    return found
