"""Turns fitted values into a calibration, with the residuals that its ranges come from."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stargate.performance.calibration.fit import Values
from stargate.performance.calibration.lookup import FEWEST_ROWS
from stargate.performance.calibration.measured import Batch, Measured
from stargate.performance.calibration.record import (
    CONSTANTS_PER_CELL,
    Calibration,
    Cell,
    Release,
    Residual,
)

DIGITS = 6
"""Significant digits that are kept: far finer than what is known."""


def calibrated(
    batch: Batch,
    values: Values,
    keep: NDArray[np.bool_] | None = None,
    predicted: NDArray[np.float64] | None = None,
) -> Calibration:
    """The calibration that these values make.

    Constants of cells and releases that no kept row has are left out: they hold nothing that was measured;
    but a mean that measured releases are drawn to stays.
    With `predicted` (out-of-fold, one per row) it carries the residuals.
    """
    rows = [row for index, row in enumerate(batch.measured) if keep is None or keep[index]]
    in_cell = Counter((row.chip, row.precision) for row in rows)
    of_release = _rows_of_releases(batch, rows)
    shared: dict[str, float] = {}
    cells: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    releases = []
    for parameter, value in zip(batch.parameters, values, strict=True):
        number = float(f"{value:.{DIGITS}g}")
        kind, *rest = parameter.key
        if kind == "shared":
            shared[rest[0]] = number
        elif kind == "cell" and in_cell[rest[0], rest[1]]:
            cells[rest[0], rest[1]][rest[2]] = number
        elif kind == "release" and of_release[rest[0]]:
            releases.append(Release(rest[0], of_release[rest[0]], number))
    for cell, constants in cells.items():
        assert len(constants) <= CONSTANTS_PER_CELL, f"{cell} has {len(constants)} constants"
    return Calibration(
        rows=len(rows),
        digest=digest_of(rows),
        shared=dict(sorted(shared.items())),
        cells=tuple(
            Cell(chip, precision, in_cell[chip, precision], constants)
            for (chip, precision), constants in sorted(cells.items())
        ),
        releases=tuple(sorted(releases, key=lambda release: release.software)),
        residuals=() if predicted is None else residuals_of(rows, predicted),
    )


def _rows_of_releases(batch: Batch, rows: Sequence[Measured]) -> Counter[str]:
    """Rows that ran on each release; what releases are drawn to has the rows of them all."""
    found = Counter(row.software for row in rows)
    for parameter in batch.parameters:
        if parameter.key[0] == "release" and parameter.pulled_to is not None:
            kind, *mean = parameter.pulled_to
            if kind == "release":
                found[mean[0]] += found[parameter.key[1]]
    return found


def digest_of(rows: Sequence[Measured]) -> str:
    """SHA-256 of ids, outputs and values, in order."""
    text = "\n".join(f"{row.id}\t{row.output}\t{row.value!r}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def residuals_of(rows: Sequence[Measured], predicted: NDArray[np.float64]) -> tuple[Residual, ...]:
    """Measured over predicted at 10 and 90 %, for each cell, precision and kind of row with enough of them.

    The quantiles are those of split conformal prediction (Lei et al. 2018): of n residuals the ones at
    rank (n + 1) times 0.1 and 0.9, so that few rows give a wide range rather than a lucky one.
    """
    apart = np.array([row.value for row in rows]) / predicted
    members: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        name = row.ranged_as or row.group
        for key in ((name, row.chip, row.precision), (name, "", row.precision), (name, "", "")):
            members[key].append(index)
    found = []
    for (group, chip, precision), indexes in sorted(members.items()):
        if len(indexes) < FEWEST_ROWS and (chip or precision):
            continue
        ordered = np.sort(apart[indexes])
        low, high = quantile(ordered, 0.1), quantile(ordered, 0.9)
        found.append(Residual(group, chip, precision, len(indexes), low, high))
    return tuple(found)


def quantile(ordered: NDArray[np.float64], share: float) -> float:
    """The value at rank (n + 1) * share of sorted values, between the ends; to `DIGITS` digits."""
    rank = (len(ordered) + 1) * share - 1
    place = min(max(rank, 0.0), len(ordered) - 1.0)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    value = ordered[below] + (ordered[above] - ordered[below]) * (place - below)
    return float(f"{value:.{DIGITS}g}")
