"""Fits constants to measured rows: robust least squares on logarithms, thin cells drawn to the shared values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from stargate.performance.calibration.measured import Batch, Parameter

Values = NDArray[np.float64]

ROBUST_SCALE = 0.08
"""Residuals beyond this (8 %) count by their size, not their square: outliers bend a fit less."""
EVALUATIONS = 60


def fit(
    batch: Batch,
    keep: NDArray[np.bool_] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Values:
    """The constants, in the order of `batch.parameters`.

    Minimises the sum over rows of `weight * rho(log(predicted / measured))` with the soft absolute value
    `rho` (Huber's idea, smooth), plus `pull * log(value / drawn to)**2` for each constant. `keep` leaves rows
    out, as cross-validation does. Deterministic. `progress` is told the cost as it falls.
    """
    parameters = batch.parameters
    rows = np.ones(len(batch.measured), dtype=bool) if keep is None else keep
    target = np.log([row.value for row in batch.measured])
    weights = np.sqrt([row.weight for row in batch.measured])[rows]
    low, high = np.log([p.low for p in parameters]), np.log([p.high for p in parameters])
    first = np.log([p.start for p in parameters])
    pulls, anchors, fixed = _anchors(parameters)

    def residuals(logs: Values) -> Values:
        apart = np.log(batch.predict(np.exp(logs))[rows]) - target[rows]
        soft = np.sign(apart) * _soft(apart)
        drawn = pulls * (logs - np.where(anchors >= 0, logs[anchors], fixed))
        found: Values = np.concatenate([weights * soft, ROBUST_SCALE * drawn])
        if progress is not None:
            progress(float(found @ found))
        return found

    answer = least_squares(residuals, first, bounds=(low, high), x_scale="jac", max_nfev=EVALUATIONS)
    return np.exp(answer.x)


def _soft(apart: Values) -> Values:
    """The root of the soft absolute value, so that its square is what is summed."""
    scaled = (apart / ROBUST_SCALE) ** 2
    return ROBUST_SCALE * np.sqrt(2.0 * (np.sqrt(1.0 + scaled) - 1.0))


def _anchors(parameters: Sequence[Parameter]) -> tuple[Values, NDArray[np.intp], Values]:
    """For each constant: how hard it is drawn, the place of what it is drawn to (-1: a number), the number."""
    place = {parameter.key: index for index, parameter in enumerate(parameters)}
    pulls = np.sqrt([parameter.pull for parameter in parameters])
    anchors = np.array(
        [-1 if p.pulled_to is None else place.get(p.pulled_to, -1) for p in parameters], dtype=np.intp
    )
    return pulls, anchors, np.log([parameter.start for parameter in parameters])
