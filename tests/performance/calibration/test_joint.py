"""Several batches are fitted as one."""

from __future__ import annotations

import numpy as np

from stargate.performance.calibration import Joint
from stargate.performance.calibration.fit import fit
from tests.performance.calibration.toy import Toy


def test_rows_follow_one_another_and_constants_are_shared() -> None:
    first, second = Toy(count=40, cells=(("A", "bf16"),)), Toy(seed=3, count=30, cells=(("B", "fp8"),))
    both = Joint([first, second])
    assert both.measured == first.measured + second.measured
    assert len(both.parameters) == len(first.parameters) + 1
    values = np.array([parameter.start for parameter in both.parameters])
    alone = np.array([parameter.start for parameter in first.parameters])
    assert (both.predict(values)[:40] == first.predict(alone)).all()


def test_what_one_batch_teaches_the_other_uses() -> None:
    first, second = Toy(count=100, cells=(("A", "bf16"),)), Toy(seed=3, count=4, cells=(("A", "bf16"),))
    both = Joint([first, second])
    found = both.predict(fit(both))[100:]
    measured = np.array([row.value for row in second.measured])
    assert np.abs(found / measured - 1).max() < 0.15
