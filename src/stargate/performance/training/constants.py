"""What calibration knows of a chip, a precision and a release: the numbers that no data sheet states."""

from __future__ import annotations

import msgspec

from stargate.performance.number import Number


class Constants(msgspec.Struct, frozen=True, kw_only=True):
    """Every constant of a training step; all above zero; each may be a column.

    The first three belong to a chip in a precision, `release` to a release of software, the rest to all.
    """

    matmul: Number = 0.75
    """Share of the dense peak that large products reach where nothing but multiplying counts."""
    memory: Number = 0.8
    """Share of the memory bandwidth that passes over activations reach."""
    link: Number = 0.6
    """Share of the links' bandwidth that collectives reach, seen from outside: less what they hide."""
    attention: Number = 0.7
    """Attention kernels against large products, of the sixteen-bit peak."""
    narrow: Number = 0.9
    """Share of `matmul` that is left with each halving of the bits: power and feeding limit narrow formats."""
    softmax: Number = 64.0
    """Exponentials of attention, in elements of head width that take as long."""
    expert: Number = 1.0
    """Passes over what is between the matrices of routed experts, against those of an ordinary layer."""
    unfused: Number = 4.0
    """The same again where the activation is more than fused kernels cover."""
    routing: Number = 8.0
    """Passes over every routed token to sort it to its expert and back."""
    operands: Number = 0.3
    """Share of the time to move operands of products that computing does not hide."""
    exposed: Number = 0.3
    """Share of overlappable communication that is seen even where computing could hide it."""
    cast: Number = 1.0
    """Passes over memory for quantising, against one read and one write of each operand."""
    low_share: Number = 0.75
    """Share of products in four bits where the recipe says so; the others are in eight."""
    launch_seconds: Number = 1e-3
    """The host's time to launch one layer of one micro-batch, forward and back."""
    route_seconds: Number = 3e-3
    """The host's time to launch what routing adds to that."""
    straggler: Number = 0.005
    """Growth of a step per doubling of chips: the slowest decides."""
    step_seconds: Number = 0.01
    """What a step costs whatever its size: logging, loss scaling, data."""
    production: Number = 1.2
    """Chip-hours of a whole run against those of its steps."""
    release: Number = 1.0
    """What a release takes longer than the model says."""


class Span(msgspec.Struct, frozen=True):
    """Where the fit of one constant starts, between which values, and how hard it is drawn back."""

    start: float
    low: float
    high: float
    pull: float = 0.0


CELL: dict[str, Span] = {
    "matmul": Span(0.75, 0.25, 1.0, 64.0),
    "attention": Span(0.6, 0.15, 1.5, 8.0),
    "link": Span(0.6, 0.05, 3.0, 4.0),
}
"""Constants of one chip in one precision; each is drawn to the shared constant of its name."""
SHARED: dict[str, Span] = {
    "matmul": Span(0.75, 0.25, 1.0),
    "memory": Span(0.7, 0.1, 1.5, 1.0),
    "link": Span(0.6, 0.05, 3.0, 1.0),
    "attention": Span(0.7, 0.2, 1.5, 1.0),
    "narrow": Span(0.85, 0.5, 1.2, 1.0),
    "softmax": Span(60.0, 4.0, 1000.0, 1.0),
    "expert": Span(4.0, 0.2, 40.0, 1.0),
    "unfused": Span(4.0, 1.0, 20.0, 1.0),
    "routing": Span(3.0, 0.2, 40.0, 4.0),
    "operands": Span(0.2, 0.02, 1.5, 1.0),
    "exposed": Span(0.3, 0.01, 1.0, 1.0),
    "cast": Span(0.6, 0.05, 4.0, 1.0),
    "low_share": Span(0.75, 0.3, 1.0, 1.0),
    "launch_seconds": Span(2e-4, 1e-5, 3e-3, 1.0),
    "route_seconds": Span(2e-3, 1e-4, 3e-2, 0.1),
    "straggler": Span(0.01, 1e-4, 0.05, 0.1),
    "step_seconds": Span(0.01, 1e-4, 0.2, 1.0),
    "production": Span(1.15, 1.0, 2.0, 1.0),
}
"""Constants of all chips."""
RELEASE = "release"
RELEASES = Span(1.0, 0.3, 3.0, 20.0)
"""Factors of releases; each is drawn to the one of its software, and that to 1."""
