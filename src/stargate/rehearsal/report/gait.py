"""How work goes on in a pool, where a rehearsal knows it: how long a step takes, and what saving costs."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Gait(msgspec.Struct, frozen=True):
    """Of the engines of a pool."""

    step_us: float
    """Work of one step."""
    stall_us: int = 0
    """For which a checkpoint stops the work."""
    interval_us: int | None = None
    """Of work between two checkpoints; None: as each workload says."""

    def span_us(self, steps: int, own_interval_us: int) -> int:
        """Running time of so many steps, with their checkpoints; `own_interval_us` is 0 for what saves none."""
        work = round(steps * self.step_us)
        every = self._every(own_interval_us)
        return work + int((work + self.step_us) // every) * self.stall_us if every else work

    def saving_us(self, span_us: int, own_interval_us: int) -> int:
        """Of a running time, what its checkpoints took. Steps are whole: one that is all but complete counts."""
        every = self._every(own_interval_us)
        return int((span_us + self.step_us) // (every + self.stall_us)) * self.stall_us if every else 0

    def _every(self, own_interval_us: int) -> int:
        return own_interval_us if self.interval_us is None or not own_interval_us else self.interval_us


Pace = Callable[[str], Gait]
"""Of a pool."""
