"""Runs by the size of their gangs: what waits, interruptions and checkpoints cost the large ones and the small."""

from __future__ import annotations

from array import array

import msgspec

from stargate.base.time import HOUR, SECOND
from stargate.rehearsal.report.spread import spread
from stargate.rehearsal.report.summary import Size

BOUNDS = (8, 64, 512, 2_048, 8_192)
"""Chips that a gang of each class has at most; what is larger is a class of its own."""


class SizeCount(msgspec.Struct):
    """Sums over the gangs of one class. `used = worked + saving + redone + overhead`."""

    most_chips: int | None
    workloads: int = 0
    waits: array[int] = msgspec.field(default_factory=lambda: array("q"))
    used_chip_us: int = 0
    worked_chip_us: int = 0
    saving_chip_us: int = 0
    redone_chip_us: int = 0
    overhead_chip_us: int = 0
    interruptions: int = 0


class Sizes:
    """All classes."""

    def __init__(self) -> None:
        self._classes = [SizeCount(most) for most in (*BOUNDS, None)]

    def of(self, chips: int) -> SizeCount:
        """The class of a gang."""
        return next(one for one in self._classes if one.most_chips is None or chips <= one.most_chips)

    def figures(self) -> tuple[Size, ...]:
        """Of every class that occurred."""
        return tuple(_figures(one) for one in self._classes if one.used_chip_us or one.workloads)


def _figures(one: SizeCount) -> Size:
    used = one.used_chip_us
    return Size(
        most_chips=one.most_chips,
        workloads=one.workloads,
        wait_seconds=spread(one.waits, SECOND),
        used_chip_hours=round(used / HOUR, 6),
        worked_chip_hours=round(one.worked_chip_us / HOUR, 6),
        saving_chip_hours=round(one.saving_chip_us / HOUR, 6),
        redone_chip_hours=round(one.redone_chip_us / HOUR, 6),
        overhead_chip_hours=round(one.overhead_chip_us / HOUR, 6),
        interruptions=one.interruptions,
        effective=round(one.worked_chip_us / used, 6) if used else 0.0,
    )
