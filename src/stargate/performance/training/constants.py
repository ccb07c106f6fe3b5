"""What calibration knows of a chip, a precision and a release: the numbers that no data sheet states."""

from __future__ import annotations

import msgspec

from stargate.performance.calibration.measured import Span
from stargate.performance.number import Number


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """Every constant of a training step; all above zero; each may be a column.

    The first three belong to a chip in a precision, `release` to a release of software, the rest to all.
    """

    matmul: Number = 0.84
    """Share of the dense peak that large products reach where nothing but multiplying counts."""
    memory: Number = 0.8
    """Share of the memory bandwidth that passes over activations reach."""
    link: Number = 0.64
    """Share of the links' bandwidth that collectives reach, seen from outside: less what they hide."""
    attention: Number = 0.45
    """Attention kernels against large products, of the sixteen-bit peak."""
    narrow: Number = 0.76
    """Share of `matmul` that is left with each halving of the bits: power and feeding limit narrow formats."""
    softmax: Number = 25.0
    """Exponentials of attention, in elements of head width that take as long on a chip of one PFLOP/s.

    More on a faster one: units for exponentials have not grown with those for products (FlashAttention-3, arXiv
    2407.08608, section 3.2).
    """
    expert: Number = 4.2
    """Passes over what is between the matrices of routed experts, against those of an ordinary layer."""
    unfused: Number = 5.0
    """The same again where the activation is more than fused kernels cover."""
    routing: Number = 3.2
    """Passes over every routed token to sort it to its expert and back."""
    operands: Number = 0.6
    """Share of the time to move operands of products that computing does not hide."""
    exposed: Number = 0.3
    """Share of overlappable communication that is seen even where computing could hide it."""
    cast: Number = 0.8
    """Passes over memory for quantising, against one read and one write of each operand."""
    route_seconds: Number = 0.0095
    """The host's time to launch one routed layer of one micro-batch, forward and back."""
    straggler: Number = 0.0063
    """Growth of a step with the natural logarithm of its chips: the slowest decides."""
    step_seconds: Number = 0.045
    """What a step costs whatever its size: logging, loss scaling, data."""
    production: Number = 1.2
    """Chip-hours of a whole run against those of its steps."""
    release: Number = 1.0
    """What a release takes longer than the model says."""


CELL: dict[str, Span] = {
    "matmul": Span(0.84, 0.25, 1.0, 64.0),
    "attention": Span(0.45, 0.15, 1.5, 48.0),
    "link": Span(0.64, 0.05, 3.0, 12.0),
}
"""Constants of one chip in one precision; each is drawn to the shared constant of its name."""
SHARED: dict[str, Span] = {
    "matmul": Span(0.84, 0.25, 1.0),
    "memory": Span(0.8, 0.1, 1.5, 1.0),
    "link": Span(0.64, 0.05, 3.0, 1.0),
    "attention": Span(0.45, 0.2, 1.5, 1.0),
    "narrow": Span(0.76, 0.5, 1.2, 1.0),
    "softmax": Span(25.0, 4.0, 1000.0, 1.0),
    "expert": Span(4.2, 0.2, 40.0, 1.0),
    "unfused": Span(5.0, 1.0, 20.0, 1.0),
    "routing": Span(3.2, 0.2, 40.0, 4.0),
    "operands": Span(0.6, 0.02, 1.5, 1.0),
    "exposed": Span(0.3, 0.01, 1.0, 1.0),
    "cast": Span(0.8, 0.05, 4.0, 1.0),
    "route_seconds": Span(0.0095, 1e-4, 3e-2, 0.1),
    "straggler": Span(0.0063, 1e-4, 0.05, 0.1),
    "step_seconds": Span(0.045, 1e-4, 0.2, 1.0),
    "production": Span(1.2, 1.0, 2.0, 20.0),
}
"""Constants of all chips."""
RELEASE = "release"
RELEASES = Span(1.0, 0.3, 3.0, 20.0)
"""Factors of releases; each is drawn to the one of its software, and that to 1."""
