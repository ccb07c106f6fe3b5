"""How far predictions lie from measurements: by group, by source, and on the rows that state everything."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stargate.performance.calibration.lookup import Lookup
from stargate.performance.calibration.measured import Batch, Measured

NO_PREDICTION = "the configuration cannot be: the formulas give no positive number for it"


class Accuracy(msgspec.Struct, frozen=True):
    """Of some rows. Errors are percent of the measured value; shares are 0 to 1."""

    n: int
    mape: float
    """Mean absolute error."""
    p90: float
    """9 of 10 rows are nearer than this."""
    median: float
    bias: float
    """Mean signed error; above zero: predicted too much."""
    coverage: float
    """Share of the rows that got an answer."""
    within: float
    """Share of the answered rows inside their 10-90 % range: 0.8 is meant."""


class Score(msgspec.Struct, frozen=True):
    """Of one file. `complete` is of rows whose source states the whole configuration."""

    groups: dict[str, Accuracy]
    overall: Accuracy
    complete: dict[str, Accuracy]
    sources: dict[str, Accuracy]
    refused: tuple[tuple[str, str], ...]


class Scored(msgspec.Struct, frozen=True):
    """One row with its prediction."""

    row: Measured
    predicted: float
    low: float
    high: float

    @property
    def answered(self) -> bool:
        """Whether the prediction is one: of a configuration that cannot be, formulas give no positive number."""
        return math.isfinite(self.predicted) and self.predicted > 0

    @property
    def error_percent(self) -> float:
        """Signed."""
        return 100.0 * (self.predicted / self.row.value - 1.0)


def scored(batch: Batch, lookup: Lookup, predicted: NDArray[np.float64] | None = None) -> tuple[Scored, ...]:
    """Every measured row with its prediction; by `lookup` where none are given."""
    points = batch.predict(lookup.values(batch.parameters)) if predicted is None else predicted
    found = []
    for row, point in zip(batch.measured, points, strict=True):
        span = lookup.range(row.ranged_as or row.group, row.chip, row.precision, float(point))
        found.append(Scored(row, span.point, span.low, span.high))
    return tuple(found)


def score(rows: Sequence[Scored], refused: Sequence[tuple[str, str]] = ()) -> Score:
    """The accuracies. A refused row has no group: it lowers the coverage of the whole."""
    unlike = tuple((each.row.id, NO_PREDICTION) for each in rows if not each.answered)
    return Score(
        groups=_by(rows, lambda each: each.row.group),
        overall=accuracy(rows, len(refused)),
        complete=_by([each for each in rows if each.row.complete], lambda each: each.row.group),
        sources=_by(rows, lambda each: each.row.source),
        refused=(*refused, *unlike),
    )


def _by(rows: Sequence[Scored], name: Callable[[Scored], str]) -> dict[str, Accuracy]:
    parts: dict[str, list[Scored]] = {}
    for each in rows:
        parts.setdefault(name(each), []).append(each)
    return {key: accuracy(parts[key]) for key in sorted(parts)}


def accuracy(rows: Sequence[Scored], unanswered: int = 0) -> Accuracy:
    """Of these rows; zeros where there are none."""
    asked = len(rows) + unanswered
    rows = [each for each in rows if each.answered]
    if not rows:
        return Accuracy(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    signed = np.array([each.error_percent for each in rows])
    errors = np.abs(signed)
    inside = sum(1 for each in rows if each.low <= each.row.value <= each.high)
    return Accuracy(
        n=len(rows),
        mape=round(float(errors.mean()), 3),
        p90=round(float(np.percentile(errors, 90)), 3),
        median=round(float(np.median(errors)), 3),
        bias=round(float(signed.mean()), 3),
        coverage=round(len(rows) / asked, 4),
        within=round(inside / len(rows), 4),
    )
