"""Engines to try formulas on: shipped models on catalogued chips, with the constants that a fit starts from."""

from __future__ import annotations

from functools import cache

from stargate.broker.device import devices
from stargate.catalog.chip import builtin_chips
from stargate.performance.device import Device
from stargate.performance.inference.constants import Constants
from stargate.performance.inference.format import format_of
from stargate.performance.inference.iteration import Engine
from stargate.performance.inference.layout import Layout, layout
from stargate.performance.models.library import model_named
from stargate.performance.models.shape import shape_of
from stargate.performance.number import stack

CASES = (
    ("llama3.1-70b", "H100-SXM", "fp8", layout(4)),
    ("llama3.1-8b", "H200-SXM", "bf16", layout(1)),
    ("deepseek-v3", "H200-SXM", "fp8", layout(8, expert=8, attention_data=8, experts=True)),
    ("deepseek-v3", "B200-SXM", "nvfp4", layout(8, expert=1, experts=True)),
    ("gpt-oss-120b", "B200-SXM", "nvfp4", layout(2, expert=2, experts=True)),
    ("qwen3.5-397b-a17b", "B200-SXM", "fp8", layout(8, expert=4, experts=True)),
    ("glm-5", "B200-SXM", "fp8", layout(8, expert=8, experts=True)),
)
"""Dense and mixtures, grouped queries and latents, windows, fixed states and sparse attention, all ways of cutting."""


@cache
def catalogued() -> dict[tuple[str, str], Device]:
    """Every chip of the catalog by (chip, precision)."""
    return devices(builtin_chips())


def engine(model: str, chip: str, precision: str, cut: Layout, constants: Constants | None = None) -> Engine:
    """One engine."""
    architecture = model_named(model)
    return Engine(
        shape_of(architecture),
        format_of(architecture, precision),
        cut,
        catalogued()[chip, precision],
        constants or Constants(),
    )


def engines() -> tuple[Engine, ...]:
    """All cases."""
    return tuple(engine(*case) for case in CASES)


def columns() -> Engine:
    """All cases as columns of one engine."""
    every = engines()
    return Engine(
        stack([each.shape for each in every]),
        stack([each.form for each in every]),
        stack([each.layout for each in every]),
        stack([each.device for each in every]),
        Constants(),
    )
