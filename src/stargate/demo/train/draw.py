"""Random numbers as a pure function of seed and step: whoever resumes at a step draws what was drawn there before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INITIAL = 0
"""The draw that fills the parameters; steps begin with 1."""


def _raw(seed: int, step: int, count: int) -> NDArray[np.uint64]:
    # The raw stream of Philox is specified; the generators built upon it may change between versions.
    return np.asarray(np.random.Philox(key=[seed, step]).random_raw(count), dtype=np.uint64)


def positions(seed: int, step: int, count: int, below: int) -> NDArray[np.int64]:
    """`count` whole numbers below `below`."""
    return (_raw(seed, step, count) % np.uint64(below)).astype(np.int64)


def uniform(seed: int, count: int) -> NDArray[np.float32]:
    """`count` numbers in [-1, 1), for the first parameters."""
    bits = _raw(seed, INITIAL, count) >> np.uint64(11)
    return (bits.astype(np.float64) * 2.0**-52 - 1.0).astype(np.float32)
