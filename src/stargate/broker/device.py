"""A chip of the catalog as the performance formulas see it: one precision, base units."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from stargate.base.errors import NotFoundError
from stargate.catalog.chip import Chip
from stargate.performance.device import Device, Precision

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
_PEAKS: dict[Precision, tuple[str, ...]] = {
    "bf16": ("bf16_dense_tflops",),
    "fp8": ("fp8_dense_tflops", "bf16_dense_tflops"),
    "mxfp8": ("fp8_dense_tflops", "bf16_dense_tflops"),
    "nvfp4": ("fp4_dense_tflops", "fp8_dense_tflops", "bf16_dense_tflops"),
    "int8": ("int8_dense_tops", "bf16_dense_tflops"),
}
"""The figure of each precision, then those of the wider formats a chip computes in that lacks it."""


def device_of(chip: Chip, precision: Precision) -> Device:
    """The chip computing in this precision, by the best single number of each of its figures.

    Raises NotFoundError that names the figure where the catalog does not have one that the formulas need.
    """

    def figure(*names: str) -> float:
        known = next((found for found in map(chip.figure, names) if found is not None), None)
        if known is None:
            raise NotFoundError(
                f"chip {chip.id} has no figure {names[0]}",
                f"Add it to the chip in your catalog, with its source, to estimate {precision} on it",
            )
        return float(known.central)

    peaks = _PEAKS[precision]
    peak = figure(*peaks) * 1e12
    sixteen = chip.figure("bf16_dense_tflops")
    return Device(
        chip=chip.id,
        precision=precision,
        vendor=chip.vendor,
        peak_flops_per_s=peak,
        # A chip that is sold for eight and four bits only computes sixteen at half of eight.
        bf16_flops_per_s=float(sixteen.central) * 1e12 if sixteen else peak / 2,
        # What vendors call a GB of such memory is a GiB: an A100 of 80 GB reports 81,920 MiB.
        memory_bytes=figure("memory_gb") * 2**30,
        bandwidth_bytes_per_s=figure("memory_bandwidth_tb_per_s") * 1e12,
        domain_chips=chip.scaleup_domain_chips or 1,
        scaleup_bytes_per_s=figure("scaleup_gb_per_s") * 1e9,
        scaleout_bytes_per_s=figure("scaleout_gbit_per_s") * 1e9 / 8,
        power_w=_power(chip),
        native=chip.figure(peaks[0]) is not None,
    )


def _power(chip: Chip) -> float:
    known = chip.figure("tdp_w")
    return float(known.central) if known else 0.0


def devices(chips: Iterable[Chip]) -> dict[tuple[str, str], Device]:
    """Every chip in every precision that its figures allow, by (chip, precision)."""
    found: dict[tuple[str, str], Device] = {}
    for chip in chips:
        for precision in PRECISIONS:
            try:
                found[chip.id, precision] = device_of(chip, precision)
            except NotFoundError:
                continue
    return found
