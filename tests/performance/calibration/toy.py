"""A small law with known constants, measured with noise: `value = efficiency(cell) * size ** power / release`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stargate.performance.calibration import Measured, Parameter
from stargate.performance.device import Device

POWER = 0.7
EFFICIENCY = {("A", "bf16"): 0.5, ("B", "bf16"): 0.6, ("B", "fp8"): 0.4, ("C", "fp8"): 0.45}
RELEASE = {"mill 1.0": 1.1, "mill 1.2": 1.0, "": 1.0}


def device(chip: str, precision: str, flops: float, vendor: str = "mill") -> Device:
    return Device(
        chip=chip,
        precision=precision,
        vendor=vendor,
        peak_flops_per_s=flops,
        bf16_flops_per_s=flops,
        memory_bytes=80e9,
        bandwidth_bytes_per_s=flops / 300,
        domain_chips=8,
        scaleup_bytes_per_s=450e9,
        scaleout_bytes_per_s=50e9,
        power_w=700,
    )


DEVICES = {
    (chip, precision): device(chip, precision, flops)
    for chip, flops in (("A", 3e14), ("B", 1e15), ("C", 2e15), ("D", 2.2e15))
    for precision in ("bf16", "fp8")
}


class Toy:
    """Rows of the law. `measured`, `parameters` and `predict` make it a `Batch`."""

    refused: tuple[tuple[str, str], ...] = ()

    def __init__(
        self,
        seed: int = 1,
        count: int = 200,
        noise: float = 0.03,
        cells: Sequence[tuple[str, str]] = tuple(EFFICIENCY),
    ) -> None:
        random = np.random.default_rng(seed)
        self._sizes = random.uniform(1, 100, count)
        rows = []
        for index in range(count):
            chip, precision = cells[index % len(cells)]
            software = list(RELEASE)[int(random.integers(3))]
            value = EFFICIENCY[chip, precision] * self._sizes[index] ** POWER / RELEASE[software]
            rows.append(
                Measured(
                    id=f"r{index}",
                    group="tpot" if index % 2 else "ttft",
                    source="table",
                    complete=index % 3 == 0,
                    family=f"{chip} {precision} {index % 5}",
                    chip=chip,
                    precision=precision,
                    software=software,
                    output="milliseconds",
                    value=float(value * np.exp(random.normal(0, noise))),
                )
            )
        self.measured = tuple(rows)
        names = sorted({(row.chip, row.precision) for row in rows})
        mean = ("shared", "efficiency")
        self.parameters = (
            Parameter(mean, 0.3, 0.01, 1.0),
            Parameter(("shared", "power"), 1.0, 0.1, 3.0),
            *(Parameter(("cell", *name, "efficiency"), 0.3, 0.01, 1.0, 0.1, mean) for name in names),
            *(Parameter(("release", name), 1.0, 0.5, 2.0, 0.1) for name in RELEASE if name),
        )
        place = {parameter.key: index for index, parameter in enumerate(self.parameters)}
        self._cell = np.array([place["cell", row.chip, row.precision, "efficiency"] for row in rows])
        self._release = np.array([place.get(("release", row.software), -1) for row in rows])

    def predict(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        release = np.where(self._release >= 0, values[self._release], 1.0)
        found: NDArray[np.float64] = values[self._cell] * self._sizes ** values[1] / release
        return found
