"""Several batches as one: rows behind one another, constants by key, each fitted once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stargate.performance.calibration.measured import Batch, Key, Measured, Parameter


class Joint:
    """Batches that share constants. Itself a `Batch`."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        assert batches, "no batches to join"
        self._batches = tuple(batches)
        known: dict[Key, Parameter] = {}
        for batch in batches:
            for parameter in batch.parameters:
                known.setdefault(parameter.key, parameter)
        place = {key: index for index, key in enumerate(known)}
        self.parameters = tuple(known.values())
        self.measured: tuple[Measured, ...] = tuple(row for batch in batches for row in batch.measured)
        self.refused = tuple(refusal for batch in batches for refusal in batch.refused)
        self._places = [
            np.array([place[parameter.key] for parameter in batch.parameters], dtype=np.intp)
            for batch in batches
        ]

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The predictions of each batch, in order."""
        parts = [
            batch.predict(values[places]) for batch, places in zip(self._batches, self._places, strict=True)
        ]
        return np.concatenate(parts) if parts else np.empty(0)
