"""Constants for what was measured, and for what was not: the nearest cell lends its own, with a wider range."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stargate.performance.calibration.measured import Key, Parameter
from stargate.performance.calibration.record import Calibration, Residual
from stargate.performance.device import Device
from stargate.performance.estimate import Range

Grade = Literal["measured", "lent"]
"""`measured`: the cell has rows of its own. `lent`: its constants come from another chip or precision."""

LENT_WIDENING = 1.5
"""A range on lent constants is wider by this factor of its logarithm. Chosen, not fitted: the spread between the
out-of-fold residuals of cells of one precision is about as large as that within them."""
FEWEST_ROWS = 8
"""Below this many rows a cell has no residuals of its own: those of its precision stand in."""
_UNKNOWN = Residual("", "", "", 0, 0.5, 2.0)

PRECISION_STEPS: dict[str, int] = {"bf16": 0, "int8": 1, "fp8": 1, "mxfp8": 2, "nvfp4": 3, "int4": 3}
"""How far formats are from sixteen bits: a neighbour is fewer steps away."""


def release_parts(software: str) -> tuple[str, tuple[int, ...]]:
    """A release's name and its numbers: `vllm 0.19.0` is `("vllm", (0, 19, 0))`."""
    name, _, version = software.rpartition(" ")
    numbers = tuple(int(digits) for digits in re.findall(r"\d+", version))
    return (name, numbers) if name and numbers else (software, ())


class Lookup:
    """Finds constants and ranges. Chips that no row names need their `Device` to find a neighbour."""

    def __init__(
        self, calibration: Calibration, devices: Mapping[tuple[str, str], Device], *, releases: bool = True
    ) -> None:
        self._values = calibration.values()
        self._devices = devices
        self._cells = tuple((cell.chip, cell.precision) for cell in calibration.cells)
        self._residuals = {(part.group, part.chip, part.precision): part for part in calibration.residuals}
        self._lenders: dict[tuple[str, str, str], tuple[str, str] | None] = {}
        self._releases = tuple(release.software for release in calibration.releases if releases)

    def grade(self, chip: str, precision: str) -> Grade:
        """Whether the cell has rows of its own."""
        return "measured" if (chip, precision) in self._cells else "lent"

    def value(self, key: Key, otherwise: float) -> float:
        """The constant; a neighbour's where it was never fitted; `otherwise` where nobody has one."""
        found = self._values.get(key)
        if found is not None and (key[0] != "release" or self._releases):
            return found
        if key[0] == "cell":
            _, chip, precision, name = key
            lender = self.lender(chip, precision, name)
            return otherwise if lender is None else self._values["cell", *lender, name]
        if key[0] == "release":
            return self._nearest_release(key[1], otherwise)
        return otherwise

    def values(self, parameters: Sequence[Parameter]) -> NDArray[np.float64]:
        """One value per parameter: what `Batch.predict` takes."""
        return np.array([self.value(parameter.key, parameter.start) for parameter in parameters])

    def lender(self, chip: str, precision: str, name: str) -> tuple[str, str] | None:
        """The nearest cell that has this constant: by format, then maker, then peak and bandwidth."""
        asked = (chip, precision, name)
        if asked not in self._lenders:
            having = [cell for cell in self._cells if ("cell", *cell, name) in self._values]
            self._lenders[asked] = min(
                having, key=lambda cell: (*self._distance(chip, precision, *cell), cell), default=None
            )
        return self._lenders[asked]

    def _distance(self, chip: str, precision: str, other: str, other_precision: str) -> tuple[float, float]:
        steps = abs(PRECISION_STEPS.get(precision, 0) - PRECISION_STEPS.get(other_precision, 0))
        if chip == other:
            return steps, 0.0
        mine = self._devices.get((chip, precision)) or self._any_device(chip)
        theirs = self._devices.get((other, other_precision)) or self._any_device(other)
        if mine is None or theirs is None:
            return steps + 1.0, math.inf
        apart = abs(math.log(mine.bf16_flops_per_s / theirs.bf16_flops_per_s))
        apart += abs(math.log(mine.bandwidth_bytes_per_s / theirs.bandwidth_bytes_per_s))
        return steps + (0.5 if mine.vendor == theirs.vendor else 1.5), apart

    def _any_device(self, chip: str) -> Device | None:
        return next((device for (name, _), device in self._devices.items() if name == chip), None)

    def _nearest_release(self, software: str, otherwise: float) -> float:
        name, numbers = release_parts(software)
        siblings = sorted(
            (release_parts(known)[1], known)
            for known in self._releases
            if release_parts(known)[0].casefold() == name.casefold()
        )
        if not siblings:
            return otherwise
        earlier = [known for version, known in siblings if version <= numbers]
        return self._values["release", earlier[-1] if earlier else siblings[0][1]]

    def range(self, group: str, chip: str, precision: str, point: float) -> Range:
        """The point with 10 and 90 %: by the residuals of its cell, else of its precision, else of its group."""
        choices = ((group, chip, precision), (group, "", precision), (group, "", ""))
        found = next((self._residuals[choice] for choice in choices if choice in self._residuals), _UNKNOWN)
        widening = 1.0 if self.grade(chip, precision) == "measured" else LENT_WIDENING
        low, high = min(found.low, 1.0) ** widening, max(found.high, 1.0) ** widening
        return Range(point, point * low, point * high)
