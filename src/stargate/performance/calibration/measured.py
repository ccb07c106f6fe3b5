"""What a fit works on: measured rows, and the positive constants that predictions of them depend on."""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Key = tuple[str, ...]
"""`("shared", name)`, `("cell", chip, precision, name)` or `("release", software)`."""


class Parameter(msgspec.Struct, frozen=True):
    """One constant, above zero and fitted as its logarithm."""

    key: Key
    start: float
    low: float
    high: float
    pull: float = 0.0
    """How strongly it is drawn to another: the penalty on the logarithm of their ratio, in rows."""
    pulled_to: Key | None = None
    """The constant it is drawn to; None: to `start`."""

    def __post_init__(self) -> None:
        assert 0 < self.low <= self.start <= self.high, f"{self.key}: start outside its bounds"


class Span(msgspec.Struct, frozen=True):
    """Where the fit of one constant starts, between which values, and how hard it is drawn back."""

    start: float
    low: float
    high: float
    pull: float = 0.0

    def parameter(self, key: Key, pulled_to: Key | None = None) -> Parameter:
        """The constant of this name, drawn to another or to where it starts."""
        return Parameter(key, self.start, self.low, self.high, self.pull, pulled_to)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One row that was measured, without what the prediction needs: that is the batch's own."""

    id: str
    group: str
    """`dense_3d`, `fsdp`, `moe`, `tpu`, `whole_runs`, `throughput_dense`, `throughput_moe`, `tpot`, `ttft`."""
    source: str
    """The table it comes from."""
    complete: bool
    """The source states the whole configuration."""
    family: str
    """Rows of one family share model, chip and precision: cross-validation holds families out whole."""
    chip: str
    precision: str
    software: str
    """The release it ran on; empty: not stated."""
    output: str
    """The quantity, as `tokens_per_second_per_chip`."""
    ranged_as: str = ""
    """The name its range is kept under, where rows of one group spread unlike; empty: its group."""
    value: float
    weight: float = 1.0


class Batch(Protocol):
    """Rows with everything needed to predict them from the constants."""

    @property
    def measured(self) -> tuple[Measured, ...]:
        """Every row that can be read."""
        ...

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """Rows that cannot: id and reason."""
        ...

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The constants these rows depend on."""
        ...

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """One prediction per measured row, in its unit, from the constants in the order of `parameters`."""
        ...
