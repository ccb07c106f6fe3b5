"""What the formulas know of a chip: peaks, memory, links and power, in base units. Facts, no calibration."""

from __future__ import annotations

from typing import Literal

import msgspec

from stargate.performance.number import Number

Precision = Literal["bf16", "fp8", "mxfp8", "nvfp4", "int8"]
"""Of the large matrices. `fp8`: one scale per tensor or coarse block; `mxfp8`: one scale per 32 elements;
`nvfp4`: 4 bits with one scale per 16; `int8`: integer matrices (AQT on TPU, W8A8)."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A chip computing in one precision. FLOPs are dense; bytes are bytes, not GiB; links are one direction."""

    chip: str
    precision: str
    vendor: str = ""
    peak_flops_per_s: Number
    """Of large matrices in this precision."""
    bf16_flops_per_s: Number
    """Of what stays in 16 bits: attention scores, the output table, norms."""
    memory_bytes: Number
    bandwidth_bytes_per_s: Number
    domain_chips: Number
    """Chips that reach one another over the scale-up fabric."""
    scaleup_bytes_per_s: Number
    scaleout_bytes_per_s: Number
    power_w: Number
    """Rated, of the chip alone; 0 where it is not known."""
    native: bool = True
    """It has units for this precision. Without, it keeps weights so and computes in the next wider format."""
