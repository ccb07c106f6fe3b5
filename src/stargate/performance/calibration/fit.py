"""Fits constants to measured rows: robust least squares of relative errors, thin cells drawn to the shared values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from stargate.performance.calibration.measured import Batch, Key, Measured, Parameter

Values = NDArray[np.float64]

ROBUST_SCALE = 0.08
"""Residuals beyond this (8 %) count by their size, not their square: outliers bend a fit less."""
EVALUATIONS = 60
STEP = 1e-6
"""Of a logarithm, when differences stand for derivatives."""


def fit(
    batch: Batch,
    keep: NDArray[np.bool_] | None = None,
) -> Values:
    """The constants, in the order of `batch.parameters`.

    Minimises the sum over rows of `weight * rho(predicted / measured - 1)`, the error that is scored, with the
    soft absolute value `rho` (Huber's idea, smooth), plus `pull * log(value / drawn to)**2` for each constant.
    `keep` leaves rows out, as cross-validation does. Deterministic.
    """
    parameters = batch.parameters
    rows = np.ones(len(batch.measured), dtype=bool) if keep is None else keep
    target = np.array([row.value for row in batch.measured])
    weights = np.sqrt([row.weight for row in batch.measured])[rows]
    low, high = np.log([p.low for p in parameters]), np.log([p.high for p in parameters])
    first = np.log([p.start for p in parameters])
    pulls, anchors, fixed = _anchors(parameters)

    def residuals(logs: Values) -> Values:
        apart = batch.predict(np.exp(logs))[rows] / target[rows] - 1.0
        soft = np.sign(apart) * _soft(apart)
        drawn = pulls * (logs - np.where(anchors >= 0, logs[anchors], fixed))
        found: Values = np.concatenate([weights * soft, ROBUST_SCALE * drawn])
        return found

    answer = least_squares(
        residuals,
        first,
        jac=_Slopes(batch, rows, residuals).at,
        bounds=(low, high),
        x_scale="jac",
        max_nfev=EVALUATIONS,
    )
    return np.exp(answer.x)


class _Slopes:
    """Derivatives by forward differences. Constants of which no two move the same row are moved at once.

    A cell's constants move the rows of that cell, a release's those that ran on it: dozens of cells cost
    no more predictions than one.
    """

    def __init__(self, batch: Batch, rows: NDArray[np.bool_], residuals: Callable[[Values], Values]) -> None:
        self._residuals = residuals
        parameters = batch.parameters
        kept = [row for row, is_kept in zip(batch.measured, rows, strict=True) if is_kept]
        pulls, anchors, _ = _anchors(parameters)
        # The penalty of each constant is a row of its own; it is moved also by what the constant is drawn to.
        self._moved = np.zeros((len(parameters), len(kept) + len(parameters)), dtype=bool)
        known: dict[Key, NDArray[np.bool_]] = {}
        for index, parameter in enumerate(parameters):
            scope = _scope(parameter.key)
            if scope not in known:
                known[scope] = np.array([scope in _scopes_of(row) for row in kept], dtype=bool)
            self._moved[index, : len(kept)] = known[scope]
            self._moved[index, len(kept) + index] = True
            self._moved[index, len(kept) :] |= (anchors == index) & (pulls > 0)
        self._groups: list[tuple[list[int], NDArray[np.bool_]]] = []
        for index in range(len(parameters)):
            self._join(index)

    def _join(self, index: int) -> None:
        """The first group whose rows this constant does not move takes it."""
        mine = self._moved[index]
        for members, taken in self._groups:
            if not (taken & mine).any():
                members.append(index)
                np.logical_or(taken, mine, out=taken)
                return
        self._groups.append(([index], mine.copy()))

    def at(self, logs: Values) -> Values:
        """The matrix of derivatives: one row per residual, one column per constant."""
        here = self._residuals(logs)
        slopes = np.zeros((len(here), len(logs)))
        for members, _ in self._groups:
            there = logs.copy()
            there[members] += STEP
            apart = (self._residuals(there) - here) / STEP
            for index in members:
                slopes[self._moved[index], index] = apart[self._moved[index]]
        return slopes


_EVERYWHERE = ("shared",)


def _scope(key: Key) -> Key:
    """Which rows a constant moves."""
    if key[0] == "shared":
        return _EVERYWHERE
    return key[:3] if key[0] == "cell" else key


def _scopes_of(row: Measured) -> tuple[Key, ...]:
    return _EVERYWHERE, ("cell", row.chip, row.precision), ("release", row.software)


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
