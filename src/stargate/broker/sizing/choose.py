"""Which of the numbers of chips to take: the cheapest that is done in time, or carries the traffic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from stargate.broker.sizing.estimator import RunEstimate, ServiceEstimate
from stargate.broker.sizing.ladder import Rung


class Run(msgspec.Struct, frozen=True):
    """One gang with its estimate."""

    gang: Rung
    estimate: RunEstimate

    @property
    def chip_seconds(self) -> float:
        """What it uses."""
        return self.gang.chips * self.estimate.seconds.point


class Replicas(msgspec.Struct, frozen=True):
    """Replicas that are one gang each, with their estimate."""

    gang: Rung
    estimate: ServiceEstimate

    @property
    def chips(self) -> int:
        """Of all replicas."""
        return self.gang.chips * self.estimate.replicas


def cheapest_in_time(runs: Sequence[Run], seconds: float) -> Run | None:
    """The least chip-hours of those that nine of ten times are done within so many seconds.

    Where none is, the fastest, if it is done in time as often as not; else None. A shorter time never
    gets fewer chips: what uses less and is in time with more chips would have been faster with them too.
    """
    safe = [run for run in runs if run.estimate.seconds.high <= seconds]
    if safe:
        return min(safe, key=lambda run: (run.chip_seconds, run.gang.chips))
    found = fastest(runs)
    return found if found is not None and found.estimate.seconds.point <= seconds else None


def fastest(runs: Iterable[Run]) -> Run | None:
    """The run that is done first; of equals the smaller."""
    return min(runs, key=lambda run: (run.estimate.seconds.point, run.gang.chips), default=None)


def fewest_chips(services: Iterable[Replicas], most: int | None = None) -> Replicas | None:
    """The least chips in all, in at most so many replicas; of equals the smaller replica: it fits in more places."""
    return min(
        (each for each in services if most is None or each.estimate.replicas <= most),
        key=lambda each: (each.chips, each.gang.chips),
        default=None,
    )
