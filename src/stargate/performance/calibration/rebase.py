"""A user's own measurements beside what is known: constants start where they stand and move by what is new."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from stargate.performance.calibration.lookup import Lookup
from stargate.performance.calibration.measured import Batch, Key, Measured, Parameter
from stargate.performance.calibration.record import Calibration
from stargate.performance.device import Device

HEAVIEST_ROWS = 30.0
"""What is known weighs at most as much as this many rows: a user's own hundred rows of one chip win."""
SHARED_ROWS = 1_000.0
"""A constant that holds for every chip rests on far more."""


class Rebased:
    """A batch whose constants are drawn to those of a calibration. Itself a `Batch`."""

    def __init__(self, batch: Batch, parameters: tuple[Parameter, ...]) -> None:
        self._batch = batch
        self.parameters = parameters
        self.measured: tuple[Measured, ...] = batch.measured
        self.refused = batch.refused

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the batch predicts."""
        return self._batch.predict(values)


def rebased(batch: Batch, base: Calibration, devices: Mapping[tuple[str, str], Device]) -> Batch:
    """The batch, drawn to `base`. A cell or release that is new to it starts at its nearest neighbour's."""
    lookup = Lookup(base, devices)
    rows: dict[Key, float] = {("cell", cell.chip, cell.precision): float(cell.rows) for cell in base.cells}
    rows |= {("release", release.software): float(release.rows) for release in base.releases}

    def drawn(parameter: Parameter) -> Parameter:
        start = min(max(lookup.value(parameter.key, parameter.start), parameter.low), parameter.high)
        if parameter.key[0] == "shared":
            return replace(parameter, start=start, pull=SHARED_ROWS, pulled_to=None)
        scope = parameter.key[:3] if parameter.key[0] == "cell" else parameter.key
        known = min(rows.get(scope, 0.0), HEAVIEST_ROWS)
        return replace(parameter, start=start, pull=max(known, parameter.pull), pulled_to=None)

    return Rebased(batch, tuple(drawn(parameter) for parameter in batch.parameters))


def merged(base: Calibration, new: Calibration) -> Calibration:
    """Everything of both; where both know something, what is new stands. Rows add up.

    But ranges of all chips together are those that rest on more rows: a few of one chip say nothing of others.
    """
    shared = base.shared | new.shared
    cells = {(cell.chip, cell.precision): cell for cell in base.cells}
    for cell in new.cells:
        before = cells.get((cell.chip, cell.precision))
        cells[cell.chip, cell.precision] = (
            cell
            if before is None
            else replace(cell, rows=before.rows + cell.rows, constants=before.constants | cell.constants)
        )
    releases = {release.software: release for release in base.releases}
    for release in new.releases:
        known = releases.get(release.software)
        releases[release.software] = (
            release if known is None else replace(release, rows=known.rows + release.rows)
        )
    residuals = {(each.group, each.chip, each.precision): each for each in base.residuals}
    for each in new.residuals:
        key = (each.group, each.chip, each.precision)
        if each.chip or key not in residuals or each.rows > residuals[key].rows:
            residuals[key] = each
    return Calibration(
        rows=base.rows + new.rows,
        digest=new.digest,
        shared=shared,
        cells=tuple(cells[key] for key in sorted(cells)),
        releases=tuple(releases[key] for key in sorted(releases)),
        residuals=tuple(residuals[key] for key in sorted(residuals)),
    )
